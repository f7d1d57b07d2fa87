//! Everything an engine wants done, as values; see [`crate::Input`] for the way back.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use um_media::RelayCommand;
use um_sip::{ConnectionId, Flow, LineIndex};

use crate::gossip::Gossip;
use crate::input::RecordKind;
use crate::observation::Observation;

/// One thing that the driver is asked to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message. On UDP it leaves from the socket of the flow's line; on a stream it goes out
    /// on the flow's connection, which may belong to another shard (the driver hands it over).
    /// A connection that is gone is reported by `ConnectionClosed` or `SendFailed`.
    Send {
        /// Where to.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Open a connection. Its outcome comes back as `ConnectionOpened` or `ConnectionFailed`, exactly one.
    Open {
        /// The identifier it shall have. Serials with the highest bit set are the engine's; a driver
        /// numbers the connections it accepts without it.
        connection: ConnectionId,
        /// The line it belongs to; its bind address is the source address, any port.
        line: LineIndex,
        /// The peer.
        remote: SocketAddr,
        /// When to give up with `TimedOut`.
        deadline: Instant,
    },
    /// Close a connection, after what was given to it before is written.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Ask for the records of a name. The answer is owed within 2 s; the engine gives up by itself a little later.
    Resolve {
        /// What the answer carries.
        query: QueryId,
        /// A name, lower case, without the final dot.
        name: String,
        /// Which records.
        kind: RecordKind,
    },
    /// Something for the media threads.
    Relay(RelayCommand),
    /// To be delivered to every other shard of this worker. With one shard none is made.
    Gossip(Gossip),
    /// For metrics, spans, logs and reports. It may be dropped, nothing depends on it.
    Observe(Observation),
    /// Nothing uses this draining line any more on this shard; when all shards said so its sockets may close.
    LineIdle {
        /// The line.
        line: LineIndex,
    },
}

/// Names one question to the resolver, unique within a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryId(pub u64);
