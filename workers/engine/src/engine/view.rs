//! The world as routing sees it: health, loads, known addresses, bound lines of this moment.

use std::net::IpAddr;
use std::time::Instant;

use um_routing::{TargetId, TargetState, View};
use um_topology::{Host, Id, Limits};

use super::way::User;
use crate::admission::{Admission, LineLimits, SameLine};
use crate::configuration::Configuration;
use crate::health::{Circuit, Health};
use crate::locate::Locator;

/// A view of one moment.
#[derive(Debug)]
pub(super) struct Moment<'a> {
    pub(super) now: Instant,
    pub(super) configuration: &'a Configuration,
    pub(super) health: &'a Health,
    pub(super) admission: &'a Admission,
    pub(super) locator: &'a Locator<User>,
    /// The line that the call came in on; it counts there already.
    pub(super) line_in: &'a Id,
}

impl View for Moment<'_> {
    fn state(&self, target: &TargetId) -> TargetState {
        let condition = self.health.condition(target, self.now);
        if let Some(until) = condition.blocked_until {
            return TargetState::Blocked { remaining: until.saturating_duration_since(self.now) };
        }
        match condition.circuit {
            Circuit::Up => TargetState::Up,
            Circuit::Suspect => TargetState::Suspect,
            Circuit::Down => TargetState::Down,
            Circuit::Probing => TargetState::Probing,
        }
    }

    fn calls(&self, target: &TargetId) -> u32 {
        self.admission.target_calls(target)
    }

    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        self.locator.known(host)
    }

    fn line_full(&self, line: &Id) -> bool {
        let limits = self.configuration.topology.line(line).map(|line| limits(&line.limits));
        let same = same_line(self.line_in, line);
        limits.is_some_and(|limits| self.admission.is_full_outbound(line, &limits, same))
    }

    fn advertised(&self, line: &Id) -> Option<Host> {
        let bound = self.configuration.lines.iter().find(|bound| bound.id == *line)?;
        bound.advertised.host.parse().ok()
    }
}

/// Whether both legs of a call are on one line.
pub(super) fn same_line(line_in: &Id, line_out: &Id) -> SameLine {
    if line_in == line_out { SameLine::Yes } else { SameLine::No }
}

/// The limits of a line, as admission reads them.
pub(super) const fn limits(limits: &Limits) -> LineLimits {
    LineLimits {
        calls: limits.max_calls,
        calls_in: limits.max_calls_in,
        calls_out: limits.max_calls_out,
        rate: limits.max_cps,
    }
}
