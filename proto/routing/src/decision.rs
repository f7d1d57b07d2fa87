//! The answer of routing for one INVITE: where it goes, or why it is refused.

use std::fmt;
use std::sync::Arc;

use um_topology::{Host, Id, Station, Transport, Uri, User};

use crate::explanation::Explanation;
use crate::facts::{Diversion, HistoryEntry, Party};
use crate::plan::AttemptPlan;
use crate::redirect::RedirectPolicy;
use crate::view::TargetId;

/// What is decided for one INVITE, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where the call goes.
    pub outcome: Outcome,
    /// Why.
    pub explanation: Explanation,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To these targets.
    Route(Box<Route>),
    /// Nowhere.
    Reject(Reject),
}

/// A call on its way to a UM server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The line that received it.
    pub line_in: Id,
    /// The line that it leaves on.
    pub line_out: Id,
    /// The UM station.
    pub station: Arc<Station>,
    /// The user whose mailbox is wanted, or who calls his own; none for an unknown caller's subscriber access.
    pub user: Option<Arc<User>>,
    /// What the caller gets to hear.
    pub service: Service,
    /// What the outbound INVITE says.
    pub headers: HeaderPlan,
    /// The targets in the order of attempts; never empty.
    pub targets: Vec<Target>,
    /// How long each step may last.
    pub plan: AttemptPlan,
    /// Where a 302 may point to.
    pub redirect: RedirectPolicy,
    /// Whether RTP may be relayed packet for packet; false: it is terminated here.
    pub passthrough: bool,
}

/// What the UM server is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Take a message for a mailbox: the call carries one Diversion.
    CallAnswering,
    /// Let the caller at his own mailbox: no Diversion.
    SubscriberAccess,
}

/// What the outbound INVITE says; each target has its own Request-URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPlan {
    /// To: the station's connection address.
    pub to: Uri,
    /// From, without tag.
    pub from: Party,
    /// The one Diversion, for call answering.
    pub diversion: Option<Diversion>,
    /// History-Info entries, where the provider's profile has them.
    pub history: Vec<HistoryEntry>,
}

/// One target of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which one it is, for health and call counts.
    pub id: TargetId,
    /// Where it is.
    pub host: Host,
    /// Its port; none: found by SRV, else 5060 (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// How to speak to it.
    pub transport: Transport,
    /// The Request-URI of an attempt there.
    pub request_uri: Uri,
}

/// A refusal and the response that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Status code of the response.
    pub status: u16,
    /// Why, for counting.
    pub reason: RejectReason,
    /// Why, for the reason phrase; printable ASCII.
    pub text: &'static str,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u32>,
}

/// Why a call is refused before any target is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// The receiving line is not in the topology any more.
    LineUnknown,
    /// `deny` names the source.
    SourceDenied,
    /// `allow` does not name the source, or the line is for UM servers only and it is none.
    SourceNotAllowed,
    /// Nobody has the number.
    NumberUnknown,
    /// The call was diverted, but by nobody with a mailbox here.
    MailboxUnknown,
    /// The called user has neither phone nor mailbox.
    UserUnavailable,
    /// The call comes from a UM server and would go to a mailbox again.
    UmLoop,
    /// The UM station is inactive.
    StationInactive,
    /// The topology does not say how the UM station is reached.
    StationUnreachable,
    /// The line towards the UM server is inactive.
    LineInactive,
    /// The line towards the UM server has as many calls as it may.
    LineFull,
    /// No target can be tried now.
    NoTarget,
}

impl RejectReason {
    /// Returns the reason's name as metrics and the API write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LineUnknown => "line_unknown",
            Self::SourceDenied => "source_denied",
            Self::SourceNotAllowed => "source_not_allowed",
            Self::NumberUnknown => "number_unknown",
            Self::MailboxUnknown => "mailbox_unknown",
            Self::UserUnavailable => "user_unavailable",
            Self::UmLoop => "um_loop",
            Self::StationInactive => "station_inactive",
            Self::StationUnreachable => "station_unreachable",
            Self::LineInactive => "line_inactive",
            Self::LineFull => "line_full",
            Self::NoTarget => "no_target",
        }
    }

    /// Returns the response that a refusal for this reason is answered with: the one place that chooses it.
    #[must_use]
    pub const fn reject(self) -> Reject {
        let (status, text, retry_after) = match self {
            Self::LineUnknown => (503, "Line Not Configured", Some(RETRY_AFTER)),
            Self::SourceDenied | Self::SourceNotAllowed => (403, "Source Not Admitted", None),
            Self::NumberUnknown => (404, "No Such Number", None),
            Self::MailboxUnknown => (404, "Diverting Party Has No Mailbox", None),
            Self::UserUnavailable => (480, "User Has Neither Phone Nor Mailbox", None),
            Self::UmLoop => (480, "Call From UM Server Not Sent To UM", None),
            Self::StationInactive => (480, "UM Station Inactive", None),
            Self::StationUnreachable => (480, "UM Station Not Reachable", None),
            Self::LineInactive => (503, "Line To UM Server Inactive", Some(RETRY_AFTER)),
            Self::LineFull => (503, "Line To UM Server Full", Some(5)),
            Self::NoTarget => (503, "No UM Server Available", Some(RETRY_AFTER)),
        };
        Reject { status, reason: self, text, retry_after }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `Retry-After` of a 503 that says no UM server can be reached, in seconds (domain reference 3(e)).
pub const RETRY_AFTER: u32 = 10;
