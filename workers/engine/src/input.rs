//! Everything that can happen to one engine, as values. It names no socket and reads no clock: the
//! driver (or a simulation) turns what happened into an [`Input`] and hands it over with the time.
//!
//! A driver owes the engine two things. Messages go to the shard that [`um_sip::shard::owner`] names.
//! What concerns a connection or a line (`Connection…`, `SendFailed`, `Configure`, `Drain`) goes to
//! every shard, since each may have transactions on it; a shard ignores what it does not know.

use std::net::{IpAddr, SocketAddr};
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
        /// The records, or why there are none.
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

/// The records that answer one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Those of the kind that was asked for, in the order of the answer; those of aliases (CNAME) are followed.
    pub records: Vec<Record>,
    /// The smallest TTL of the answer.
    pub ttl: Duration,
}

/// Kinds of records that a place is found by (RFC 3263).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Hosts and ports of a service (RFC 2782).
    Srv,
    /// Transports of a domain, and the service name of each (RFC 3403).
    Naptr,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Of A or AAAA.
    Address(IpAddr),
    /// Of SRV.
    Service(Service),
    /// Of NAPTR.
    Pointer(Pointer),
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// The lowest is tried first.
    pub priority: u16,
    /// The share of those of equal priority.
    pub weight: u16,
    /// Where the host serves.
    pub port: u16,
    /// A host name; `.` says that there is no such service.
    pub target: Box<str>,
}

/// A NAPTR record (RFC 3403 §4.1), without its regular expression, which SIP does not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The lowest is taken first.
    pub order: u16,
    /// Among equal orders, the lowest first.
    pub preference: u16,
    /// `s`: the replacement is an SRV name.
    pub flags: Box<str>,
    /// `SIP+D2U`, `SIP+D2T` and others.
    pub services: Box<str>,
    /// What to ask next.
    pub replacement: Box<str>,
}

impl Record {
    pub(crate) const fn as_address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Service(_) | Self::Pointer(_) => None,
        }
    }

    pub(crate) const fn as_service(&self) -> Option<&Service> {
        match self {
            Self::Service(service) => Some(service),
            Self::Address(_) | Self::Pointer(_) => None,
        }
    }

    pub(crate) const fn as_pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Pointer(pointer) => Some(pointer),
            Self::Address(_) | Self::Service(_) => None,
        }
    }
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
