//! One signalling shard's thread: sockets and clock on one side, its engine on the other.
//!
//! A turn is bounded: wait, read the clock once, take commands, take a batch from every socket that has something, fire
//! due timers. After every input the engine's outputs are carried out to the end, so nothing waits for the next turn.
//! What the engine asks for is done in `driver/carry_out.rs`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Events, Interest, Poll, Token, Waker, event::Event};
use slab::Slab;
use um_engine::{ConnectError, Engine, Input, Output, Usage};
use um_sip::{ConnectionId, Flow, Limits, LineIndex, Transport, shard};

use super::{
    mailbox::{Command, Inbox, ListenSocket, Mailbox, mailbox},
    stream::{Connection, Received, Standing},
    udp::{Datagrams, Left},
};
use crate::{clock, traffic::Traffic};

mod carry_out;

/// The poll token of the mailbox; sockets have their place in the slab.
const MAILBOX: Token = Token(usize::MAX);
/// Commands a turn.
const COMMANDS: usize = 1024;
/// Datagrams, accepted connections or reads that one socket gets a turn.
const BATCH: usize = 64;
/// Connections that one shard keeps open, accepted and opened together.
const MAX_CONNECTIONS: usize = 16_384;
/// How often a shard says what it has in use.
const USAGE_EVERY: Duration = Duration::from_secs(1);
/// What a keep-alive is answered with (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// Where a driver's outputs go that are not sockets.
pub(crate) trait Surroundings: Send {
    /// Finds addresses; the answer comes back as [`Input::Resolved`].
    fn resolve(&mut self, output: Output);
    /// Hands an order to the media threads; answers come back as [`Input::Relay`].
    fn relay(&mut self, command: um_media::RelayCommand);
    /// Notes what happened. May drop it.
    fn observe(&mut self, observation: um_engine::Observation);
    /// Notes what this shard has in use and what passed through it; once a second.
    fn usage(&mut self, usage: Usage, traffic: Traffic);
    /// Notes that this shard needs the sockets of a draining line no more.
    fn line_idle(&mut self, line: LineIndex);
}

/// One shard's thread.
pub(super) struct Driver<S> {
    shard: u16,
    engine: Engine,
    surroundings: S,
    peers: Vec<Mailbox>,
    inbox: Inbox,
    poll: Poll,
    sockets: Slab<Socket>,
    datagrams: BTreeMap<LineIndex, usize>,
    bound: BTreeMap<LineIndex, SocketAddr>,
    connections: BTreeMap<ConnectionId, usize>,
    opening: BTreeSet<(Instant, ConnectionId)>,
    unread: Vec<usize>,
    aftermath: VecDeque<Input>,
    accepted: u64,
    usage_at: Instant,
    traffic: Traffic,
    limits: Limits,
    scratch: Vec<u8>,
    stopped: bool,
}

enum Socket {
    Udp { line: LineIndex, local: SocketAddr, socket: Datagrams },
    Listener { line: LineIndex, socket: mio::net::TcpListener },
    Stream(Box<Connection>),
}

/// Makes the poll of a shard and both ends of its mailbox, before the thread exists, so that shards can know each other.
pub(super) fn prepare() -> io::Result<(Poll, Mailbox, Inbox)> {
    let poll = Poll::new()?;
    let (post, inbox) = mailbox(Waker::new(poll.registry(), MAILBOX)?);
    Ok((poll, post, inbox))
}

impl<S: Surroundings> Driver<S> {
    /// Puts a shard together; `peers` are the mailboxes of all shards, our own included, by number.
    pub(super) fn new(
        shard: u16,
        engine: Engine,
        surroundings: S,
        peers: Vec<Mailbox>,
        (poll, inbox): (Poll, Inbox),
    ) -> Self {
        Self {
            shard,
            engine,
            surroundings,
            peers,
            inbox,
            poll,
            sockets: Slab::new(),
            datagrams: BTreeMap::new(),
            bound: BTreeMap::new(),
            connections: BTreeMap::new(),
            opening: BTreeSet::new(),
            unread: Vec::new(),
            aftermath: VecDeque::new(),
            accepted: 0,
            usage_at: clock::now(),
            traffic: Traffic::default(),
            limits: Limits::default(),
            scratch: vec![0; 65_536],
            stopped: false,
        }
    }

    /// Turns until it is told to stop.
    ///
    /// # Errors
    ///
    /// When the poll itself fails.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !self.stopped {
            self.turn(&mut events)?;
        }
        Ok(())
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        let wait = self.wait();
        match self.poll.poll(events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        let now = clock::now();
        self.inbox.silence();
        for _ in 0..COMMANDS {
            let Some(command) = self.inbox.take() else { break };
            self.on_command(now, command);
        }
        let unread = std::mem::take(&mut self.unread);
        for key in unread {
            self.on_readable(now, key);
        }
        for event in &*events {
            self.on_event(now, event);
        }
        self.on_time(now);
        Ok(())
    }

    /// How long to sleep: not at all with work left over, else until the first deadline.
    fn wait(&self) -> Option<Duration> {
        if !self.unread.is_empty() || !self.inbox.is_empty() {
            return Some(Duration::ZERO);
        }
        let connect = self.opening.first().map(|(deadline, _)| *deadline);
        let engine = self.engine.poll_timeout();
        let first = [connect, engine, Some(self.usage_at)].into_iter().flatten().min()?;
        Some(first.saturating_duration_since(clock::now()))
    }

    fn on_time(&mut self, now: Instant) {
        while let Some((deadline, connection)) = self.opening.first().copied() {
            if deadline > now {
                break;
            }
            self.opening.pop_first();
            self.forget(connection);
            self.handle(now, Input::ConnectionFailed { connection, error: ConnectError::TimedOut });
        }
        if self.usage_at <= now {
            self.usage_at = now + USAGE_EVERY;
            let traffic = self.traffic.with(self.engine.sip_counters());
            self.surroundings.usage(self.engine.usage(), traffic);
        }
        if self.engine.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.engine.handle_timeout(now);
            self.carry_out(now);
        }
    }

    fn on_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Input(input) => self.handle(now, input),
            Command::Send { flow, bytes } => {
                self.send_stream(flow, bytes);
                self.carry_out(now);
            }
            Command::Close(connection) => {
                self.close(connection);
                self.carry_out(now);
            }
            Command::Listen { line, socket } => {
                if let Err(error) = self.listen(line, socket) {
                    tracing::error!(%error, line = line.0, "a socket cannot be polled");
                }
            }
            Command::Unlisten(line) => self.unlisten(line),
            Command::Stop => self.stopped = true,
        }
    }

    fn listen(&mut self, line: LineIndex, socket: ListenSocket) -> io::Result<()> {
        let entry = self.sockets.vacant_entry();
        let token = Token(entry.key());
        match socket {
            ListenSocket::Udp(socket) => {
                let local = socket.local_addr()?;
                let mut socket = Datagrams::new(socket)?;
                self.poll.registry().register(socket.source(), token, Interest::READABLE)?;
                self.datagrams.insert(line, entry.key());
                self.bound.insert(line, local);
                entry.insert(Socket::Udp { line, local, socket });
            }
            ListenSocket::Tcp(socket) => {
                let mut socket = mio::net::TcpListener::from_std(socket);
                self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
                self.bound.insert(line, socket.local_addr()?);
                entry.insert(Socket::Listener { line, socket });
            }
        }
        Ok(())
    }

    /// Closes the listening sockets of a line; its connections live on until they end.
    fn unlisten(&mut self, line: LineIndex) {
        let is_of_line = |socket: &Socket| match socket {
            Socket::Udp { line: of, .. } | Socket::Listener { line: of, .. } => *of == line,
            Socket::Stream(_) => false,
        };
        self.sockets.retain(|_, socket| !is_of_line(socket));
        self.datagrams.remove(&line);
        self.bound.remove(&line);
    }

    fn on_event(&mut self, now: Instant, event: &Event) {
        if event.token() == MAILBOX {
            return;
        }
        let key = event.token().0;
        if event.is_error() {
            self.on_socket_error(now, key);
        }
        if event.is_writable() {
            self.on_writable(now, key);
        }
        if event.is_readable() {
            self.on_readable(now, key);
        }
    }

    fn on_socket_error(&mut self, now: Instant, key: usize) {
        let Some(Socket::Udp { line, local, socket }) = self.sockets.get(key) else { return };
        let (line, local) = (*line, *local);
        let mut unreachable = Vec::new();
        socket.errors(BATCH, |remote| unreachable.push(remote));
        for remote in unreachable {
            let flow = Flow { line, transport: Transport::Udp, local, remote, connection: None };
            self.tell_all(&Input::SendFailed { flow });
        }
        self.carry_out(now);
    }

    fn on_readable(&mut self, now: Instant, key: usize) {
        match self.sockets.get_mut(key) {
            Some(Socket::Udp { .. }) => self.read_datagrams(now, key),
            Some(Socket::Listener { .. }) => self.accept(now, key),
            Some(Socket::Stream(connection)) if !connection.is_connecting() => self.read_stream(now, key),
            Some(Socket::Stream(_)) | None => {}
        }
    }

    fn read_datagrams(&mut self, now: Instant, key: usize) {
        let Some(Socket::Udp { line, local, socket }) = self.sockets.get(key) else { return };
        let (line, local) = (*line, *local);
        let mut batch: Vec<(SocketAddr, Bytes)> = Vec::with_capacity(8);
        let left = socket.recv_batch(&mut self.scratch, BATCH, |remote, bytes| {
            batch.push((remote, Bytes::copy_from_slice(bytes)));
        });
        if left == Left::Maybe {
            self.unread.push(key);
        }
        self.traffic.udp_in += batch.len() as u64;
        for (remote, bytes) in batch {
            let flow = Flow { line, transport: Transport::Udp, local, remote, connection: None };
            self.dispatch(now, flow, bytes);
        }
    }

    fn accept(&mut self, now: Instant, key: usize) {
        for _ in 0..BATCH {
            let Some(Socket::Listener { line, socket }) = self.sockets.get(key) else { return };
            let line = *line;
            match socket.accept() {
                Ok((stream, remote)) => self.on_accepted(now, line, stream, remote),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A connection that died in the queue, or no descriptors left: the listener itself goes on.
                Err(_) => {}
            }
        }
        self.unread.push(key);
    }

    fn on_accepted(
        &mut self,
        now: Instant,
        line: LineIndex,
        stream: mio::net::TcpStream,
        remote: SocketAddr,
    ) {
        let Ok(local) = stream.local_addr() else { return };
        if self.connections.len() >= MAX_CONNECTIONS {
            return;
        }
        // Nagle would hold back the second small message of a turn until the first is acknowledged.
        let _ = stream.set_nodelay(true);
        self.accepted += 1;
        let connection = ConnectionId { shard: self.shard, serial: self.accepted };
        let flow = Flow { line, transport: Transport::Tcp, local, remote, connection: Some(connection) };
        if let Some(key) = self.adopt(Connection::new(stream, flow, true, &self.limits), connection) {
            self.read_stream(now, key);
        }
    }

    fn adopt(&mut self, mut connection: Connection, id: ConnectionId) -> Option<usize> {
        let entry = self.sockets.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(connection.source(), Token(key), interest).ok()?;
        entry.insert(Socket::Stream(Box::new(connection)));
        self.connections.insert(id, key);
        Some(key)
    }

    fn read_stream(&mut self, now: Instant, key: usize) {
        let Some(Socket::Stream(connection)) = self.sockets.get_mut(key) else { return };
        let flow = connection.flow();
        let mut batch = Vec::new();
        let standing = connection.receive(&mut self.scratch, BATCH / 4, |received| batch.push(received));
        for received in batch {
            match received {
                Received::Message(bytes) => {
                    self.traffic.tcp_in += 1;
                    self.dispatch(now, flow, bytes);
                }
                Received::Ping => self.send_stream(flow, Bytes::from_static(PONG)),
                Received::FramingLost(error) => {
                    tracing::debug!(%error, "a stream lost its framing");
                    self.handle(now, Input::FramingLost { flow });
                }
            }
        }
        if standing == Standing::Open(Left::Maybe) {
            self.unread.push(key);
        }
        self.settle(flow, standing);
        self.carry_out(now);
    }

    fn on_writable(&mut self, now: Instant, key: usize) {
        let Some(Socket::Stream(connection)) = self.sockets.get_mut(key) else { return };
        let flow = connection.flow();
        if connection.is_connecting() {
            match connection.finish_connect() {
                Ok(true) => {
                    let local = connection.flow().local;
                    self.on_connected(now, flow, local);
                }
                Ok(false) => return,
                Err(error) => return self.on_connect_failed(now, flow, &error),
            }
        }
        let Some(Socket::Stream(connection)) = self.sockets.get_mut(key) else { return };
        let standing = connection.write();
        self.settle(flow, standing);
        self.carry_out(now);
    }

    fn on_connected(&mut self, now: Instant, flow: Flow, local: SocketAddr) {
        let Some(connection) = flow.connection else { return };
        self.opening.retain(|(_, opening)| *opening != connection);
        self.handle(now, Input::ConnectionOpened { connection, local });
    }

    fn on_connect_failed(&mut self, now: Instant, flow: Flow, error: &io::Error) {
        let Some(connection) = flow.connection else { return };
        self.forget(connection);
        self.handle(now, Input::ConnectionFailed { connection, error: carry_out::connect_error(error) });
    }

    /// Hands a message to the shard that owns its transaction or dialog.
    fn dispatch(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        let owner = match self.peers.len() {
            0 | 1 => self.shard,
            shards => shard::owner(&bytes, u16::try_from(shards).unwrap_or(u16::MAX)),
        };
        let input = Input::Message { flow, bytes };
        match self.peers.get(usize::from(owner)) {
            Some(peer) if owner != self.shard => peer.post(Command::Input(input)),
            _ => self.handle(now, input),
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        self.engine.handle_input(now, input);
        self.carry_out(now);
    }
}
