//! Refusals: why a call goes nowhere, and the response that says so.

use std::fmt;

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
    /// The target of a transfer is at a host that is neither ours nor allowed.
    HostNotAllowed,
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
            Self::HostNotAllowed => "host_not_allowed",
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

    /// Returns the reason as the end of a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::LineUnknown => "the receiving line is not in the topology any more",
            Self::SourceDenied => "`access.deny` of the line names the source",
            Self::SourceNotAllowed => "the line does not admit the source",
            Self::HostNotAllowed => "its target is at a host that is neither ours nor allowed",
            Self::NumberUnknown => "nobody has the number",
            Self::MailboxUnknown => "it was diverted, but by nobody with a mailbox here",
            Self::UserUnavailable => "the user has neither a phone nor a mailbox",
            Self::UmLoop => "it comes from a UM server and would go to a mailbox again",
            Self::StationInactive => "the UM station is not active",
            Self::StationUnreachable => "nothing says how the UM station is reached",
            Self::LineInactive => "the line towards the UM server is not active",
            Self::LineFull => "the line towards the UM server has as many calls as it may",
            Self::NoTarget => "no target can be tried now",
        }
    }

    /// Returns the response that a refusal for this reason is answered with: the one place that chooses it.
    #[must_use]
    pub const fn reject(self) -> Reject {
        let (status, text, retry_after) = match self {
            Self::LineUnknown => (503, "Line Not Configured", Some(RETRY_AFTER)),
            Self::SourceDenied | Self::SourceNotAllowed => (403, "Source Not Admitted", None),
            Self::HostNotAllowed => (403, "Target Host Not Allowed", None),
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

/// `Retry-After` of a 503 that says no UM server can be reached, in seconds.
pub const RETRY_AFTER: u32 = 10;
