//! INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2), with the attempt rules of a failover gateway.
//!
//! ```text
//!                 | INVITE sent
//!   A: resend +---v-----+  B: TimedOut           +-----------+ Linger
//!        +--->| Calling |--transport: Unreachable>| Abandoned |---------------+
//!        +----+-+--+--+-+  abandon               +-+--+--+---+               |
//!        1xx    |  |  |                     1xx: Cancel |  | 2xx: LateAnswer  |
//!   +-----------v+ |  | 2xx: Answer         +----------+  |  | 300-699: ACK   |
//!   | Proceeding |<-|--|---------------------+            |  |                |
//!   +--+------+--+ |  +--------------------+             |  |                |
//!      |      |2xx |                       |             |  |                |
//!      |      +----|-----------------------v-------------v  |                |
//!      | 300-699: ACK, Failure         +----------+         |                |
//!      +-----------+------------>+     | Accepted | 2xx: Answer              |
//!                          +-----v-----+---+------+         |                |
//!            300-699: ACK  | Completed |<--|----------------+                |
//!                          +-----+-----+   |M                                |
//!                                |D        |       cancelled: Linger         v
//!                                +---------+----------------------------> Terminated
//! ```
//!
//! A provisional response stops Timer B: from then on the user of the transaction rules how long it waits.
//! CANCEL is asked for with [`Output::Cancel`] and only after a provisional response (§9.1); wished for earlier it
//! is remembered. The ACK of a 2xx is not made here (§13.2.2.4), that of a 300–699 is handed in ready-made.

use std::time::Instant;

use bytes::Bytes;

use super::{Backoff, Outbox, Reliability, Timer, TimerTable, Timing};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// INVITE sent, nothing heard.
    Calling,
    /// Given up in silence; only a late response is still dealt with.
    Abandoned,
    /// A provisional response came.
    Proceeding,
    /// A 300–699 came and was acknowledged.
    Completed,
    /// A 2xx came; more may follow.
    Accepted,
    /// Over; holds no timer.
    Terminated,
}

/// What the transaction's user still expects of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interest {
    Wanted,
    Cancelled,
    Abandoned,
}

/// Whether the CANCEL has been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    Unsent,
    Sent,
}

/// What the endpoint has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the INVITE or the ACK of a 300–699.
    Send(Bytes),
    /// Send a CANCEL for this INVITE.
    Cancel,
    /// Pass the provisional response to the user.
    Provisional,
    /// Pass the 2xx to the user: it awaits an ACK.
    Answer,
    /// Pass the 2xx to the user: it came after the attempt was over and needs ACK and BYE.
    LateAnswer,
    /// Pass the 300–699 to the user; it has been acknowledged.
    Failure,
    /// Tell the user that no response came in time.
    TimedOut,
    /// Tell the user that the transport failed before any response.
    Unreachable,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct ClientInvite {
    state: State,
    interest: Interest,
    cancel: Cancel,
    reliability: Reliability,
    timing: Timing,
    timers: TimerTable,
    backoff: Backoff,
    /// The INVITE while it may be repeated, then the ACK.
    message: Bytes,
    outbox: Outbox<Output>,
}

impl ClientInvite {
    /// Starts the transaction and asks for the first send.
    #[must_use]
    pub fn new(now: Instant, invite: Bytes, reliability: Reliability, timing: Timing) -> Self {
        let mut machine = Self {
            state: State::Calling,
            interest: Interest::Wanted,
            cancel: Cancel::Unsent,
            reliability,
            timing,
            timers: TimerTable::default(),
            backoff: timing.invite_backoff(),
            message: invite.clone(),
            outbox: Outbox::default(),
        };
        machine.outbox.push(Output::Send(invite));
        machine.timers.set(Timer::B, now + timing.invite_give_up());
        if reliability == Reliability::Unreliable {
            machine.start_a(now, now);
        }
        machine
    }

    /// Handles a response of status 100 to 699; `ack` makes the ACK that a 300–699 needs.
    pub fn handle_response(&mut self, now: Instant, status: u16, ack: impl FnOnce() -> Bytes) {
        match status {
            ..200 => self.on_provisional(now),
            200..300 => self.on_answer(now),
            300.. => self.on_failure(now, ack),
        }
    }

    /// Handles the loss of the flow that carried the INVITE. After a provisional response it means nothing: the
    /// final one may come another way (RFC 3261 §18.2.2).
    pub fn handle_unreachable(&mut self, now: Instant) {
        match self.state {
            State::Calling => {
                self.outbox.push(Output::Unreachable);
                self.fall_silent(now);
            }
            State::Abandoned | State::Proceeding | State::Completed | State::Accepted | State::Terminated => {
            }
        }
    }

    /// Handles a deadline of [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.expire(now) {
            match timer {
                Timer::A => {
                    self.outbox.push(Output::Send(self.message.clone()));
                    self.start_a(at, now);
                }
                Timer::B => {
                    self.outbox.push(Output::TimedOut);
                    self.fall_silent(now);
                }
                Timer::Linger => {
                    if self.interest == Interest::Cancelled {
                        self.outbox.push(Output::TimedOut);
                    }
                    self.terminate();
                }
                Timer::D | Timer::M => self.terminate(),
                Timer::E
                | Timer::F
                | Timer::G
                | Timer::H
                | Timer::I
                | Timer::J
                | Timer::K
                | Timer::L
                | Timer::Trying
                | Timer::Expiry => {}
            }
        }
    }

    /// Cancels the INVITE: at once after a provisional response, else as soon as one comes. The final response
    /// is still passed on; when none comes within 64·T1 of the CANCEL, [`Output::TimedOut`] is.
    pub fn cancel(&mut self, now: Instant) {
        if self.interest == Interest::Wanted {
            self.interest = Interest::Cancelled;
        }
        if self.state == State::Proceeding {
            self.send_cancel(now);
        }
    }

    /// Gives the INVITE up: nothing is sent any more and nothing passed on but a late 2xx. It is kept for 64·T1 to
    /// cancel on a late provisional response and to acknowledge a late final one.
    pub fn abandon(&mut self, now: Instant) {
        self.interest = Interest::Abandoned;
        match self.state {
            State::Calling => self.fall_silent(now),
            State::Proceeding => self.send_cancel(now),
            State::Abandoned | State::Completed | State::Accepted | State::Terminated => {}
        }
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// Returns the next deadline and the timer it belongs to.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    fn on_provisional(&mut self, now: Instant) {
        match self.state {
            State::Calling | State::Abandoned | State::Proceeding => {}
            State::Completed | State::Accepted | State::Terminated => return,
        }
        self.timers.stop(Timer::A);
        self.timers.stop(Timer::B);
        self.state = State::Proceeding;
        match self.interest {
            Interest::Wanted => self.outbox.push(Output::Provisional),
            Interest::Cancelled => {
                self.outbox.push(Output::Provisional);
                self.send_cancel(now);
            }
            Interest::Abandoned => self.send_cancel(now),
        }
    }

    fn on_answer(&mut self, now: Instant) {
        match self.state {
            State::Calling | State::Abandoned | State::Proceeding => {
                self.timers.stop_all();
                self.message = Bytes::new();
                self.state = State::Accepted;
                self.timers.set(Timer::M, now + self.timing.lifetime());
            }
            // A forking proxy passes every 2xx on, even one after a failure (RFC 3261 §16.7).
            State::Completed => return self.outbox.push(Output::LateAnswer),
            State::Accepted => {}
            State::Terminated => return,
        }
        self.outbox.push(match self.interest {
            Interest::Wanted | Interest::Cancelled => Output::Answer,
            Interest::Abandoned => Output::LateAnswer,
        });
    }

    fn on_failure(&mut self, now: Instant, ack: impl FnOnce() -> Bytes) {
        match self.state {
            State::Calling | State::Abandoned | State::Proceeding => {
                self.timers.stop_all();
                self.message = ack();
                self.outbox.push(Output::Send(self.message.clone()));
                if self.interest != Interest::Abandoned {
                    self.outbox.push(Output::Failure);
                }
                self.complete(now);
            }
            State::Completed => self.outbox.push(Output::Send(self.message.clone())),
            State::Accepted | State::Terminated => {}
        }
    }

    fn complete(&mut self, now: Instant) {
        match self.reliability {
            Reliability::Unreliable => {
                self.state = State::Completed;
                self.timers.set(Timer::D, now + Timing::D);
            }
            Reliability::Reliable => self.terminate(),
        }
    }

    /// Ends the sending; late responses are still awaited for 64·T1.
    fn fall_silent(&mut self, now: Instant) {
        self.interest = Interest::Abandoned;
        self.state = State::Abandoned;
        self.timers.stop_all();
        self.timers.set(Timer::Linger, now + self.timing.lifetime());
    }

    fn send_cancel(&mut self, now: Instant) {
        if self.cancel == Cancel::Sent {
            return;
        }
        self.cancel = Cancel::Sent;
        self.outbox.push(Output::Cancel);
        self.timers.set(Timer::Linger, now + self.timing.lifetime());
    }

    fn start_a(&mut self, from: Instant, now: Instant) {
        if let Some(interval) = self.backoff.take() {
            self.timers.set(Timer::A, super::next_send(from, interval, now));
        }
    }

    fn terminate(&mut self) {
        self.timers.stop_all();
        self.message = Bytes::new();
        self.state = State::Terminated;
    }
}

#[cfg(test)]
mod tests;
