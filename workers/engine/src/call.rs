//! One call: the caller's leg (inbound), attempts towards UM servers of which one becomes the outbound
//! leg, and the media between them. It speaks in its own words ([`words`]) and sees no SIP message.
//!
//! ```text
//! Preparing --relay opened--> Trying --2xx--> Answered --ACK--> Established
//!     |                        |  ^ |             |                  |
//!     |            failed: next +--+ | nothing    | callee hung up   | either side hung up
//!     v                              v left       v                  v
//!   Over <------------------------ Over        Owing --ACK, 64·T1--> Over
//! ```
//!
//! # Races
//!
//! Rows: what the caller's leg does. Columns: what the outbound side does at the same time, seen later.
//! "abandon" is always: CANCEL as soon as a provisional response allows it (RFC 3261 §9.1), a late 2xx is
//! acknowledged and hung up, a late failure acknowledged.
//!
//! | inbound \ outbound | no response yet | 100 or 101–199 | 2xx | 3xx–6xx | flow lost | BYE |
//! |---|---|---|---|---|---|---|
//! | **Preparing**: CANCEL or BYE | nothing sent yet: 487, relay closed when opened | — | — | — | — | — |
//! | **Trying**: still ringing | wait | pass on | ACK, answer: *Answered* | next or reject | next | — (no dialog yet) |
//! | **Trying**: CANCEL or BYE first | 487, abandon | 487, abandon | 487, then 2xx is late: ACK, BYE | 487, ACK only | 487, nothing to undo | — |
//! | **Trying**: forced by operator | 503, abandon | 503, abandon | 503, then late | 503, ACK only | 503 | — |
//! | **Answered** (2xx sent): waits for ACK | — | ignored | same To-tag: ACK again; other: ACK, BYE | ignored | BYE later fails | *Owing*: BYE to the caller waits for his ACK (RFC 3261 §15) |
//! | **Answered**: CANCEL crosses our 2xx | — | — | 200 to the CANCEL by the transaction, no effect (§9.2) | — | — | — |
//! | **Answered**: ACK | — | — | *Established* | — | — | — |
//! | **Answered**: BYE before ACK | — | — | 200, BYE to the server | — | — | both ended: nothing to send |
//! | **Answered**: no ACK in 64·T1 | — | — | BYE to both | — | — | BYE to the caller only |
//! | **Answered**: forced by operator | — | — | BYE to the server; *Owing* | — | — | *Owing* |
//! | **Established**: BYE | — | — | 200, BYE to the server | — | BYE goes on a new flow or times out | crossing BYEs: each leg answers 200, none waits |
//! | **Established**: no ACK of a re-INVITE in 64·T1 | — | — | BYE to both | — | — | BYE to the caller only |
//! | **Established**: nothing | — | — | other To-tag: ACK, BYE | — | — | 200, BYE to the caller |
//! | **Owing**: ACK, or none in 64·T1, or BYE | — | — | late ones: ACK, BYE | — | — | BYE to the caller unless he sent one |
//! | **Over** | abandoned attempts still end as above | same | same | same | same | answered 200 by the leg |

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use um_media::Leg;
use um_routing::Route;
use um_routing::reject::RETRY_AFTER;
use um_routing::retryable::{AttemptEnd, LocalFailure};

pub(crate) mod attempt;
pub(crate) mod failover;
mod setup;
pub(crate) mod words;

use attempt::Attempt;
use failover::Failover;
use words::{Act, AttemptId, Ending, Event, Reason, Rejection, Sign};

#[cfg(test)]
mod tests;

/// What the call was born with; it never changes.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The decision that it follows.
    pub(crate) route: Route,
    /// Our own addresses: a redirection to one of them leads back here.
    pub(crate) own: Vec<(IpAddr, u16)>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    plan: Arc<Plan>,
    state: State,
    failover: Failover,
    /// The attempt under way while [`State::Trying`]; those given up are the legs' affair.
    attempt: Option<Attempt>,
    last: u16,
    /// When the relay has to be open, then when the failover budget is used up.
    budget: Option<Instant>,
    acts: VecDeque<Act>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preparing,
    Trying,
    Answered(AttemptId),
    Established(AttemptId),
    Owing(Reason),
    Over,
}

impl Call {
    /// Begins a call; the first order is to open the relay.
    pub(crate) fn new(now: Instant, plan: Arc<Plan>) -> Self {
        let targets = &plan.route.targets;
        let regular = targets.iter().filter(|target| !target.last_resort).count();
        Self {
            failover: Failover::new(targets.len(), regular),
            plan,
            state: State::Preparing,
            attempt: None,
            last: 0,
            budget: Some(now + RELAY_WAIT),
            acts: VecDeque::from([Act::OpenRelay]),
        }
    }

    /// Takes in one event.
    pub(crate) fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::RelayOpened => self.on_relay_opened(now),
            Event::RelayFailed => self.on_relay_failed(),
            Event::Heard(attempt, heard) => self.on_heard(now, attempt, heard),
            Event::Cancelled | Event::HungUp(Leg::Inbound) => self.on_caller_gone(),
            Event::HungUp(Leg::Outbound) => self.on_callee_gone(),
            Event::Acknowledged => self.on_acknowledged(),
            Event::Unacknowledged => self.on_unacknowledged(),
            Event::Forced => self.on_forced(),
        }
    }

    /// Handles a deadline of [`Call::poll_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.budget.is_some_and(|budget| budget <= now) {
            self.budget = None;
            self.on_budget_used_up();
        }
        if let Some(attempt) = &mut self.attempt {
            let step = attempt.handle_timeout(now);
            self.on_step(now, step);
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.attempt.as_ref().and_then(Attempt::poll_timeout).into_iter().chain(self.budget).min()
    }

    fn on_relay_opened(&mut self, now: Instant) {
        match self.state {
            State::Preparing => {
                self.state = State::Trying;
                self.budget = Some(now + self.plan.route.plan.failover_budget);
                let first = self.failover.first();
                self.start_or_reject(now, first, Reason::Unavailable);
            }
            State::Trying | State::Answered(_) | State::Established(_) | State::Owing(_) | State::Over => {}
        }
    }

    fn on_relay_failed(&mut self) {
        match self.state {
            State::Preparing => {
                self.reject(Rejection {
                    status: 503,
                    retry_after: Some(RETRY_AFTER),
                    reason: Reason::NoPorts,
                });
            }
            State::Trying | State::Answered(_) | State::Established(_) | State::Owing(_) | State::Over => {}
        }
    }

    /// CANCEL before the answer, BYE at any time.
    fn on_caller_gone(&mut self) {
        match self.state {
            State::Preparing | State::Trying => {
                self.cut(487, Rejection { status: 487, retry_after: None, reason: Reason::CallerCancelled });
            }
            State::Answered(up) | State::Established(up) => {
                self.acts.push_back(Act::HangUp(up));
                self.end(Reason::CallerHungUp, 200);
            }
            State::Owing(reason) => self.end(reason, 200),
            State::Over => {}
        }
    }

    fn on_callee_gone(&mut self) {
        match self.state {
            State::Answered(_) => self.state = State::Owing(Reason::CalleeHungUp),
            State::Established(_) => {
                self.acts.push_back(Act::HangUpCaller);
                self.end(Reason::CalleeHungUp, 200);
            }
            State::Preparing | State::Trying | State::Owing(_) | State::Over => {}
        }
    }

    fn on_acknowledged(&mut self) {
        match self.state {
            State::Answered(up) => self.state = State::Established(up),
            State::Owing(reason) => {
                self.acts.push_back(Act::HangUpCaller);
                self.end(reason, 200);
            }
            State::Preparing | State::Trying | State::Established(_) | State::Over => {}
        }
    }

    fn on_unacknowledged(&mut self) {
        match self.state {
            State::Answered(up) => {
                self.acts.push_back(Act::HangUpCaller);
                self.acts.push_back(Act::HangUp(up));
                self.end(Reason::AckMissing, 200);
            }
            State::Owing(_) => {
                self.acts.push_back(Act::HangUpCaller);
                self.end(Reason::AckMissing, 200);
            }
            // The ACK of a later answer is missing: the dialog ends just so (RFC 3261 §14.2).
            State::Established(up) => {
                self.acts.push_back(Act::HangUpCaller);
                self.acts.push_back(Act::HangUp(up));
                self.end(Reason::AckMissing, 200);
            }
            State::Preparing | State::Trying | State::Over => {}
        }
    }

    fn on_forced(&mut self) {
        match self.state {
            State::Preparing | State::Trying => {
                let retry_after = Some(RETRY_AFTER);
                self.cut(503, Rejection { status: 503, retry_after, reason: Reason::Forced });
            }
            // The caller's BYE has to wait for his ACK, and until then our answer, repeated, names our ports.
            State::Answered(up) => {
                self.acts.push_back(Act::HangUp(up));
                self.state = State::Owing(Reason::Forced);
            }
            State::Established(up) => {
                self.acts.push_back(Act::HangUpCaller);
                self.acts.push_back(Act::HangUp(up));
                self.end(Reason::Forced, 200);
            }
            State::Owing(_) => {
                self.acts.push_back(Act::HangUpCaller);
                self.end(Reason::Forced, 200);
            }
            State::Over => {}
        }
    }

    /// A ringing attempt is not cut; anything else ends here, a relay that does not open too.
    fn on_budget_used_up(&mut self) {
        let Some(attempt) = &self.attempt else { return self.on_relay_failed() };
        if attempt.is_ringing() {
            return;
        }
        self.acts.push_back(Act::Mark(attempt.target, Sign::Failed));
        self.failover.note(AttemptEnd::Local(LocalFailure::Silence));
        let rejection = self.exhausted(Reason::BudgetUsedUp);
        self.cut(408, rejection);
    }

    /// Tells the caller at once, then gives up the attempt under way, if there is one, and ends the call.
    fn cut(&mut self, attempt_status: u16, rejection: Rejection) {
        self.acts.push_back(Act::Reject(rejection));
        if let Some(attempt) = &self.attempt {
            self.acts.push_back(Act::Abandon(attempt.id));
            self.finish_attempt(rejection.reason, attempt_status);
        }
        self.end(rejection.reason, rejection.status);
    }

    fn reject_exhausted(&mut self, reason: Reason) {
        let rejection = self.exhausted(reason);
        self.reject(rejection);
    }

    fn exhausted(&self, reason: Reason) -> Rejection {
        let response = self.failover.exhausted();
        Rejection { status: response.status, retry_after: response.retry_after, reason }
    }

    fn reject(&mut self, rejection: Rejection) {
        self.acts.push_back(Act::Reject(rejection));
        self.end(rejection.reason, rejection.status);
    }

    fn end(&mut self, reason: Reason, status: u16) {
        self.attempt = None;
        self.budget = None;
        self.state = State::Over;
        self.acts.push_back(Act::CloseRelay);
        self.acts.push_back(Act::Over(Ending { reason, status }));
    }
}

/// How long the media side may take to open a relay.
const RELAY_WAIT: Duration = Duration::from_secs(2);
