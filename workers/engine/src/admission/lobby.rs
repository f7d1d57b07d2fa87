//! Where messages wait that would begin something, until everything that belongs to admitted calls has had its turn; and
//! who of them is let in.
//!
//! The driver puts in what [`Glance`] says is a newcomer or of no certain kind, and calls out a few at the end of each
//! turn. What is called out is served, refused unread ([`crate::Engine::handle_shed`]) or dropped. Everything is bounded:
//! what finds the lobby full is refused at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_sip::{Flow, Glance};

use super::overload::{Lag, Overload, Wait};
use super::sources::Sources;

#[cfg(test)]
mod tests;

/// Why a newcomer is refused before any work: 503 with a random `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShedReason {
    /// It waited too long for its turn.
    Waited,
    /// Messages of admitted calls, or the media threads, are late.
    Lag,
    /// Its source brings more than its rate.
    Source,
    /// Too many wait.
    Full,
}

impl ShedReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 4] = [Self::Waited, Self::Lag, Self::Source, Self::Full];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waited => "waited",
            Self::Lag => "lag",
            Self::Source => "source",
            Self::Full => "full",
        }
    }
}

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// When it came to the socket.
    pub arrived: Instant,
    /// How it came.
    pub flow: Flow,
    /// The message.
    pub bytes: Bytes,
    /// What it is.
    pub kind: Glance,
}

/// What is to be done with a message whose wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Handle it.
    Serve,
    /// Refuse it unread.
    Refuse(ShedReason),
    /// Forget it: nobody waits for an answer that late.
    Drop,
}

/// The lobby of one shard.
#[derive(Debug)]
pub struct Lobby {
    newcomers: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    /// Octets of all messages that wait.
    octets: usize,
    /// Whether one of the others has its turn next.
    others_turn: bool,
    overload: Overload,
    sources: Sources,
}

impl Lobby {
    /// Makes an empty lobby. `source_rate` is how many newcomers one source address may bring a second.
    #[must_use]
    pub fn new(seed: [u8; 32], source_rate: Option<u32>) -> Self {
        Self {
            newcomers: VecDeque::new(),
            others: VecDeque::new(),
            octets: 0,
            others_turn: false,
            overload: Overload::default(),
            sources: Sources::new(seed, source_rate),
        }
    }

    /// Lets a message wait; gives it back with what is to be done when there is no room.
    #[must_use]
    pub fn enter(&mut self, waiting: Waiting) -> Option<(Waiting, Verdict)> {
        let (queue, most, verdict) = match waiting.kind {
            Glance::Invite | Glance::Register => {
                (&mut self.newcomers, MAX_NEWCOMERS, Verdict::Refuse(ShedReason::Full))
            }
            // It follows the INVITE that it is about.
            Glance::Cancel => (&mut self.newcomers, 2 * MAX_NEWCOMERS, Verdict::Drop),
            Glance::Other | Glance::Response | Glance::Inside | Glance::Ack => {
                (&mut self.others, MAX_OTHERS, Verdict::Drop)
            }
        };
        if queue.len() >= most || self.octets + waiting.bytes.len() > MAX_OCTETS {
            return Some((waiting, verdict));
        }
        self.octets += waiting.bytes.len();
        queue.push_back(waiting);
        None
    }

    /// Takes note of a lag that was measured at `now`.
    pub fn note_lag(&mut self, now: Instant, of: Lag, lag: Duration) {
        self.overload.note_lag(now, of, lag);
    }

    /// Calls out the next one.
    pub fn call(&mut self, now: Instant) -> Option<(Waiting, Verdict)> {
        self.others_turn = !self.others_turn;
        if (self.others_turn || self.newcomers.is_empty())
            && let Some(waiting) = self.others.pop_front()
        {
            self.octets -= waiting.bytes.len();
            let late = now.saturating_duration_since(waiting.arrived) > PATIENCE;
            return Some((waiting, if late { Verdict::Drop } else { Verdict::Serve }));
        }
        let Some(waiting) = self.newcomers.pop_front() else {
            self.overload.note_empty(now);
            return None;
        };
        self.octets -= waiting.bytes.len();
        let verdict = match self.judge(now, &waiting) {
            Ok(()) => Verdict::Serve,
            Err(reason) => Verdict::Refuse(reason),
        };
        Some((waiting, verdict))
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newcomers.is_empty() && self.others.is_empty()
    }

    /// Whether newcomers are being refused for want of time.
    #[must_use]
    pub fn is_shedding(&self) -> bool {
        self.overload.is_shedding()
    }

    fn judge(&mut self, now: Instant, waiting: &Waiting) -> Result<(), ShedReason> {
        if waiting.kind == Glance::Cancel {
            return Ok(());
        }
        let source = waiting.flow.remote.ip();
        let wait = self.overload.judge_wait(now, now.saturating_duration_since(waiting.arrived));
        if !self.sources.is_within_rate(now, source) {
            return Err(ShedReason::Source);
        }
        let allowed = match wait {
            Wait::Short => true,
            Wait::Long => self.sources.is_below_share(now, source),
            Wait::TooLong => false,
        };
        if !allowed {
            return Err(ShedReason::Waited);
        }
        self.overload.admit(now)?;
        self.sources.note_admitted(now, source);
        Ok(())
    }
}

/// New INVITEs and REGISTERs that may wait in one shard.
const MAX_NEWCOMERS: usize = 8_192;
/// Other messages that may wait.
const MAX_OTHERS: usize = 1_024;
/// Octets of all that wait.
const MAX_OCTETS: usize = 16 << 20;
/// Longest wait of another message: its sender repeats it by then (T1, RFC 3261 §17.1.2.1).
const PATIENCE: Duration = Duration::from_secs(1);
