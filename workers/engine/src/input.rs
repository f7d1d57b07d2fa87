//! Everything that can happen to one engine, as values. It names no socket and reads no clock: the
//! driver (or a simulation) turns what happened into an [`Input`] and hands it over with the time.
//!
//! A driver owes the engine two things. Messages go to the shard that [`um_sip::shard::owner`] names.
//! What concerns a connection or a line (`Connection…`, `SendFailed`, `Configure`, `Drain`) goes to
//! every shard, since each may have transactions on it; a shard ignores what it does not know.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use um_media::RelayEvent;
use um_sip::{ConnectionId, Flow, ParseError};

use crate::configuration::Configuration;
use crate::gossip::Gossip;
use crate::output::QueryId;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram, or one message that a [`um_sip::Framer`] cut out of a stream.
    Message {
        /// How it came; [`Flow::connection`] is set on streams.
        flow: Flow,
        /// The message, header and body.
        bytes: Bytes,
    },
    /// A stream lost its framing. The engine counts it, answers if it can, and asks for the connection to be closed.
    FramingLost {
        /// The connection, as in [`Input::Message`].
        flow: Flow,
        /// What was wrong, with what is needed to answer it.
        error: Box<ParseError>,
    },
    /// A connection that [`crate::Output::Open`] asked for is up.
    ConnectionOpened {
        /// The identifier that the engine chose.
        connection: ConnectionId,
        /// Our end of it.
        local: SocketAddr,
    },
    /// A connection that [`crate::Output::Open`] asked for did not come up.
    ConnectionFailed {
        /// The identifier that the engine chose.
        connection: ConnectionId,
        /// Why not.
        error: ConnectError,
    },
    /// A connection, accepted or opened, is gone. Goes to every shard.
    ConnectionClosed {
        /// The connection.
        connection: ConnectionId,
    },
    /// A datagram could not be delivered (ICMP unreachable on the line's socket, or the send failed).
    /// Goes to every shard.
    SendFailed {
        /// The flow of the datagram; its `remote` is what cannot be reached.
        flow: Flow,
    },
    /// A new configuration is in force. Goes to every shard.
    Configure(Arc<Configuration>),
    /// The answer to [`crate::Output::Resolve`].
    Resolved {
        /// The question.
        query: QueryId,
        /// Addresses in the order in which they are to be tried, or why there are none.
        result: Result<Resolution, ResolveError>,
    },
    /// Something about the media of one call.
    Relay(RelayEvent),
    /// What another shard of this worker learned.
    Gossip(Gossip),
    /// The operator starts or ends the drain of this worker. Goes to every shard.
    Drain(Drain),
}

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectError {
    /// The peer refused it.
    Refused,
    /// No route to the peer.
    Unreachable,
    /// Nothing came back until the deadline of [`crate::Output::Open`].
    TimedOut,
    /// The worker has no room for another connection, or its own socket calls failed.
    Local,
}

/// What a name resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Addresses in the order in which they are to be tried. SRV ports are already applied.
    pub addresses: Vec<SocketAddr>,
    /// How long the answer may be used again.
    pub ttl: Duration,
}

/// Why a name did not resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResolveError {
    /// The name does not exist, or has no address (NXDOMAIN, no data).
    NotFound,
    /// The resolver gave no answer within its time.
    TimedOut,
    /// The resolver failed otherwise.
    Failed,
}

/// A change of the worker's drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drain {
    /// Takes no new dialogs from now on (503 with `Retry-After`); live calls finish.
    Start,
    /// Takes new dialogs again.
    End,
    /// Hangs up every call that is left; the drain has used up its time.
    Force,
}
