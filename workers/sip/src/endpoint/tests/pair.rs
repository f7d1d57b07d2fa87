//! Two endpoints joined by queues and a virtual clock, over a network that loses, repeats and reorders by seed.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::alone::address;
use crate::{
    endpoint::{Config, Endpoint, Event, LineProfile, Output},
    flow::{ConnectionId, Flow, LineIndex, Transport},
    host::HostPort,
    transaction::{Timing, testing::epoch},
};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Caller,
    Callee,
}

/// What the network does to datagrams, each in percent, and the longest delay in ms. A stream only delays, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) loss: u64,
    pub(super) repeat: u64,
    pub(super) delay_ms: u64,
}

impl Faults {
    pub(super) const NONE: Self = Self { loss: 0, repeat: 0, delay_ms: 1 };
}

/// A small generator of numbers, for the network and the users only.
#[derive(Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) caller: Endpoint,
    pub(super) callee: Endpoint,
    pub(super) dice: Dice,
    pub(super) events: VecDeque<(Side, Event)>,
    /// Everything that was sent, as start lines.
    pub(super) ladder: Vec<(Side, String)>,
    transport: Transport,
    faults: Faults,
    network: BTreeMap<(Instant, u64), (Side, Bytes)>,
    sent: u64,
    last_arrival: BTreeMap<Side, Instant>,
}

impl Pair {
    pub(super) fn new(transport: Transport, faults: Faults, seed: u64, timing: Timing) -> Self {
        let endpoint = |side: Side, byte: u8| {
            let mut secret = [byte; 32];
            secret[..8].copy_from_slice(&seed.to_le_bytes());
            let mut endpoint = Endpoint::new(Config { seed: secret, ..Config::default() });
            let sent_by = HostPort::parse(side_address(side).to_string().as_bytes()).expect("a host");
            endpoint.set_line(LineIndex(0), LineProfile { timing, sent_by });
            endpoint
        };
        Self {
            now: epoch(),
            caller: endpoint(Side::Caller, 1),
            callee: endpoint(Side::Callee, 2),
            dice: Dice(seed),
            events: VecDeque::new(),
            ladder: Vec::new(),
            transport,
            faults,
            network: BTreeMap::new(),
            sent: 0,
            last_arrival: BTreeMap::new(),
        }
    }

    pub(super) fn endpoint(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    /// The flow on which a side reaches the other.
    pub(super) fn flow(&self, side: Side) -> Flow {
        let other = other(side);
        Flow {
            line: LineIndex(0),
            transport: self.transport,
            local: side_address(side),
            remote: side_address(other),
            connection: self.transport.is_reliable().then_some(ConnectionId { shard: 0, serial: 1 }),
        }
    }

    /// Takes the outputs of both sides: events to the queue, messages into the network.
    pub(super) fn drain(&mut self) {
        for side in [Side::Caller, Side::Callee] {
            while let Some(output) = self.endpoint(side).poll_output() {
                match output {
                    Output::Event(event) => self.events.push_back((side, event)),
                    Output::Send { flow, bytes } => {
                        assert_eq!(flow.remote, side_address(other(side)), "sent to nobody");
                        self.transmit(side, bytes);
                    }
                }
            }
        }
    }

    /// Goes on to the next arrival or deadline, if it comes before `limit`; tells whether there was one.
    pub(super) fn step(&mut self, limit: Option<Instant>) -> bool {
        self.drain();
        let arrival = self.network.keys().next().map(|(at, _)| *at);
        let deadline = [self.caller.poll_timeout(), self.callee.poll_timeout()].into_iter().flatten().min();
        let Some(at) = arrival.into_iter().chain(deadline).chain(limit).min() else { return false };
        assert!(at >= self.now, "time does not go back");
        self.now = at;
        if arrival == Some(at)
            && let Some((_, (side, bytes))) = self.network.pop_first()
        {
            let (now, flow) = (self.now, self.flow(side));
            self.endpoint(side).handle_message(now, flow, bytes);
        } else {
            self.caller.handle_timeout(at);
            self.callee.handle_timeout(at);
        }
        self.drain();
        limit != Some(at) || !self.events.is_empty()
    }

    fn transmit(&mut self, from: Side, bytes: Bytes) {
        let start = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        self.ladder.push((from, String::from_utf8_lossy(start).into_owned()));
        let copies = match self.transport {
            Transport::Udp if self.dice.chance(self.faults.loss) => 0,
            Transport::Udp if self.dice.chance(self.faults.repeat) => 2,
            Transport::Udp | Transport::Tcp => 1,
        };
        for _ in 0..copies {
            let mut at = self.now + Duration::from_millis(1 + self.dice.roll(self.faults.delay_ms));
            let to = other(from);
            if self.transport.is_reliable() {
                at = at.max(self.last_arrival.get(&to).copied().unwrap_or(at));
                self.last_arrival.insert(to, at);
            }
            self.sent += 1;
            self.network.insert((at, self.sent), (to, bytes.clone()));
        }
    }

    /// Whether nothing is left on either side.
    pub(super) fn is_empty(&self) -> bool {
        self.caller.rows() + self.callee.rows() == 0 && self.network.is_empty()
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Caller => Side::Callee,
        Side::Callee => Side::Caller,
    }
}

fn side_address(side: Side) -> SocketAddr {
    address(match side {
        Side::Caller => "192.0.2.1:5060",
        Side::Callee => "192.0.2.2:5060",
    })
}
