//! The contract of both agents: what goes in, what comes out, and when time is due.
//!
//! As with every pure machine: one mutation, then drain [`Agent::poll_output`], then read [`Agent::poll_timeout`].

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use um_sip::{ConnectionId, Flow, Transport};

/// An address on which an agent receives SIP; its position in the agent's list is the line index of its flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Transport protocol.
    pub transport: Transport,
    /// Address, with the port that is really bound.
    pub address: SocketAddr,
}

/// What an agent is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram or a framed stream message.
    Message {
        /// How it came.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// A connection was closed or could not be opened.
    ConnectionLost(ConnectionId),
    /// Nothing can be sent over a flow.
    FlowFailed(Flow),
    /// A packet came to a media port.
    Rtp {
        /// The media address it came to.
        local: SocketAddr,
        /// Where it came from.
        source: SocketAddr,
        /// The packet.
        packet: Bytes,
    },
    /// The media address of [`Output::OpenMedia`] is in use by somebody else.
    MediaRefused(SocketAddr),
}

/// What an agent wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message. A TCP flow without a connection asks for a new one to its remote address.
    Send {
        /// Where to.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Close a connection without another word.
    Close(ConnectionId),
    /// Receive packets at a media address from now on.
    OpenMedia(SocketAddr),
    /// No longer.
    CloseMedia(SocketAddr),
    /// Send a packet from a media address.
    Rtp {
        /// Our media address.
        local: SocketAddr,
        /// Where to.
        remote: SocketAddr,
        /// The packet.
        packet: Bytes,
    },
    /// Something that a person should read.
    Note(String),
}

/// One far end of calls.
pub trait Agent {
    /// Takes news from the network.
    fn handle(&mut self, now: Instant, input: Input);
    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// Takes the next output.
    fn poll_output(&mut self) -> Option<Output>;
    /// Returns when [`Self::handle_timeout`] has to be called next.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// How long a released pair of media ports rests before the next call.
pub(crate) const MEDIA_REST: Duration = Duration::from_secs(1);
