//! Shared leases under which short-lived keys are written: many keys expire together, so leases stay few.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use um_store::{LeaseId, Store, StoreError};

use crate::clock;

/// How long an expired bucket outlives the last key that was put into it.
#[derive(Debug, Clone, Copy)]
struct Policy {
    /// Life of a lease.
    ttl: Duration,
    /// A lease takes new keys for so long.
    open: Duration,
    /// A lease takes so many keys.
    keys: u32,
}

/// What became of requests: remembered for an hour and at most ten minutes more.
const REQUESTS: Policy =
    Policy { ttl: Duration::from_secs(70 * 60), open: Duration::from_secs(10 * 60), keys: 5_000 };
/// Audit events: kept for 90 days and at most an hour more.
const AUDIT: Policy =
    Policy { ttl: Duration::from_secs(90 * 86_400 + 3_600), open: Duration::from_secs(3_600), keys: 5_000 };

/// The leases that take new keys at present.
#[derive(Debug)]
pub(super) struct Leases {
    requests: Bucket,
    audit: Bucket,
}

impl Leases {
    /// Begins without any.
    pub(super) fn new() -> Self {
        Self { requests: Bucket::new(REQUESTS), audit: Bucket::new(AUDIT) }
    }

    /// The leases for a request's outcome and for an audit event.
    ///
    /// # Errors
    ///
    /// The store does not answer.
    pub(super) async fn current(&self, store: &dyn Store) -> Result<(LeaseId, LeaseId), StoreError> {
        Ok((self.requests.current(store).await?, self.audit.current(store).await?))
    }

    /// Forgets the leases, because the store no longer knows one of them.
    pub(super) async fn forget(&self) {
        *self.requests.open.lock().await = None;
        *self.audit.open.lock().await = None;
    }
}

#[derive(Debug)]
struct Bucket {
    policy: Policy,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    lease: LeaseId,
    since: Instant,
    keys: u32,
}

impl Bucket {
    fn new(policy: Policy) -> Self {
        Self { policy, open: Mutex::new(None) }
    }

    async fn current(&self, store: &dyn Store) -> Result<LeaseId, StoreError> {
        let mut open = self.open.lock().await;
        if let Some(bucket) = &mut *open
            && bucket.keys < self.policy.keys
            && clock::now().duration_since(bucket.since) < self.policy.open
        {
            bucket.keys += 1;
            return Ok(bucket.lease);
        }
        let lease = store.lease_grant(self.policy.ttl).await?.id;
        *open = Some(Open { lease, since: clock::now(), keys: 1 });
        Ok(lease)
    }
}
