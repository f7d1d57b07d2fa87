//! Control's end of one stream: sends a snapshot, then deltas, and keeps at most one update unanswered.
//!
//! ```text
//!            hello                published far enough          update sent
//! AwaitHello ------> Waiting ------------------------> Live { idle <-------> one update in flight }
//!     |                 |                                |            ACK, NACK
//!     +----- timeout ---+------- timeout, violation -----+------> Closed
//! ```
//! What is published while an update is in flight is coalesced: the next update leads to the newest snapshot. What a
//! worker refused is offered again, by an empty delta, after a growing time. Not here: who the worker is and whether
//! another process of its name is newer (the driver calls [`Subscription::close`] then).

mod update;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::update::Update;
use crate::backoff::Backoff;
use crate::message::{Applied, Failure, FromControl, Hello};
use crate::{Snapshot, delta};

/// Times and sizes.
#[derive(Clone, Debug)]
pub struct Config<R> {
    /// The stream is closed when no Hello came after so long.
    pub hello_timeout: Duration,
    /// The stream is closed when the worker is ahead of this replica for so long.
    pub behind_timeout: Duration,
    /// The stream is closed when an update is not answered after so long.
    pub ack_timeout: Duration,
    /// A bookmark is sent when nothing else was for so long.
    pub bookmark_interval: Duration,
    /// What was refused is offered again after so long at first, then after twice that, and so on.
    pub retry_first: Duration,
    /// The longest such time.
    pub retry_most: Duration,
    /// A message carries resources up to this many bytes together, and at least one.
    pub chunk_bytes: usize,
    /// A message carries at most so many resources.
    pub chunk_items: usize,
    /// Says how many bytes a resource takes in a message.
    pub size: fn(&R) -> usize,
}

impl<R> Config<R> {
    /// The times and sizes of production; `size` says how many bytes a resource takes in a message.
    #[must_use]
    pub const fn new(size: fn(&R) -> usize) -> Self {
        Self {
            hello_timeout: Duration::from_secs(10),
            behind_timeout: Duration::from_secs(5),
            ack_timeout: Duration::from_secs(60),
            bookmark_interval: Duration::from_secs(5),
            retry_first: Duration::from_secs(2),
            retry_most: Duration::from_secs(60),
            chunk_bytes: 1 << 20,
            chunk_items: 1_000,
            size,
        }
    }
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<R> {
    /// Send this to the worker.
    Send(FromControl<R>),
    /// The worker runs this revision completely.
    Acked {
        /// The revision.
        revision: i64,
    },
    /// The worker runs this revision but for some resources. Replaces what an earlier one said.
    Nacked {
        /// The revision.
        revision: i64,
        /// What it could not put in force.
        failures: Vec<Failure>,
    },
    /// End the stream. Nothing follows.
    Close(CloseReason),
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// No Hello came in time.
    #[error("no Hello came in time")]
    NoHello,
    /// The worker runs a later revision than this replica knows.
    #[error("the worker runs a later revision than this replica knows")]
    ReplicaBehind,
    /// An update was not answered in time.
    #[error("an update was not answered in time")]
    NotAnswered,
    /// The worker broke the protocol.
    #[error("the worker broke the protocol: {0}")]
    Violation(&'static str),
    /// A newer process of the same name connected.
    #[error("a newer process of the same name connected")]
    Fenced,
    /// The control plane shuts down.
    #[error("the control plane shuts down")]
    ShuttingDown,
}

/// Why a timeout is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    /// The Hello is overdue.
    Hello,
    /// This replica is still behind the worker.
    Behind,
    /// The answer to an update is overdue.
    Answer,
    /// A sign of life is due.
    Bookmark,
    /// What was refused may be offered again.
    Retry,
}

/// One worker's stream.
#[derive(Debug)]
pub struct Subscription<R: Clone> {
    config: Config<R>,
    phase: Phase,
    /// The newest snapshot that was published.
    published: Option<Snapshot<R>>,
    /// What the worker was told and answered.
    base: Option<Snapshot<R>>,
    /// An update must be sent although nothing differs, so that the worker acknowledges.
    owed: bool,
    nonce: u64,
    update: Option<Update<R>>,
    /// When what was refused is offered again; set while something is refused.
    retry_at: Option<Instant>,
    retry: Backoff,
    bookmark_at: Instant,
    outputs: VecDeque<Output<R>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    AwaitHello {
        until: Instant,
    },
    /// Nothing published yet, or not as far as the worker is. Without `until` there is nothing to wait for in vain.
    Waiting {
        ahead: Option<Applied>,
        until: Option<Instant>,
    },
    Live,
    Closed,
}

impl<R: Clone + PartialEq> Subscription<R> {
    /// Begins a stream; `seed` decides the jitter of retries.
    #[must_use]
    pub fn new(config: Config<R>, seed: u64, now: Instant) -> Self {
        Self {
            phase: Phase::AwaitHello { until: now + config.hello_timeout },
            published: None,
            base: None,
            owed: false,
            nonce: 0,
            update: None,
            retry_at: None,
            retry: Backoff::new(config.retry_first, config.retry_most, seed),
            bookmark_at: now + config.bookmark_interval,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes the worker's Hello. `known` is the snapshot that it says it runs, where the driver still has it: then a
    /// delta does instead of a snapshot.
    pub fn handle_hello(&mut self, now: Instant, hello: &Hello, known: Option<Snapshot<R>>) {
        if !matches!(self.phase, Phase::AwaitHello { .. }) {
            return self.violation("a second Hello");
        }
        let applied = hello.last_applied.as_ref();
        self.base = known.filter(|known| {
            applied.is_some_and(|applied| {
                !applied.partial && applied.store_id == known.store_id && applied.revision == known.revision
            })
        });
        self.owed = true;
        self.phase = Phase::Waiting { ahead: applied.cloned(), until: None };
        self.advance(now);
    }

    /// Takes a newer snapshot. One that would go back is ignored.
    pub fn handle_publish(&mut self, now: Instant, snapshot: Snapshot<R>) {
        if self.published.as_ref().is_none_or(|published| snapshot.succeeds(published)) {
            self.published = Some(snapshot);
            self.advance(now);
        }
    }

    /// Takes the acknowledgement of an update.
    pub fn handle_ack(&mut self, now: Instant, nonce: u64, revision: i64) {
        if self.answered(nonce, revision) {
            self.retry_at = None;
            self.retry.reset();
            self.outputs.push_back(Output::Acked { revision });
            self.bookmark_at = now + self.config.bookmark_interval;
            self.advance(now);
        }
    }

    /// Takes the partial refusal of an update.
    pub fn handle_nack(&mut self, now: Instant, nonce: u64, revision: i64, failures: Vec<Failure>) {
        if failures.is_empty() {
            return self.violation("a NACK of nothing");
        }
        if self.answered(nonce, revision) {
            self.retry_at = Some(now + self.retry.step());
            self.outputs.push_back(Output::Nacked { revision, failures });
            self.bookmark_at = now + self.config.bookmark_interval;
            self.advance(now);
        }
    }

    /// Ends the stream from this side.
    pub fn close(&mut self, reason: CloseReason) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.update = None;
            self.published = None;
            self.base = None;
            self.outputs.push_back(Output::Close(reason));
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some((at, reason)) = self.poll_timeout() else { return };
        if at > now {
            return;
        }
        match reason {
            TimeoutReason::Hello => self.close(CloseReason::NoHello),
            TimeoutReason::Behind => self.close(CloseReason::ReplicaBehind),
            TimeoutReason::Answer => self.close(CloseReason::NotAnswered),
            TimeoutReason::Bookmark => self.bookmark(now),
            TimeoutReason::Retry => {
                self.retry_at = None;
                self.owed = true;
                self.advance(now);
            }
        }
    }

    /// Returns what to do next. Parts of an update are made as they are asked for, so ask when the stream takes one.
    pub fn poll_output(&mut self) -> Option<Output<R>> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let update = self.update.as_mut()?;
        update.next_message(&self.config).map(Output::Send)
    }

    /// Returns when to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        match &self.phase {
            Phase::AwaitHello { until } => Some((*until, TimeoutReason::Hello)),
            Phase::Waiting { until, .. } => until.map(|until| (until, TimeoutReason::Behind)),
            Phase::Live => {
                if let Some(update) = &self.update {
                    return Some((update.answer_until, TimeoutReason::Answer));
                }
                let bookmark = (self.bookmark_at, TimeoutReason::Bookmark);
                let retry = self.retry_at.map(|at| (at, TimeoutReason::Retry));
                Some(retry.filter(|(at, _)| *at <= bookmark.0).unwrap_or(bookmark))
            }
            Phase::Closed => None,
        }
    }

    /// Says whether the stream is at its end and holds nothing.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Sends what can be sent now: starts an update unless one is in flight.
    fn advance(&mut self, now: Instant) {
        self.leave_waiting(now);
        if self.phase != Phase::Live || self.update.is_some() {
            return;
        }
        let Some(target) = self.published.clone() else { return };
        let base = self.base.take().filter(|base| base.store_id == target.store_id);
        let due = base.as_ref().is_none_or(|base| target.revision > base.revision);
        if !due && !self.owed {
            self.base = base;
            return;
        }
        self.owed = false;
        self.nonce += 1;
        let answer_until = now + self.config.ack_timeout;
        self.update = Some(match base {
            Some(base) => {
                let changes = delta::diff(&base.resources, &target.resources);
                Update::delta(self.nonce, base.revision, target, changes, answer_until)
            }
            None => Update::snapshot(self.nonce, target, answer_until),
        });
    }

    /// Goes live as soon as what is published is not behind what the worker runs (rule S3).
    fn leave_waiting(&mut self, now: Instant) {
        let Phase::Waiting { ahead, until } = &mut self.phase else { return };
        let Some(published) = &self.published else { return };
        let behind = ahead
            .as_ref()
            .is_some_and(|ahead| ahead.store_id == published.store_id && ahead.revision > published.revision);
        if behind {
            until.get_or_insert(now + self.config.behind_timeout);
        } else {
            self.phase = Phase::Live;
            self.bookmark_at = now + self.config.bookmark_interval;
        }
    }

    /// Ends the update in flight if the answer fits it.
    fn answered(&mut self, nonce: u64, revision: i64) -> bool {
        let fits = |update: &Update<R>| {
            update.nonce == nonce && update.target.revision == revision && update.is_sent()
        };
        match self.update.take() {
            Some(update) if fits(&update) => {
                self.base = Some(update.target);
                true
            }
            Some(_) | None => {
                self.violation("an answer to nothing that was sent");
                false
            }
        }
    }

    fn bookmark(&mut self, now: Instant) {
        self.bookmark_at = now + self.config.bookmark_interval;
        if let Some(base) = &self.base {
            self.outputs.push_back(Output::Send(FromControl::Bookmark { revision: base.revision }));
        }
    }

    fn violation(&mut self, what: &'static str) {
        self.close(CloseReason::Violation(what));
    }
}

impl<R: Clone> Subscription<R> {
    /// Returns the revision that the worker was told and answered last.
    #[must_use]
    pub fn answered_revision(&self) -> Option<(&Arc<str>, i64)> {
        self.base.as_ref().map(|base| (&base.store_id, base.revision))
    }
}

#[cfg(test)]
mod tests;
