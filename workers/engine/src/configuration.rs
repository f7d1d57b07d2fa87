//! What a worker tells an engine about itself: once at birth ([`EngineConfig`]), and again with every
//! topology ([`Configuration`]). The topology says what is wanted, the bound lines what really is.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use um_sip::LineIndex;
use um_topology::{Id, Topology, Transport};

/// What never changes in the life of an engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Our number, below `shards`.
    pub shard: u16,
    /// How many shards this worker has; at least 1.
    pub shards: u16,
    /// Where branches, tags, Call-IDs and jitter come from. Two engines of one worker need different seeds.
    pub seed: [u8; 32],
    /// Bounds of everything that grows with load.
    pub limits: EngineLimits,
    /// First and last port for media that this shard may use; no other shard has them.
    pub media_ports: (u16, u16),
}

/// Bounds of one shard. Reaching one is answered or counted, never ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Calls that may exist at once, those being set up and hung up included; more are answered 503.
    pub calls: usize,
    /// Names that the address cache remembers.
    pub names: usize,
    /// Connections that this shard keeps open towards peers.
    pub connections: usize,
    /// How long an unused connection towards a peer stays open.
    pub connection_idle: Duration,
    /// How often other ports are tried when a relay does not open.
    pub relay_retries: u8,
    /// New calls and registrations that one source address may bring this shard a second; `None` is no limit.
    pub source_rate: Option<u32>,
    /// A set-up at least this long is reported with its route explanation.
    pub slow_setup: Duration,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            calls: 50_000,
            names: 4_096,
            connections: 4_096,
            connection_idle: Duration::from_secs(120),
            relay_retries: 3,
            source_rate: None,
            slow_setup: Duration::from_secs(4),
        }
    }
}

/// A topology and the sockets that serve it. Swapped as one; running calls keep the one they began with.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// The topology in force.
    pub topology: Topology,
    /// Every line that has a socket, draining ones included, by rising index. A line with sockets in
    /// two address families stands here twice.
    pub lines: Vec<BoundLine>,
}

impl Configuration {
    /// Finds a bound line by its number.
    #[must_use]
    pub fn bound(&self, index: LineIndex) -> Option<&BoundLine> {
        self.lines.iter().find(|line| line.index == index)
    }

    /// Finds the line number and address from which `remote` is reached over `transport`. UDP needs a socket of
    /// the line for it; a TCP connection is opened from the address of any socket of the line.
    #[must_use]
    pub fn bound_towards(&self, id: &Id, transport: Transport, remote: IpAddr) -> Option<&BoundLine> {
        let mut fitting = self.lines.iter().filter(|line| {
            line.id == *id && line.local.is_ipv4() == remote.is_ipv4() && line.phase == LinePhase::Open
        });
        match transport {
            Transport::Udp => fitting.find(|line| line.transport == Transport::Udp),
            Transport::Tcp => {
                fitting.clone().find(|line| line.transport == Transport::Tcp).or_else(|| fitting.next())
            }
        }
    }
}

/// One line with an open socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundLine {
    /// The number that [`um_sip::Flow::line`] carries; a reopened line gets a new one.
    pub index: LineIndex,
    /// The resource.
    pub id: Id,
    /// What the socket speaks.
    pub transport: Transport,
    /// Where it is bound.
    pub local: SocketAddr,
    /// What Via and Contact show.
    pub advertised: Advertised,
    /// Where media sockets of calls on this line are bound.
    pub media_local: IpAddr,
    /// What SDP shows for them.
    pub media_advertised: IpAddr,
    /// Whether it may take new dialogs.
    pub phase: LinePhase,
}

impl BoundLine {
    /// Our addresses on this line: where it is bound, and what it shows if that is an address too.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        let shown = self.advertised.host.parse().ok().map(|ip| (ip, self.advertised.port));
        shown.into_iter().chain([(self.local.ip(), self.local.port())])
    }
}

/// What Via and Contact show of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// A host name or an address; IPv6 without brackets.
    pub host: String,
    /// The `receive_port` of the line.
    pub port: u16,
}

/// Where a bound line is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinePhase {
    /// Takes new dialogs.
    Open,
    /// Inactive, deleted or replaced: 503 for new dialogs, live ones finish.
    Draining,
}
