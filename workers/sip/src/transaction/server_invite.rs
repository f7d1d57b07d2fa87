//! INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1).
//!
//! ```text
//!   INVITE: 100  | INVITE                     ACK: Ack
//!   or last 1xx +v-----------+  2xx       +----------+  L
//!       +------>| Proceeding |----------->| Accepted |--------+
//!       +-------+-----+------+            +----------+        |
//!                     | 300-699            INVITE absorbed    |
//!   G, INVITE: +------v----+  H: AckMissing                   |
//!   resend +-->| Completed |----------------------------------+
//!          +---+------+----+                                  |
//!                     | ACK                                   |
//!              +------v----+  I (0 on reliable transports)    v
//!              | Confirmed |----------------------------> Terminated
//!              +-----------+
//! ```
//!
//! A 2xx is repeated by [`super::Acceptance`], not here (RFC 3261 §13.3.1.4). When the user has not answered after
//! 200 ms, [`Output::Trying`] asks for a 100.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Backoff, Outbox, Reliability, Timer, TimerTable, Timing};

/// How long the user may take to answer before a 100 is due (RFC 3261 §17.2.1).
const TRYING_AFTER: Duration = Duration::from_millis(200);

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No final response yet.
    Proceeding,
    /// A 2xx was sent; repeated INVITEs are absorbed.
    Accepted,
    /// A 300–699 was sent and awaits its ACK.
    Completed,
    /// The ACK came; repetitions of it are absorbed.
    Confirmed,
    /// Over; holds no timer.
    Terminated,
}

/// What the endpoint has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the response.
    Send(Bytes),
    /// Make and give a 100 (Trying).
    Trying,
    /// Pass the ACK to its dialog: it belongs to a 2xx.
    Ack,
    /// The ACK of a 300–699 never came; nobody needs to act.
    AckMissing,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct ServerInvite {
    state: State,
    reliability: Reliability,
    timing: Timing,
    timers: TimerTable,
    backoff: Backoff,
    /// The last response while it may have to be repeated; empty if none.
    response: Bytes,
    outbox: Outbox<Output>,
}

impl ServerInvite {
    /// Starts the transaction for a received INVITE.
    #[must_use]
    pub fn new(now: Instant, reliability: Reliability, timing: Timing) -> Self {
        let mut timers = TimerTable::default();
        timers.set(Timer::Trying, now + TRYING_AFTER);
        Self {
            state: State::Proceeding,
            reliability,
            timing,
            timers,
            backoff: timing.packet_backoff(),
            response: Bytes::new(),
            outbox: Outbox::default(),
        }
    }

    /// Handles the INVITE received again.
    pub fn handle_invite(&mut self) {
        match self.state {
            State::Proceeding if self.response.is_empty() => {
                self.timers.stop(Timer::Trying);
                self.outbox.push(Output::Trying);
            }
            State::Proceeding | State::Completed => {
                self.outbox.push(Output::Send(self.response.clone()));
            }
            State::Accepted | State::Confirmed | State::Terminated => {}
        }
    }

    /// Handles an ACK with the branch of the INVITE.
    pub fn handle_ack(&mut self, now: Instant) {
        match self.state {
            State::Completed => {
                self.timers.stop_all();
                self.response = Bytes::new();
                match self.reliability {
                    Reliability::Unreliable => {
                        self.state = State::Confirmed;
                        self.timers.set(Timer::I, now + Timing::T4);
                    }
                    Reliability::Reliable => self.terminate(),
                }
            }
            State::Accepted => self.outbox.push(Output::Ack),
            State::Proceeding | State::Confirmed | State::Terminated => {}
        }
    }

    /// Handles a deadline of [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.expire(now) {
            match timer {
                Timer::Trying => self.outbox.push(Output::Trying),
                Timer::G => {
                    self.outbox.push(Output::Send(self.response.clone()));
                    self.start_g(at, now);
                }
                Timer::H => {
                    self.outbox.push(Output::AckMissing);
                    self.terminate();
                }
                Timer::I | Timer::L => self.terminate(),
                Timer::A
                | Timer::B
                | Timer::D
                | Timer::E
                | Timer::F
                | Timer::J
                | Timer::K
                | Timer::M
                | Timer::Linger
                | Timer::Expiry => {}
            }
        }
    }

    /// Sends a response of status 100 to 699; a second final response is refused with `false`.
    pub fn respond(&mut self, now: Instant, status: u16, response: Bytes) -> bool {
        if self.state != State::Proceeding {
            return false;
        }
        self.timers.stop(Timer::Trying);
        self.outbox.push(Output::Send(response.clone()));
        match status {
            ..200 => self.response = response,
            200..300 => {
                self.response = Bytes::new();
                self.state = State::Accepted;
                self.timers.set(Timer::L, now + self.timing.lifetime());
            }
            300.. => {
                self.response = response;
                self.state = State::Completed;
                self.timers.set(Timer::H, now + self.timing.lifetime());
                if self.reliability == Reliability::Unreliable {
                    self.start_g(now, now);
                }
            }
        }
        true
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

    fn start_g(&mut self, from: Instant, now: Instant) {
        if let Some(interval) = self.backoff.take() {
            self.timers.set(Timer::G, super::next_send(from, interval, now));
        }
    }

    fn terminate(&mut self) {
        self.timers.stop_all();
        self.response = Bytes::new();
        self.state = State::Terminated;
    }
}

#[cfg(test)]
mod tests;
