//! The embedded store's own clock work: expired leases, automatic compaction, and the end of a
//! pause after a failure.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior},
};

use super::{
    leases::Leases,
    writer::{Head, Request},
};
use crate::{
    error::StoreError,
    item::{LeaseId, Revision},
};

/// How often the housekeeper looks; leases expire up to twice as much late.
const TICK: Duration = Duration::from_millis(250);
/// Points in time, spread over the retention's age, whose revision is remembered.
const MARKS: u32 = 20;

/// How much history stays readable and watchable: whichever of the two is longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// History at least as old as this is kept; it counts from the store's start.
    pub age: Duration,
    /// At least this many revisions are kept.
    pub revisions: i64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(600), revisions: 10_000 }
    }
}

/// The housekeeper; its task ends with the store.
pub(super) struct Housekeeper {
    pub(super) requests: mpsc::WeakSender<Request>,
    pub(super) head: watch::Receiver<Head>,
    pub(super) leases: Arc<Leases>,
    pub(super) hold_off: Arc<AtomicBool>,
    pub(super) history: History,
}

impl Housekeeper {
    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = ticks.tick().await;
            let Some(requests) = self.requests.upgrade() else { return };
            self.hold_off.store(false, Ordering::Release);
            for lease in self.leases.expire(now) {
                revoke(&requests, lease).await;
            }
            let revision = self.head.borrow_and_update().revision;
            if let Some(to) = self.history.due(now, revision) {
                compact(&requests, to).await;
            }
        }
    }
}

async fn revoke(requests: &mpsc::Sender<Request>, lease: LeaseId) {
    let (reply, outcome) = oneshot::channel();
    if requests.send(Request::Revoke(lease, reply)).await.is_err() {
        return;
    }
    match outcome.await {
        // Somebody may have revoked it at the same time.
        Ok(Ok(()) | Err(StoreError::LeaseNotFound { .. })) | Err(_) => {}
        Ok(Err(error)) => tracing::warn!(%lease, %error, "expired lease stays for now"),
    }
}

async fn compact(requests: &mpsc::Sender<Request>, to: Revision) {
    let (reply, outcome) = oneshot::channel();
    if requests.send(Request::Compact(to, reply)).await.is_err() {
        return;
    }
    match outcome.await {
        Ok(Ok(()) | Err(StoreError::Compacted { .. })) | Err(_) => {}
        Ok(Err(error)) => tracing::warn!(revision = to, %error, "history is not compacted"),
    }
}

/// Remembers when which revision was reached, to know what is old enough.
#[derive(Debug)]
pub(super) struct History {
    retention: Retention,
    marks: VecDeque<(Instant, Revision)>,
    compacted: Revision,
}

impl History {
    pub(super) const fn new(retention: Retention) -> Self {
        Self { retention, marks: VecDeque::new(), compacted: 0 }
    }

    /// Returns the revision to compact to now, if that forgets anything.
    fn due(&mut self, now: Instant, revision: Revision) -> Option<Revision> {
        let spacing = self.retention.age / MARKS;
        if self.marks.back().is_none_or(|(at, _)| now.duration_since(*at) >= spacing) {
            self.marks.push_back((now, revision));
        }
        let mut old = None;
        while let Some((at, reached)) = self.marks.front() {
            if now.duration_since(*at) < self.retention.age {
                break;
            }
            old = Some(*reached);
            self.marks.pop_front();
        }
        let to = old?.min(revision - self.retention.revisions);
        if to <= self.compacted {
            return None;
        }
        self.compacted = to;
        Some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        History::new(Retention { age: Duration::from_secs(600), revisions: 100 })
    }

    #[test]
    fn young_history_stays_however_long_it_is() {
        let now = Instant::now();
        let mut history = history();
        for second in 0..600 {
            assert_eq!(history.due(now + Duration::from_secs(second), 1_000 * second as i64), None);
        }
    }

    #[test]
    fn short_history_stays_however_old_it_is() {
        let now = Instant::now();
        let mut history = history();
        for hour in 0..24 {
            assert_eq!(history.due(now + Duration::from_secs(3_600 * hour), 100), None);
        }
    }

    #[test]
    fn history_beyond_both_is_compacted_once() {
        let now = Instant::now();
        let mut history = history();
        assert_eq!(history.due(now, 500), None);
        let later = now + Duration::from_secs(600);
        assert_eq!(history.due(later, 10_000), Some(500));
        assert_eq!(history.due(later, 10_000), None);
        assert_eq!(history.due(later + Duration::from_secs(600), 10_050), Some(9_950));
    }
}
