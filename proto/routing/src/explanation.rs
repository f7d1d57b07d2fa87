//! Why a call went where it went: what the API shows as `RouteExplanation`.

use std::fmt;

use um_topology::{Host, Id, Transport};

use crate::reject::RejectReason;
use crate::view::{TargetId, TargetState};

/// The reasons behind one decision; recorded with a live call, answered by a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Revision of the topology that decided.
    pub topology_revision: i64,
    /// The line that received the call.
    pub line_in: Option<Id>,
    /// The line that the call leaves on.
    pub line_out: Option<Id>,
    /// The UM station.
    pub station: Option<Id>,
    /// The route row that sends the call on.
    pub row: Option<Id>,
    /// The user whose mailbox is wanted, or who calls his own.
    pub user: Option<Id>,
    /// What refused the call.
    pub rejected_by: Option<Rejection>,
    /// Every target that was considered, in the order of the configuration.
    pub targets: Vec<TargetExplanation>,
    /// The response to the caller, if it is certain without trying a target.
    pub final_response: Option<u16>,
    /// One sentence per step, for a person.
    pub steps: Vec<String>,
}

impl Explanation {
    /// Returns the sentences as one text, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        self.steps.join("\n")
    }
}

/// What refused a call, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The step that refused.
    pub stage: Stage,
    /// Why.
    pub reason: RejectReason,
}

/// The steps of a decision, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Finding the receiving line.
    Line,
    /// Admitting the source.
    Source,
    /// Finding who is called.
    Called,
    /// Finding whose mailbox is wanted.
    Mailbox,
    /// Finding the UM station and the line towards it.
    Station,
    /// Ordering the targets.
    Targets,
}

impl Stage {
    /// Returns the stage's name as the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line => "LINE",
            Self::Source => "SOURCE",
            Self::Called => "CALLED",
            Self::Mailbox => "MAILBOX",
            Self::Station => "STATION",
            Self::Targets => "TARGETS",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a target stands and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetExplanation {
    /// Which target.
    pub target: TargetId,
    /// Its configured host.
    pub host: Host,
    /// Its configured port.
    pub port: Option<u16>,
    /// The transport towards it.
    pub transport: Transport,
    /// Its place in the failover order, low first.
    pub priority: u32,
    /// Its share.
    pub weight: u32,
    /// Whether this call may use it.
    pub eligible: bool,
    /// What decided that.
    pub why: Why,
    /// Its place in the order of attempts, from 1; none if it is left out.
    pub order: Option<u32>,
}

/// What decided whether a target is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its observed state.
    State(TargetState),
    /// An operator made it inactive.
    Inactive,
    /// It has as many calls as it may.
    AtCapacity,
}

impl Why {
    /// Returns the word that the API writes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State(state) => state.as_str(),
            Self::Inactive => "INACTIVE",
            Self::AtCapacity => "AT_CAPACITY",
        }
    }
}
