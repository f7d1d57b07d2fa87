//! One signalling shard's thread: sockets and clock on one side, its engine on the other.
//!
//! A turn is bounded: wait, read the clock once, take commands, take a batch from every socket that has something, fire
//! due timers. After every input the engine's outputs are carried out to the end, so nothing waits for the next turn.
//! What comes in is read in `driver/intake.rs`; what the engine asks for is done in `driver/carry_out.rs`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io, mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;
use um_engine::{Engine, Input, Output, Usage};
use um_sip::{Flow, Limits, LineIndex, shard};

use super::{
    connections::Connections,
    mailbox::{Command, Inbox, ListenSocket, Mailbox, mailbox},
    stream::Connection,
    udp::Datagrams,
};
use crate::{clock, traffic::Traffic};

mod carry_out;
mod intake;

/// The poll token of the mailbox; sockets have their place in the slab.
const MAILBOX: Token = Token(usize::MAX);
/// Commands a turn.
const COMMANDS: usize = 1024;
/// Datagrams, accepted connections or reads that one socket gets a turn.
const BATCH: usize = 64;
/// How long accepting rests when the system has no descriptor or memory left for another connection.
const REST: Duration = Duration::from_millis(100);
/// How often a shard says how it is doing.
const PULSE_EVERY: Duration = Duration::from_secs(1);

/// Where a driver's outputs go that are not sockets.
pub(crate) trait Surroundings: Send {
    /// Finds addresses; the answer comes back as [`Input::Resolved`].
    fn resolve(&mut self, output: Output);
    /// Hands an order to the media threads; answers come back as [`Input::Relay`].
    fn relay(&mut self, command: um_media::RelayCommand);
    /// Notes what happened. May drop it.
    fn observe(&mut self, observation: um_engine::Observation);
    /// Notes how this shard is doing; once a second.
    fn pulse(&mut self, pulse: Pulse);
    /// Notes that this shard needs the sockets of a draining line no more.
    fn line_idle(&mut self, line: LineIndex);
}

/// How a shard is doing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    /// What it has in use.
    pub(crate) usage: Usage,
    /// What passed through its sockets since it began.
    pub(crate) traffic: Traffic,
    /// The longest that something readable had to wait for its turn since the pulse before.
    pub(crate) lag: Duration,
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
    connections: Connections,
    /// Sockets whose last batch was full: the poll will not name them again by itself.
    unread: BTreeSet<usize>,
    /// Listeners that the system gives no connections now, until when.
    resting: Option<(Instant, BTreeSet<usize>)>,
    /// When that was last said.
    complained: Option<Instant>,
    aftermath: VecDeque<Input>,
    accepted: u64,
    pulse_at: Instant,
    traffic: Traffic,
    lag: Duration,
    /// Since when there has always been something left to read after a turn.
    behind_since: Option<Instant>,
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
            connections: Connections::default(),
            unread: BTreeSet::new(),
            resting: None,
            complained: None,
            aftermath: VecDeque::new(),
            accepted: 0,
            pulse_at: clock::now(),
            traffic: Traffic::default(),
            lag: Duration::ZERO,
            behind_since: None,
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
        let unread = mem::take(&mut self.unread);
        for key in unread {
            self.on_readable(now, key);
        }
        for event in &*events {
            self.on_event(now, event);
        }
        self.on_time(now);
        self.note_lag(now);
        Ok(())
    }

    fn is_behind(&self) -> bool {
        !self.unread.is_empty() || !self.inbox.is_empty()
    }

    /// What became readable at the start of a turn waits for its end at most, unless something was left over before.
    fn note_lag(&mut self, turn: Instant) {
        let since = self.behind_since.unwrap_or(turn);
        self.lag = self.lag.max(clock::now().saturating_duration_since(since));
        self.behind_since = self.is_behind().then_some(since);
    }

    /// How long to sleep: not at all with work left over, else until the first deadline.
    fn wait(&self) -> Option<Duration> {
        if self.is_behind() {
            return Some(Duration::ZERO);
        }
        let connection = self.connections.first_deadline().map(|(deadline, _)| deadline);
        let rest = self.resting.as_ref().map(|(until, _)| *until);
        let engine = self.engine.poll_timeout();
        let first = [connection, rest, engine, Some(self.pulse_at)].into_iter().flatten().min()?;
        Some(first.saturating_duration_since(clock::now()))
    }

    fn on_time(&mut self, now: Instant) {
        while let Some((deadline, connection)) = self.connections.first_deadline() {
            if deadline > now {
                break;
            }
            self.on_deadline(now, connection);
        }
        if let Some((_, listeners)) = self.resting.take_if(|(until, _)| *until <= now) {
            self.unread.extend(listeners);
        }
        if self.pulse_at <= now {
            self.pulse_at = now + PULSE_EVERY;
            let traffic = self.traffic.with(self.engine.sip_counters());
            let lag = mem::take(&mut self.lag);
            self.surroundings.pulse(Pulse { usage: self.engine.usage(), traffic, lag });
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
                self.close(now, connection);
                self.carry_out(now);
            }
            Command::Listen { line, socket } => {
                if let Err(error) = self.listen(line, socket) {
                    tracing::error!(%error, line = line.0, "a socket cannot be polled");
                }
            }
            Command::Unlisten(line) => self.unlisten(now, line),
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

    /// Closes the sockets of a line, connections too: nobody would answer on them any more.
    fn unlisten(&mut self, now: Instant, line: LineIndex) {
        let is_of_line = |socket: &Socket| match socket {
            Socket::Udp { line: of, .. } | Socket::Listener { line: of, .. } => *of == line,
            Socket::Stream(_) => false,
        };
        self.sockets.retain(|_, socket| !is_of_line(socket));
        self.datagrams.remove(&line);
        self.bound.remove(&line);
        for connection in self.connections.of_line(line) {
            self.close(now, connection);
        }
        self.carry_out(now);
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
