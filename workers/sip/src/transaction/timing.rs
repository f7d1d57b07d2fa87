//! T1, T2, T4 and the retry limits of a line, and the schedules that follow from them (RFC 3261 §17.1.1.1, §17.1.2.2).
//!
//! Not here: the timers that run. [`super::timers`] holds those.

use std::time::Duration;

use crate::flow::Transport;

/// Whether the transport under a transaction repeats lost messages itself (RFC 3261 §17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliability {
    /// UDP: the transaction repeats requests and final responses.
    Unreliable,
    /// TCP, TLS: nothing but a 2xx to an INVITE is ever repeated.
    Reliable,
}

impl Reliability {
    /// Returns that of a transport.
    #[must_use]
    pub fn of(transport: Transport) -> Self {
        if transport.is_reliable() { Self::Reliable } else { Self::Unreliable }
    }
}

/// The timer settings of a line; every transaction keeps a copy of those it was born with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Round-trip estimate; first interval of Timers A, E, G and of the repeated 2xx.
    pub t1: Duration,
    /// Cap of the intervals of Timers E, G and of the repeated 2xx; Timer A has no cap.
    pub t2: Duration,
    /// Most repetitions of a non-INVITE request (Timer E) and of a 300–699 to an INVITE (Timer G).
    pub max_packet_retry: u8,
    /// Most repetitions of an INVITE (Timer A).
    pub max_invite_retry: u8,
}

impl Timing {
    /// Longest life of a message in the network (Timers I and K on unreliable transports).
    pub const T4: Duration = Duration::from_secs(5);
    /// Timer D on unreliable transports: the least that RFC 3261 §17.1.1.2 allows.
    pub const D: Duration = Duration::from_secs(32);
    /// The defaults of RFC 3261: 7 sends of an INVITE, 11 of any other request, both given up after 32 s.
    pub const STANDARD: Self = Self {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        max_packet_retry: 10,
        max_invite_retry: 6,
    };
    /// Gives an INVITE up after 7.5 s and any other request after 4.5 s.
    pub const FAST_FAILOVER: Self = Self {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(1),
        max_packet_retry: 4,
        max_invite_retry: 3,
    };

    /// Returns 64·T1: Timers F, H, J, L, M and the wait for the ACK of a 2xx.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Returns the intervals of Timer A: T1, doubled without a cap.
    #[must_use]
    pub fn invite_backoff(&self) -> Backoff {
        Backoff { interval: self.t1, cap: Duration::MAX, left: self.max_invite_retry.into() }
    }

    /// Returns the intervals of Timers E and G: T1, doubled up to T2.
    #[must_use]
    pub fn packet_backoff(&self) -> Backoff {
        Backoff { interval: self.t1, cap: self.t2, left: self.max_packet_retry.into() }
    }

    /// Returns the intervals at which a 2xx to an INVITE is repeated until its ACK: T1 doubled up to T2,
    /// not counted (RFC 3261 §13.3.1.4).
    #[must_use]
    pub fn answer_backoff(&self) -> Backoff {
        Backoff { interval: self.t1, cap: self.t2, left: u16::MAX }
    }

    /// Returns how long an INVITE waits for any response: min(64·T1, T1·(2^(N+1) − 1)).
    #[must_use]
    pub fn invite_give_up(&self) -> Duration {
        self.invite_backoff().end().min(self.lifetime())
    }

    /// Returns how long any other request waits for its final response: min(64·T1, last send + next interval).
    #[must_use]
    pub fn request_give_up(&self) -> Duration {
        self.packet_backoff().end().min(self.lifetime())
    }

    /// Returns when a non-INVITE without a final response must be answered 100: when the Timer E of its
    /// sender has reached T2 (RFC 4320 §4.1).
    #[must_use]
    pub fn trying_due(&self) -> Duration {
        let (mut at, mut interval) = (self.t1, self.t1.saturating_mul(2));
        while interval < self.t2 && !interval.is_zero() {
            at += interval;
            interval = interval.saturating_mul(2);
        }
        at
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// Growing intervals between sends, with a bound on their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    interval: Duration,
    cap: Duration,
    left: u16,
}

impl Backoff {
    /// Takes the next interval, or `None` once all repetitions are used up.
    pub fn take(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let interval = self.interval.min(self.cap);
        self.interval = interval.saturating_mul(2);
        Some(interval)
    }

    /// Continues with the capped interval only, as Timer E does once a provisional response came.
    pub fn jump_to_cap(&mut self) {
        self.interval = self.cap;
    }

    /// Returns when the interval after the last send ends, counted from the first send.
    fn end(mut self) -> Duration {
        let mut at = Duration::ZERO;
        while let Some(interval) = self.take() {
            at = at.saturating_add(interval);
        }
        at.saturating_add(self.interval.min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(t1: u64, t2: u64, packet: u8, invite: u8) -> Timing {
        Timing {
            t1: Duration::from_millis(t1),
            t2: Duration::from_millis(t2),
            max_packet_retry: packet,
            max_invite_retry: invite,
        }
    }

    #[test]
    fn invite_give_up_follows_the_formula() {
        assert_eq!(timing(500, 4000, 10, 6).invite_give_up().as_millis(), 32_000);
        assert_eq!(timing(500, 4000, 10, 3).invite_give_up().as_millis(), 7_500);
        assert_eq!(timing(250, 4000, 10, 6).invite_give_up().as_millis(), 16_000);
        assert_eq!(timing(500, 4000, 10, 0).invite_give_up().as_millis(), 500);
    }

    #[test]
    fn request_give_up_follows_the_formula() {
        assert_eq!(Timing::STANDARD.request_give_up().as_millis(), 32_000);
        assert_eq!(Timing::FAST_FAILOVER.request_give_up().as_millis(), 4_500);
        assert_eq!(timing(50, 4000, 10, 6).request_give_up().as_millis(), 3_200);
        assert_eq!(timing(500, 4000, 0, 6).request_give_up().as_millis(), 500);
    }

    #[test]
    fn trying_is_due_when_the_senders_timer_e_reaches_t2() {
        assert_eq!(Timing::STANDARD.trying_due().as_millis(), 3_500);
        assert_eq!(Timing::FAST_FAILOVER.trying_due().as_millis(), 500);
    }

    #[test]
    fn an_answer_is_repeated_without_a_count() {
        let mut backoff = Timing::FAST_FAILOVER.answer_backoff();
        let intervals: Vec<_> = (0..5).filter_map(|_| backoff.take()).map(|i| i.as_millis()).collect();
        assert_eq!(intervals, [500, 1000, 1000, 1000, 1000]);
    }
}
