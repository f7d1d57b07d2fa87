//! The model: every revision is a whole map, kept for ever.

use std::collections::BTreeMap;

use bytes::Bytes;
use um_store::{
    Batch, Check, Compare, Event, Found, Item, KeyRange, LeaseId, Op, OpResult, Page, Relation, Revision,
    StoreError, Txn, TxnOutcome,
};

type Map = BTreeMap<Bytes, Item>;

/// The state of the model.
pub(crate) struct Reference {
    /// The revision of the first map.
    base: Revision,
    maps: Vec<Map>,
    oldest: Revision,
    /// The leases in force.
    pub(crate) leases: Vec<LeaseId>,
}

impl Reference {
    pub(crate) fn new(base: Revision) -> Self {
        Self { base, maps: vec![Map::new()], oldest: 0, leases: Vec::new() }
    }

    pub(crate) fn revision(&self) -> Revision {
        self.base + self.maps.len() as Revision - 1
    }

    pub(crate) fn oldest(&self) -> Revision {
        self.oldest.max(self.base)
    }

    pub(crate) fn get(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError> {
        let revision = self.readable(at)?;
        let map = self.map(revision);
        Ok(Found { items: keys.iter().map(|key| map.get(key).cloned()).collect(), revision })
    }

    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        at: Option<Revision>,
        limit: usize,
        after: Option<&[u8]>,
    ) -> Result<Page, StoreError> {
        let revision = self.readable(at)?;
        let all: Vec<&Item> = self
            .map(revision)
            .values()
            .filter(|item| {
                item.key.starts_with(prefix) && after.is_none_or(|after| item.key.as_ref() > after)
            })
            .collect();
        let limit = if limit == 0 { all.len() } else { limit };
        let items: Vec<Item> = all.iter().take(limit).copied().cloned().collect();
        Ok(Page { more: items.len() < all.len(), items, revision })
    }

    pub(crate) fn txn(&mut self, txn: &Txn) -> Result<TxnOutcome, StoreError> {
        let mut map = self.maps.last().unwrap().clone();
        let succeeded = txn.compares.iter().all(|compare| holds(&map, compare));
        let branch = if succeeded { &txn.then } else { &txn.otherwise };
        for op in branch {
            if let Op::Put { lease: Some(lease), .. } = op
                && !self.leases.contains(lease)
            {
                return Err(StoreError::LeaseNotFound { lease: *lease });
            }
        }
        let next = self.revision() + 1;
        let mut wrote = false;
        let mut results = Vec::new();
        for op in branch {
            results.push(match op {
                Op::Put { key, value, lease } => {
                    wrote = true;
                    put(&mut map, key, value, *lease, next);
                    OpResult::Put
                }
                Op::Get { keys, limit } => {
                    let all = within(&map, keys);
                    let limit = if *limit == 0 { all.len() } else { *limit };
                    OpResult::Get { count: all.len() as u64, items: all.into_iter().take(limit).collect() }
                }
                Op::Delete { keys } => {
                    let doomed = within(&map, keys);
                    wrote = wrote || !doomed.is_empty();
                    for item in &doomed {
                        map.remove(&item.key);
                    }
                    OpResult::Delete { deleted: doomed.len() as u64 }
                }
            });
        }
        if wrote {
            self.maps.push(map);
        }
        Ok(TxnOutcome { succeeded, revision: self.revision(), results })
    }

    pub(crate) fn compact(&mut self, to: Revision) -> Result<(), StoreError> {
        if to > self.revision() {
            return Err(StoreError::FutureRevision { current: self.revision() });
        }
        if to <= self.oldest {
            return Err(StoreError::Compacted { oldest: self.oldest });
        }
        self.oldest = to;
        Ok(())
    }

    pub(crate) fn revoke(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let Some(index) = self.leases.iter().position(|known| *known == lease) else {
            return Err(StoreError::LeaseNotFound { lease });
        };
        self.leases.remove(index);
        let mut map = self.maps.last().unwrap().clone();
        let before = map.len();
        map.retain(|_, item| item.lease != Some(lease));
        if map.len() < before {
            self.maps.push(map);
        }
        Ok(())
    }

    /// What a watch from `from` (after the compacted revision) must deliver.
    pub(crate) fn batches(&self, prefixes: &[Bytes], from: Revision) -> Vec<Batch> {
        let covered = |key: &Bytes| prefixes.iter().any(|prefix| key.starts_with(prefix));
        let mut batches = Vec::new();
        for revision in from..=self.revision() {
            let (before, after) = (self.map(revision - 1), self.map(revision));
            let puts = after
                .values()
                .filter(|item| item.mod_revision == revision)
                .map(|item| Event::Put { item: item.clone(), previous: before.get(&item.key).cloned() });
            let deletions = before
                .values()
                .filter(|item| !after.contains_key(&item.key))
                .map(|item| Event::Delete { key: item.key.clone(), previous: Some(item.clone()) });
            let mut events: Vec<Event> = puts.chain(deletions).filter(|event| covered(event.key())).collect();
            events.sort_by(|a, b| a.key().cmp(b.key()));
            if !events.is_empty() {
                batches.push(Batch { revision, events });
            }
        }
        batches
    }

    fn readable(&self, at: Option<Revision>) -> Result<Revision, StoreError> {
        match at {
            None => Ok(self.revision()),
            Some(at) if at > self.revision() => Err(StoreError::FutureRevision { current: self.revision() }),
            Some(at) if at < self.oldest => Err(StoreError::Compacted { oldest: self.oldest }),
            Some(at) => Ok(at),
        }
    }

    fn map(&self, revision: Revision) -> &Map {
        &self.maps[usize::try_from(revision - self.base).unwrap()]
    }
}

fn put(map: &mut Map, key: &Bytes, value: &Bytes, lease: Option<LeaseId>, revision: Revision) {
    let item = Item {
        key: key.clone(),
        value: value.clone(),
        create_revision: map.get(key).map_or(revision, |item| item.create_revision),
        mod_revision: revision,
        version: map.get(key).map_or(1, |item| item.version + 1),
        lease,
    };
    map.insert(key.clone(), item);
}

fn within(map: &Map, keys: &KeyRange) -> Vec<Item> {
    map.values().filter(|item| keys.contains(&item.key)).cloned().collect()
}

fn holds(map: &Map, compare: &Compare) -> bool {
    let items = within(map, &compare.keys);
    if items.is_empty() {
        return match &compare.check {
            Check::Version(n) | Check::CreateRevision(n) | Check::ModRevision(n) => {
                relates(&0, n, compare.relation)
            }
            Check::Value(_) => false,
        };
    }
    items.iter().all(|item| match &compare.check {
        Check::Version(n) => relates(&item.version, n, compare.relation),
        Check::CreateRevision(n) => relates(&item.create_revision, n, compare.relation),
        Check::ModRevision(n) => relates(&item.mod_revision, n, compare.relation),
        Check::Value(value) => relates(&item.value, value, compare.relation),
    })
}

fn relates<T: Ord>(stored: &T, given: &T, relation: Relation) -> bool {
    match relation {
        Relation::Equal => stored == given,
        Relation::NotEqual => stored != given,
        Relation::Greater => stored > given,
        Relation::Less => stored < given,
    }
}
