//! Transactions: compares, then one of two lists of operations, all at one revision.
//!
//! Both backends check a request with [`Txn::check`] before they touch it, so that what one
//! refuses the other refuses for the same reason.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::{
    error::StoreError,
    item::{Item, LeaseId, Revision},
    key::KeyRange,
};

/// Most entries in any of the three lists of a transaction (etcd's default).
pub const OPERATIONS_MAX: usize = 128;

/// Most bytes of keys and values in one transaction.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// How a compare relates what is stored (left) to what is given (right).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They are the same.
    Equal,
    /// They differ.
    NotEqual,
    /// What is stored is greater.
    Greater,
    /// What is stored is less.
    Less,
}

/// What of a key is compared; of a key that does not exist all numbers are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Its version.
    Version(i64),
    /// The revision that created it.
    CreateRevision(Revision),
    /// The revision that last wrote it.
    ModRevision(Revision),
    /// Its value; never holds for a key that does not exist.
    Value(Bytes),
}

/// One condition; over a range it must hold for every key in it.
///
/// As in etcd, an empty range counts as one key that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    /// The keys.
    pub keys: KeyRange,
    /// How stored and given relate.
    pub relation: Relation,
    /// What is compared, with what.
    pub check: Check,
}

impl Compare {
    /// Holds when `key` does not exist.
    #[must_use]
    pub fn absent(key: impl Into<Bytes>) -> Self {
        Self::single(key, Relation::Equal, Check::Version(0))
    }

    /// Holds when `key` exists.
    #[must_use]
    pub fn exists(key: impl Into<Bytes>) -> Self {
        Self::single(key, Relation::Greater, Check::CreateRevision(0))
    }

    /// Holds when `key` was last written at `revision` (an etag).
    #[must_use]
    pub fn unchanged(key: impl Into<Bytes>, revision: Revision) -> Self {
        Self::single(key, Relation::Equal, Check::ModRevision(revision))
    }

    /// Holds when `key` was created at `revision` (a fencing token).
    #[must_use]
    pub fn created_at(key: impl Into<Bytes>, revision: Revision) -> Self {
        Self::single(key, Relation::Equal, Check::CreateRevision(revision))
    }

    /// Holds when the key exists and has this value.
    #[must_use]
    pub fn value(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::single(key, Relation::Equal, Check::Value(value.into()))
    }

    /// Holds when no key starts with `prefix`.
    #[must_use]
    pub fn none_under(prefix: &[u8]) -> Self {
        Self { keys: KeyRange::prefix(prefix), relation: Relation::Equal, check: Check::CreateRevision(0) }
    }

    /// Holds when no existing key that starts with `prefix` was written after `revision`.
    ///
    /// Deletions leave no trace in it; cost is linear in the number of keys.
    #[must_use]
    pub fn unchanged_under(prefix: &[u8], revision: Revision) -> Self {
        Self {
            keys: KeyRange::prefix(prefix),
            relation: Relation::Less,
            check: Check::ModRevision(revision.saturating_add(1)),
        }
    }

    /// Makes a condition on one key.
    #[must_use]
    pub fn single(key: impl Into<Bytes>, relation: Relation, check: Check) -> Self {
        Self { keys: KeyRange::single(key), relation, check }
    }

    fn bytes(&self) -> usize {
        let value = match &self.check {
            Check::Value(value) => value.len(),
            Check::Version(_) | Check::CreateRevision(_) | Check::ModRevision(_) => 0,
        };
        self.keys.start().len() + value
    }
}

/// One step of a transaction; a read sees the steps before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Writes a key.
    Put {
        /// The key.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// The lease to attach; `None` detaches.
        lease: Option<LeaseId>,
    },
    /// Reads keys in key order.
    Get {
        /// The keys.
        keys: KeyRange,
        /// Most items to return; 0 is no limit.
        limit: usize,
    },
    /// Deletes all keys of the range; none is no error.
    Delete {
        /// The keys.
        keys: KeyRange,
    },
}

impl Op {
    /// Writes a key without lease.
    #[must_use]
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::Put { key: key.into(), value: value.into(), lease: None }
    }

    /// Writes a key that lives as long as `lease`.
    #[must_use]
    pub fn put_leased(key: impl Into<Bytes>, value: impl Into<Bytes>, lease: LeaseId) -> Self {
        Self::Put { key: key.into(), value: value.into(), lease: Some(lease) }
    }

    /// Reads one key.
    #[must_use]
    pub fn get(key: impl Into<Bytes>) -> Self {
        Self::Get { keys: KeyRange::single(key), limit: 0 }
    }

    /// Reads the first `limit` keys (0: all) that start with `prefix`.
    #[must_use]
    pub fn get_prefix(prefix: &[u8], limit: usize) -> Self {
        Self::Get { keys: KeyRange::prefix(prefix), limit }
    }

    /// Deletes one key.
    #[must_use]
    pub fn delete(key: impl Into<Bytes>) -> Self {
        Self::Delete { keys: KeyRange::single(key) }
    }

    /// Deletes all keys that start with `prefix`.
    #[must_use]
    pub fn delete_prefix(prefix: &[u8]) -> Self {
        Self::Delete { keys: KeyRange::prefix(prefix) }
    }

    const fn writes(&self) -> bool {
        match self {
            Self::Put { .. } | Self::Delete { .. } => true,
            Self::Get { .. } => false,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value, .. } => key.len() + value.len(),
            Self::Get { keys, .. } | Self::Delete { keys } => keys.start().len(),
        }
    }
}

/// A transaction to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold; none always hold.
    pub compares: Vec<Compare>,
    /// Run when they hold.
    pub then: Vec<Op>,
    /// Run when one does not; read the compared keys here to learn which.
    pub otherwise: Vec<Op>,
}

impl Txn {
    /// Makes an empty transaction.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, compare: Compare) -> Self {
        self.compares.push(compare);
        self
    }

    /// Adds a step for when all conditions hold.
    #[must_use]
    pub fn then(mut self, op: Op) -> Self {
        self.then.push(op);
        self
    }

    /// Adds a step for when one does not.
    #[must_use]
    pub fn otherwise(mut self, op: Op) -> Self {
        self.otherwise.push(op);
        self
    }

    /// Returns whether either branch can change anything.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.then.iter().chain(&self.otherwise).any(Op::writes)
    }

    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        let operations = self.then.iter().chain(&self.otherwise).map(Op::bytes);
        self.compares.iter().map(Compare::bytes).chain(operations).sum()
    }

    /// Whether either branch puts anything.
    pub(crate) fn puts(&self) -> bool {
        self.then.iter().chain(&self.otherwise).any(|op| matches!(op, Op::Put { .. }))
    }

    /// The leases that puts of either branch name.
    pub(crate) fn leases(&self) -> impl Iterator<Item = LeaseId> {
        self.then.iter().chain(&self.otherwise).filter_map(|op| match op {
            Op::Put { lease, .. } => *lease,
            Op::Get { .. } | Op::Delete { .. } => None,
        })
    }

    /// Checks the request against the limits and rules that both backends share.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; [`StoreError::Invalid`] for an empty key, or for a key that one branch puts
    /// twice or puts and deletes.
    pub fn check(&self) -> Result<(), StoreError> {
        within("compares", self.compares.len(), OPERATIONS_MAX)?;
        within("operations", self.then.len(), OPERATIONS_MAX)?;
        within("operations", self.otherwise.len(), OPERATIONS_MAX)?;
        within("bytes", self.bytes(), REQUEST_BYTES_MAX)?;
        if self.compares.iter().any(|compare| compare.keys.is_single() && compare.keys.start().is_empty()) {
            return Err(StoreError::invalid("a compare names an empty key"));
        }
        check_branch(&self.then)?;
        check_branch(&self.otherwise)
    }
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), StoreError> {
    if size > limit { Err(StoreError::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn check_branch(ops: &[Op]) -> Result<(), StoreError> {
    let mut put = BTreeSet::new();
    let mut deleted = Vec::new();
    for op in ops {
        match op {
            Op::Put { key, .. } => {
                if key.is_empty() {
                    return Err(StoreError::invalid("a put names an empty key"));
                }
                if !put.insert(key) {
                    return Err(StoreError::invalid("a key is put twice in one transaction"));
                }
            }
            Op::Get { keys, .. } | Op::Delete { keys } if keys.is_single() && keys.start().is_empty() => {
                return Err(StoreError::invalid("an operation names an empty key"));
            }
            Op::Get { .. } => {}
            Op::Delete { keys } => deleted.push(keys),
        }
    }
    if put.iter().any(|key| deleted.iter().any(|keys| keys.contains(key))) {
        return Err(StoreError::invalid("a key is put and deleted in one transaction"));
    }
    Ok(())
}

/// What one step gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResult {
    /// The key is written.
    Put,
    /// What was read.
    Get {
        /// The items, as many as the limit allows.
        items: Vec<Item>,
        /// How many there are without the limit.
        count: u64,
    },
    /// The keys are gone.
    Delete {
        /// How many existed.
        deleted: u64,
    },
}

impl OpResult {
    /// Returns the items of a read; none for a write.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        match self {
            Self::Get { items, .. } => items,
            Self::Put | Self::Delete { .. } => &[],
        }
    }
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnOutcome {
    /// Whether all conditions held.
    pub succeeded: bool,
    /// The store's revision after it: a new one when it changed anything, else the current one.
    pub revision: Revision,
    /// One result per step of the branch that ran.
    pub results: Vec<OpResult>,
}

#[cfg(test)]
mod tests;
