//! One turn of the writer: several requests applied in order to one write transaction of the file.
//!
//! Each request either changes nothing or takes its own revision; the file commits them together.
//! A refused request is an inner `Err` and leaves no trace; an outer `Err` means that the file
//! failed, and nothing of the whole turn may be kept.

use std::ops::Bound;

use bytes::Bytes;
use redb::{ReadableTable, WriteTransaction};

use super::schema::{NUMBER_OLDEST, NUMBER_REVISION, NUMBER_TURN, Tables, decode, encode, encode_superseded};
use crate::{
    error::StoreError,
    item::{Item, LeaseId, Revision},
    key::KeyRange,
    txn::{Check, Compare, Op, OpResult, Relation, Txn, TxnOutcome},
};

/// A request that was served or refused, unless the file failed.
type Served<T> = Result<Result<T, StoreError>, redb::Error>;

/// An open turn.
pub(super) struct Turn<'t> {
    tables: Tables<'t>,
    revision: Revision,
    oldest: Revision,
    changed: bool,
}

/// Where a finished turn left the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct TurnEnd {
    pub(super) revision: Revision,
    /// The number of this commit.
    pub(super) turn: i64,
    /// Whether there is anything to commit.
    pub(super) changed: bool,
}

impl<'t> Turn<'t> {
    pub(super) fn begin(write: &'t WriteTransaction) -> Result<Self, redb::Error> {
        let tables = Tables::open(write)?;
        let revision = tables.number(NUMBER_REVISION)?;
        let oldest = tables.number(NUMBER_OLDEST)?;
        Ok(Self { tables, revision, oldest, changed: false })
    }

    /// Writes the store's numbers and closes the tables; the caller commits.
    pub(super) fn end(mut self) -> Result<TurnEnd, redb::Error> {
        let turn = self.tables.number(NUMBER_TURN)? + 1;
        if self.changed {
            self.tables.set_number(NUMBER_REVISION, self.revision)?;
            self.tables.set_number(NUMBER_OLDEST, self.oldest)?;
            self.tables.set_number(NUMBER_TURN, turn)?;
        }
        Ok(TurnEnd { revision: self.revision, turn, changed: self.changed })
    }

    pub(super) fn txn(&mut self, txn: &Txn) -> Served<TxnOutcome> {
        let mut succeeded = true;
        for compare in &txn.compares {
            succeeded = succeeded && self.holds(compare)?;
        }
        let branch = if succeeded { &txn.then } else { &txn.otherwise };
        if let Some(lease) = self.missing_lease(branch)? {
            return Ok(Err(StoreError::LeaseNotFound { lease }));
        }
        let next = self.revision + 1;
        let mut wrote = false;
        let mut results = Vec::with_capacity(branch.len());
        for op in branch {
            results.push(match op {
                Op::Put { key, value, lease } => {
                    self.put(key, value, *lease, next)?;
                    wrote = true;
                    OpResult::Put
                }
                Op::Get { keys, limit } => self.read(keys, *limit)?,
                Op::Delete { keys } => {
                    let deleted = self.delete(keys, next)?;
                    wrote = wrote || deleted > 0;
                    OpResult::Delete { deleted }
                }
            });
        }
        if wrote {
            self.revision = next;
            self.changed = true;
        }
        Ok(Ok(TxnOutcome { succeeded, revision: self.revision, results }))
    }

    pub(super) fn grant(&mut self, lease: LeaseId, ttl_s: u64) -> Result<(), redb::Error> {
        self.tables.leases.insert(lease.0, ttl_s)?;
        self.changed = true;
        Ok(())
    }

    pub(super) fn revoke(&mut self, lease: LeaseId) -> Served<()> {
        if self.tables.leases.remove(lease.0)?.is_none() {
            return Ok(Err(StoreError::LeaseNotFound { lease }));
        }
        self.changed = true;
        let mut keys = Vec::new();
        for row in self.tables.leased.range((lease.0, [].as_slice())..)? {
            let row = row?.0;
            let (owner, key) = row.value();
            if owner != lease.0 {
                break;
            }
            keys.push(Bytes::copy_from_slice(key));
        }
        if !keys.is_empty() {
            self.revision += 1;
        }
        for key in keys {
            self.delete(&KeyRange::single(key), self.revision)?;
        }
        Ok(Ok(()))
    }

    /// Makes `to` the oldest readable revision; the garbage that leaves is collected later.
    pub(super) fn compact(&mut self, to: Revision) -> Result<(), StoreError> {
        if to > self.revision {
            return Err(StoreError::FutureRevision { current: self.revision });
        }
        if to <= self.oldest {
            return Err(StoreError::Compacted { oldest: self.oldest });
        }
        self.oldest = to;
        self.changed = true;
        Ok(())
    }

    /// Removes up to about `entries` rows of compacted history; returns whether there is more.
    ///
    /// The log of the oldest readable revision itself stays: it can still be watched.
    pub(super) fn collect_garbage(&mut self, entries: usize) -> Result<bool, redb::Error> {
        let mut doomed: Vec<(Revision, Bytes, Revision)> = Vec::new();
        let mut more = false;
        for row in self.tables.log.range((0, [].as_slice())..(self.oldest + 1, [].as_slice()))? {
            let (row, entry) = row?;
            let (revision, key) = row.value();
            if revision < self.oldest && doomed.len() >= entries {
                more = true;
                break;
            }
            doomed.push((revision, Bytes::copy_from_slice(key), entry.value().0));
        }
        if doomed.first().is_none_or(|(revision, ..)| *revision == self.oldest) {
            return Ok(false);
        }
        for (revision, key, previous) in doomed {
            if previous != 0 {
                self.tables.history.remove((key.as_ref(), previous))?;
            }
            if revision < self.oldest {
                self.tables.log.remove((revision, key.as_ref()))?;
            }
        }
        self.changed = true;
        Ok(more)
    }

    fn put(
        &mut self,
        key: &Bytes,
        value: &Bytes,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> Result<(), redb::Error> {
        let previous = self.item(key)?;
        if let Some(previous) = &previous {
            self.supersede(previous, revision)?;
        }
        let item = Item {
            key: key.clone(),
            value: value.clone(),
            create_revision: previous.as_ref().map_or(revision, |previous| previous.create_revision),
            mod_revision: revision,
            version: previous.as_ref().map_or(1, |previous| previous.version + 1),
            lease,
        };
        self.tables.current.insert(key.as_ref(), encode(&item).as_slice())?;
        if let Some(lease) = lease {
            self.tables.leased.insert((lease.0, key.as_ref()), ())?;
        }
        let before = previous.map_or(0, |previous| previous.mod_revision);
        self.tables.log.insert((revision, key.as_ref()), (before, false))?;
        Ok(())
    }

    fn delete(&mut self, keys: &KeyRange, revision: Revision) -> Result<u64, redb::Error> {
        let doomed = self.items(keys, 0)?.0;
        for item in &doomed {
            let key = item.key.as_ref();
            self.supersede(item, revision)?;
            self.tables.current.remove(key)?;
            self.tables.log.insert((revision, key), (item.mod_revision, true))?;
        }
        Ok(doomed.len() as u64)
    }

    /// Moves an item to history and detaches its lease.
    fn supersede(&mut self, item: &Item, until: Revision) -> Result<(), redb::Error> {
        let row = encode_superseded(item, until);
        self.tables.history.insert((item.key.as_ref(), item.mod_revision), row.as_slice())?;
        if let Some(lease) = item.lease {
            self.tables.leased.remove((lease.0, item.key.as_ref()))?;
        }
        Ok(())
    }

    fn missing_lease(&self, branch: &[Op]) -> Result<Option<LeaseId>, redb::Error> {
        for op in branch {
            if let Op::Put { lease: Some(lease), .. } = op
                && self.tables.leases.get(lease.0)?.is_none()
            {
                return Ok(Some(*lease));
            }
        }
        Ok(None)
    }

    fn holds(&self, compare: &Compare) -> Result<bool, redb::Error> {
        let items = self.items(&compare.keys, 0)?.0;
        if items.is_empty() {
            return Ok(holds_absent(compare));
        }
        Ok(items.iter().all(|item| holds(compare, item)))
    }

    fn read(&self, keys: &KeyRange, limit: usize) -> Result<OpResult, redb::Error> {
        let (items, count) = self.items(keys, limit)?;
        Ok(OpResult::Get { items, count })
    }

    fn item(&self, key: &[u8]) -> Result<Option<Item>, redb::Error> {
        self.tables.current.get(key)?.map(|row| decode(key, row.value())).transpose()
    }

    /// Reads the first `limit` items (0: all) of a range and counts them all.
    fn items(&self, keys: &KeyRange, limit: usize) -> Result<(Vec<Item>, u64), redb::Error> {
        if keys.is_single() {
            let items: Vec<Item> = self.item(keys.start())?.into_iter().collect();
            let count = items.len() as u64;
            return Ok((items, count));
        }
        let end = keys.end();
        if end.as_ref().is_some_and(|end| end <= keys.start()) {
            return Ok((Vec::new(), 0));
        }
        let until = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut items = Vec::new();
        let mut count = 0;
        for row in self.tables.current.range::<&[u8]>((Bound::Included(keys.start().as_ref()), until))? {
            let (key, row) = row?;
            count += 1;
            if limit == 0 || items.len() < limit {
                items.push(decode(key.value(), row.value())?);
            }
        }
        Ok((items, count))
    }
}

fn holds(compare: &Compare, item: &Item) -> bool {
    let ordering = match &compare.check {
        Check::Version(version) => item.version.cmp(version),
        Check::CreateRevision(revision) => item.create_revision.cmp(revision),
        Check::ModRevision(revision) => item.mod_revision.cmp(revision),
        Check::Value(value) => item.value.cmp(value),
    };
    relates(compare.relation, ordering)
}

/// A key that does not exist compares as all zeros, and its value as nothing at all.
fn holds_absent(compare: &Compare) -> bool {
    match &compare.check {
        Check::Version(number) | Check::CreateRevision(number) | Check::ModRevision(number) => {
            relates(compare.relation, 0.cmp(number))
        }
        Check::Value(_) => false,
    }
}

fn relates(relation: Relation, ordering: std::cmp::Ordering) -> bool {
    match relation {
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
        Relation::Greater => ordering.is_gt(),
        Relation::Less => ordering.is_lt(),
    }
}
