//! Non-INVITE server transaction (RFC 3261 §17.2.2, RFC 4320 §4).
//!
//! ```text
//!                | request
//!  absorbed   +--v-----+  200-699
//!      +----->| Trying |----------------+
//!      +------+-+--+---+                |
//!           100 |  | Expiry             |
//!  request:  +--v---------+  200-699  +-v---------+  J (0 on reliable transports)
//!  resend +->| Proceeding |---------->| Completed |------------+
//!         +--+-----+------+           +-----------+            v
//!                  | Expiry            request: resend     Terminated
//!                  +---------------------------------------->
//! ```
//!
//! RFC 4320: no provisional response but 100, and that not before Timer E of the sender has reached T2; then it is
//! due ([`Output::Trying`]). Never 408: a request unanswered for 64·T1 ends in silence.

use std::time::Instant;

use bytes::Bytes;

use super::{Outbox, Reliability, Timer, TimerTable, Timing};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing sent yet.
    Trying,
    /// A 100 was sent.
    Proceeding,
    /// The final response was sent; repeated requests get it again.
    Completed,
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
    /// The user never answered; nothing can be sent any more.
    Expired,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct ServerNonInvite {
    state: State,
    reliability: Reliability,
    timing: Timing,
    timers: TimerTable,
    /// The last response; empty if none.
    response: Bytes,
    outbox: Outbox<Output>,
}

impl ServerNonInvite {
    /// Starts the transaction for a received request.
    #[must_use]
    pub fn new(now: Instant, reliability: Reliability, timing: Timing) -> Self {
        let mut timers = TimerTable::default();
        timers.set(Timer::Trying, now + timing.trying_due());
        timers.set(Timer::Expiry, now + timing.lifetime());
        Self {
            state: State::Trying,
            reliability,
            timing,
            timers,
            response: Bytes::new(),
            outbox: Outbox::default(),
        }
    }

    /// Handles the request received again.
    pub fn handle_request(&mut self) {
        match self.state {
            State::Proceeding | State::Completed => self.outbox.push(Output::Send(self.response.clone())),
            State::Trying | State::Terminated => {}
        }
    }

    /// Handles a deadline of [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, timer)) = self.timers.expire(now) {
            match timer {
                Timer::Trying => self.outbox.push(Output::Trying),
                Timer::Expiry => {
                    self.outbox.push(Output::Expired);
                    self.terminate();
                }
                Timer::J => self.terminate(),
                Timer::A
                | Timer::B
                | Timer::D
                | Timer::E
                | Timer::F
                | Timer::G
                | Timer::H
                | Timer::I
                | Timer::K
                | Timer::L
                | Timer::M
                | Timer::Linger => {}
            }
        }
    }

    /// Sends a 100 or a response of status 200 to 699. Refuses with `false` what may not be sent: a second final
    /// response, a provisional one other than 100, a 100 too early on an unreliable transport, a 408 (RFC 4320).
    pub fn respond(&mut self, now: Instant, status: u16, response: Bytes) -> bool {
        match self.state {
            State::Trying | State::Proceeding => {}
            State::Completed | State::Terminated => return false,
        }
        match status {
            100 if self.reliability == Reliability::Unreliable && self.timers.is_running(Timer::Trying) => {
                false
            }
            100 => {
                self.timers.stop(Timer::Trying);
                self.state = State::Proceeding;
                self.outbox.push(Output::Send(response.clone()));
                self.response = response;
                true
            }
            408 | ..200 => false,
            200.. => {
                self.timers.stop_all();
                self.outbox.push(Output::Send(response.clone()));
                self.complete(now, response);
                true
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

    fn complete(&mut self, now: Instant, response: Bytes) {
        match self.reliability {
            Reliability::Unreliable => {
                self.response = response;
                self.state = State::Completed;
                self.timers.set(Timer::J, now + self.timing.lifetime());
            }
            Reliability::Reliable => self.terminate(),
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
