//! Decides from measured lag whether a newcomer (a new INVITE or REGISTER) may still be let in.
//!
//! Two signals, two answers. *Waiting*: newcomers come after everything that belongs to admitted calls, so that in an
//! overload it is they who wait. When they have waited too long without a break, only those that waited shortly are let
//! in, which keeps the shard fully at work on calls whose callers still wait (the idea is that of `CoDel`, RFC 8289, as
//! servers use it). *Lag*: when even the messages of admitted calls, or the media threads, are late, nobody is let in,
//! and afterwards the rate of admission rises slowly from below what it was.
//!
//! ```text
//! waits:  Open ──every newcomer late for ENTRY──▶ Short ──none late for CALM──▶ Open
//! lag:    Open ──late through a window──▶ Held ──no longer late──▶ Paced ──nobody refused for QUIET──▶ Open
//! ```

use std::time::{Duration, Instant};

use super::lobby::ShedReason;

#[cfg(test)]
mod tests;

/// Whose lag was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lag {
    /// Messages of admitted calls, from their arrival at the socket to their turn.
    Signalling,
    /// Orders to the media threads, from the order to its confirmation.
    Media,
}

/// What an [`Overload`] says of a newcomer's wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Short enough.
    Short,
    /// Too long for now, unless its source has had less than its share.
    Long,
    /// Too long in any case.
    TooLong,
}

/// The controller of one shard.
#[derive(Debug, Default)]
pub(super) struct Overload {
    waits: Waits,
    signalling: Window,
    media: Window,
    hold: Hold,
    admitted: Rate,
}

/// How long newcomers wait.
#[derive(Debug, Default)]
struct Waits {
    /// Since when every newcomer was late.
    late_since: Option<Instant>,
    /// The last one that was late.
    late_last: Option<Instant>,
    short: bool,
    /// When the short limit was last in force.
    relapse: Option<Instant>,
}

/// The least lag of a window: what stands, as against what a moment of noise brings.
#[derive(Debug, Default)]
struct Window {
    begun: Option<Instant>,
    least: Option<Duration>,
    samples: u32,
}

#[derive(Debug, Default)]
enum Hold {
    #[default]
    Open,
    Held,
    Paced(Pace),
}

/// A rate that rises until nobody is refused by it.
#[derive(Debug)]
struct Pace {
    /// Newcomers a second.
    rate: f64,
    tokens: f64,
    filled: Instant,
    raised: Instant,
    refused: Instant,
}

/// Newcomers let in, smoothed over a second or so.
#[derive(Debug, Default)]
struct Rate {
    begun: Option<Instant>,
    count: u32,
    per_second: f64,
}

impl Overload {
    /// Takes note of a lag that was measured.
    pub(super) fn note_lag(&mut self, now: Instant, of: Lag, lag: Duration) {
        let window = match of {
            Lag::Signalling => &mut self.signalling,
            Lag::Media => &mut self.media,
        };
        if let Some(least) = window.note(now, lag) {
            self.on_window(now, least);
        }
    }

    /// Takes note that no newcomer waits any more.
    pub(super) fn note_empty(&mut self, now: Instant) {
        self.waits.late_since = None;
        self.waits.settle(now);
    }

    /// Judges how long a newcomer has waited.
    pub(super) fn judge_wait(&mut self, now: Instant, waited: Duration) -> Wait {
        self.waits.note(now, waited);
        if waited > LONG {
            Wait::TooLong
        } else if self.waits.short && waited > SHORT {
            Wait::Long
        } else {
            Wait::Short
        }
    }

    /// Lets a newcomer in as far as lag allows it.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), ShedReason> {
        self.refresh(now);
        match &mut self.hold {
            Hold::Open => {}
            Hold::Held => return Err(ShedReason::Lag),
            Hold::Paced(pace) => {
                if !pace.take(now) {
                    return Err(ShedReason::Lag);
                }
            }
        }
        self.admitted.note(now);
        Ok(())
    }

    /// Whether newcomers are refused or about to be.
    pub(super) fn is_shedding(&self) -> bool {
        self.waits.short || !matches!(self.hold, Hold::Open)
    }

    fn on_window(&mut self, now: Instant, least: Duration) {
        match self.hold {
            Hold::Open | Hold::Paced(_) if least > LATE => self.hold = Hold::Held,
            Hold::Held if least < LATE / 2 => {
                self.hold = Hold::Paced(Pace::below(now, self.admitted.per_second));
            }
            Hold::Open | Hold::Held | Hold::Paced(_) => {}
        }
    }

    /// Without news of lag there is none.
    fn refresh(&mut self, now: Instant) {
        let silent = self.signalling.is_silent(now) && self.media.is_silent(now);
        match &mut self.hold {
            Hold::Held if silent => self.hold = Hold::Paced(Pace::below(now, self.admitted.per_second)),
            Hold::Paced(pace) if pace.is_over(now) => self.hold = Hold::Open,
            Hold::Open | Hold::Held | Hold::Paced(_) => {}
        }
    }
}

impl Waits {
    fn note(&mut self, now: Instant, waited: Duration) {
        if waited <= TARGET {
            self.late_since = None;
            return self.settle(now);
        }
        self.late_last = Some(now);
        let since = *self.late_since.get_or_insert(now);
        let relapsing = self.relapse.is_some_and(|at| now.saturating_duration_since(at) < RELAPSE);
        let entry = if relapsing { ENTRY_AGAIN } else { ENTRY };
        if now.saturating_duration_since(since) >= entry {
            self.short = true;
        }
        if self.short {
            self.relapse = Some(now);
        }
    }

    fn settle(&mut self, now: Instant) {
        if self.short && self.late_last.is_none_or(|at| now.saturating_duration_since(at) >= CALM) {
            self.short = false;
        }
    }
}

impl Window {
    /// Returns the least lag of a window that is over.
    fn note(&mut self, now: Instant, lag: Duration) -> Option<Duration> {
        let begun = *self.begun.get_or_insert(now);
        let over = now.saturating_duration_since(begun) >= WINDOW;
        let result = self.least.filter(|_| over && self.samples >= SAMPLES);
        if over {
            *self = Self { begun: Some(now), least: None, samples: 0 };
        }
        self.samples += 1;
        self.least = Some(self.least.map_or(lag, |least| least.min(lag)));
        result
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= SILENCE)
    }
}

impl Pace {
    fn below(now: Instant, rate: f64) -> Self {
        Self { rate: (rate * 0.8).max(SLOWEST), tokens: 1.0, filled: now, raised: now, refused: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        while now.saturating_duration_since(self.raised) >= WINDOW {
            self.raised += WINDOW;
            self.rate *= 1.05;
        }
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * self.rate).min((self.rate / 50.0).max(1.0));
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        } else {
            self.refused = now;
        }
        taken
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.refused) >= QUIET
    }
}

impl Rate {
    fn note(&mut self, now: Instant) {
        let begun = *self.begun.get_or_insert(now);
        let elapsed = now.saturating_duration_since(begun);
        if elapsed >= WINDOW {
            let measured = f64::from(self.count) / elapsed.as_secs_f64();
            self.per_second = self.per_second.mul_add(0.7, measured * 0.3);
            *self = Self { begun: Some(now), count: 0, per_second: self.per_second };
        }
        self.count += 1;
    }
}

/// A newcomer that waited longer is late.
const TARGET: Duration = Duration::from_millis(20);
/// Longest wait while the short limit is in force.
const SHORT: Duration = Duration::from_millis(40);
/// Longest wait at any time: the caller repeats itself by then.
const LONG: Duration = Duration::from_secs(1);
/// How long every newcomer must have been late before the short limit comes into force.
const ENTRY: Duration = Duration::from_millis(500);
/// The same soon after it was in force.
const ENTRY_AGAIN: Duration = Duration::from_millis(100);
/// What "soon" means.
const RELAPSE: Duration = Duration::from_secs(5);
/// How long none may have been late before the short limit ends.
const CALM: Duration = Duration::from_millis(200);
/// Length of a window.
const WINDOW: Duration = Duration::from_millis(100);
/// Samples without which a window says nothing.
const SAMPLES: u32 = 4;
/// Without a new window for so long there is no lag.
const SILENCE: Duration = Duration::from_millis(300);
/// Messages of admitted calls may be this late: well below T1, at which they would be repeated (RFC 3261 §17.1.1.1).
const LATE: Duration = Duration::from_millis(100);
/// A pace that has refused nobody for so long is no longer needed.
const QUIET: Duration = Duration::from_secs(1);
/// Slowest pace, newcomers a second.
const SLOWEST: f64 = 10.0;
