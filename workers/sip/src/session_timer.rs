//! The session timer of one dialog (RFC 4028): what our requests and responses say of it, when to refresh, and when the
//! session is dead.
//!
//! ```text
//!          2xx to a refresh, ours or the peer's
//!   Off ------------------------------------------> Ours  --half the interval: Refresh--> Ours, asked
//!     <--2xx to the peer's request without timer--  Theirs
//!                 Ours  --the end--------------------------------> Dead
//!                 Theirs --min(32 s, a third) before the end-----> Dead
//!                 Ours, asked --408, 481, no answer--------------> Dead
//!   any, with a probe: every half of the wanted time: Probe --408, 481, no answer--> Dead
//! ```
//!
//! The machine knows no message and no dialog; its user sends the UPDATE, re-INVITE, OPTIONS or BYE that it asks for. An
//! interval below 90 s cannot be agreed on (§4): whoever wants to notice a dead peer faster probes beside it.

use std::time::{Duration, Instant};

use crate::{
    min_se::MinSe,
    session_expires::{Refresher, SessionExpires},
};

/// What one side of a call wants of its session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Session interval that is asked for, at least 90 s.
    pub interval: Duration,
    /// How often the dialog is probed besides; `None` if the interval is enough.
    pub probe: Option<Duration>,
}

impl Policy {
    /// Makes the policy under which a dead session is noticed in about `timeout`; `None` for 0: no session timer.
    #[must_use]
    pub fn of(timeout: Duration) -> Option<Self> {
        if timeout.is_zero() {
            return None;
        }
        let least = secs(MinSe::LEAST.seconds);
        // A probe more often than every second would be no probe but a load.
        let probe = (timeout < least).then(|| (timeout / 2).max(Duration::from_secs(1)));
        Some(Self { interval: timeout.max(least), probe })
    }
}

/// What a request of ours says: `Session-Expires` and `Min-SE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `Session-Expires`.
    pub expires: SessionExpires,
    /// `Min-SE`.
    pub min: MinSe,
}

/// What a session refresh request of the peer says, INVITE or UPDATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `Session-Expires`, if it is there.
    pub expires: Option<SessionExpires>,
    /// `Min-SE`, if it is there.
    pub min: Option<MinSe>,
    /// Whether `Supported` or `Require` lists `timer`.
    pub supports_timer: bool,
}

/// What is granted to a peer's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `Session-Expires` of the 2xx; `None` if the peer would not understand it.
    pub expires: Option<SessionExpires>,
    /// Whether the 2xx says `Require: timer`, because the peer has to refresh (§9).
    pub requires_timer: bool,
    terms: Terms,
}

/// What became of a refresh or probe of ours that was not answered with a 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 408, 481, or no answer: the peer is gone (§10).
    Gone,
    /// Refused for a reason of its own (491, 500 …): tried again after this time, as long as the session lives.
    Later(Duration),
}

/// What the user has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Refresh the session: UPDATE without SDP if the peer allows it, else a re-INVITE with unchanged SDP.
    Refresh,
    /// Send OPTIONS within the dialog.
    Probe,
    /// The session is dead: end both legs.
    Dead,
}

/// Who refreshes, and how long a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    interval: Duration,
    ours: bool,
}

/// Where the timer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Off,
    /// We refresh at `at`; while a refresh is under way, that is when it is not waited for any more.
    Ours {
        at: Instant,
        end: Instant,
    },
    /// The peer refreshes before `end`.
    Theirs {
        end: Instant,
    },
    Dead,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct SessionTimer {
    policy: Policy,
    /// The least that the peer accepts, as far as it has said.
    least: u32,
    terms: Option<Terms>,
    state: State,
    /// When to probe; `None` without probes, and while one is under way.
    probe_at: Option<Instant>,
    /// Whether a 422 has raised our interval once.
    was_raised: bool,
    output: Option<Output>,
}

impl SessionTimer {
    /// Makes the timer of a dialog that has no terms yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            least: MinSe::LEAST.seconds,
            terms: None,
            state: State::Off,
            probe_at: None,
            was_raised: false,
            output: None,
        }
    }

    /// Returns what a session refresh request of ours says; every INVITE and UPDATE says it, else it would end the timer
    /// (§7.4). Once there are terms, they and their refresher are kept.
    #[must_use]
    pub fn ask(&self) -> Asked {
        let least = self.least;
        let interval = self.terms.map_or(self.policy.interval, |terms| terms.interval);
        let refresher = self.terms.map(|terms| if terms.ours { Refresher::Uac } else { Refresher::Uas });
        let interval = whole_secs(interval).max(least);
        Asked { expires: SessionExpires::new(interval, refresher), min: MinSe { seconds: least } }
    }

    /// Takes in a 422 to a request of ours; returns what the same request says when it is tried again (§7.4), `None` when
    /// that would be the second time or more than anybody can want.
    pub fn handle_too_small(&mut self, min: Option<MinSe>) -> Option<Asked> {
        let min = min.map(|min| min.seconds).filter(|min| (self.least..=LONGEST).contains(min))?;
        if std::mem::replace(&mut self.was_raised, true) {
            return None;
        }
        self.least = min;
        let interval = secs(min);
        self.policy.interval = self.policy.interval.max(interval);
        self.terms = self.terms.map(|terms| Terms { interval: terms.interval.max(interval), ..terms });
        Some(self.ask())
    }

    /// Takes in the 2xx to a session refresh request of ours. One without `Session-Expires` comes from a peer that has no
    /// session timer: we refresh at our value all the same (§7.2).
    pub fn handle_answer(&mut self, now: Instant, expires: Option<SessionExpires>) {
        let terms = match expires {
            Some(expires) => Terms {
                interval: secs(expires.interval.clamp(MinSe::LEAST.seconds, LONGEST)),
                ours: expires.refresher != Some(Refresher::Uas),
            },
            None => Terms { interval: secs(self.ask().expires.interval), ours: true },
        };
        self.was_raised = false;
        self.start(now, terms);
    }

    /// Takes in that our refresh was not accepted.
    pub fn handle_failure(&mut self, now: Instant, failure: Failure) {
        match (failure, &mut self.state) {
            (_, State::Off | State::Dead) => {}
            (Failure::Gone, State::Ours { .. } | State::Theirs { .. }) => self.die(),
            (Failure::Later(after), State::Ours { at, .. }) => *at = now + after,
            (Failure::Later(_), State::Theirs { .. }) => {}
        }
    }

    /// Judges a session refresh request of the peer (§9).
    ///
    /// # Errors
    ///
    /// The `Min-SE` of the 422 that it gets.
    pub fn judge(&self, wish: &Wish) -> Result<Grant, MinSe> {
        let least = MinSe::LEAST.seconds;
        let floor = wish.min.map_or(least, |min| min.seconds.clamp(least, LONGEST));
        let asked = wish.expires.map(|expires| expires.interval.min(LONGEST));
        if asked.is_some_and(|asked| asked < least) && wish.supports_timer {
            return Err(MinSe::LEAST);
        }
        let ceiling = asked.map_or(LONGEST, |asked| asked.max(floor));
        let interval = whole_secs(self.policy.interval).clamp(floor, ceiling);
        let wanted = wish.expires.and_then(|expires| expires.refresher).unwrap_or(Refresher::Uac);
        let refresher = if wish.supports_timer { wanted } else { Refresher::Uas };
        let ours = refresher == Refresher::Uas;
        let expires = SessionExpires::new(interval, Some(refresher));
        Ok(Grant {
            expires: Some(expires).filter(|_| wish.supports_timer),
            requires_timer: !ours,
            terms: Terms { interval: secs(interval), ours },
        })
    }

    /// Takes in that a request of the peer was accepted, with what [`Self::judge`] granted.
    pub fn handle_request(&mut self, now: Instant, grant: &Grant) {
        self.start(now, grant.terms);
    }

    /// Takes in the end of a probe.
    pub fn handle_probed(&mut self, now: Instant, result: Result<(), Failure>) {
        match result {
            Err(Failure::Gone) => self.die(),
            Ok(()) | Err(Failure::Later(_)) if self.state != State::Dead => {
                self.probe_at = self.policy.probe.map(|every| now + every);
            }
            Ok(()) | Err(Failure::Later(_)) => {}
        }
    }

    /// Handles a deadline of [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Off | State::Dead => {}
            State::Ours { end, .. } | State::Theirs { end } if *end <= now => return self.die(),
            State::Ours { at, .. } if *at <= now => {
                *at = now + REFRESH_WAIT;
                self.output = Some(Output::Refresh);
                return;
            }
            State::Ours { .. } | State::Theirs { .. } => {}
        }
        if self.probe_at.is_some_and(|at| at <= now) {
            self.probe_at = None;
            self.output = Some(Output::Probe);
        }
    }

    /// Takes what is to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    /// Returns the next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let session = match self.state {
            State::Off | State::Dead => None,
            State::Ours { at, end } => Some(at.min(end)),
            State::Theirs { end } => Some(end),
        };
        session.into_iter().chain(self.probe_at).min()
    }

    fn start(&mut self, now: Instant, terms: Terms) {
        if self.state == State::Dead {
            return;
        }
        let Terms { interval, ours } = terms;
        self.terms = Some(terms);
        self.state = if ours {
            State::Ours { at: now + interval / 2, end: now + interval }
        } else {
            State::Theirs { end: now + interval - MARGIN.min(interval / 3) }
        };
        self.probe_at = self.policy.probe.map(|every| now + every);
    }

    fn die(&mut self) {
        if self.state == State::Dead {
            return;
        }
        self.state = State::Dead;
        self.probe_at = None;
        self.output = Some(Output::Dead);
    }
}

fn secs(secs: u32) -> Duration {
    Duration::from_secs(secs.into())
}

fn whole_secs(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(LONGEST).min(LONGEST)
}

/// How long before the end of a session its BYE goes, at most (§10).
const MARGIN: Duration = Duration::from_secs(32);
/// How long a refresh of ours may stay without news: longer than any request waits for its answer.
const REFRESH_WAIT: Duration = Duration::from_secs(33);
/// The longest interval that is agreed to, in seconds: a day.
const LONGEST: u32 = 86_400;

#[cfg(test)]
mod tests;
