//! A UM server: takes calls for its pilots, says whose mailbox it opened, and misbehaves as told.
//!
//! ```text
//!   INVITE ─ wrong ──────────► 4xx with its reason
//!          └ right ─ behaviour ► nothing | 100 | 302 | 3xx–6xx | 100, 180, 200 ─► up ─ BYE of either side ─► record
//! ```
//!
//! It keeps the rules of an Exchange-family server: the pilot decides, exactly one Diversion, an offer in the INVITE. It opens no
//! connections of its own accord and knows no gateway: any source may call.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use um_media::{PortPool, PortRange};
use um_sip::{
    ConnectionId, Flow, Message, Method,
    endpoint::{DialogId, ServerTransaction},
    transaction::Timing,
};

use self::call::Call;
use crate::{
    agent::{Agent, Input, Listen, MEDIA_REST, Output},
    ladder::Ladder,
    wire::{Mute, Wire},
};

pub use self::{
    behaviour::{Behaviour, BehaviourError, parse_time},
    judge::{Verdict, judge},
    record::{CallRecord, Ending, Stats},
};

mod behaviour;
mod call;
mod dialogue;
mod judge;
mod record;
mod taking;

/// What a server is.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Its name, which it says in every call; characters of [`crate::tone::ALPHABET`] without `/`.
    pub name: String,
    /// Where it listens; a redirect goes from one to the next.
    pub listens: Vec<Listen>,
    /// Numbers that are bound to a hunt group.
    pub pilots: Vec<String>,
    /// Mailboxes: an extension, or `user@host` where the host counts too.
    pub mailboxes: Vec<String>,
    /// Address of its media.
    pub media_address: IpAddr,
    /// Ports of its media.
    pub media_ports: PortRange,
    /// Time from the INVITE to the 200 when nothing else is told.
    pub answer_after: Duration,
    /// Most calls at once; above it 503.
    pub max_calls: usize,
    /// SIP timers.
    pub timing: Timing,
    /// Secret for tags and the like.
    pub seed: [u8; 32],
}

/// A UM server as a machine.
#[derive(Debug)]
pub struct ServerAgent {
    config: ServerConfig,
    behaviour: Behaviour,
    wire: Wire,
    ports: PortPool,
    /// Calls by number, in the order of their INVITEs.
    calls: BTreeMap<u64, Call>,
    by_transaction: BTreeMap<ServerTransaction, u64>,
    by_dialog: BTreeMap<DialogId, u64>,
    by_port: BTreeMap<u16, u64>,
    last_call: u64,
    stats: Stats,
    records: VecDeque<CallRecord>,
}

impl ServerAgent {
    /// Makes a server that behaves.
    #[must_use]
    pub fn new(now: Instant, config: ServerConfig) -> Self {
        Self {
            behaviour: Behaviour::Normal,
            wire: Wire::new(now, &config.listens, config.timing, config.seed),
            ports: PortPool::new(config.media_ports, MEDIA_REST),
            calls: BTreeMap::new(),
            by_transaction: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            by_port: BTreeMap::new(),
            last_call: 0,
            stats: Stats::default(),
            records: VecDeque::new(),
            config,
        }
    }

    /// Changes how it behaves from the next message on; calls that are up stay up.
    ///
    /// # Errors
    ///
    /// The behaviour needs more listeners than there are.
    pub fn behave(&mut self, behaviour: Behaviour) -> Result<(), BehaviourError> {
        behaviour.check(self.config.listens.len())?;
        self.behaviour = behaviour;
        Ok(())
    }

    /// Returns how it behaves.
    #[must_use]
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Returns what it is.
    #[must_use]
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Returns the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { active: self.calls.len() as u64, ..self.stats }
    }

    /// Returns the calls that have ended, the oldest first; at most [`MOST_RECORDS`].
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &CallRecord> {
        self.records.iter()
    }

    /// Returns the calls that are there, as they would be recorded now.
    #[must_use]
    pub fn active(&self, now: Instant) -> Vec<CallRecord> {
        let born = self.wire.ladder.born();
        self.calls.values().map(|call| call.record(born, now, None)).collect()
    }

    /// Returns what was sent and received.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.wire.ladder
    }

    /// Returns whether nothing is left: no call, transaction or dialog.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.wire.endpoint.transactions() + self.wire.endpoint.dialogs() == 0
    }

    /// Ends all calls, those that ring with 503.
    pub fn stop(&mut self, now: Instant) {
        let numbers: Vec<u64> = self.calls.keys().copied().collect();
        for number in numbers {
            self.hang_up(now, number, Ending::Server);
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(event) = self.wire.next_event(now, self.behaviour.mute()) {
            self.on_event(now, event);
        }
    }

    fn on_message(&mut self, now: Instant, flow: Flow, bytes: bytes::Bytes) {
        let message = self.wire.record_in(now, &flow, &bytes);
        if message.as_ref().is_some_and(|message| self.swallows(flow, message)) {
            self.stats.ignored += 1;
            return;
        }
        self.wire.endpoint.handle_message(now, flow, bytes);
    }

    /// Whether a message is as if it had never come.
    fn swallows(&mut self, flow: Flow, message: &Message) -> bool {
        let begins = message.is_request() && message.to_tag().is_none();
        let is_call = begins && *message.method() == Method::Invite;
        if is_call && self.behaviour == Behaviour::CloseConnection {
            if let Some(connection) = flow.connection {
                self.wire.push(Output::Close(connection));
            }
            return true;
        }
        self.behaviour.swallows(message.method(), begins)
    }

    fn on_connection_lost(&mut self, now: Instant, lost: ConnectionId) {
        self.wire.endpoint.handle_connection_lost(now, lost);
        for call in self.calls.values_mut().filter(|call| call.flow.connection == Some(lost)) {
            call.flow.connection = None;
        }
    }

    fn on_rtp(&mut self, port: u16, packet: &[u8]) {
        let call = self.by_port.get(&port).and_then(|number| self.calls.get_mut(number));
        if let Some(voice) = call.and_then(|call| call.audio.voice_mut()) {
            voice.handle_packet(packet);
        }
    }
}

impl Agent for ServerAgent {
    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Message { flow, bytes } => self.on_message(now, flow, bytes),
            Input::ConnectionLost(connection) => self.on_connection_lost(now, connection),
            Input::FlowFailed(flow) => self.wire.endpoint.handle_flow_failed(now, flow),
            Input::Rtp { local, packet, .. } => self.on_rtp(local.port(), &packet),
            Input::MediaRefused(local) => {
                if let Some(number) = self.by_port.remove(&local.port()) {
                    self.move_media(now, number);
                }
            }
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.wire.endpoint.handle_timeout(now);
        self.drain(now);
        let is_due = |call: &Call| call.poll_timeout().is_some_and(|due| due <= now);
        let due = self.calls.iter().filter(|(_, call)| is_due(call));
        let numbers: Vec<u64> = due.map(|(number, _)| *number).collect();
        for number in numbers {
            self.on_due(now, number);
        }
        self.drain(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.wire.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.values().filter_map(Call::poll_timeout);
        calls.chain(self.wire.endpoint.poll_timeout()).min()
    }
}

impl Behaviour {
    fn mute(&self) -> Mute {
        if *self == Self::Dead { Mute::On } else { Mute::Off }
    }
}

/// Records of ended calls that are kept.
pub const MOST_RECORDS: usize = 2048;
