//! The network: datagrams that are lost, doubled and overtaken, connections that break, and who hears of it.

use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_engine::Input;
use um_sip::{ConnectionId, Flow, LineIndex, Message, Transport};

use super::{Happening, World, parse};
use crate::conduct::Conduct;
use crate::server::ServerOutput;
use crate::site::UM_LINE;
use crate::wire::{self, Path, SERVER_PORTS};

/// A TCP connection between the worker and a party.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The party's end.
    pub(super) peer: SocketAddr,
    /// The worker's line.
    pub(super) line: LineIndex,
    pub(super) open: bool,
    /// When the last byte so far arrives, each way: a stream keeps its order.
    pub(super) to_worker: Instant,
    pub(super) to_peer: Instant,
}

impl World {
    /// A message reaches a party.
    pub(super) fn deliver(&mut self, path: Path, message: &Arc<Message>) {
        if let Some(server) = wire::server_at(path.agent) {
            self.servers[server].handle(self.now, path, message);
            self.drain_server(server);
        } else if let Some(caller) = wire::caller_at(path.agent).filter(|caller| *caller < self.callers.len())
        {
            self.callers[caller].handle(self.now, path, message);
            self.drain_caller(caller);
        }
    }

    pub(super) fn drain_server(&mut self, number: usize) {
        while let Some(output) = self.servers[number].poll_output() {
            match output {
                ServerOutput::Send(path, bytes) => self.send_to_worker(path, bytes),
                ServerOutput::Close(path) => {
                    if let Some(link) = path.link {
                        self.break_link(link);
                    }
                }
                ServerOutput::Media(media, caller) => self.ledger.on_server_media(media, &caller),
            }
        }
        if let Some(complaint) = self.servers[number].complaint() {
            self.expect(false, || complaint);
        }
    }

    pub(super) fn drain_caller(&mut self, number: usize) {
        while let Some((path, bytes)) = self.callers[number].poll_output() {
            self.send_to_worker(path, bytes);
        }
    }

    /// A party sends something.
    pub(super) fn send_to_worker(&mut self, path: Path, bytes: Bytes) {
        let server = wire::server_at(path.agent).is_some();
        let local = if server { wire::um_line() } else { wire::pbx_line() };
        let line = if server { Some(UM_LINE) } else { self.site.pbx.map(|(line, _)| line) };
        let Some(line) = line else {
            return self.trace.message(self.now, path.agent, local, &bytes, "nobody listens");
        };
        let flow = Flow { line, transport: path.transport, local, remote: path.agent, connection: None };
        match path.transport {
            Transport::Udp => {
                for delay in self.fates(path.agent, local, &bytes) {
                    self.arrive(self.now + delay, flow, bytes.clone());
                }
            }
            Transport::Tcp => {
                let link = self.link_towards_worker(path, line);
                let delay = self.random.millis(1, 15);
                let Some(entry) = self.links.get_mut(&link) else { return };
                let at = entry.to_worker.max(self.now + delay);
                entry.to_worker = at;
                self.trace.message(self.now, path.agent, local, &bytes, "stream");
                self.arrive(at, Flow { connection: Some(link), ..flow }, bytes);
            }
        }
    }

    fn arrive(&mut self, at: Instant, flow: Flow, bytes: Bytes) {
        let owner = um_sip::shard::owner(&bytes, self.scenario.shards);
        self.at(at, Happening::Tell(Some(owner), Box::new(Input::Message { flow, bytes })));
    }

    /// The worker sends something.
    pub(super) fn send_to_party(&mut self, flow: Flow, bytes: &Bytes) {
        let Some(message) = parse(bytes) else {
            return self.expect(false, || "the worker sent what is no SIP".to_owned());
        };
        let path = Path { transport: flow.transport, agent: flow.remote, link: flow.connection };
        let message = Arc::new(message);
        match flow.transport {
            Transport::Udp => self.send_datagram(flow, path, &message),
            Transport::Tcp => self.send_on_link(flow, path, message),
        }
    }

    fn send_datagram(&mut self, flow: Flow, path: Path, message: &Arc<Message>) {
        if self.conduct_at(flow.remote) == Some(Conduct::Refusing) {
            self.trace.message(self.now, flow.local, flow.remote, message.bytes(), "refused");
            let delay = self.random.millis(1, 10);
            return self.after(delay, Happening::Tell(None, Box::new(Input::SendFailed { flow })));
        }
        for delay in self.fates(flow.local, flow.remote, message.bytes()) {
            self.after(delay, Happening::Deliver(path, Arc::clone(message)));
        }
    }

    fn send_on_link(&mut self, flow: Flow, path: Path, message: Arc<Message>) {
        let Some(id) = flow.connection else {
            return self.expect(false, || "a stream message without a connection".to_owned());
        };
        let delay = self.random.millis(1, 15);
        match self.links.get_mut(&id).filter(|link| link.open) {
            Some(link) => {
                let at = link.to_peer.max(self.now + delay);
                link.to_peer = at;
                self.trace.message(self.now, flow.local, flow.remote, message.bytes(), "stream");
                // On a stream the party is known by the connection.
                let path = Path { agent: link.peer, ..path };
                self.at(at, Happening::Deliver(path, message));
            }
            None => {
                self.trace.message(self.now, flow.local, flow.remote, message.bytes(), "connection is gone");
                let closed = Input::ConnectionClosed { connection: id };
                self.after(delay, Happening::Tell(None, Box::new(closed)));
            }
        }
    }

    /// The worker wants a connection; news of it come once.
    pub(super) fn open_link(
        &mut self,
        connection: ConnectionId,
        line: LineIndex,
        remote: SocketAddr,
        deadline: Instant,
    ) {
        let (at, input) = match self.conduct_at(remote) {
            Some(Conduct::BlackHole) => {
                (deadline, Input::ConnectionFailed { connection, error: um_engine::ConnectError::TimedOut })
            }
            Some(Conduct::Refusing) => {
                let error = um_engine::ConnectError::Refused;
                (self.now + self.random.millis(1, 10), Input::ConnectionFailed { connection, error })
            }
            Some(_) | None => {
                let at = self.now + self.random.millis(1, 25);
                let link = Link { peer: remote, line, open: true, to_worker: at, to_peer: at };
                self.links.insert(connection, link);
                let port = 40_000 + u16::try_from(self.links.len()).unwrap_or(0);
                (at, Input::ConnectionOpened { connection, local: wire::address(1, port) })
            }
        };
        if matches!(input, Input::ConnectionFailed { .. }) {
            self.trace.note(self.now, format!("shard {} gets no connection to {remote}", connection.shard));
        }
        self.at(at, Happening::Tell(Some(connection.shard), Box::new(input)));
    }

    /// The connection of a party, or a new one to the worker's listener.
    fn link_towards_worker(&mut self, path: Path, line: LineIndex) -> ConnectionId {
        if let Some(id) = path.link.filter(|id| self.links.get(id).is_some_and(|link| link.open)) {
            return id;
        }
        if let Some(caller) = wire::caller_at(path.agent)
            && let Some(id) =
                self.callers[caller].link().filter(|id| self.links.get(id).is_some_and(|l| l.open))
        {
            return id;
        }
        self.accepted += 1;
        let id = ConnectionId { shard: 0, serial: self.accepted };
        let link = Link { peer: path.agent, line, open: true, to_worker: self.now, to_peer: self.now };
        self.links.insert(id, link);
        if let Some(caller) = wire::caller_at(path.agent) {
            self.callers[caller].linked(Some(id));
        }
        id
    }

    /// A connection breaks; the worker hears of it after what was on its way.
    pub(super) fn break_link(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.open) else { return };
        link.open = false;
        let (at, peer) = (link.to_worker.max(self.now), link.peer);
        self.trace.note(self.now, format!("{id:?} with {peer} breaks"));
        let delay = self.random.millis(1, 10);
        let closed = Input::ConnectionClosed { connection: id };
        self.at(at + delay, Happening::Tell(None, Box::new(closed)));
        self.forget_link(id, peer);
    }

    /// The worker closes a connection.
    pub(super) fn close_link(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.open) else { return };
        link.open = false;
        let (at, peer) = (link.to_peer.max(self.now), link.peer);
        let path = Path { transport: Transport::Tcp, agent: peer, link: Some(id) };
        self.at(at, Happening::Closed(path));
    }

    pub(super) fn on_closed(&mut self, path: Path) {
        if let Some(id) = path.link {
            self.forget_link(id, path.agent);
        }
    }

    /// All connections with a server, or on a line, break.
    pub(super) fn break_links(&mut self, which: impl Fn(&Link) -> bool) {
        let broken: Vec<ConnectionId> =
            self.links.iter().filter(|(_, link)| link.open && which(link)).map(|(id, _)| *id).collect();
        for id in broken {
            self.break_link(id);
        }
    }

    fn forget_link(&mut self, id: ConnectionId, peer: SocketAddr) {
        if let Some(caller) = wire::caller_at(peer).filter(|caller| self.callers[*caller].link() == Some(id))
        {
            self.callers[caller].linked(None);
        }
    }

    /// How an address behaves; nobody answers at an address that no party has.
    fn conduct_at(&self, address: SocketAddr) -> Option<Conduct> {
        if let Some(server) = wire::server_at(address) {
            let conduct = self.servers[server].conduct();
            let listens = SERVER_PORTS.contains(&address.port());
            return Some(if listens { conduct } else { Conduct::Refusing });
        }
        let known = wire::caller_at(address).is_some_and(|caller| caller < self.callers.len());
        (!known).then_some(Conduct::BlackHole)
    }

    /// When the copies of a datagram arrive; none if it is lost.
    fn fates(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Bytes) -> Vec<Duration> {
        let quality = self.scenario.network;
        if quality.lost > 0 && self.random.chance(quality.lost) {
            let mut hasher = DefaultHasher::new();
            hasher.write(bytes);
            hasher.write(to.to_string().as_bytes());
            let copies = self.lost.entry(hasher.finish()).or_default();
            if *copies < 2 {
                *copies += 1;
                self.trace.message(self.now, from, to, bytes, "lost");
                return Vec::new();
            }
        }
        let mut delays = vec![self.delay()];
        if quality.doubled > 0 && self.random.chance(quality.doubled) {
            delays.push(self.delay());
        }
        let fate = if delays.len() > 1 { "twice" } else { "" };
        self.trace.message(self.now, from, to, bytes, fate);
        delays
    }

    fn delay(&mut self) -> Duration {
        let late = self.scenario.network.late;
        if late > 0 && self.random.chance(late) {
            self.random.millis(20, 300)
        } else {
            self.random.millis(1, 15)
        }
    }
}
