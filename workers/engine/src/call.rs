//! One call: two sides with a leg each, and the media between them. The caller's leg is there from the
//! beginning; the one of the called side is found by a [`search`]. It speaks in its own words ([`words`])
//! and sees no SIP message.
//!
//! ```text
//! Preparing --relay opened--> Trying --2xx--> Answered --ACK--> Established
//!     |                        |  ^ |             |                  |
//!     |            failed: next +--+ | nothing    | callee hung up   | either side hung up
//!     v                              v left       v                  v
//!   Over <------------------------ Over        Owing --ACK, 64·T1--> Over
//! ```
//!
//! While it is Answered or Established either side may be re-targeted; [`transfer`] has that, with its own table of races.
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

use um_routing::Route;
use um_routing::reject::RETRY_AFTER;

pub(crate) mod attempt;
#[allow(dead_code, reason = "reliable provisional responses and session timers use the rest")]
pub(crate) mod exchange;
pub(crate) mod failover;
mod search;
mod transfer;
pub(crate) mod words;

use search::{Progress, Search};
use transfer::Transfer;
use words::{Act, AttemptId, Ending, Event, Reason, Rejection, Side};

#[cfg(test)]
mod tests;

/// What a search follows; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The decision.
    pub(crate) route: Route,
    /// Our own addresses: a redirection to one of them leads back here.
    pub(crate) own: Vec<(IpAddr, u16)>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    state: State,
    /// The search for the called side; in a call that is up, for the target of a transfer.
    search: Option<Box<Search>>,
    transfer: Option<Transfer>,
    /// The name of the next search's first attempt.
    next: AttemptId,
    /// When the relay has to be open.
    relay_by: Option<Instant>,
    acts: VecDeque<Act>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preparing,
    Trying,
    Answered,
    Established,
    Owing(Reason),
    Over,
}

impl Call {
    /// Begins a call; the first order is to open the relay.
    pub(crate) fn new(now: Instant, plan: Arc<Plan>) -> Self {
        Self {
            state: State::Preparing,
            search: Some(Box::new(Search::new(plan, AttemptId(0)))),
            transfer: None,
            next: AttemptId(0),
            relay_by: Some(now + RELAY_WAIT),
            acts: VecDeque::from([Act::OpenRelay]),
        }
    }

    /// Takes in one event.
    pub(crate) fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::RelayOpened => self.on_relay_opened(now),
            Event::RelayFailed => self.on_relay_failed(),
            Event::Heard(attempt, heard) => {
                self.with_search(now, |search| search.handle(now, attempt, heard));
            }
            Event::Cancelled => self.on_hung_up(Side::Inbound),
            Event::HungUp(side) => self.on_hung_up(side),
            Event::Acknowledged(side) => self.on_acknowledged(side),
            Event::Unacknowledged(_) => self.on_gone(Reason::AckMissing),
            Event::Expired(_) => self.on_gone(Reason::SessionExpired),
            Event::Referred(side, plan) => self.on_referred(now, side, plan),
            Event::Parted => self.on_parted(),
            Event::Broken(reason) => self.on_broken(reason),
            Event::Forced => self.on_broken(Reason::Forced),
        }
    }

    /// Handles a deadline of [`Call::poll_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.relay_by.is_some_and(|by| by <= now) {
            self.relay_by = None;
            self.on_relay_failed();
        }
        self.part_when_due(now);
        self.with_search(now, |search| search.handle_timeout(now));
    }

    pub(crate) fn poll_output(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let search = self.search.as_ref().and_then(|search| search.poll_timeout());
        [search, self.relay_by, self.parting_deadline()].into_iter().flatten().min()
    }

    fn on_relay_opened(&mut self, now: Instant) {
        match self.state {
            State::Preparing => {
                self.state = State::Trying;
                self.relay_by = None;
                self.with_search(now, |search| search.begin(now));
            }
            State::Trying | State::Answered | State::Established | State::Owing(_) | State::Over => {}
        }
    }

    fn on_relay_failed(&mut self) {
        match self.state {
            State::Preparing => {
                let retry_after = Some(RETRY_AFTER);
                self.cut(503, Rejection { status: 503, retry_after, reason: Reason::NoPorts });
            }
            State::Trying | State::Answered | State::Established | State::Owing(_) | State::Over => {}
        }
    }

    /// Lets the search take something in, and draws the conclusions.
    fn with_search(&mut self, now: Instant, act: impl FnOnce(&mut Search) -> Progress) {
        let Some(search) = &mut self.search else { return };
        let progress = act(search);
        self.acts.extend(std::iter::from_fn(|| search.poll_output()));
        match self.state {
            State::Trying => self.on_progress(progress),
            State::Answered | State::Established => self.on_sought(now, progress),
            State::Preparing | State::Owing(_) | State::Over => {}
        }
    }

    fn on_progress(&mut self, progress: Progress) {
        match progress {
            Progress::None => {}
            Progress::Rang(attempt, status) => self.acts.push_back(Act::Ring(attempt, status)),
            Progress::Found(attempt) => {
                self.end_search();
                self.acts.push_back(Act::Answer(attempt));
                self.state = State::Answered;
            }
            Progress::Failed(rejection) => self.cut(408, rejection),
        }
    }

    fn end_search(&mut self) {
        if let Some(search) = self.search.take() {
            self.next = search.next();
        }
    }

    /// Gives up the attempt under way, if there is one, and the search of a call that is up with it.
    fn give_up_search(&mut self, reason: Reason, status: u16) {
        let Some(search) = &mut self.search else { return };
        search.give_up(reason, status);
        self.acts.extend(std::iter::from_fn(|| search.poll_output()));
        match self.state {
            State::Answered | State::Established => self.acts.push_back(Act::Unsought),
            State::Preparing | State::Trying | State::Owing(_) | State::Over => {}
        }
        self.end_search();
    }

    /// CANCEL before the answer, BYE at any time; the called side is not there before the answer.
    fn on_hung_up(&mut self, side: Side) {
        match (self.state, side) {
            (State::Preparing | State::Trying, Side::Inbound) => {
                self.cut(487, Rejection { status: 487, retry_after: None, reason: Reason::CallerCancelled });
            }
            (State::Answered | State::Established, _) if self.is_referrer_leaving(side) => {}
            // The caller's BYE has to wait for his ACK (RFC 3261 §15).
            (State::Answered, Side::Outbound) => {
                self.end_transfer(Reason::CalleeHungUp, 487);
                self.state = State::Owing(Reason::CalleeHungUp);
            }
            (State::Answered, Side::Inbound) | (State::Established, _) => {
                self.end_transfer(hung_up_by(side), 487);
                self.acts.push_back(Act::HangUp(side.other()));
                self.end(hung_up_by(side), 200);
            }
            (State::Owing(reason), Side::Inbound) => self.end(reason, 200),
            (State::Preparing | State::Trying | State::Owing(_), Side::Outbound) | (State::Over, _) => {}
        }
    }

    /// Nothing waits for the ACK of a called side: it acknowledges answers to its own offers only.
    fn on_acknowledged(&mut self, side: Side) {
        match (self.state, side) {
            (State::Answered, Side::Inbound) => {
                self.state = State::Established;
                // From here on a call is only held, for as long as the two talk.
                self.acts.shrink_to_fit();
            }
            (State::Owing(reason), Side::Inbound) => {
                self.acts.push_back(Act::HangUp(Side::Inbound));
                self.end(reason, 200);
            }
            (State::Answered | State::Owing(_), Side::Outbound)
            | (State::Preparing | State::Trying | State::Established | State::Over, _) => {}
        }
    }

    /// The dialog ends, and with it the call: an answer was never acknowledged, whichever it was (RFC 3261 §13.3.1.4,
    /// §14.2), or the session was not refreshed (RFC 4028 §10).
    fn on_gone(&mut self, reason: Reason) {
        match self.state {
            State::Answered | State::Established => self.hang_up_all(reason),
            State::Owing(_) => {
                self.acts.push_back(Act::HangUp(Side::Inbound));
                self.end(reason, 200);
            }
            // A reliable provisional response was never acknowledged (RFC 3262 §3).
            State::Preparing | State::Trying => {
                self.cut(408, Rejection { status: 504, retry_after: None, reason: Reason::AckMissing });
            }
            State::Over => {}
        }
    }

    /// The operator ends the call, or its two legs cannot go on together.
    fn on_broken(&mut self, reason: Reason) {
        match self.state {
            State::Preparing | State::Trying => {
                let forced = reason == Reason::Forced;
                let (status, retry_after) = if forced { (503, Some(RETRY_AFTER)) } else { (488, None) };
                self.cut(status, Rejection { status, retry_after, reason });
            }
            // The caller's BYE has to wait for his ACK, and until then our answer, repeated, names our ports.
            State::Answered => {
                self.end_transfer(Reason::Forced, 487);
                self.acts.push_back(Act::HangUp(Side::Outbound));
                self.state = State::Owing(reason);
            }
            State::Established => self.hang_up_all(reason),
            State::Owing(_) => {
                self.acts.push_back(Act::HangUp(Side::Inbound));
                self.end(reason, 200);
            }
            State::Over => {}
        }
    }

    fn hang_up_all(&mut self, reason: Reason) {
        self.end_transfer(reason, 487);
        self.acts.extend(Side::ALL.map(Act::HangUp));
        self.end(reason, 200);
    }

    /// Tells the caller at once, then gives up the attempt under way, if there is one, and ends the call.
    fn cut(&mut self, attempt_status: u16, rejection: Rejection) {
        self.acts.push_back(Act::Reject(rejection));
        self.give_up_search(rejection.reason, attempt_status);
        self.end(rejection.reason, rejection.status);
    }

    fn end(&mut self, reason: Reason, status: u16) {
        self.relay_by = None;
        self.state = State::Over;
        self.acts.push_back(Act::CloseRelay);
        self.acts.push_back(Act::Over(Ending { reason, status }));
    }
}

/// Why a call ended that one side hung up.
const fn hung_up_by(side: Side) -> Reason {
    match side {
        Side::Inbound => Reason::CallerHungUp,
        Side::Outbound => Reason::CalleeHungUp,
    }
}

/// How long the media side may take to open a relay.
const RELAY_WAIT: Duration = Duration::from_secs(2);
