//! The media threads: sockets, the poll and the clock around the relays of `um-media`.
//!
//! Each thread owns its relays wholly: no lock, no allocation, no log while packets pass. Signalling gives orders through a bounded
//! queue ([`Orders`]) and hears of them through its own ([`EventSink`]). A turn of a thread is, in this order:
//!
//! 1. wait for packets, orders, or the second to be over;
//! 2. read a bounded batch of each socket that has packets, relay each packet and send the batch;
//! 3. carry out a bounded number of orders;
//! 4. send what relays have to send by themselves now;
//! 5. deliver what signalling has to know;
//! 6. once a second, publish the counters.

mod alarms;
mod orders;
mod sockets;
mod table;
mod totals;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io, thread,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token};
use um_media::{RelayCommand, RelayEvent};

use self::{
    alarms::Alarms,
    orders::{Inbox, Order},
    sockets::Batch,
    table::{Owner, Port, Table},
    totals::Snapshot,
};
pub use self::{
    orders::{Full, Orders},
    totals::{Board, Counter, Totals},
};
use crate::clock;

/// How many media threads there are and how much each may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaConfig {
    /// Threads; at least one is started.
    pub threads: u16,
    /// Relays that one thread opens at most; more are refused with [`um_media::OpenError::Full`].
    pub most_relays: usize,
}

/// Where a media thread reports to: the queues of the signalling shards.
pub trait EventSink: Send + 'static {
    /// Delivers an event to the shard that owns the relay, without waiting.
    ///
    /// # Errors
    /// The event itself when that shard has no room now; it is offered again on a later turn.
    fn deliver(&mut self, event: RelayEvent) -> Result<(), RelayEvent>;
}

/// The running media threads. Dropping it closes every relay and ends the threads.
#[derive(Debug)]
pub struct Media {
    orders: Orders,
    threads: Vec<thread::JoinHandle<()>>,
    board: Board,
}

impl Media {
    /// Starts the threads; `sink` makes the reporting end for each of them.
    ///
    /// # Errors
    /// When the system gives no more threads or descriptors.
    pub fn start<S: EventSink>(config: &MediaConfig, mut sink: impl FnMut() -> S) -> io::Result<Self> {
        sockets::raise_file_limit();
        let threads = config.threads.max(1);
        let board = Board::new(threads);
        let mut media = Self { orders: Orders::default(), threads: Vec::new(), board };
        for index in 0..threads {
            let (driver, post) = Driver::new(config.most_relays, sink(), media.board.snapshot(index))?;
            media.orders.add(post);
            let run = thread::Builder::new().name(format!("media-{index}")).spawn(move || driver.run());
            media.threads.push(run?);
        }
        Ok(media)
    }

    /// Returns the end that signalling gives its orders to.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Returns the reading end of the counters, which outlives the threads.
    pub fn board(&self) -> Board {
        self.board.clone()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.orders.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// One media thread.
struct Driver<S> {
    poll: Poll,
    events: Events,
    inbox: Inbox,
    table: Table,
    alarms: Alarms,
    batch: Batch,
    /// Sockets whose last batch was full: the poll will not name them again by itself.
    unread: Vec<Token>,
    /// Events that signalling had no room for.
    backlog: VecDeque<RelayEvent>,
    sink: S,
    totals: Totals,
    snapshot: Snapshot,
    flush_at: Instant,
    stopped: bool,
}

impl<S: EventSink> Driver<S> {
    fn new(most_relays: usize, sink: S, snapshot: Snapshot) -> io::Result<(Self, orders::Post)> {
        let poll = Poll::new()?;
        let (post, inbox) = orders::queue(mio::Waker::new(poll.registry(), INBOX)?);
        let table = Table::new(poll.registry().try_clone()?, most_relays);
        let driver = Self {
            poll,
            events: Events::with_capacity(EVENTS),
            inbox,
            table,
            alarms: Alarms::default(),
            batch: Batch::new(),
            unread: Vec::new(),
            backlog: VecDeque::new(),
            sink,
            totals: Totals::default(),
            snapshot,
            flush_at: clock::now() + FLUSH,
            stopped: false,
        };
        Ok((driver, post))
    }

    fn run(mut self) {
        while !self.stopped {
            self.turn();
        }
    }

    /// Does what is to be done now, after waiting for it at most until the counters are due.
    fn turn(&mut self) {
        let wait = self.wait();
        // Interrupted by a signal, or the descriptor is gone; neither is a reason to end the calls.
        if self.poll.poll(&mut self.events, Some(wait)).is_err() {
            self.events.clear();
        }
        let now = clock::now();
        // Before the packets: a far end learns of an answer after we are told of it, and may speak at once.
        self.carry_out(now);
        let mut unread = std::mem::take(&mut self.unread);
        for token in unread.drain(..) {
            self.read(now, token);
        }
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            if event.token() != INBOX {
                self.read(now, event.token());
            }
        }
        events.clear();
        self.events = events;
        self.ring(now);
        self.deliver();
        if now >= self.flush_at {
            self.flush_at = now + FLUSH;
            self.snapshot.publish(&self.totals);
        }
    }

    /// Returns how long there is nothing to do unless a packet or an order comes.
    fn wait(&self) -> Duration {
        if !self.unread.is_empty() || (!self.inbox.is_empty() && self.backlog.len() < BACKLOG) {
            Duration::ZERO
        } else if !self.backlog.is_empty() {
            RETRY
        } else {
            let next = self.alarms.next().map_or(self.flush_at, |at| at.min(self.flush_at));
            let next = next.saturating_duration_since(clock::now());
            // Orders that nobody waits for ring no bell.
            if self.table.is_empty() { next } else { next.min(LOOK) }
        }
    }

    /// Sends what relays have to send by themselves.
    fn ring(&mut self, now: Instant) {
        while let Some(slot) = self.alarms.take_due(now) {
            let Some(open) = self.table.get_mut(slot) else { continue };
            self.batch.clear();
            for index in 0..self.batch.capacity() {
                let Some(transmit) =
                    self.batch.blank(index).and_then(|buffer| open.relay.handle_timeout(now, buffer))
                else {
                    break;
                };
                self.totals.on_generated(transmit);
                self.batch.push(index, transmit);
            }
            self.batch.send_batch(open, &mut self.totals);
            self.alarms.file(slot, open.relay.poll_timeout());
        }
    }

    /// Reads one batch of a socket.
    fn read(&mut self, now: Instant, token: Token) {
        match self.table.owner(token) {
            Some(Owner::Relay(port)) => self.relay(now, token, port),
            Some(Owner::Parked(local)) => {
                let discarded = self.table.discard(local, STRAYS_A_TURN);
                self.totals.add(Counter::NoRelay, discarded.into());
                if discarded == STRAYS_A_TURN {
                    self.unread.push(token);
                }
            }
            None => {}
        }
    }

    /// Relays the packets of one batch and sends them.
    fn relay(&mut self, now: Instant, token: Token, port: Port) {
        let Some(open) = self.table.get_mut(port.slot) else { return };
        let received = match self.batch.recv_batch(open.socket(port.leg, port.component)) {
            Ok(received) => received,
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    self.totals.add(Counter::ReceiveFailed, 1);
                    self.unread.push(token);
                }
                return;
            }
        };
        for index in 0..received {
            let Some(datagram) = self.batch.received(index) else { continue };
            let at = (port.leg, port.component);
            let outcome =
                open.relay.handle_datagram(now, at, datagram.source, datagram.buffer, datagram.length);
            self.totals.on_outcome(port.leg, outcome);
            if let Ok(transmit) = outcome {
                self.batch.push(index, transmit);
            }
        }
        self.batch.send_batch(open, &mut self.totals);
        if received == self.batch.capacity() {
            self.unread.push(token);
        }
    }

    /// Carries out a bounded number of orders; none while signalling does not take what it has to know of earlier ones.
    fn carry_out(&mut self, now: Instant) {
        self.inbox.silence();
        let mut openings = 0;
        for _ in 0..ORDERS {
            if self.backlog.len() >= BACKLOG || openings >= OPENINGS {
                return;
            }
            match self.inbox.take() {
                Some(Order::Command(command)) => {
                    openings += usize::from(matches!(command, RelayCommand::Open(_)));
                    self.command(now, command);
                }
                Some(Order::Stop) => {
                    self.snapshot.publish(&self.totals);
                    self.stopped = true;
                    return;
                }
                None => return,
            }
        }
    }

    fn command(&mut self, now: Instant, command: RelayCommand) {
        match command {
            RelayCommand::Open(open) => {
                let relay = open.relay;
                let event = match self.table.open(now, &open) {
                    Ok(()) => RelayEvent::Opened { relay },
                    Err(error) => RelayEvent::Failed { relay, error },
                };
                self.totals.on_event(&event);
                self.backlog.push_back(event);
            }
            RelayCommand::SetRemote { relay, leg, remote } => {
                if let Some((slot, open)) = self.table.find_mut(relay) {
                    open.relay.set_remote(now, leg, *remote);
                    self.alarms.file(slot, open.relay.poll_timeout());
                }
            }
            RelayCommand::PlayTone { relay, leg, tone } => {
                if let Some((slot, open)) = self.table.find_mut(relay) {
                    open.relay.play_tone(now, leg, tone);
                    self.alarms.file(slot, open.relay.poll_timeout());
                }
            }
            RelayCommand::Close { relay } => {
                if let Some(counters) = self.table.close(relay) {
                    let event = RelayEvent::Closed { relay, counters: Box::new(counters) };
                    self.totals.on_event(&event);
                    self.backlog.push_back(event);
                }
            }
        }
    }

    /// Delivers events in their order, as far as signalling takes them.
    fn deliver(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            if let Err(event) = self.sink.deliver(event) {
                self.backlog.push_front(event);
                return;
            }
        }
    }
}

/// The poll's name for the inbox.
const INBOX: Token = Token(usize::MAX);

/// Ready sockets that one wait reports; the others are reported by the next.
const EVENTS: usize = 1024;

/// Orders a turn; packets wait meanwhile.
const ORDERS: usize = 256;

/// Relays opened a turn: each costs some tens of microseconds.
const OPENINGS: usize = 16;

/// Events that wait for signalling before orders are left in their queue.
const BACKLOG: usize = 1024;

/// Datagrams that are thrown away of one parked socket a turn.
const STRAYS_A_TURN: u32 = 64;

/// How long an order that nobody waits for may lie in the queue while no packet comes.
const LOOK: Duration = Duration::from_millis(20);

/// How soon events that signalling had no room for are offered again.
const RETRY: Duration = Duration::from_millis(5);

/// How often the counters are published.
const FLUSH: Duration = Duration::from_secs(1);
