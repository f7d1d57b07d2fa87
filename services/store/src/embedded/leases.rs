//! The leases' deadlines, in memory; which leases exist and what they hold is in the file.
//!
//! A lease that was renewed, granted or found at start gets its deadline at the housekeeper's next
//! look, so it lives a little longer than its time to live, never shorter; a restart gives every
//! lease its full time anew, as a change of leader does in etcd.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::item::LeaseId;

#[derive(Debug)]
struct Deadline {
    ttl: Duration,
    /// `None` until the housekeeper looks.
    at: Option<Instant>,
    /// Its end was noticed: it cannot be renewed any more.
    expired: bool,
}

impl Deadline {
    const fn new(ttl_s: u64) -> Self {
        Self { ttl: Duration::from_secs(ttl_s), at: None, expired: false }
    }
}

/// The deadlines of all leases.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<BTreeMap<LeaseId, Deadline>>);

impl Leases {
    /// Starts a lease's time.
    pub(super) fn granted(&self, lease: LeaseId, ttl_s: u64) {
        self.lock().insert(lease, Deadline::new(ttl_s));
    }

    /// Agrees with what the file says: after a failure it may hold leases that nobody was told of.
    pub(super) fn restore(&self, in_file: &[(LeaseId, u64)]) {
        let known: BTreeMap<LeaseId, u64> = in_file.iter().copied().collect();
        self.lock().retain(|lease, _| known.contains_key(lease));
        for (lease, ttl_s) in known {
            self.lock().entry(lease).or_insert_with(|| Deadline::new(ttl_s));
        }
    }

    /// Forgets a lease.
    pub(super) fn revoked(&self, lease: LeaseId) {
        self.lock().remove(&lease);
    }

    /// Starts a lease's time anew; `false` when it does not exist or has expired.
    pub(super) fn renew(&self, lease: LeaseId) -> bool {
        match self.lock().get_mut(&lease) {
            Some(deadline) if !deadline.expired => {
                deadline.at = None;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Returns the leases whose time is over, until they are revoked.
    pub(super) fn expire(&self, now: Instant) -> Vec<LeaseId> {
        let mut expired = Vec::new();
        for (lease, deadline) in self.lock().iter_mut() {
            let at = *deadline.at.get_or_insert_with(|| now + deadline.ttl);
            deadline.expired = deadline.expired || at <= now;
            if deadline.expired {
                expired.push(*lease);
            }
        }
        expired
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Deadline>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: LeaseId = LeaseId(7);

    #[test]
    fn expires_after_its_time_and_not_before() {
        let now = Instant::now();
        let leases = Leases::default();
        leases.granted(LEASE, 5);
        assert_eq!(leases.expire(now), []);
        assert_eq!(leases.expire(now + Duration::from_millis(4_999)), []);
        assert_eq!(leases.expire(now + Duration::from_secs(5)), [LEASE]);
    }

    #[test]
    fn renewal_starts_the_time_anew() {
        let now = Instant::now();
        let leases = Leases::default();
        leases.granted(LEASE, 5);
        leases.expire(now);
        assert!(leases.renew(LEASE));
        assert_eq!(leases.expire(now + Duration::from_secs(5)), []);
        assert_eq!(leases.expire(now + Duration::from_secs(9)), []);
        assert_eq!(leases.expire(now + Duration::from_secs(10)), [LEASE]);
    }

    #[test]
    fn what_the_file_holds_is_known_after_a_failure_and_nothing_else() {
        let now = Instant::now();
        let leases = Leases::default();
        leases.granted(LEASE, 1);
        leases.granted(LeaseId(8), 1);
        leases.expire(now);
        leases.restore(&[(LEASE, 1), (LeaseId(9), 5)]);
        assert!(!leases.renew(LeaseId(8)));
        assert_eq!(leases.expire(now + Duration::from_secs(1)), [LEASE]);
        assert_eq!(leases.expire(now + Duration::from_secs(6)), [LEASE, LeaseId(9)]);
    }

    #[test]
    fn expired_lease_is_reported_until_revoked_and_cannot_be_renewed() {
        let now = Instant::now();
        let leases = Leases::default();
        leases.granted(LEASE, 1);
        leases.expire(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(leases.expire(later), [LEASE]);
        assert!(!leases.renew(LEASE));
        assert_eq!(leases.expire(later), [LEASE]);
        leases.revoked(LEASE);
        assert_eq!(leases.expire(later), []);
        assert!(!leases.renew(LEASE));
    }
}
