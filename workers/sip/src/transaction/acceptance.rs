//! A 2xx to an INVITE on its way to being acknowledged (RFC 3261 §13.3.1.4).
//!
//! ```text
//!   2xx sent --> Waiting --ACK--> Over
//!     repeat: T1 doubled to T2 |
//!     64·T1: AckMissing -------+--> Over
//! ```
//!
//! Unlike everything else it is repeated on every transport, because a proxy on the way may use UDP.

use std::time::Instant;

use bytes::Bytes;

use super::{Backoff, Timing};

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the 2xx again.
    Send(Bytes),
    /// No ACK came within 64·T1: the dialog must be ended with a BYE.
    AckMissing,
}

/// The machine; dropped when the ACK comes.
#[derive(Clone, Debug)]
pub struct Acceptance {
    response: Bytes,
    backoff: Backoff,
    resend_at: Instant,
    end_at: Instant,
}

impl Acceptance {
    /// Starts the wait for the ACK of a 2xx that was just sent.
    #[must_use]
    pub fn new(now: Instant, response: Bytes, timing: Timing) -> Self {
        let mut backoff = timing.answer_backoff();
        let first = backoff.take().unwrap_or(timing.t1);
        Self { response, backoff, resend_at: now + first, end_at: now + timing.lifetime() }
    }

    /// Handles a deadline of [`Self::poll_timeout`]; after [`Output::AckMissing`] the machine is over.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Output> {
        if self.end_at <= now {
            return Some(Output::AckMissing);
        }
        if self.resend_at > now {
            return None;
        }
        let at = self.resend_at;
        self.resend_at = match self.backoff.take() {
            Some(interval) => super::next_send(at, interval, now),
            None => self.end_at,
        };
        Some(Output::Send(self.response.clone()))
    }

    /// Returns the next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.resend_at.min(self.end_at)
    }
}

#[cfg(test)]
mod tests;
