//! What routing must know that no topology says: the observed state of targets, calls in progress, resolved names.
//!
//! The worker's engine answers from its health table and resolver cache, the dry run from reports and assumptions.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use um_topology::{Host, Id};

/// The world as routing sees it at one moment.
pub trait View {
    /// Returns the observed state of a target.
    fn state(&self, target: &TargetId) -> TargetState;

    /// Returns how many calls a target has now.
    fn calls(&self, target: &TargetId) -> u32;

    /// Returns the addresses that a host name is known to have; empty if it was not resolved.
    fn addresses(&self, host: &str) -> Vec<IpAddr>;

    /// Says whether a line has as many outbound calls as it may.
    fn line_full(&self, line: &Id) -> bool;

    /// Returns the address that a line shows to others, if it is bound.
    fn advertised(&self, line: &Id) -> Option<Host>;
}

/// Who is tried: an entry of a proxy list, or a station's connection address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetId {
    /// An entry of a proxy list.
    Entry {
        /// The list.
        list: Id,
        /// The entry within it.
        entry: Id,
    },
    /// A station that is reached without a list.
    Station(Id),
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { list, entry } => write!(f, "{list}/{entry}"),
            Self::Station(station) => write!(f, "stations/{station}"),
        }
    }
}

/// The observed state of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Answers.
    Up,
    /// A call failed there; it is tried last and probed at once.
    Suspect,
    /// Does not answer probes.
    Down,
    /// Was down and has begun to answer.
    Probing,
    /// Asked not to be called for a while (503 with `Retry-After`).
    Blocked {
        /// How much of that time is left.
        remaining: Duration,
    },
}

impl TargetState {
    /// Returns the state's name as the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Suspect => "SUSPECT",
            Self::Down => "DOWN",
            Self::Probing => "PROBING",
            Self::Blocked { .. } => "BLOCKED",
        }
    }
}
