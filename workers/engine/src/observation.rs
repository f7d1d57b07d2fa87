//! What an engine lets the outside see: for metrics, spans, logs and reports to the control plane.
//! Nothing in here influences a call, and a driver may drop it. Identities of callers are only in
//! [`CallRecord`], which is for traces and call records, never for metric labels.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use um_media::RelayCounters;
use um_routing::{Explanation, TargetId};
use um_sip::Method;
use um_topology::{Id, Transport};

use crate::admission::Refusal;
use crate::call::words::Reason;
use crate::health::Circuit;

/// One thing seen.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A call was admitted; `um.calls.active` of its line grows by one.
    CallStarted {
        /// The call.
        call: CallKey,
        /// The line it came in on.
        line: Id,
        /// The line it leaves by.
        line_out: Id,
        /// Its Call-ID on the inbound leg; for traces only.
        call_id: Arc<str>,
        /// Who sent the INVITE: the PBX, not the person who calls.
        peer: SocketAddr,
        /// Over what.
        transport: Transport,
        /// Revision of the topology that the call keeps to its end.
        revision: i64,
        /// When the INVITE came.
        at: Instant,
    },
    /// An INVITE is about to go to one server.
    AttemptStarted {
        /// The call.
        call: CallKey,
        /// Its number within the call, from 0.
        attempt: u16,
        /// The target that it is for, also while redirections are followed.
        target: TargetId,
        /// Where it goes.
        remote: SocketAddr,
        /// Over what.
        transport: Transport,
    },
    /// An attempt is over.
    AttemptEnded {
        /// The call.
        call: CallKey,
        /// Its number within the call.
        attempt: u16,
        /// The line it went out on.
        line: Id,
        /// Its target.
        target: TargetId,
        /// How.
        outcome: Outcome,
        /// Why.
        reason: Reason,
        /// Real or synthetic final status.
        status: u16,
        /// From its start to its end.
        duration: Duration,
    },
    /// A call moves on to the next target.
    FailedOver {
        /// The call.
        call: CallKey,
        /// The target that failed; why, its `AttemptEnded` said.
        from: TargetId,
        /// The target that is tried now.
        to: TargetId,
    },
    /// A call was answered; the set-up is over.
    CallAnswered {
        /// The call.
        call: CallKey,
        /// The line it came in on.
        line: Id,
        /// From INVITE to 200.
        setup: Duration,
    },
    /// A call is over; `um.calls.active` of its line shrinks by one.
    CallEnded(Box<CallRecord>),
    /// A request was refused before it became a call.
    Rejected {
        /// The line it came in on.
        line: Id,
        /// Its method.
        method: Method,
        /// Our response.
        status: u16,
        /// Why.
        reason: Rejected,
        /// The decision and its why, if it was routing that refused.
        explanation: Option<Box<Explanation>>,
    },
    /// Something received led to nothing, so many times since this was last said.
    Dropped {
        /// Why, as a name for a label.
        reason: &'static str,
        /// How often.
        count: u64,
    },
    /// The visible state of a target changed.
    TargetState {
        /// The target.
        target: TargetId,
        /// Where its circuit stands.
        circuit: Circuit,
        /// Until when it is BLOCKED, if it is.
        blocked_until: Option<Instant>,
    },
    /// A probe ended.
    Probed {
        /// The target.
        target: TargetId,
        /// The final status of OPTIONS; `None` without any.
        status: Option<u16>,
        /// From its start to its end.
        duration: Duration,
    },
    /// A request other than a new INVITE was answered.
    Served {
        /// The line it came in on.
        line: Id,
        /// Its method.
        method: Method,
    },
    /// The media of a call is over, after the call itself.
    MediaEnded {
        /// The call.
        call: CallKey,
        /// What it carried.
        counters: Box<RelayCounters>,
    },
}

/// Why a request was refused before it became a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejected {
    /// Drain or a limit.
    Admission(Refusal),
    /// By the routing decision; its reason as a name.
    Routing(&'static str),
    /// The offer is missing or cannot be used.
    Offer,
    /// Max-Forwards is used up.
    TooManyHops,
    /// Something in the request is wrong.
    Malformed,
    /// The method or an extension is not supported here.
    Unsupported,
    /// It wanted to take the place of a dialog that cannot be replaced, or not by it.
    Replaces,
}

impl Rejected {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admission(refusal) => refusal.as_str(),
            Self::Routing(reason) => reason,
            Self::Offer => "offer",
            Self::TooManyHops => "too_many_hops",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::Replaces => "replaces",
        }
    }
}

/// Names a call, unique within the worker's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallKey {
    /// The shard that owns it.
    pub shard: u16,
    /// Its number there; never used twice.
    pub serial: u64,
}

impl std::fmt::Display for CallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.shard, self.serial)
    }
}

/// How a call or attempt ended; the label of `um.calls.attempts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// 2xx.
    Answered,
    /// 486 or 600.
    Busy,
    /// It rang and was not answered.
    NoAnswer,
    /// Any other final failure of the called side.
    Rejected,
    /// It failed by itself: transport, silence, no ports.
    Failed,
    /// The caller or the operator ended it first.
    Cancelled,
}

impl Outcome {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Judges by reason and status; an answered call stays answered however it was hung up.
    #[must_use]
    pub const fn of(reason: Reason, status: u16) -> Self {
        match reason {
            Reason::Answered
            | Reason::CallerHungUp
            | Reason::CalleeHungUp
            | Reason::AckMissing
            | Reason::SessionExpired
            | Reason::TransferFailed
            | Reason::AnswerMissing
            | Reason::DialogLost => Self::Answered,
            Reason::NoMedia if status < 300 => Self::Answered,
            Reason::CallerCancelled => Self::Cancelled,
            Reason::Forced if status < 300 => Self::Answered,
            Reason::Forced => Self::Cancelled,
            Reason::NotAnswered => Self::NoAnswer,
            Reason::Refused => match status {
                486 | 600 => Self::Busy,
                408 | 480 => Self::NoAnswer,
                500..600 => Self::Failed,
                _ => Self::Rejected,
            },
            Reason::Redirected => Self::Rejected,
            Reason::NameNotResolved
            | Reason::Unreachable
            | Reason::ConnectTimeout
            | Reason::ConnectionLost
            | Reason::Silent
            | Reason::OnlyTrying
            | Reason::RedirectFailed
            | Reason::NoMedia
            | Reason::Unavailable
            | Reason::BudgetUsedUp
            | Reason::NoPorts => Self::Failed,
        }
    }
}

/// The record of one call, made when it ends.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The call.
    pub call: CallKey,
    /// Call-ID of the caller's leg.
    pub call_id: Arc<str>,
    /// The line it came in on.
    pub line_in: Id,
    /// The line its attempts went out on.
    pub line_out: Id,
    /// The UM station it was for; none for a call that a route row sent on.
    pub station: Option<Id>,
    /// The mailbox owner, if there is one.
    pub user: Option<Id>,
    /// The target that answered.
    pub answered_by: Option<TargetId>,
    /// How many attempts were made.
    pub attempts: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The final response that the caller got.
    pub status: u16,
    /// When the INVITE came.
    pub started: Instant,
    /// From INVITE to the final response.
    pub setup: Duration,
    /// From the answer to the hang-up; `None` if it was not answered.
    pub talk: Option<Duration>,
    /// The decision and its why, for calls that failed or were slow to set up.
    pub explanation: Option<Arc<Explanation>>,
}
