//! The trait every backend implements; its semantics are etcd's.
//!
//! One global revision for the whole key space; a transaction that changes anything takes exactly
//! one; history stays readable and watchable until it is compacted.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::StoreError,
    item::{Found, Lease, LeaseId, Page, Revision},
    status::{Snapshot, Status},
    txn::{Txn, TxnOutcome},
    watch::Watch,
};

/// Most items one [`Store::scan`] returns.
pub const PAGE_ITEMS_MAX: usize = 5_000;

/// An ordered key space with transactions, history, watches and leases.
///
/// Reads are linearizable: they see every write acknowledged before they began, by whichever
/// process. All methods may be called concurrently; dropping a write's future leaves its outcome
/// unknown.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Returns the current revision, confirmed by the store (not from a cache).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store does not answer.
    async fn revision(&self) -> Result<Revision, StoreError>;

    /// Reads `keys` at one revision: `at`, or the current one.
    ///
    /// Any number of keys; without keys only the revision is read.
    ///
    /// # Errors
    /// [`StoreError::Compacted`], [`StoreError::FutureRevision`], or the store is not reachable.
    async fn get(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError>;

    /// Reads one page of the keys that start with `prefix` (empty: all), in key order.
    ///
    /// `limit` 0 means [`PAGE_ITEMS_MAX`], which no page exceeds; a page may be shorter than asked
    /// although `more` is set, so only `more` says whether to go on. The next page is read with
    /// `at` = the page's revision and `after` = its last key.
    ///
    /// # Errors
    /// [`StoreError::Compacted`], [`StoreError::FutureRevision`], or the store is not reachable.
    async fn scan(
        &self,
        prefix: &[u8],
        at: Option<Revision>,
        limit: usize,
        after: Option<&[u8]>,
    ) -> Result<Page, StoreError>;

    /// Runs a transaction: when all compares hold `then`, else `otherwise`, atomically.
    ///
    /// An answer means that it is durable. Backends never repeat a transaction that writes.
    ///
    /// # Errors
    /// [`StoreError::Timeout`] when it may or may not have happened; any other error: it did not.
    async fn txn(&self, txn: Txn) -> Result<TxnOutcome, StoreError>;

    /// Follows all changes, from revision `from` (≥ 1) on, of keys that start with one of `prefixes`.
    ///
    /// Every revision that touches one of them arrives as one [`crate::Batch`], each exactly once
    /// and in order, across connection losses. A `from` in the future waits for it. Watching from
    /// exactly the compacted revision is allowed. The watch ends after `Compacted`, or when the
    /// store is dropped.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without prefixes or with `from` < 1. Everything else arrives in the stream.
    async fn watch(&self, prefixes: Vec<Bytes>, from: Revision) -> Result<Watch, StoreError>;

    /// Asks all open watches of this store for a [`crate::WatchEvent::Progress`] soon.
    ///
    /// Where a backend can give no proof of freshness they report [`crate::WatchEvent::Alive`].
    ///
    /// # Errors
    /// None of the backends' own at present; a watch without connection answers after it has one again.
    async fn request_progress(&self) -> Result<(), StoreError>;

    /// Grants a lease of about `ttl`, at least two seconds, rounded up to whole seconds.
    ///
    /// # Errors
    /// [`StoreError::Timeout`]: a lease may exist, nobody will keep it alive and it expires.
    async fn lease_grant(&self, ttl: Duration) -> Result<Lease, StoreError>;

    /// Starts the lease's time to live anew. Call it three times per time to live.
    ///
    /// # Errors
    /// [`StoreError::LeaseNotFound`] when it is too late.
    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError>;

    /// Ends a lease now; its keys are deleted in one revision.
    ///
    /// # Errors
    /// [`StoreError::LeaseNotFound`], or the outcome is unknown.
    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError>;

    /// Forgets history before `to`; `to` itself stays readable and watchable.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when that happened before, [`StoreError::FutureRevision`].
    async fn compact(&self, to: Revision) -> Result<(), StoreError>;

    /// Describes backend, size and health.
    ///
    /// # Errors
    /// The store is not reachable.
    async fn status(&self) -> Result<Status, StoreError>;

    /// Streams a physical copy, consistent at one revision, that the same backend can start from.
    ///
    /// # Errors
    /// The copy cannot be started; later failures arrive in the stream.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;
}

/// Checks the revision of a read.
pub(crate) fn check_at(at: Option<Revision>) -> Result<(), StoreError> {
    if at.is_some_and(|at| at < 1) { Err(StoreError::invalid("a revision is at least 1")) } else { Ok(()) }
}

/// Checks the arguments of a watch.
pub(crate) fn check_watch(prefixes: &[Bytes], from: Revision) -> Result<(), StoreError> {
    if prefixes.is_empty() {
        return Err(StoreError::invalid("a watch needs a prefix"));
    }
    check_at(Some(from))
}

/// Checks the target of a compaction.
pub(crate) fn check_compaction(to: Revision) -> Result<(), StoreError> {
    check_at(Some(to))
}
