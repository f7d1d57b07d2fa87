//! The check itself: item after item, in any order, against what the picture says must be there.

use std::collections::{BTreeMap, BTreeSet};

use um_store::{Item, OPERATIONS_MAX, REQUEST_BYTES_MAX};
use um_topology::{Change, Name, Topology, references, unique_values};

use super::{Broken, Invariant};
use crate::{audit, clock, keys::Keys, picture::Picture, stored::Stored};

/// For so long after a change its audit event must be there.
const AUDIT_KEPT: std::time::Duration = std::time::Duration::from_secs(90 * 86_400);

/// A check under way.
#[derive(Debug)]
pub struct Check<'a> {
    keys: &'a Keys,
    picture: &'a Picture,
    broken: Vec<Broken>,
    specs: usize,
    marks: usize,
    owners: usize,
    /// How often an audit event explains the last change of a resource.
    explained: BTreeMap<String, usize>,
    /// Keys and bytes of each revision, of what is left of it.
    sizes: BTreeMap<i64, (usize, usize)>,
    head: Option<i64>,
}

impl<'a> Check<'a> {
    /// Begins to check the realm of `keys` at the revision of `picture`.
    #[must_use]
    pub fn new(keys: &'a Keys, picture: &'a Picture) -> Self {
        Self {
            keys,
            picture,
            broken: Vec::new(),
            specs: 0,
            marks: 0,
            owners: 0,
            explained: BTreeMap::new(),
            sizes: BTreeMap::new(),
            head: None,
        }
    }

    /// Takes one item of the realm.
    pub fn item(&mut self, item: &Item) {
        let (keys, bytes) = self.sizes.entry(item.mod_revision).or_default();
        *keys += 1;
        *bytes += item.key.len() + item.value.len();
        match self.keys.area(&item.key) {
            Some("spec") => self.spec(item),
            Some("ref") => self.mark(item),
            Some("uniq") => self.owner(item),
            Some("audit") => self.event(item),
            Some(_) | None => {
                if item.key == self.keys.head() {
                    self.head = Some(item.mod_revision);
                }
            }
        }
    }

    /// Ends the check; returns everything that is wrong.
    #[must_use]
    pub fn finish(mut self) -> Vec<Broken> {
        self.totals();
        self.events();
        self.compiles();
        let large = self
            .sizes
            .iter()
            .filter(|(_, (keys, bytes))| *keys > OPERATIONS_MAX || *bytes > REQUEST_BYTES_MAX);
        let large: Vec<String> = large
            .map(|(revision, (keys, bytes))| format!("revision {revision} has {keys} keys, {bytes} bytes"))
            .collect();
        large.into_iter().for_each(|what| self.add(Invariant::TransactionSize, what));
        self.broken
    }

    fn spec(&mut self, item: &Item) {
        let key = shown(&item.key);
        let Some(name) = self.keys.parse_spec(&item.key) else {
            return self.add(Invariant::Etag, format!("{key} names no resource"));
        };
        self.specs += 1;
        match (
            Stored::decode(name.clone(), &item.value, item.mod_revision, self.keys.vault()),
            self.picture.get(&name),
        ) {
            (Err(error), _) => self.add(Invariant::Etag, error.to_string()),
            (Ok(_), None) => self.add(Invariant::Etag, format!("{name} is stored, but not shown")),
            (Ok(stored), Some(shown)) if stored != **shown => {
                let (is, shows) = (item.mod_revision, shown.etag());
                self.add(
                    Invariant::Etag,
                    format!("{name} is stored at revision {is}, shown with etag {shows}"),
                );
            }
            (Ok(_), Some(_)) => {}
        }
    }

    fn mark(&mut self, item: &Item) {
        let Some((target, source)) = self.keys.parse_reference(&item.key) else {
            return self.add(Invariant::ReferenceMarks, format!("{} is no mark", shown(&item.key)));
        };
        let refers = self
            .picture
            .get(&source)
            .is_some_and(|stored| references(&stored.model).iter().any(|one| one.target == target));
        if refers {
            self.marks += 1;
        } else {
            self.add(Invariant::ReferenceMarks, format!("a mark says that {source} refers to {target}"));
        }
    }

    fn owner(&mut self, item: &Item) {
        let key = shown(&item.key);
        let owner = std::str::from_utf8(&item.value).ok().and_then(|text| text.parse::<Name>().ok());
        let owned = owner.as_ref().and_then(|owner| self.picture.get(owner)).is_some_and(|stored| {
            unique_values(&stored.model).iter().any(|value| self.keys.unique(value) == item.key)
        });
        if owned {
            self.owners += 1;
        } else {
            let owner = shown(&item.value);
            self.add(
                Invariant::UniqueOwners,
                format!("{key} belongs to {owner}, whose spec does not have it"),
            );
        }
    }

    fn event(&mut self, item: &Item) {
        let Some(names) = audit::touched(&item.value) else {
            return self.add(Invariant::AuditEvent, format!("{} cannot be read", shown(&item.key)));
        };
        for name in names {
            let last = name.parse::<Name>().ok().and_then(|name| self.picture.get(&name));
            if last.is_some_and(|stored| stored.revision == item.mod_revision) {
                *self.explained.entry(name).or_default() += 1;
            }
        }
    }

    /// What must be there and was not seen.
    fn totals(&mut self) {
        let (mut marks, mut values) = (0, BTreeSet::new());
        let mut owners = 0;
        let mut wrong = Vec::new();
        for stored in self.picture.resources.values() {
            for one in references(&stored.model) {
                marks += 1;
                if self.picture.get(&one.target).is_none() {
                    let what = format!("{} refers to {}, which does not exist", stored.name, one.target);
                    wrong.push((Invariant::ReferenceTargetExists, what));
                }
            }
            for value in unique_values(&stored.model) {
                owners += 1;
                if !values.insert((value.space, value.value.clone())) {
                    let what = format!(
                        "{} `{}` is in {} and in another resource",
                        value.space, value.value, stored.name
                    );
                    wrong.push((Invariant::UniqueOwners, what));
                }
            }
        }
        wrong.into_iter().for_each(|(invariant, what)| self.add(invariant, what));
        let counts = [
            (Invariant::Etag, "specs", self.specs, self.picture.resources.len()),
            (Invariant::ReferenceMarks, "marks of references", self.marks, marks),
            (Invariant::UniqueOwners, "owners of unique values", self.owners, owners),
        ];
        for (invariant, what, found, wanted) in counts {
            if found != wanted {
                self.add(invariant, format!("there are {found} {what} where {wanted} must be"));
            }
        }
    }

    fn events(&mut self) {
        let now = clock::wall();
        let mut wrong = Vec::new();
        for (name, stored) in &self.picture.resources {
            let found = self.explained.get(&**name).copied().unwrap_or_default();
            let old = now.duration_since(stored.update_time).is_ok_and(|age| age >= AUDIT_KEPT);
            if found != 1 && !(old && found == 0) {
                wrong.push(format!("{found} audit events tell of revision {} of {name}", stored.revision));
            }
        }
        if self.head != Some(self.picture.revision) {
            wrong.push(format!("the head is {:?}, the picture {}", self.head, self.picture.revision));
        }
        wrong.into_iter().for_each(|what| self.add(Invariant::AuditEvent, what));
    }

    fn compiles(&mut self) {
        let all: Vec<Change> =
            self.picture.resources.values().map(|stored| Change::Put(stored.model.clone())).collect();
        if let Err(violations) = Topology::new().apply(self.picture.revision, &all) {
            violations.iter().for_each(|one| self.add(Invariant::Compiles, one.to_string()));
        }
    }

    fn add(&mut self, invariant: Invariant, what: String) {
        self.broken.push(Broken { invariant, what });
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
