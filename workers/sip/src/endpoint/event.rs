//! What an endpoint gives out: bytes to send, and events for its user.

use bytes::Bytes;

use super::Reliable;
use crate::{flow::Flow, message::Message};

/// Handle of a server transaction: a request that we received. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTransaction(pub(crate) u64);

/// Handle of a client transaction: a request that we sent. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientTransaction(pub(crate) u64);

/// Handle of a dialog. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(pub(crate) u64);

/// One output of [`super::Endpoint::poll_output`].
#[expect(clippy::large_enum_variant, reason = "drained at once; a box would cost an allocation per message")]
#[derive(Clone, Debug)]
pub enum Output {
    /// Send the bytes, in one datagram or on the connection. A TCP flow without a connection asks for a new one to
    /// its remote address: the connection of the transaction is gone (RFC 3261 §18.2.2).
    Send {
        /// Where to.
        flow: Flow,
        /// A whole message; cheap to clone.
        bytes: Bytes,
    },
    /// Something for the user to act on.
    Event(Event),
}

/// What happened. Everything that needs no decision (retransmissions, ACK of failures, refusals that the
/// RFC prescribes, repeated 2xx) has been dealt with and is only counted.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new request; it must be answered with [`super::Endpoint::respond`]. Never ACK, never CANCEL.
    /// In a dialog its CSeq has been checked, and that it crosses no offer; its remote target is taken over when it is
    /// answered with a 2xx. A PRACK acknowledges a reliable 1xx that waited for it.
    Request {
        /// To answer with.
        transaction: ServerTransaction,
        /// The dialog it belongs to; `None` for one without To tag.
        dialog: Option<DialogId>,
        /// How it came.
        flow: Flow,
        /// The request.
        message: Message,
    },
    /// The INVITE was cancelled before its final response. The CANCEL has been answered; the INVITE still waits for
    /// its answer, 487 (RFC 3261 §9.2).
    Cancelled {
        /// Of the INVITE.
        transaction: ServerTransaction,
        /// The CANCEL, for its `Reason`.
        message: Message,
    },
    /// The first ACK of our 2xx came; it may carry an SDP answer.
    Acknowledged {
        /// The dialog.
        dialog: DialogId,
        /// How it came.
        flow: Flow,
        /// The ACK.
        message: Message,
    },
    /// Our 2xx was repeated for 64·T1 without an ACK: end the dialog with a BYE (RFC 3261 §13.3.1.4).
    AckMissing {
        /// The dialog.
        dialog: DialogId,
    },
    /// A response to a request of ours.
    Response {
        /// Of the request.
        transaction: ClientTransaction,
        /// The dialog: made by a 101–199 with To tag or a 2xx to an INVITE, or the one the request was sent in.
        dialog: Option<DialogId>,
        /// What it asks of the user.
        kind: ResponseKind,
        /// Set for a reliable 1xx: it came in order, for the first time, and awaits [`super::Endpoint::prack`].
        reliable: Option<Reliable>,
        /// How it came.
        flow: Flow,
        /// The response.
        message: Message,
    },
    /// A reliable 1xx of ours was repeated for 64·T1 without a PRACK: answer the INVITE with a 5xx (RFC 3262 §3), or
    /// end its dialog with [`super::Endpoint::bye`], which does that, if a 2xx was given already and held back.
    ProvisionalMissing {
        /// Of the INVITE.
        transaction: ServerTransaction,
        /// Its dialog.
        dialog: DialogId,
    },
    /// No response in time: synthetic 408 (RFC 3261 §8.1.3.1). Late responses to an INVITE are still dealt with.
    TimedOut {
        /// Of the request.
        transaction: ClientTransaction,
    },
    /// The flow failed before any response: synthetic 503. Late responses to an INVITE are still dealt with.
    Unreachable {
        /// Of the request.
        transaction: ClientTransaction,
    },
    /// The flow failed after a provisional response: no failure, the final one may come over a new connection.
    FlowLost {
        /// Of the request.
        transaction: ClientTransaction,
    },
    /// A 2xx to an INVITE that no transaction knows. It can only be ended with
    /// [`super::Endpoint::adopt`] and [`super::Endpoint::bye`].
    StrayAnswer {
        /// How it came.
        flow: Flow,
        /// The response.
        message: Message,
    },
}

/// What a response asks of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseKind {
    /// 1xx.
    Provisional,
    /// 2xx. To an INVITE: [`super::Endpoint::ack`] is due, then or later (repetitions are acknowledged again by
    /// the endpoint).
    Success,
    /// 300–699; an ACK has been sent where one is due.
    Failure,
    /// A second 2xx to the INVITE, from another To tag: end it with [`super::Endpoint::bye`], which sends the ACK too.
    Fork,
    /// A 2xx to an INVITE that was abandoned, timed out or failed before: end it with [`super::Endpoint::bye`].
    Late,
    /// A 2xx to an INVITE from which no dialog can be made, so that it can be neither acknowledged nor ended: the
    /// attempt has failed. Only a [`Self::Late`] one may follow.
    Broken,
}
