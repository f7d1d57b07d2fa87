//! One worker shard: the SIP endpoint, the calls, and what they share. This file only routes: inputs to
//! the child they concern, outputs of the children to each other and out. Each `on_…` stands in the file
//! of its subject below `engine/`.
//!
//! One [`Engine::handle_input`] or [`Engine::handle_timeout`], then [`Engine::poll_output`] until it is
//! empty, then [`Engine::poll_timeout`]. Time never goes back. The same inputs give the same outputs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use um_media::ports::QUARANTINE;
use um_media::{PortPool, PortRange};
use um_routing::{Rotation, TargetId};
use um_sip::endpoint::{ClientTransaction, Config, Counters, Endpoint};
use um_sip::{LineIndex, MethodSet};

use crate::admission::Admission;
use crate::call::words::Event;
use crate::configuration::{Configuration, EngineConfig};
use crate::connections::Connections;
use crate::gossip::Gossip;
use crate::health::{Circuit, Health, HealthOutput, ProbeId};
use crate::input::{Drain, Input};
use crate::leg::{ALLOW, EXTENSIONS, SDP};
use crate::locate::Locator;
use crate::observation::Observation;
use crate::output::Output;

mod apply;
mod attempts;
mod draw;
mod early;
mod errands;
mod events;
mod exchange;
mod info;
mod invite;
mod large;
mod lines;
mod media;
mod notices;
mod orders;
mod probes;
mod records;
mod replace;
mod requests;
mod session;
mod session_timers;
mod shed;
mod talk;
mod transfer;
mod view;
mod way;

#[cfg(test)]
mod tests;

use draw::Draw;
use errands::Errands;
use large::DatagramsOnly;
use lines::LineUses;
use notices::Subscriptions;
use probes::Probe;
use session::{Sender, Sessions};
use way::User;

/// One worker shard as one machine.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    configuration: Arc<Configuration>,
    endpoint: Endpoint,
    sessions: Sessions,
    /// Who hears of the responses to a request of ours.
    senders: BTreeMap<ClientTransaction, Sender>,
    /// What calls have still to be told.
    news: VecDeque<(u64, Event)>,
    health: Health,
    probes: BTreeMap<ProbeId, Probe>,
    admission: Admission,
    rotation: Rotation,
    locator: Locator<User>,
    connections: Connections<User>,
    errands: Errands,
    datagrams_only: DatagramsOnly,
    /// Of peers that referred.
    subscriptions: Subscriptions,
    lines: LineUses,
    ports: PortPool,
    relays: u64,
    draw: Draw,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// Makes an engine without lines; it drops everything until the first [`Input::Configure`].
    #[must_use]
    pub fn new(config: EngineConfig) -> Self {
        let limits = &config.limits;
        let endpoint = Config {
            shard: config.shard,
            shards: config.shards,
            seed: config.seed,
            max_transactions: limits.calls.saturating_mul(TRANSACTIONS_PER_CALL),
            max_dialogs: limits.calls.saturating_mul(DIALOGS_PER_CALL),
            product: Some(PRODUCT.to_owned()),
            methods: MethodSet::listed(ALLOW),
            extensions: EXTENSIONS,
            accept: vec![SDP.into()],
            ..Config::default()
        };
        let (first, last) = config.media_ports;
        let mut draw = Draw::new(config.seed);
        Self {
            endpoint: Endpoint::new(endpoint),
            configuration: Arc::new(Configuration::default()),
            sessions: Sessions::default(),
            senders: BTreeMap::new(),
            news: VecDeque::new(),
            health: Health::new(config.shard, config.shards),
            probes: BTreeMap::new(),
            admission: Admission::new(config.shard, config.shards, limits.calls),
            rotation: Rotation::starting_at(u32::from(config.shard)),
            locator: Locator::new(limits.names, draw.next()),
            connections: Connections::new(config.shard, limits.connections, limits.connection_idle),
            datagrams_only: DatagramsOnly::default(),
            errands: Errands::new(limits.calls.saturating_mul(DIALOGS_PER_CALL)),
            subscriptions: Subscriptions::default(),
            lines: LineUses::default(),
            ports: PortPool::new(PortRange { first, last }, QUARANTINE),
            relays: 0,
            draw,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes in one thing that happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Message { flow, bytes } => self.endpoint.handle_message(now, flow, bytes),
            Input::FramingLost { flow, error } => self.on_framing_lost(now, flow, &error),
            Input::ConnectionOpened { connection, local } => self.connections.opened(now, connection, local),
            Input::ConnectionFailed { connection, error } => self.connections.failed(connection, error),
            Input::ConnectionClosed { connection } => {
                self.connections.closed(connection);
                self.endpoint.handle_connection_lost(now, connection);
            }
            Input::SendFailed { flow } => self.endpoint.handle_flow_failed(now, flow),
            Input::Configure(configuration) => self.on_configure(now, configuration),
            Input::Resolved { query, result } => self.locator.resolved(now, query, result),
            Input::Relay(event) => self.on_relay(now, event),
            Input::Gossip(gossip) => self.on_gossip(now, gossip),
            Input::Drain(drain) => self.on_drain(drain),
        }
        self.settle(now);
    }

    /// Handles the deadlines that have come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.locator.handle_timeout(now);
        self.connections.handle_timeout(now);
        if let Some(gossip) = self.admission.handle_timeout(now) {
            self.outputs.push_back(Output::Gossip(gossip));
        }
        self.outputs.extend(self.lines.handle_timeout(now).into_iter().map(|line| Output::LineIdle { line }));
        self.settle(now);
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Says when [`Engine::handle_timeout`] has to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.endpoint.poll_timeout(),
            self.sessions.next_deadline(),
            self.sessions.timers.next_deadline(),
            self.health.poll_timeout(),
            self.locator.poll_timeout(),
            self.connections.poll_timeout(),
            self.admission.poll_timeout(),
            self.lines.poll_timeout(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Says what is in use now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            calls: self.sessions.len(),
            transactions: self.endpoint.transactions(),
            dialogs: self.endpoint.dialogs(),
            ports: self.ports.used(),
            ports_limit: self.ports.limit(),
            relays: self.sessions.relays(),
            connections: self.connections.len(),
            waiting: self.locator.asking()
                + self.errands.len()
                + self.senders.len()
                + self.news.len()
                + self.subscriptions.len(),
        }
    }

    /// Whether a line is in use by a call, or was so within the last 64·T1.
    #[must_use]
    pub fn uses_line(&self, line: LineIndex) -> bool {
        self.lines.uses(line)
    }

    /// What is known of each target, in order.
    pub fn targets(&self, now: Instant) -> impl Iterator<Item = TargetReport> {
        self.health.targets().map(move |target| {
            let condition = self.health.condition(target, now);
            TargetReport {
                target: target.clone(),
                circuit: condition.circuit,
                blocked_until: condition.blocked_until,
                calls: self.admission.target_calls(target),
            }
        })
    }

    /// The counters of the SIP endpoint; they only grow.
    #[must_use]
    pub fn sip_counters(&self) -> &Counters {
        self.endpoint.counters()
    }

    /// Lets the children speak to each other, and calls and probes that are due have their turn, until all are silent.
    fn settle(&mut self, now: Instant) {
        loop {
            // What a call has to hear comes first, so that it has drawn its conclusions before the next event.
            if let Some((serial, event)) = self.news.pop_front() {
                if let Some(session) = self.sessions.get(serial) {
                    session.call.handle(now, event);
                }
                self.follow(now, serial);
            } else if let Some(output) = self.endpoint.poll_output() {
                self.on_endpoint(now, output);
            } else if let Some(output) = self.locator.poll_output() {
                self.on_locator(now, output);
            } else if let Some(output) = self.connections.poll_output() {
                self.on_pool(now, output);
            } else if let Some(output) = self.health.poll_output() {
                self.on_health(now, output);
            } else if let Some(serial) = self.sessions.first_due(now) {
                if let Some(session) = self.sessions.get(serial) {
                    session.call.handle_timeout(now);
                    if let Some(talk) = &mut session.talk {
                        talk.exchange.handle_timeout(now);
                    }
                }
                self.follow(now, serial);
                self.follow_talk(now, serial);
            } else if let Some(dialog) = self.sessions.timers.first_due(now) {
                self.on_session_due(now, dialog);
            } else if self.health.poll_timeout().is_some_and(|due| due <= now) {
                self.health.handle_timeout(now);
            } else {
                return;
            }
        }
    }

    /// Carries out what a call ordered, and files it anew.
    fn follow(&mut self, now: Instant, serial: u64) {
        while let Some(act) = self.sessions.get(serial).and_then(|session| session.call.poll_output()) {
            self.carry_out(now, serial, act);
        }
        self.sessions.file(serial);
    }

    fn on_health(&mut self, now: Instant, output: HealthOutput) {
        match output {
            HealthOutput::Probe(target, probe) => self.start_probe(now, target, probe),
            HealthOutput::ProbeOver(probe) => self.end_probe(now, probe),
            HealthOutput::Changed(target) => self.observe_target(now, target),
            HealthOutput::Tell(target, evidence) => {
                self.outputs.push_back(Output::Gossip(Gossip::Target { target, evidence, at: now }));
            }
        }
    }

    fn on_gossip(&mut self, now: Instant, gossip: Gossip) {
        match gossip {
            Gossip::Target { target, evidence, at } => {
                self.health.apply(now, &target, evidence, at);
            }
            Gossip::Load { shard, targets, lines } => self.admission.hear(shard, targets, lines),
        }
    }

    fn on_drain(&mut self, drain: Drain) {
        match drain {
            Drain::Start => self.admission.set_draining(true),
            Drain::End => self.admission.set_draining(false),
            Drain::Force => {
                let serials = self.sessions.serials();
                self.news.extend(serials.into_iter().map(|serial| (serial, Event::Forced)));
            }
        }
    }

    fn tell(&mut self, serial: u64, event: Event) {
        self.news.push_back((serial, event));
    }

    fn observe(&mut self, observation: Observation) {
        self.outputs.push_back(Output::Observe(observation));
    }
}

/// What one shard has in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls, those being set up included.
    pub calls: usize,
    /// Transactions, those that only wait for repetitions included.
    pub transactions: usize,
    /// Dialogs.
    pub dialogs: usize,
    /// Pairs of media ports held by calls.
    pub ports: u32,
    /// Pairs of media ports of this shard.
    pub ports_limit: u32,
    /// Relays that are open, or whose end the media side has not reported.
    pub relays: usize,
    /// Connections towards peers, open or being opened.
    pub connections: usize,
    /// Names being resolved, requests that wait for their way, requests whose response is awaited.
    pub waiting: usize,
}

/// What one shard knows of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetReport {
    /// The target.
    pub target: TargetId,
    /// Where its circuit stands.
    pub circuit: Circuit,
    /// Until when it is BLOCKED, if it is.
    pub blocked_until: Option<Instant>,
    /// Its calls on all shards, as far as known here.
    pub calls: u32,
}

/// An INVITE and a BYE on each leg, attempts given up, and their CANCELs.
const TRANSACTIONS_PER_CALL: usize = 16;
/// Two legs, and forks.
const DIALOGS_PER_CALL: usize = 4;
/// What `Server` and `User-Agent` say.
const PRODUCT: &str = concat!("umgate/", env!("CARGO_PKG_VERSION"));
