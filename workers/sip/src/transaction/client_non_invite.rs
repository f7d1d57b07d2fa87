//! Non-INVITE client transaction (RFC 3261 §17.1.2).
//!
//! ```text
//!              | request sent
//!  E: resend +-v------+  F: TimedOut, transport: Unreachable
//!       +--->| Trying |------------------------------------+
//!       +----+-+---+--+                                    |
//!          1xx |   | 200-699: Final                        |
//!  E: +--------v-+ +------------+   F                      |
//!  resend        |              |   +----------------------+
//!  every T2 Proceeding ---------|---+                      |
//!     +----------+-+ 200-699    |                          |
//!                  | Final  +---v-------+  K               v
//!                  +------->| Completed |-----------> Terminated
//!                           +-----------+  (0 on reliable transports)
//! ```
//!
//! Timer F is the give-up instant of the line (at most 64·T1) and is the same on every transport.

use std::time::Instant;

use bytes::Bytes;

use super::{Backoff, Outbox, Reliability, Timer, TimerTable, Timing};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Request sent, nothing heard.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// The final response came; repetitions of it are absorbed.
    Completed,
    /// Over; holds no timer.
    Terminated,
}

/// What the endpoint has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the request.
    Send(Bytes),
    /// Pass the provisional response to the user.
    Provisional,
    /// Pass the final response to the user.
    Final,
    /// Tell the user that no final response came in time.
    TimedOut,
    /// Tell the user that the transport failed before any response.
    Unreachable,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct ClientNonInvite {
    state: State,
    reliability: Reliability,
    timers: TimerTable,
    backoff: Backoff,
    request: Bytes,
    outbox: Outbox<Output>,
}

impl ClientNonInvite {
    /// Starts the transaction and asks for the first send.
    #[must_use]
    pub fn new(now: Instant, request: Bytes, reliability: Reliability, timing: Timing) -> Self {
        let mut machine = Self {
            state: State::Trying,
            reliability,
            timers: TimerTable::default(),
            backoff: timing.packet_backoff(),
            request: request.clone(),
            outbox: Outbox::default(),
        };
        machine.outbox.push(Output::Send(request));
        machine.timers.set(Timer::F, now + timing.request_give_up());
        if reliability == Reliability::Unreliable {
            machine.start_e(now, now);
        }
        machine
    }

    /// Handles a response of status 100 to 699.
    pub fn handle_response(&mut self, now: Instant, status: u16) {
        match self.state {
            State::Trying | State::Proceeding if status < 200 => {
                if self.state == State::Trying {
                    self.backoff.jump_to_cap();
                }
                self.state = State::Proceeding;
                self.outbox.push(Output::Provisional);
            }
            State::Trying | State::Proceeding => {
                self.outbox.push(Output::Final);
                self.complete(now);
            }
            State::Completed | State::Terminated => {}
        }
    }

    /// Handles the loss of the flow that carried the request.
    pub fn handle_unreachable(&mut self) {
        match self.state {
            State::Trying => {
                self.outbox.push(Output::Unreachable);
                self.terminate();
            }
            State::Proceeding | State::Completed | State::Terminated => {}
        }
    }

    /// Handles a deadline of [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.expire(now) {
            match timer {
                Timer::E => {
                    self.outbox.push(Output::Send(self.request.clone()));
                    self.start_e(at, now);
                }
                Timer::F => {
                    self.outbox.push(Output::TimedOut);
                    self.terminate();
                }
                Timer::K => self.terminate(),
                Timer::A
                | Timer::B
                | Timer::D
                | Timer::G
                | Timer::H
                | Timer::I
                | Timer::J
                | Timer::L
                | Timer::M
                | Timer::Trying
                | Timer::Linger
                | Timer::Expiry => {}
            }
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

    fn complete(&mut self, now: Instant) {
        match self.reliability {
            Reliability::Unreliable => {
                self.timers.stop_all();
                self.request = Bytes::new();
                self.state = State::Completed;
                self.timers.set(Timer::K, now + Timing::T4);
            }
            Reliability::Reliable => self.terminate(),
        }
    }

    fn start_e(&mut self, from: Instant, now: Instant) {
        if let Some(interval) = self.backoff.take() {
            self.timers.set(Timer::E, super::next_send(from, interval, now));
        }
    }

    fn terminate(&mut self) {
        self.timers.stop_all();
        self.request = Bytes::new();
        self.state = State::Terminated;
    }
}

#[cfg(test)]
mod tests;
