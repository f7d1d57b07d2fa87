//! What a read returns: items with etcd's three numbers, at one revision.

use std::time::Duration;

use bytes::Bytes;

/// The store's one counter: every transaction that changes anything takes the next number.
///
/// The first write of an empty store gets 2, as in etcd; an empty store is at 1.
pub type Revision = i64;

/// A lease: keys attached to it are deleted, in one revision, when it expires or is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

impl std::fmt::Display for LeaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A granted lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// What keys are attached to.
    pub id: LeaseId,
    /// The time to live the store granted, in whole seconds; it may be longer than asked.
    pub ttl: Duration,
}

/// One key with its value, as it stood at the revision of the read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key, arbitrary bytes, never empty.
    pub key: Bytes,
    /// The value, possibly empty.
    pub value: Bytes,
    /// Revision at which the key came to exist (again).
    pub create_revision: Revision,
    /// Revision of the last put; the etag of a resource.
    pub mod_revision: Revision,
    /// Puts since the key came to exist; 1 for a new key.
    pub version: i64,
    /// The lease the last put attached, if any.
    pub lease: Option<LeaseId>,
}

/// The answer of [`crate::Store::get`]: all keys at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// One entry per asked key, in the order asked; `None` where the key did not exist.
    pub items: Vec<Option<Item>>,
    /// The revision all entries stand at.
    pub revision: Revision,
}

/// One page of [`crate::Store::scan`], in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The items of this page.
    pub items: Vec<Item>,
    /// The revision the page stands at; pass it as `at` to read the next page of the same picture.
    pub revision: Revision,
    /// Whether items follow after the last one of this page.
    pub more: bool,
}
