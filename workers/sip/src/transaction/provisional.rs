//! The reliable provisional responses of a UAS to one INVITE, on their way to being acknowledged (RFC 3262 §3).
//!
//! ```text
//!   push --> Waiting --PRACK: next of the queue--> Waiting ... --> Idle
//!     repeat: T1, doubled without a cap |
//!     64·T1: Missing -------------------+--> Idle, the queue is dropped
//! ```
//!
//! One at a time is on its way; the next waits for the PRACK of the one before. Repeated on every transport, because a
//! proxy on the way may use UDP. The machine knows no message: it is told whether a response carries a session
//! description, because a 2xx has to wait for the PRACK of such a one.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::Timing;

/// A reliable provisional response, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reliable {
    /// 101 to 199.
    pub status: u16,
    /// The message.
    pub bytes: Bytes,
    /// Whether it carries a session description.
    pub has_session: bool,
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the response again.
    Send(Bytes),
    /// No PRACK came within 64·T1: the INVITE should be answered with a 5xx.
    Missing,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Provisional {
    timing: Timing,
    /// `RSeq` of the next response that is pushed.
    upcoming: u32,
    waiting: Option<Waiting>,
    queue: VecDeque<Reliable>,
}

/// The response that waits for its PRACK.
#[derive(Clone, Debug)]
struct Waiting {
    rseq: u32,
    response: Reliable,
    interval: Duration,
    resend_at: Instant,
    end_at: Instant,
}

/// Most responses that wait for the PRACKs of those before them.
const MAX_QUEUE: usize = 8;

impl Provisional {
    /// Starts with the first `RSeq`, at random between 1 and 2³¹ − 1.
    #[must_use]
    pub fn new(first: u32, timing: Timing) -> Self {
        Self { timing, upcoming: first, waiting: None, queue: VecDeque::new() }
    }

    /// Returns the `RSeq` that the next pushed response has to carry; `None` if no further one can be queued.
    #[must_use]
    pub fn upcoming(&self) -> Option<u32> {
        (self.queue.len() < MAX_QUEUE).then_some(self.upcoming)
    }

    /// Takes a response that carries [`Self::upcoming`]; returns it if it is to be sent now.
    pub fn push(&mut self, now: Instant, response: Reliable) -> Option<Reliable> {
        let rseq = self.upcoming;
        self.upcoming = self.upcoming.wrapping_add(1);
        if self.waiting.is_none() {
            return Some(self.start(now, rseq, response));
        }
        self.queue.push_back(response);
        None
    }

    /// Handles a PRACK: `None` if it acknowledges nothing that waits, else the next response, if there is one.
    pub fn acknowledge(&mut self, now: Instant, rseq: u32) -> Option<Option<Reliable>> {
        if self.waiting.as_ref().is_none_or(|waiting| waiting.rseq != rseq) {
            return None;
        }
        self.waiting = None;
        let next = self.queue.pop_front();
        Some(next.map(|next| self.start(now, rseq.wrapping_add(1), next)))
    }

    /// Handles a deadline of [`Self::poll_timeout`]; after [`Output::Missing`] nothing waits any more.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Output> {
        let waiting = self.waiting.as_mut()?;
        if waiting.end_at <= now {
            self.stop();
            return Some(Output::Missing);
        }
        if waiting.resend_at > now {
            return None;
        }
        waiting.interval = waiting.interval.saturating_mul(2);
        waiting.resend_at = super::next_send(waiting.resend_at, waiting.interval, now);
        Some(Output::Send(waiting.response.bytes.clone()))
    }

    /// Returns the next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.resend_at.min(waiting.end_at))
    }

    /// Whether a 2xx has to wait: a response with a session description is not acknowledged yet.
    #[must_use]
    pub fn holds_answer(&self) -> bool {
        let mut unacknowledged = self.waiting.iter().map(|waiting| &waiting.response).chain(&self.queue);
        unacknowledged.any(|response| response.has_session)
    }

    /// Ends the sending, because the final response goes out; returns the `RSeq` whose PRACK may still come.
    pub fn stop(&mut self) -> Option<u32> {
        self.queue = VecDeque::new();
        self.waiting.take().map(|waiting| waiting.rseq)
    }

    fn start(&mut self, now: Instant, rseq: u32, response: Reliable) -> Reliable {
        let Timing { t1, .. } = self.timing;
        self.waiting = Some(Waiting {
            rseq,
            response: response.clone(),
            interval: t1,
            resend_at: now + t1,
            end_at: now + self.timing.lifetime(),
        });
        response
    }
}

#[cfg(test)]
mod tests;
