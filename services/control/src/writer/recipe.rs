//! From changes to one store transaction that keeps every invariant (api-design.md sections 6.3 and 6.4).
//!
//! References and unique values are keys of their own beside the specs, so that two replicas that know nothing of each
//! other cannot both succeed with writes that contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use um_store::{Compare, Op, Txn};
use um_topology::{Kind, Name, UniqueValue, references, unique_values};

use crate::{
    keys::Keys,
    picture::{Changed, Picture},
    schema,
    stored::Stored,
};

/// A transaction under construction: no key is compared for two things or written twice.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    keys: &'a Keys,
    changes: &'a [Changed],
    revision: i64,
    compares: Vec<Compare>,
    writes: BTreeMap<Bytes, Op>,
}

/// Makes the transaction for changes that were planned on `picture`.
pub(super) fn recipe(keys: &Keys, changes: &[Changed], picture: &Picture) -> Txn {
    let revision = picture.revision;
    let mut recipe = Recipe { keys, changes, revision, compares: Vec::new(), writes: BTreeMap::new() };
    recipe.compares.push(Compare::value(keys.schema(), picture.schema.clone()));
    for change in changes {
        recipe.spec(change);
    }
    recipe.references();
    recipe.unique_values();
    if changes.iter().any(|change| change.name.kind != Kind::User) {
        // Rules between lines, lists, stations and settings are no single key's business.
        recipe.compares.push(Compare::unchanged(keys.topology_head(), picture.topology_revision));
        recipe.writes.insert(keys.topology_head(), Op::put(keys.topology_head(), schema::mark()));
    }
    recipe.writes.insert(keys.head(), Op::put(keys.head(), schema::mark()));
    Txn { compares: recipe.compares, then: recipe.writes.into_values().collect(), otherwise: Vec::new() }
}

impl Recipe<'_> {
    fn spec(&mut self, change: &Changed) {
        let key = self.keys.spec(&change.name);
        self.compares.push(match &change.before {
            Some(before) => Compare::unchanged(key.clone(), before.revision),
            None => Compare::absent(key.clone()),
        });
        let op = match &change.after {
            Some(after) => Op::put(key.clone(), after.encode(self.keys.vault())),
            None => Op::delete(key.clone()),
        };
        self.writes.insert(key, op);
    }

    fn references(&mut self) {
        let mut checked = BTreeSet::new();
        for change in self.changes {
            let before = targets(change.before.as_deref());
            let after = targets(change.after.as_deref());
            for target in after.difference(&before) {
                let key = self.keys.reference(target, &change.name);
                self.writes.insert(key.clone(), Op::put(key, Bytes::new()));
                if self.change_of(target).is_none() && checked.insert(target.clone()) {
                    self.compares.push(Compare::exists(self.keys.spec(target)));
                }
            }
            for target in before.difference(&after) {
                let key = self.keys.reference(target, &change.name);
                self.writes.insert(key.clone(), Op::delete(key));
            }
            if change.after.is_none() {
                self.unreferenced(&change.name);
            }
        }
    }

    /// Nobody may begin to refer to what is deleted. Those who stop to in this very transaction still have their mark.
    fn unreferenced(&mut self, name: &Name) {
        let marks = self.keys.references(name);
        let leaving = self.changes.iter().any(|change| targets(change.before.as_deref()).contains(name));
        self.compares.push(if leaving {
            Compare::unchanged_under(&marks, self.revision)
        } else {
            Compare::none_under(&marks)
        });
    }

    fn unique_values(&mut self) {
        let mut freed = BTreeMap::new();
        for change in self.changes {
            let kept = values(self.keys, change.after.as_deref());
            for key in values(self.keys, change.before.as_deref()).difference(&kept) {
                freed.insert(key.clone(), change.name.to_string());
            }
        }
        for change in self.changes {
            let had = values(self.keys, change.before.as_deref());
            for key in values(self.keys, change.after.as_deref()).difference(&had) {
                self.compares.push(match freed.remove(key) {
                    Some(owner) => Compare::value(key.clone(), owner),
                    None => Compare::absent(key.clone()),
                });
                self.writes.insert(key.clone(), Op::put(key.clone(), change.name.to_string()));
            }
        }
        for key in freed.into_keys() {
            self.writes.insert(key.clone(), Op::delete(key));
        }
    }

    fn change_of(&self, name: &Name) -> Option<&Changed> {
        self.changes.iter().find(|change| change.name == *name)
    }
}

fn targets(stored: Option<&Stored>) -> BTreeSet<Name> {
    stored
        .map(|stored| references(&stored.model).into_iter().map(|one| one.target).collect())
        .unwrap_or_default()
}

fn values(keys: &Keys, stored: Option<&Stored>) -> BTreeSet<Bytes> {
    let of = |stored: &Stored| {
        unique_values(&stored.model).iter().map(|value: &UniqueValue| keys.unique(value)).collect()
    };
    stored.map(of).unwrap_or_default()
}

#[cfg(test)]
mod tests;
