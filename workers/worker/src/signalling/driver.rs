//! One signalling shard's thread: sockets and clock on one side, its engine on the other.
//!
//! A turn is bounded: wait, read the clock, take commands, take a batch from every socket that has something, fire due
//! timers, and then let in some of those who wait in the lobby. After every input the engine's outputs are carried out to
//! the end, so nothing waits for the next turn.
//! What comes in is read in `driver/intake.rs` and has its turn by `driver/reception.rs`; what the engine asks for is done
//! in `driver/carry_out.rs`, datagrams by `driver/outbox.rs`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io, mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;
use um_engine::{Engine, Input, Lobby, Output, Usage};
use um_sip::{Limits, LineIndex};

use super::{
    connections::Connections,
    mailbox::{Command, Inbox, ListenSocket, Mailbox, mailbox},
    stream::Connection,
    udp::{Batch, Datagrams},
};
use crate::{clock, traffic::Traffic};

mod carry_out;
mod intake;
mod outbox;
mod reception;

use self::{outbox::Outbox, reception::Errand};

/// The poll token of the mailbox; sockets have their place in the slab.
const MAILBOX: Token = Token(usize::MAX);
/// Commands a turn.
const COMMANDS: usize = 1024;
/// Connections that one listener accepts a turn.
const ACCEPTS: usize = 64;
/// A poll that took less did not sleep: what it names was ready before.
const AT_ONCE: Duration = Duration::from_micros(50);
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
    /// Whether new calls are refused for want of time.
    pub(crate) shedding: bool,
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
    /// Sockets whose last batch was full, and since when they have been readable: the poll will not name them again.
    unread: BTreeMap<usize, Instant>,
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
    /// Who waits to be let in.
    lobby: Lobby,
    /// When the turn began; what became readable during it is named by the next poll.
    turn_began: Instant,
    /// How long the poll before it took: what came then did not wait for us, but we for it.
    polled: Duration,
    errand: Option<Errand>,
    /// Taken out while a socket is being read.
    batch: Option<Box<Batch>>,
    outbox: Outbox,
    stopped: bool,
}

enum Socket {
    Udp {
        line: LineIndex,
        local: SocketAddr,
        socket: Datagrams,
        /// What the kernel last said it had no room for.
        overflow: u32,
    },
    Listener {
        line: LineIndex,
        socket: mio::net::TcpListener,
    },
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
        (engine, lobby): (Engine, Lobby),
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
            unread: BTreeMap::new(),
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
            lobby,
            turn_began: clock::now(),
            polled: Duration::ZERO,
            errand: None,
            batch: Some(Box::new(Batch::new())),
            outbox: Outbox::default(),
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
        let before = clock::now();
        match self.poll.poll(events, self.wait(before)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        let now = clock::now();
        self.polled = now.saturating_duration_since(before);
        let since = if self.polled > AT_ONCE { now } else { self.turn_began };
        self.turn_began = now;
        self.inbox.silence();
        for _ in 0..COMMANDS {
            let Some(command) = self.inbox.take() else { break };
            self.on_command(now, command);
        }
        for (key, since) in mem::take(&mut self.unread) {
            self.on_readable(now, since, key);
        }
        for event in &*events {
            self.on_event(now, since, event);
        }
        self.note_unconfirmed(now);
        self.on_time(now);
        self.flush(now);
        let now = self.call_in(clock::now());
        self.flush(now);
        self.note_turn(now, since);
        Ok(())
    }

    fn is_behind(&self) -> bool {
        !self.unread.is_empty() || !self.inbox.is_empty()
    }

    /// What became readable before a turn waits for its end at most, unless something was left over before.
    fn note_turn(&mut self, now: Instant, turn: Instant) {
        let since = self.behind_since.unwrap_or(turn);
        self.lag = self.lag.max(now.saturating_duration_since(since));
        self.behind_since = self.is_behind().then_some(since);
    }

    /// How long to sleep: not at all with work left over, else until the first deadline.
    fn wait(&self, now: Instant) -> Option<Duration> {
        if self.is_behind() || !self.lobby.is_empty() {
            return Some(Duration::ZERO);
        }
        let connection = self.connections.first_deadline().map(|(deadline, _)| deadline);
        let rest = self.resting.as_ref().map(|(until, _)| *until);
        let engine = self.engine.poll_timeout();
        let first = [connection, rest, engine, Some(self.pulse_at)].into_iter().flatten().min()?;
        Some(first.saturating_duration_since(now))
    }

    fn on_time(&mut self, now: Instant) {
        while let Some((deadline, connection)) = self.connections.first_deadline() {
            if deadline > now {
                break;
            }
            self.on_deadline(now, connection);
        }
        if let Some((_, listeners)) = self.resting.take_if(|(until, _)| *until <= now) {
            self.unread.extend(listeners.into_iter().map(|key| (key, now)));
        }
        if self.pulse_at <= now {
            self.pulse_at = now + PULSE_EVERY;
            let traffic = self.traffic.with(self.engine.sip_counters());
            let lag = mem::take(&mut self.lag);
            let shedding = self.lobby.is_shedding();
            self.surroundings.pulse(Pulse { usage: self.engine.usage(), traffic, lag, shedding });
        }
        if self.engine.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.engine.handle_timeout(now);
            self.carry_out(now);
        }
    }

    fn on_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Input(input) => {
                if let Input::Relay(event) = &input {
                    self.note_confirmation(now, event.relay());
                }
                self.handle(now, input);
            }
            Command::Message { arrived, flow, bytes } => {
                self.note_lag(now, now.saturating_duration_since(arrived));
                self.receive(now, arrived, flow, bytes);
            }
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
                entry.insert(Socket::Udp { line, local, socket, overflow: 0 });
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

    fn handle(&mut self, now: Instant, input: Input) {
        self.engine.handle_input(now, input);
        self.carry_out(now);
    }
}
