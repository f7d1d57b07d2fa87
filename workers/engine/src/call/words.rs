//! The words of a call: what it is told and what it orders. No SIP message, header or SDP is among
//! them; `leg.rs` and `engine.rs` translate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use um_routing::redirect::{Contact, Hop};
use um_routing::retryable::LocalFailure;

use super::Plan;
use crate::input::ConnectError;
use crate::locate::Place;

/// One side of a call: where the caller is, or the one who was called. A side has at most one leg that is
/// bridged; beside it attempts may look for another party to take its place.
pub(crate) use um_media::Leg as Side;

/// Names an attempt within its call; counted up from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttemptId(pub(crate) u16);

/// What a call is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The media ports are bound.
    RelayOpened,
    /// The media ports could not be bound and no others are to be tried.
    RelayFailed,
    /// One attempt was heard of.
    Heard(AttemptId, Heard),
    /// The caller gave up before the final response.
    Cancelled,
    /// The leg of one side hung up. (From the caller before the answer it is as good as `Cancelled`.)
    HungUp(Side),
    /// A side acknowledged our 2xx.
    Acknowledged(Side),
    /// A side did not acknowledge our 2xx within 64·T1.
    Unacknowledged(Side),
    /// The session with a side is over: it was not refreshed, or nobody is there.
    Expired(Side),
    /// The party on this side asks that the other one be connected to whoever the plan leads to.
    Referred(Side, Arc<Plan>),
    /// A referrer whose place was taken has hung up.
    Parted,
    /// The two legs cannot go on together, for this reason.
    Broken(Reason),
    /// The operator ends the call.
    Forced,
}

/// What is heard of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Where the target is; the attempt goes to the first address.
    Located(Arc<[SocketAddr]>),
    /// The target's name has no address.
    Nowhere,
    /// The target may not be used now: BLOCKED since the call began, or its line is gone.
    Unavailable,
    /// No connection came up.
    NotConnected(ConnectError),
    /// The INVITE has gone out for the first time.
    Sent,
    /// The flow broke before any response came.
    Lost(Carrier),
    /// No response came within the INVITE give-up of the line.
    Silent,
    /// 100 came.
    Trying,
    /// 101–199 came.
    Progress(u16),
    /// 2xx came, the first of this attempt.
    Answered(Media),
    /// 300–302 came, with these Contacts.
    Redirected(u16, Vec<Contact>),
    /// Another final response came.
    Refused(Refusal),
}

/// What carried the INVITE that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// A datagram that was refused (ICMP).
    Datagram,
    /// A connection that was opened for this attempt.
    FreshConnection,
    /// A connection that had served before; it may have died long ago.
    ReusedConnection,
}

/// Whether a 2xx can be talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// It answers our offer.
    Usable,
    /// It has no answer, or one that we cannot use.
    Unusable,
}

/// A final response that is neither an answer nor followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// 300 to 699.
    pub(crate) status: u16,
    /// Seconds, as the server wrote them.
    pub(crate) retry_after: Option<u32>,
}

/// What a call orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Reserve ports and open the relay.
    OpenRelay,
    /// Close the relay; its ports rest before they are used again.
    CloseRelay,
    /// Find the addresses of a place, which is or follows from this target; `Located`, `Nowhere` or
    /// `Unavailable` follows.
    Locate(AttemptId, usize, Place),
    /// Connect to an address and send INVITE; `Sent` or a failure follows.
    Reach(Reach),
    /// Cancel an attempt; its final response is still of interest.
    Cancel(AttemptId),
    /// Give an attempt up: cancel it as soon as that is allowed, and tell only of a late 2xx.
    Abandon(AttemptId),
    /// Acknowledge the 2xx of an attempt.
    Acknowledge(AttemptId),
    /// Acknowledge and hang up an attempt whose 2xx is of no use.
    Dismiss(AttemptId),
    /// Hang up the leg of a side.
    HangUp(Side),
    /// Pass a provisional response on to the caller, with the media that the attempt gave.
    Ring(AttemptId, u16),
    /// Answer the caller with the media of this attempt, whose leg is bridged from now on.
    Answer(AttemptId),
    /// Tell the referrer that the target has said 101–199; who stays alone may hear the media that it gave.
    Preview(AttemptId, u16),
    /// The leg of this attempt takes its side. Who was there before is not heard any more, but not hung up yet.
    Bridge(AttemptId),
    /// Tell the referrer how the transfer stands.
    Report(u16),
    /// Hang up the referrer, whose place was taken.
    Part,
    /// The leg of this side has hung up and goes; the other one stays.
    Release(Side),
    /// The search of a call that is up is over: what it held is given back.
    Unsought,
    /// Answer the caller with a final failure.
    Reject(Rejection),
    /// Note what a target did.
    Mark(usize, Sign),
    /// An attempt is over, so: nothing is heard of it any more.
    Finished(AttemptId, Finish),
    /// The call is over; this is the last order.
    Over(Ending),
}

/// Where an attempt goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Its name.
    pub(crate) attempt: AttemptId,
    /// The index of the target in the route.
    pub(crate) target: usize,
    /// Where to.
    pub(crate) address: SocketAddr,
    /// Whether it is a new call to the server, or follows its redirection.
    pub(crate) origin: Origin,
    /// When a connection must be up.
    pub(crate) connect_by: Instant,
}

/// What a target did, as far as a call can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It rang or answered.
    Life,
    /// It could not be reached, was silent, or led nowhere.
    Failed,
    /// It gave this final response; its dead codes and `Retry-After` say what that means.
    Refused(Refusal),
}

/// Whose Call-ID, From-tag and CSeq an attempt has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// New ones.
    Fresh,
    /// Those of the attempt that was redirected; the CSeq counts on, the Request-URI is the Contact.
    Redirection(AttemptId, Hop),
}

/// The final failure that the caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// 300 to 699.
    pub(crate) status: u16,
    /// Seconds.
    pub(crate) retry_after: Option<u32>,
    /// Why, in a word.
    pub(crate) reason: Reason,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finish {
    /// In a word.
    pub(crate) reason: Reason,
    /// The status code, real or synthetic.
    pub(crate) status: u16,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// In a word.
    pub(crate) reason: Reason,
    /// The final response that the caller got.
    pub(crate) status: u16,
}

/// Why an attempt or a call ended; a closed list, fit for a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Answered.
    Answered,
    /// The caller hung up an answered call.
    CallerHungUp,
    /// The called side hung up an answered call.
    CalleeHungUp,
    /// The caller gave up before the answer.
    CallerCancelled,
    /// The caller never acknowledged the answer.
    AckMissing,
    /// A peer did not refresh the session, or was found gone.
    SessionExpired,
    /// The name of the target has no address.
    NameNotResolved,
    /// The connection or the datagram was refused, or there is no route.
    Unreachable,
    /// No connection came up in time.
    ConnectTimeout,
    /// The connection broke before any response.
    ConnectionLost,
    /// Nothing came back.
    Silent,
    /// Only 100 came back.
    OnlyTrying,
    /// It rang and was not answered.
    NotAnswered,
    /// A final failure response.
    Refused,
    /// Redirected, and the Contact is tried.
    Redirected,
    /// Redirected to nowhere: no Contact that may be followed, a loop, or too many.
    RedirectFailed,
    /// Answered without media that we can use.
    NoMedia,
    /// The target asked to be left alone, or its line is gone.
    Unavailable,
    /// The failover budget is used up.
    BudgetUsedUp,
    /// No media ports.
    NoPorts,
    /// The referrer hung up and the target of his transfer was not reached.
    TransferFailed,
    /// The operator ended it.
    Forced,
    /// A peer acknowledged our offer without answering it.
    AnswerMissing,
    /// A peer no longer knows its dialog: 408, 481 or silence to a request inside.
    DialogLost,
}

impl From<LocalFailure> for Reason {
    fn from(failure: LocalFailure) -> Self {
        match failure {
            LocalFailure::Dns => Self::NameNotResolved,
            LocalFailure::Refused => Self::Unreachable,
            LocalFailure::ConnectTimeout => Self::ConnectTimeout,
            LocalFailure::ConnectionClosed => Self::ConnectionLost,
            LocalFailure::Silence => Self::Silent,
            LocalFailure::TryingOnly => Self::OnlyTrying,
            LocalFailure::NoAnswer => Self::NotAnswered,
            LocalFailure::UnusableAnswer => Self::NoMedia,
            LocalFailure::RedirectFailed => Self::RedirectFailed,
        }
    }
}

impl Reason {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::CallerHungUp => "caller_hung_up",
            Self::CalleeHungUp => "callee_hung_up",
            Self::CallerCancelled => "caller_cancelled",
            Self::AckMissing => "ack_missing",
            Self::SessionExpired => "session_expired",
            Self::NameNotResolved => "name_not_resolved",
            Self::Unreachable => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::ConnectionLost => "connection_lost",
            Self::Silent => "silent",
            Self::OnlyTrying => "only_trying",
            Self::NotAnswered => "not_answered",
            Self::Refused => "refused",
            Self::Redirected => "redirected",
            Self::RedirectFailed => "redirect_failed",
            Self::NoMedia => "no_media",
            Self::Unavailable => "unavailable",
            Self::BudgetUsedUp => "budget_used_up",
            Self::NoPorts => "no_ports",
            Self::TransferFailed => "transfer_failed",
            Self::Forced => "forced",
            Self::AnswerMissing => "answer_missing",
            Self::DialogLost => "dialog_lost",
        }
    }
}
