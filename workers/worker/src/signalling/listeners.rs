//! Which sockets the worker has, and how they follow the topology: open what is new, keep what stays, drain what goes.
//!
//! It decides and opens; the shards serve. A line that cannot be opened is a failure of that line on this worker only.
//! Sockets that no line wants any more stay open for the calls they carry and are closed when every shard says that it
//! needs them no longer.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
};

use um_engine::{Advertised, BoundLine, LinePhase};
use um_sip::LineIndex;
use um_topology::{BindAddress, Id, Line, Topology, Transport};

use super::{ListenSocket, sockets};
use crate::config::Config;

/// All sockets of this worker.
#[derive(Debug)]
pub(crate) struct Listeners {
    config: Config,
    next: u32,
    bound: BTreeMap<LineIndex, Bound>,
}

#[derive(Debug)]
struct Bound {
    line: BoundLine,
    /// Shards that have said that they need this draining line no longer.
    idle: BTreeSet<u16>,
}

/// What following a topology brought about.
#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    /// Every line with a socket, draining ones included, by rising index.
    pub(crate) lines: Vec<BoundLine>,
    /// New sockets, one per shard, to be served before the configuration is swapped.
    pub(crate) opened: Vec<(LineIndex, Vec<ListenSocket>)>,
    /// Lines that this worker cannot open, and why.
    pub(crate) failures: Vec<LineFailure>,
}

/// A line that this worker cannot open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineFailure {
    /// The line.
    pub(crate) line: Id,
    /// What kind of trouble.
    pub(crate) reason: FailureReason,
    /// A sentence for the operator.
    pub(crate) text: String,
}

/// Kinds of trouble with a line's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureReason {
    /// Somebody else has the port.
    PortTaken,
    /// The bind address is not one of this worker.
    AddressMissing,
    /// Bound to a wildcard, and nothing says what to advertise.
    NotAdvertised,
    /// Any other refusal by the kernel.
    BindFailed,
}

impl FailureReason {
    /// The machine-readable reason, as a NACK carries it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::PortTaken => "PORT_TAKEN",
            Self::AddressMissing => "ADDRESS_MISSING",
            Self::NotAdvertised => "NOT_ADVERTISED",
            Self::BindFailed => "BIND_FAILED",
        }
    }
}

impl Listeners {
    /// Starts without any socket.
    pub(crate) fn new(config: Config) -> Self {
        Self { config, next: 0, bound: BTreeMap::new() }
    }

    /// Follows a topology. Sockets that it no longer wants only drain; nothing is closed here.
    pub(crate) fn reconcile(&mut self, topology: &Topology) -> Reconciled {
        let mut result = Reconciled::default();
        let mut wanted = BTreeSet::new();
        for line in topology.lines() {
            if !line.effective_active() {
                continue;
            }
            match self.places(line) {
                Ok(places) => {
                    for place in places {
                        match self.settle(line, place, line.effective_protocol(), &mut result.opened) {
                            Ok(index) => {
                                wanted.insert(index);
                            }
                            Err(error) => result.failures.push(failure(&line.id, place, &error)),
                        }
                    }
                }
                Err(failure) => result.failures.push(failure),
            }
        }
        self.accompany(topology, &mut wanted, &mut result.opened);
        self.keep_failed(topology, &result.failures, &mut wanted);
        for (index, bound) in &mut self.bound {
            if wanted.contains(index) {
                bound.line.phase = LinePhase::Open;
                bound.idle.clear();
            } else {
                bound.line.phase = LinePhase::Draining;
            }
        }
        result.lines = self.bound.values().map(|bound| bound.line.clone()).collect();
        result
    }

    /// Whoever takes requests over UDP takes them over TCP at the same port too (RFC 3261 §18.2.1), for what is too large
    /// for a datagram. A port that another line or process has for TCP stays with it: the line then only lacks this way.
    fn accompany(
        &mut self,
        topology: &Topology,
        wanted: &mut BTreeSet<LineIndex>,
        opened: &mut Vec<(LineIndex, Vec<ListenSocket>)>,
    ) {
        let datagrams: Vec<(Id, SocketAddr)> = wanted
            .iter()
            .filter_map(|index| self.bound.get(index))
            .filter(|bound| bound.line.transport == Transport::Udp)
            .map(|bound| (bound.line.id.clone(), bound.line.local))
            .collect();
        for (id, place) in datagrams {
            let is_taken = wanted.iter().filter_map(|index| self.bound.get(index)).any(|bound| {
                bound.line.transport == Transport::Tcp && bound.line.local == place && bound.line.id != id
            });
            let Some(line) = topology.line(&id).filter(|_| !is_taken) else { continue };
            match self.settle(line, place, Transport::Tcp, opened) {
                Ok(index) => {
                    wanted.insert(index);
                }
                Err(error) => {
                    tracing::warn!(line = %id, %place, %error, "the line takes no connections beside its datagrams");
                }
            }
        }
    }

    /// Notes that a shard needs a draining line no longer; true once that holds for all, and then the sockets may close.
    pub(crate) fn on_idle(&mut self, index: LineIndex, shard: u16) -> bool {
        let Some(bound) = self.bound.get_mut(&index) else { return false };
        if bound.line.phase != LinePhase::Draining {
            return false;
        }
        bound.idle.insert(shard);
        let all = bound.idle.len() >= usize::from(self.config.signalling_threads);
        if all {
            self.bound.remove(&index);
        }
        all
    }

    /// Every line with a socket, draining ones included.
    pub(crate) fn lines(&self) -> Vec<BoundLine> {
        self.bound.values().map(|bound| bound.line.clone()).collect()
    }

    /// A line whose new form cannot be opened keeps the sockets that it has.
    fn keep_failed(&self, topology: &Topology, failures: &[LineFailure], wanted: &mut BTreeSet<LineIndex>) {
        for failure in failures {
            let served =
                wanted.iter().any(|index| self.bound.get(index).is_some_and(|b| b.line.id == failure.line));
            if served || topology.line(&failure.line).is_none() {
                continue;
            }
            let kept = self
                .bound
                .iter()
                .filter(|(_, bound)| bound.line.id == failure.line && bound.line.phase == LinePhase::Open);
            wanted.extend(kept.map(|(index, _)| *index));
        }
    }

    /// Where a line is to listen on this worker.
    fn places(&self, line: &Line) -> Result<Vec<SocketAddr>, LineFailure> {
        let missing =
            |text: String| LineFailure { line: line.id.clone(), reason: FailureReason::AddressMissing, text };
        let ips = match &line.transport.bind_address {
            Some(BindAddress::Ip(ip)) => vec![*ip],
            Some(BindAddress::Interface(name)) => sockets::interface_addresses(name).map_err(missing)?,
            Some(BindAddress::Cidr(net)) => vec![sockets::address_inside(*net).map_err(missing)?],
            None => return Err(missing("the line has no bind_address".to_owned())),
        };
        let port = line.effective_receive_port();
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// Finds the socket for a place or opens it.
    fn settle(
        &mut self,
        line: &Line,
        place: SocketAddr,
        transport: Transport,
        opened: &mut Vec<(LineIndex, Vec<ListenSocket>)>,
    ) -> io::Result<LineIndex> {
        let held = self.bound.values_mut().find(|b| b.line.local == place && b.line.transport == transport);
        let described = describe(&self.config, line, place, transport)?;
        if let Some(bound) = held {
            bound.line = BoundLine { index: bound.line.index, phase: bound.line.phase, ..described };
            return Ok(bound.line.index);
        }
        let shards = self.config.signalling_threads;
        let sockets: Vec<ListenSocket> = match transport {
            Transport::Udp => sockets::open_udp(place, shards)?.into_iter().map(ListenSocket::Udp).collect(),
            Transport::Tcp => sockets::open_tcp(place, shards)?.into_iter().map(ListenSocket::Tcp).collect(),
        };
        let index = LineIndex(self.next);
        self.next += 1;
        self.bound.insert(index, Bound { line: BoundLine { index, ..described }, idle: BTreeSet::new() });
        opened.push((index, sockets));
        Ok(index)
    }
}

/// Says what peers see of a line on `place`.
fn describe(config: &Config, line: &Line, place: SocketAddr, transport: Transport) -> io::Result<BoundLine> {
    let own = config.advertised(place.ip());
    let not_advertised = || io::Error::new(io::ErrorKind::AddrNotAvailable, WILDCARD);
    let shown = own.or_else(|| Some(place.ip()).filter(|ip| !ip.is_unspecified()));
    let (host, media_advertised) = match &line.transport.advertised_address {
        Some(host) => {
            let media = host.ip().or(shown).ok_or_else(not_advertised)?;
            (host.key().into_owned(), media)
        }
        None => {
            let ip = shown.ok_or_else(not_advertised)?;
            (ip.to_string(), ip)
        }
    };
    Ok(BoundLine {
        index: LineIndex(0),
        id: line.id.clone(),
        transport,
        local: place,
        advertised: Advertised { host, port: place.port() },
        media_local: place.ip(),
        media_advertised,
        phase: LinePhase::Open,
    })
}

fn failure(line: &Id, place: SocketAddr, error: &io::Error) -> LineFailure {
    let kind = error.kind();
    let (reason, text) = if kind == io::ErrorKind::AddrInUse {
        (FailureReason::PortTaken, format!("{place} is taken by another process or line on this worker"))
    } else if kind == io::ErrorKind::AddrNotAvailable && error.raw_os_error().is_none() {
        (FailureReason::NotAdvertised, format!("{place}: {error}"))
    } else if kind == io::ErrorKind::AddrNotAvailable {
        (FailureReason::AddressMissing, format!("{} is not an address of this worker", place.ip()))
    } else {
        (FailureReason::BindFailed, format!("{place} cannot be bound: {error}"))
    };
    LineFailure { line: line.clone(), reason, text }
}

const WILDCARD: &str =
    "a wildcard tells peers no address; set advertised_address on the line or --advertise on the worker";

#[cfg(test)]
mod tests;
