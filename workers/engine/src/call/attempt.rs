//! One INVITE to one server for one call: from finding the server to its final response, and after it
//! if the attempt was given up. Which target comes next is not decided here but in `failover.rs`.
//!
//! ```text
//! Locating --Located--> Connecting --Sent--> Calling --100--> Trying --101-199--> Ringing
//!    |                      |                   |               |  |                 |
//!    | Nowhere              | NotConnected      | Lost, Silent  |  | timeout: CANCEL | answer_timeout
//!    |                      | connect timer     | deadline      |  v                 |
//!    |                      |                   |               | Withdrawing        |
//!    v                      v                   v               v  v (2 s)           v
//!   Over <------------------+-------------------+---- any final ---+-----------------+
//! ```
//! Times count from the first send of the INVITE (domain rules of failover). Once it is over the leg
//! alone deals with what comes late (ACK and BYE for a 2xx, CANCEL on a provisional); a state that does
//! not name what it hears ignores it: the server speaks of something that is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use um_routing::redirect::Contact;
use um_routing::retryable::LocalFailure;

use super::words::{AttemptId, Carrier, Heard, Media, Origin, Refusal};
use crate::input::ConnectError;

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    /// The index of the target in the route.
    pub(crate) target: usize,
    pub(crate) origin: Origin,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) connection: Renewal,
    state: State,
    deadline: Option<Instant>,
}

/// Whether the attempt stands for one whose reused connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// The first at this address.
    First,
    /// The second, after a reused connection broke; there is no third.
    Second,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Locating,
    Connecting,
    Calling { sent: Instant },
    Trying { sent: Instant },
    Ringing,
    Withdrawing,
    Over,
}

/// The times of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// For a connection to come up.
    pub(crate) connect: Duration,
    /// For any response.
    pub(crate) response: Duration,
    /// For more than 100.
    pub(crate) timeout: Duration,
    /// For the final response after 101–199.
    pub(crate) answer: Duration,
}

/// What an attempt's news mean for the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Stay,
    /// Its addresses are known; it waits to be sent to one.
    Found(Arc<[SocketAddr]>),
    /// Pass the provisional on.
    Rang(u16),
    /// It has answered and is up.
    Answered,
    /// It has answered, but not so that media can flow; acknowledge, hang up, go on.
    AnsweredUnusable,
    /// It wants the call elsewhere.
    Redirected(u16, Vec<Contact>),
    /// A final response that the line's retryable codes judge.
    Refused(Refusal),
    /// It failed by itself, without a final response.
    Failed(Failure),
    /// It has said nothing but 100 for too long: cancel it and wait a little for the end.
    Withdraw,
    /// It rang for too long.
    NotAnswered,
    /// The flow broke after it had begun to answer: bad for its health, no end of the attempt.
    Weakened,
}

/// A failure without a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) local: LocalFailure,
    pub(crate) consequence: Consequence,
}

/// What follows from a failure beside the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It speaks against the target.
    Blame,
    /// It does not: the target asked to be left alone, our line is gone, or we have no room.
    Excuse,
    /// The same address deserves a second try on a fresh connection.
    Renew,
}

impl Attempt {
    pub(crate) fn new(id: AttemptId, target: usize, origin: Origin, connection: Renewal) -> Self {
        Self { id, target, origin, address: None, connection, state: State::Locating, deadline: None }
    }

    /// Sends the attempt to an address.
    pub(crate) fn go(&mut self, now: Instant, address: SocketAddr, patience: &Patience) -> Instant {
        let by = now + patience.connect;
        self.address = Some(address);
        self.state = State::Connecting;
        self.deadline = Some(by);
        by
    }

    /// Takes in what was heard.
    pub(crate) fn handle(&mut self, now: Instant, heard: Heard, patience: &Patience) -> Step {
        match (self.state, heard) {
            (State::Locating, Heard::Located(addresses)) => Step::Found(addresses),
            (State::Locating, Heard::Nowhere) => self.fail(LocalFailure::Dns, Consequence::Blame),
            (State::Locating | State::Connecting, Heard::Unavailable) => {
                self.fail(LocalFailure::Refused, Consequence::Excuse)
            }
            (State::Connecting, Heard::NotConnected(error)) => {
                let (failure, consequence) = connect_failure(error);
                self.fail(failure, consequence)
            }
            (State::Connecting, Heard::Sent) => {
                self.state = State::Calling { sent: now };
                self.deadline = Some(now + patience.response);
                Step::Stay
            }
            (State::Connecting | State::Calling { .. }, Heard::Lost(carrier)) => self.lose(carrier),
            (State::Trying { .. } | State::Ringing | State::Withdrawing, Heard::Lost(_)) => Step::Weakened,
            (State::Calling { .. }, Heard::Silent) => self.fail(LocalFailure::Silence, Consequence::Blame),
            (State::Withdrawing, Heard::Silent) => self.fail(LocalFailure::TryingOnly, Consequence::Blame),
            (State::Calling { sent }, Heard::Trying) => {
                self.state = State::Trying { sent };
                self.deadline = Some((sent + patience.timeout).max(now));
                Step::Stay
            }
            (State::Calling { sent } | State::Trying { sent }, Heard::Progress(status)) => {
                self.state = State::Ringing;
                self.deadline = Some((sent + patience.answer).max(now));
                Step::Rang(status)
            }
            (State::Ringing, Heard::Progress(status)) => Step::Rang(status),
            (_, Heard::Answered(media)) if self.awaits_final() => self.answered(media),
            (_, Heard::Redirected(status, contacts)) if self.awaits_final() => {
                self.end();
                Step::Redirected(status, contacts)
            }
            // The 487 that our own CANCEL asked for; another code is what the server had to say anyway.
            (State::Withdrawing, Heard::Refused(Refusal { status: 487, .. })) => {
                self.fail(LocalFailure::TryingOnly, Consequence::Blame)
            }
            (_, Heard::Refused(refusal)) if self.awaits_final() => {
                self.end();
                Step::Refused(refusal)
            }
            (
                State::Locating
                | State::Connecting
                | State::Calling { .. }
                | State::Trying { .. }
                | State::Ringing
                | State::Withdrawing
                | State::Over,
                Heard::Located(_)
                | Heard::Nowhere
                | Heard::Unavailable
                | Heard::NotConnected(_)
                | Heard::Sent
                | Heard::Lost(_)
                | Heard::Silent
                | Heard::Trying
                | Heard::Progress(_)
                | Heard::Answered(_)
                | Heard::Redirected(..)
                | Heard::Refused(_),
            ) => Step::Stay,
        }
    }

    /// Handles a deadline of [`Attempt::poll_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Step {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return Step::Stay;
        }
        self.deadline = None;
        match self.state {
            State::Connecting => self.fail(LocalFailure::ConnectTimeout, Consequence::Blame),
            State::Calling { .. } => self.fail(LocalFailure::Silence, Consequence::Blame),
            State::Trying { .. } => {
                self.state = State::Withdrawing;
                self.deadline = Some(now + WITHDRAW_WAIT);
                Step::Withdraw
            }
            State::Withdrawing => self.fail(LocalFailure::TryingOnly, Consequence::Blame),
            State::Ringing => {
                self.end();
                Step::NotAnswered
            }
            State::Locating | State::Over => Step::Stay,
        }
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it has said 101–199 and no more.
    pub(crate) fn is_ringing(&self) -> bool {
        self.state == State::Ringing
    }

    /// Whether it goes to the configured target itself, not to a Contact that it named.
    pub(crate) const fn is_direct(&self) -> bool {
        match self.origin {
            Origin::Fresh => true,
            Origin::Redirection(..) => false,
        }
    }

    const fn awaits_final(&self) -> bool {
        match self.state {
            State::Calling { .. } | State::Trying { .. } | State::Ringing | State::Withdrawing => true,
            State::Locating | State::Connecting | State::Over => false,
        }
    }

    /// Ends the attempt; it hears nothing any more.
    fn end(&mut self) {
        self.state = State::Over;
        self.deadline = None;
    }

    fn answered(&mut self, media: Media) -> Step {
        self.end();
        match media {
            Media::Usable => Step::Answered,
            Media::Unusable => Step::AnsweredUnusable,
        }
    }

    fn lose(&mut self, carrier: Carrier) -> Step {
        match carrier {
            Carrier::Datagram => self.fail(LocalFailure::Refused, Consequence::Blame),
            Carrier::ReusedConnection if self.connection == Renewal::First => {
                self.fail(LocalFailure::ConnectionClosed, Consequence::Renew)
            }
            Carrier::FreshConnection | Carrier::ReusedConnection => {
                self.fail(LocalFailure::ConnectionClosed, Consequence::Blame)
            }
        }
    }

    fn fail(&mut self, local: LocalFailure, consequence: Consequence) -> Step {
        self.end();
        Step::Failed(Failure { local, consequence })
    }
}

const fn connect_failure(error: ConnectError) -> (LocalFailure, Consequence) {
    match error {
        ConnectError::Refused | ConnectError::Unreachable => (LocalFailure::Refused, Consequence::Blame),
        ConnectError::TimedOut => (LocalFailure::ConnectTimeout, Consequence::Blame),
        // We have no room for a connection: that is not the target's fault.
        ConnectError::Local => (LocalFailure::Refused, Consequence::Excuse),
    }
}

/// How long a cancelled attempt is waited for before the next one starts.
const WITHDRAW_WAIT: Duration = Duration::from_secs(2);
