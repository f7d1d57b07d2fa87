//! A store that records how long each request takes and how it ends; otherwise it is the store behind it.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use um_store::{
    Found, Lease, LeaseId, Page, Revision, Snapshot, Status, Store, StoreError, Txn, TxnOutcome, Watch,
};
use um_telemetry::{ControlMetrics, StoreOperation, StoreOutcome};

use super::backend_name;
use crate::clock;

/// A store whose requests are measured.
pub struct MeasuredStore {
    inner: Arc<dyn Store>,
    metrics: ControlMetrics,
    /// Known once the store has said it.
    backend: OnceLock<&'static str>,
    /// Whether a watch was opened before.
    watched: AtomicBool,
}

impl MeasuredStore {
    /// Measures `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, metrics: ControlMetrics) -> Self {
        Self { inner, metrics, backend: OnceLock::new(), watched: AtomicBool::new(false) }
    }

    fn backend(&self) -> &'static str {
        self.backend.get().copied().unwrap_or("unknown")
    }

    async fn timed<T>(
        &self,
        operation: StoreOperation,
        request: impl Future<Output = Result<T, StoreError>>,
        outcome: impl FnOnce(&T) -> StoreOutcome,
    ) -> Result<T, StoreError> {
        let begun = clock::now();
        let answer = request.await;
        let outcome = match &answer {
            Ok(done) => outcome(done),
            Err(StoreError::Unavailable { .. }) => StoreOutcome::Unavailable,
            Err(StoreError::Timeout { .. }) => StoreOutcome::Unknown,
            Err(
                StoreError::Compacted { .. }
                | StoreError::FutureRevision { .. }
                | StoreError::TooLarge { .. }
                | StoreError::Full { .. }
                | StoreError::Corrupt { .. }
                | StoreError::Invalid { .. }
                | StoreError::LeaseNotFound { .. }
                | StoreError::Denied { .. }
                | StoreError::Locked { .. }
                | StoreError::Spec { .. },
            ) => StoreOutcome::Failed,
        };
        let took = clock::now().saturating_duration_since(begun);
        self.metrics.store_request(self.backend(), operation, outcome, took);
        answer
    }
}

impl fmt::Debug for MeasuredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[tonic::async_trait]
impl Store for MeasuredStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.timed(StoreOperation::Get, self.inner.revision(), |_| StoreOutcome::Ok).await
    }

    async fn get(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError> {
        self.timed(StoreOperation::Get, self.inner.get(keys, at), |_| StoreOutcome::Ok).await
    }

    async fn scan(
        &self,
        prefix: &[u8],
        at: Option<Revision>,
        limit: usize,
        after: Option<&[u8]>,
    ) -> Result<Page, StoreError> {
        let page = self.inner.scan(prefix, at, limit, after);
        self.timed(StoreOperation::List, page, |_| StoreOutcome::Ok).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        let outcome =
            |done: &TxnOutcome| if done.succeeded { StoreOutcome::Ok } else { StoreOutcome::Conflict };
        let done = self.timed(StoreOperation::Commit, self.inner.txn(txn), outcome).await?;
        if !done.succeeded {
            self.metrics.store_conflict(self.backend());
        }
        Ok(done)
    }

    async fn watch(&self, prefixes: Vec<Bytes>, from: Revision) -> Result<Watch, StoreError> {
        if self.watched.swap(true, Ordering::Relaxed) {
            self.metrics.store_reconnect(self.backend());
        }
        self.timed(StoreOperation::Watch, self.inner.watch(prefixes, from), |_| StoreOutcome::Ok).await
    }

    async fn request_progress(&self) -> Result<(), StoreError> {
        self.inner.request_progress().await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<Lease, StoreError> {
        self.inner.lease_grant(ttl).await
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.inner.lease_keep_alive(lease).await
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.inner.lease_revoke(lease).await
    }

    async fn compact(&self, to: Revision) -> Result<(), StoreError> {
        self.inner.compact(to).await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        let status = self.inner.status().await?;
        self.backend.get_or_init(|| backend_name(status.backend));
        Ok(status)
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.inner.snapshot().await
    }
}
