//! The timers of a line, resolved, and the schedules that follow from them (RFC 3261 §17).

use std::time::Duration;

use crate::codes::CodeSet;
use crate::line::{Line, TimerProfile};

/// What a line's profile and its own fields come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTimers {
    /// Longest time for a TCP connect.
    pub connect: Duration,
    /// T1: round trip estimate.
    pub t1: Duration,
    /// T2: longest retransmission interval of what is not an INVITE request.
    pub t2: Duration,
    /// Most retransmissions by Timers E and G.
    pub max_packet_retry: u32,
    /// Most INVITE retransmissions by Timer A.
    pub max_invite_retry: u32,
}

impl LineTimers {
    /// Returns the timers of a profile as it stands.
    #[must_use]
    pub const fn of_profile(profile: TimerProfile) -> Self {
        let t1 = Duration::from_millis(500);
        match profile {
            TimerProfile::Standard => Self {
                connect: Duration::from_millis(3500),
                t1,
                t2: Duration::from_secs(4),
                max_packet_retry: 10,
                max_invite_retry: 6,
            },
            TimerProfile::FastFailover => Self {
                connect: Duration::from_secs(2),
                t1,
                t2: Duration::from_secs(1),
                max_packet_retry: 4,
                max_invite_retry: 3,
            },
        }
    }

    /// Returns 64·T1: Timers B, F, H, J, L and M.
    #[must_use]
    pub const fn transaction_timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Returns when an INVITE without any response is given up, counted from its first send:
    /// min(64·T1, T1·(2^(N+1) − 1)) with N = `max_invite_retry`.
    #[must_use]
    pub fn invite_give_up(&self) -> Duration {
        let by_count = self.t1.saturating_mul((1_u32 << (self.max_invite_retry.min(6) + 1)) - 1);
        by_count.min(self.transaction_timeout())
    }

    /// Returns when an INVITE is sent over UDP, counted from the first send; Timer A doubles without a cap.
    #[must_use]
    pub fn invite_sends(&self) -> Vec<Duration> {
        self.sends(self.max_invite_retry, Duration::MAX, self.invite_give_up())
    }

    /// Returns when a request other than INVITE is given up: min(64·T1, last send + next interval).
    #[must_use]
    pub fn non_invite_give_up(&self) -> Duration {
        let retries = self.max_packet_retry.min(MAX_RETRIES);
        let end: Duration = Intervals { next: self.t1, cap: self.t2 }.take(retries as usize + 1).sum();
        end.min(self.transaction_timeout())
    }

    /// Returns when a request other than INVITE is sent over UDP: intervals double from T1 up to T2 (Timer E).
    #[must_use]
    pub fn non_invite_sends(&self) -> Vec<Duration> {
        self.sends(self.max_packet_retry, self.t2, self.non_invite_give_up())
    }

    fn sends(&self, retries: u32, cap: Duration, give_up: Duration) -> Vec<Duration> {
        let mut at = Duration::ZERO;
        let later =
            Intervals { next: self.t1, cap }.take(retries.min(MAX_RETRIES) as usize).map(|interval| {
                at += interval;
                at
            });
        // A send that would fall at or after the give-up is not made.
        std::iter::once(Duration::ZERO).chain(later).filter(|at| *at < give_up).collect()
    }
}

impl Line {
    /// Returns the timers in force: a field given by itself wins over the profile.
    #[must_use]
    pub fn timers(&self) -> LineTimers {
        let profile = LineTimers::of_profile(self.effective_profile());
        let own = &self.transport;
        LineTimers {
            connect: own.connect_timer.unwrap_or(profile.connect),
            t1: own.t1.unwrap_or(profile.t1),
            t2: own.t2.unwrap_or(profile.t2),
            max_packet_retry: own.max_packet_retry.unwrap_or(profile.max_packet_retry),
            max_invite_retry: own.max_invite_retry.unwrap_or(profile.max_invite_retry),
        }
    }

    /// Returns the final responses after which the next target is tried.
    #[must_use]
    pub fn effective_retryable_codes(&self) -> CodeSet {
        match &self.transport.retryable_codes {
            Some(codes) => codes.value().clone(),
            None => CodeSet::default_retryable(),
        }
    }
}

/// Retransmission intervals: doubling up to a cap.
struct Intervals {
    next: Duration,
    cap: Duration,
}

impl Iterator for Intervals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let interval = self.next;
        self.next = interval.saturating_mul(2).min(self.cap.max(interval));
        Some(interval)
    }
}

const MAX_RETRIES: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn timers(t1: u64, t2: u64, packet: u32, invite: u32) -> LineTimers {
        LineTimers {
            connect: Duration::from_secs(2),
            t1: Duration::from_millis(t1),
            t2: Duration::from_millis(t2),
            max_packet_retry: packet,
            max_invite_retry: invite,
        }
    }

    fn ms(times: Vec<Duration>) -> Vec<u128> {
        times.iter().map(Duration::as_millis).collect()
    }

    #[test]
    fn the_standard_profile_is_the_schedule_of_rfc_3261() {
        let timers = LineTimers::of_profile(TimerProfile::Standard);
        assert_eq!(ms(timers.invite_sends()), [0, 500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(timers.invite_give_up().as_millis(), 32000);
        let sends = [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
        assert_eq!(ms(timers.non_invite_sends()), sends);
        assert_eq!(timers.non_invite_give_up().as_millis(), 32000);
    }

    #[test]
    fn the_fast_profile_gives_up_after_seven_and_a_half_seconds() {
        let timers = LineTimers::of_profile(TimerProfile::FastFailover);
        assert_eq!(ms(timers.invite_sends()), [0, 500, 1500, 3500]);
        assert_eq!(timers.invite_give_up().as_millis(), 7500);
        assert_eq!(ms(timers.non_invite_sends()), [0, 500, 1500, 2500, 3500]);
        assert_eq!(timers.non_invite_give_up().as_millis(), 4500);
    }

    #[test]
    fn the_formulas_hold_for_other_values() {
        assert_eq!(timers(250, 4000, 10, 6).invite_give_up().as_millis(), 16000);
        let short = timers(50, 4000, 10, 6);
        assert_eq!(ms(short.non_invite_sends()), [0, 50, 150, 350, 750, 1550, 3150]);
        assert_eq!(short.non_invite_give_up().as_millis(), 3200);
        let none = timers(500, 500, 0, 0);
        assert_eq!(ms(none.invite_sends()), [0]);
        assert_eq!(none.invite_give_up().as_millis(), 500);
        assert_eq!(none.non_invite_give_up().as_millis(), 500);
    }

    #[test]
    fn a_field_given_by_itself_wins_over_the_profile() {
        let mut line = Line::new("a", "lo".parse().unwrap());
        line.transport.profile = Some(TimerProfile::FastFailover);
        line.transport.t1 = Some(Duration::from_millis(250));
        let timers = line.timers();
        assert_eq!((timers.t1.as_millis(), timers.t2.as_millis(), timers.max_invite_retry), (250, 1000, 3));
    }
}
