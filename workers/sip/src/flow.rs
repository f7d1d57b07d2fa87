//! Where a message came from and how the next one goes back: line, transport, both addresses, connection.
//!
//! A flow is a value, not a socket (RFC 5626 §2 has the word). The driver that owns the sockets makes it,
//! every layer above carries it unchanged, and the same driver reads it again when something is sent.

use std::{fmt, net::SocketAddr};

/// Index of a listener in the worker's current set of lines.
///
/// It is a number and not the line's name so that a flow stays `Copy` on the packet path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineIndex(pub u32);

/// A stream connection of this worker: which shard opened or accepted it, and its serial number there.
///
/// A serial is never used twice within one run of the worker, so an identifier kept too long names nothing
/// rather than somebody else's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    /// Shard whose event loop owns the socket.
    pub shard: u16,
    /// Number of the connection within that shard, counted up from 0.
    pub serial: u64,
}

/// Transport protocol of a flow (RFC 3261 §18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams: one message each, retransmission by the transaction layer.
    Udp,
    /// A byte stream framed by `Content-Length` (RFC 3261 §18.3).
    Tcp,
}

impl Transport {
    /// Tells whether the transport itself repeats what was lost (RFC 3261 §17.1.1.2: no Timer A, E, G then).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp => true,
        }
    }

    /// Port that is meant when none is written (RFC 3261 §19.1.2).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
        }
    }

    /// The token in a Via header, `UDP` or `TCP`.
    #[must_use]
    pub fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    /// The value of a URI's `transport` parameter, `udp` or `tcp`.
    #[must_use]
    pub fn uri_token(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// Reads either token in any case; `None` for a transport that is not spoken here.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp].into_iter().find(|transport| token.eq_ignore_ascii_case(transport.uri_token()))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via_token())
    }
}

/// How a message came, or how one is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Line whose listener received the message, or whose address it is sent from.
    pub line: LineIndex,
    /// Transport protocol.
    pub transport: Transport,
    /// Our address: destination of a received message, source of a sent one.
    pub local: SocketAddr,
    /// The peer's address: source of a received message, destination of a sent one.
    pub remote: SocketAddr,
    /// The connection of a stream transport; `None` on UDP and before a connection is opened.
    pub connection: Option<ConnectionId>,
}
