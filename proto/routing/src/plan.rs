//! How long each step of each attempt may last.

use std::time::Duration;

use um_topology::proxy_list::{DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_FAILOVER_BUDGET, DEFAULT_TIMEOUT};
use um_topology::{CodeSet, Line, LineTimers, ProxyList};

/// The clock of one call's attempts: timers of the line, patience of the list, and which responses move on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptPlan {
    /// Timers of the outbound line.
    pub timers: LineTimers,
    /// Longest silence of an attempt while another target is left.
    pub attempt_timeout: Duration,
    /// Longest wait with nothing but 100.
    pub timeout: Duration,
    /// Longest wait for the answer after 101–199, from the INVITE.
    pub answer_timeout: Duration,
    /// Time for all attempts together.
    pub failover_budget: Duration,
    /// Final responses after which the next target is tried.
    pub retryable: CodeSet,
}

impl AttemptPlan {
    /// Makes the plan of calls that leave on a line, towards its list or straight to a station.
    #[must_use]
    pub fn new(line: &Line, list: Option<&ProxyList>) -> Self {
        Self {
            timers: line.timers(),
            attempt_timeout: list.map_or(DEFAULT_ATTEMPT_TIMEOUT, ProxyList::effective_attempt_timeout),
            timeout: list.map_or(DEFAULT_TIMEOUT, ProxyList::effective_timeout),
            answer_timeout: line.effective_answer_timeout(),
            failover_budget: list.map_or(DEFAULT_FAILOVER_BUDGET, ProxyList::effective_failover_budget),
            retryable: line.effective_retryable_codes(),
        }
    }

    /// Returns how long an attempt may stay without any response, from its first send.
    #[must_use]
    pub fn silence_limit(&self, left: Left) -> Duration {
        let give_up = self.timers.invite_give_up();
        match left {
            Left::Another => give_up.min(self.attempt_timeout),
            Left::Nothing => give_up,
        }
    }

    /// Returns how long a TCP connect may last.
    #[must_use]
    pub fn connect_limit(&self, left: Left) -> Duration {
        match left {
            Left::Another => self.timers.connect.min(self.attempt_timeout),
            Left::Nothing => self.timers.connect,
        }
    }
}

/// Whether a call has another target after the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There is one.
    Another,
    /// This is the last.
    Nothing,
}

#[cfg(test)]
mod tests {
    use um_topology::TimerProfile;

    use super::*;

    fn plan(profile: TimerProfile) -> AttemptPlan {
        let mut line = Line::new("a", "lo".parse().unwrap());
        line.transport.profile = Some(profile);
        AttemptPlan::new(&line, None)
    }

    #[test]
    fn silence_lasts_two_seconds_while_another_target_is_left() {
        for profile in [TimerProfile::Standard, TimerProfile::FastFailover] {
            let plan = plan(profile);
            assert_eq!(plan.silence_limit(Left::Another).as_millis(), 2000);
            assert_eq!(plan.connect_limit(Left::Another).as_millis(), 2000);
        }
    }

    #[test]
    fn the_last_target_has_until_the_give_up() {
        assert_eq!(plan(TimerProfile::FastFailover).silence_limit(Left::Nothing).as_millis(), 7500);
        assert_eq!(plan(TimerProfile::Standard).silence_limit(Left::Nothing).as_millis(), 32000);
        assert_eq!(plan(TimerProfile::Standard).connect_limit(Left::Nothing).as_millis(), 3500);
    }

    #[test]
    fn a_list_has_its_own_patience() {
        let mut list = ProxyList::new("um", Vec::new());
        list.attempt_timeout = Some(Duration::from_secs(9));
        list.failover_budget = Some(Duration::from_secs(30));
        let line = Line::new("a", "lo".parse().unwrap());
        let plan = AttemptPlan::new(&line, Some(&list));
        assert_eq!(plan.silence_limit(Left::Another).as_secs(), 9);
        assert_eq!((plan.failover_budget.as_secs(), plan.timeout.as_millis()), (30, 7500));
        assert_eq!(plan.answer_timeout.as_secs(), 180);
    }

    #[test]
    fn the_line_says_how_long_a_ringing_server_has_to_answer() {
        let mut line = Line::new("a", "lo".parse().unwrap());
        line.session.answer_timeout = Some(Duration::from_secs(30));
        assert_eq!(AttemptPlan::new(&line, None).answer_timeout.as_secs(), 30);
    }
}
