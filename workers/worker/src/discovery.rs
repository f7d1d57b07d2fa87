//! The worker's end of the Sync stream: what control sends becomes a topology in force, and control hears how that went.
//!
//! A topology is built aside, its new sockets are opened first, then every shard swaps; a resource that cannot be put in
//! force keeps its former version and is named in a NACK. Without control nothing changes.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use um_discovery::{
    Change as Told, Failure, FromWorker,
    client::{Apply, Config as SessionConfig, LastKnownGood, Output, Session},
};
use um_engine::{BoundLine, Configuration, Input};
use um_sip::LineIndex;
use um_topology::{Change, Name, Resource, Topology, Violation, ViolationKind};
use um_wire::{
    sync::{self, Delivered, Downstream},
    v1,
};

use crate::{
    clock,
    config::Config,
    last_known_good::Keeper,
    signalling::{
        Signalling,
        listeners::{LineFailure, Listeners},
    },
    status::Synced,
};

mod link;

use self::link::Link;

/// Largest message of control, bytes.
const MAX_MESSAGE: usize = 16 << 20;

/// What the task hears from the rest of the worker.
#[derive(Debug)]
pub(crate) enum Event {
    /// A shard needs the sockets of a draining line no longer.
    LineIdle {
        /// The shard.
        shard: u16,
        /// The line.
        line: LineIndex,
    },
    /// How the worker is doing, for control.
    Report(Box<v1::Report>),
}

/// What control asks of the worker beyond the topology.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked(pub(crate) v1::Command);

/// The task.
pub(crate) struct Discovery {
    session: Session<Delivered>,
    keeper: Keeper,
    topology: Topology,
    listeners: Listeners,
    signalling: Arc<Signalling>,
    identity: v1::Hello,
    endpoint: Endpoint,
    link: Link,
    synced: watch::Sender<Synced>,
    commands: mpsc::Sender<Asked>,
    failures: Vec<LineFailure>,
}

/// What the task needs from the rest of the worker.
pub(crate) struct Surroundings {
    /// The shards.
    pub(crate) signalling: Arc<Signalling>,
    /// Where the state of synchronisation is shown.
    pub(crate) synced: watch::Sender<Synced>,
    /// Where commands of control go.
    pub(crate) commands: mpsc::Sender<Asked>,
}

impl Discovery {
    /// Reads the last known good topology and puts it in force.
    ///
    /// # Errors
    ///
    /// When the state directory cannot be used.
    pub(crate) fn new(config: &Config, identity: v1::Hello, around: Surroundings) -> anyhow::Result<Self> {
        let (keeper, known) = Keeper::open(&config.state_dir).map_err(|error| {
            anyhow::anyhow!("--state-dir {} cannot be used: {error}", config.state_dir.display())
        })?;
        let now = clock::now();
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        let mut discovery = Self {
            session: Session::new(SessionConfig::default(), seed, known.clone(), now),
            keeper,
            topology: Topology::new(),
            listeners: Listeners::new(config.clone()),
            signalling: around.signalling,
            identity,
            endpoint: link::endpoint(config),
            link: Link::Down,
            synced: around.synced,
            commands: around.commands,
            failures: Vec::new(),
        };
        if let Some(known) = known {
            discovery.start_from(&known);
        }
        Ok(discovery)
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
        loop {
            self.drain();
            let due = [self.session.poll_timeout().map(|(at, _)| at), self.keeper.poll_timeout()];
            let due = due.into_iter().flatten().min();
            tokio::select! {
                message = self.link.next() => self.on_link(message),
                event = events.recv() => match event {
                    Some(event) => self.on_event(event),
                    None => return,
                },
                () = wait_until(due) => self.on_time(),
                () = stop.cancelled() => return,
            }
        }
    }

    fn start_from(&mut self, known: &LastKnownGood<Delivered>) {
        let revision = known.applied.revision;
        let changes =
            known.resources.iter().map(|(name, resource)| Told::Put(Arc::clone(name), resource.clone()));
        let failures = self.put_in_force(revision, changes.collect());
        tracing::info!(revision, failures = failures.len(), "serving the last known good topology");
    }

    fn on_time(&mut self) {
        let now = clock::now();
        self.session.handle_timeout(now);
        if let Err(error) = self.keeper.handle_timeout(now) {
            tracing::warn!(%error, "the last known good topology cannot be written");
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::LineIdle { shard, line } => {
                if self.listeners.on_idle(line, shard) {
                    tracing::info!(line = line.0, "a drained line is closed");
                    self.signalling.unlisten(line);
                    self.configure();
                }
            }
            Event::Report(report) => {
                let mut report = *report;
                report.lines = self.line_states();
                self.link.send(v1::SyncRequest { message: Some(v1::sync_request::Message::Report(report)) });
            }
        }
    }

    fn on_link(&mut self, message: link::Received) {
        let now = clock::now();
        match message {
            link::Received::Connected(stream) => {
                tracing::info!("connected to control");
                self.link.up(stream);
                self.session.handle_connected(now);
            }
            link::Received::Message(response) => self.on_message(now, response),
            link::Received::Lost(reason) => {
                tracing::warn!(reason, "no connection to control; going on with what is in force");
                self.link = Link::Down;
                self.session.handle_disconnected(now);
            }
        }
        self.show();
    }

    fn on_message(&mut self, now: Instant, response: v1::SyncResponse) {
        match sync::downstream(response) {
            Ok(Downstream::Discovery(message)) => self.session.handle_message(now, message),
            Ok(Downstream::Command(command)) => {
                if self.commands.try_send(Asked(command)).is_err() {
                    tracing::warn!("control sends commands faster than they can be carried out");
                }
            }
            // No live entries are sent, so nothing waits for this.
            Ok(Downstream::LiveAck(_)) => {}
            Err(error) => tracing::warn!(%error, "control sent what is not understood"),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect => self.link = Link::connect(self.endpoint.clone()),
                Output::Send(message) => self.send(message),
                Output::Apply(apply) => self.apply(apply),
                Output::Persist(persist) => {
                    if let Err(error) = self.keeper.keep(clock::now(), persist) {
                        tracing::warn!(%error, "the last known good topology cannot be written");
                    }
                }
                Output::Disconnect(reason) => {
                    tracing::warn!(%reason, "leaving control's stream");
                    self.link = Link::Down;
                }
            }
            self.show();
        }
    }

    fn send(&mut self, message: FromWorker) {
        self.link.send(sync::request(message, &self.identity));
    }

    fn apply(&mut self, apply: Apply<Delivered>) {
        let revision = apply.revision;
        let failures = self.put_in_force(revision, apply.changes);
        tracing::info!(revision, failures = failures.len(), "a topology is in force");
        for failure in &failures {
            tracing::warn!(name = %failure.name, reason = failure.reason, message = failure.message, "cannot be put in force");
        }
        self.session.handle_applied(clock::now(), failures);
    }

    /// Puts changes in force; what cannot be keeps its former version and is returned with the reason.
    fn put_in_force(&mut self, revision: i64, told: Vec<Told<Delivered>>) -> Vec<Failure> {
        let before = self.topology.clone();
        let (topology, mut failures) = next_topology(&before, revision, told);
        self.topology = topology;
        let reconciled = self.listeners.reconcile(&self.topology);
        for failure in &reconciled.failures {
            let name = Name::line(failure.line.clone()).to_string();
            failures.push(Failure::new(Arc::from(name), failure.reason.as_str(), failure.text.clone()));
            self.keep_former(&before, failure);
        }
        self.failures = reconciled.failures;
        for (line, sockets) in reconciled.opened {
            self.signalling.listen(line, sockets);
        }
        self.configure();
        failures
    }

    /// Goes on with the former version of a line whose new one has no socket.
    fn keep_former(&mut self, before: &Topology, failure: &LineFailure) {
        if let Some(former) = before.line(&failure.line) {
            let change = Change::Put(Resource::Line(Arc::clone(former)));
            if let Ok(topology) = self.topology.apply(self.topology.revision(), &[change]) {
                self.topology = topology;
            }
        }
    }

    fn configure(&self) {
        let configuration = Configuration { topology: self.topology.clone(), lines: self.listeners.lines() };
        self.signalling.tell(&Input::Configure(Arc::new(configuration)));
        self.show();
    }

    fn show(&self) {
        let synced = Synced {
            connected: self.session.is_connected(),
            revision: self.session.applied().map(|applied| applied.revision),
            lines: self.listeners.lines(),
            failures: self.failures.iter().map(|one| (one.line.to_string(), one.text.clone())).collect(),
            targets: targets_of(&self.topology),
        };
        self.synced.send_if_modified(|shown| {
            let changed = *shown != synced;
            *shown = synced;
            changed
        });
    }

    fn line_states(&self) -> Vec<v1::LineState> {
        let mut states: Vec<v1::LineState> = Vec::new();
        for bound in self.listeners.lines() {
            let name = Name::line(bound.id.clone()).to_string();
            let listener = format!("{}:{}", bound.transport, bound.local);
            let state = state_of(&bound);
            match states.iter_mut().find(|known| known.name == name && known.state() == state) {
                Some(known) => known.listeners.push(listener),
                None => states.push(v1::LineState {
                    name,
                    state: state.into(),
                    listeners: vec![listener],
                    ..Default::default()
                }),
            }
        }
        states.extend(self.failures.iter().map(|failure| v1::LineState {
            name: Name::line(failure.line.clone()).to_string(),
            state: v1::line_state::State::Failed.into(),
            reason: failure.text.clone(),
            ..Default::default()
        }));
        states
    }
}

fn state_of(bound: &BoundLine) -> v1::line_state::State {
    match bound.phase {
        um_engine::LinePhase::Open => v1::line_state::State::Listening,
        um_engine::LinePhase::Draining => v1::line_state::State::Draining,
    }
}

/// Every target that calls may go to: the entries of all lists, and the stations that are reached by their own address.
fn targets_of(topology: &Topology) -> Vec<(String, String)> {
    let entries = topology
        .proxy_lists()
        .flat_map(|list| list.entries.iter().map(|entry| (list.id.to_string(), entry.id.to_string())));
    let alone = topology.stations().filter(|station| topology.target_list(station).is_none());
    entries.chain(alone.map(|station| (String::new(), station.id.to_string()))).collect()
}

/// The topology after changes, without those that this worker cannot read or that contradict the rest.
fn next_topology(before: &Topology, revision: i64, told: Vec<Told<Delivered>>) -> (Topology, Vec<Failure>) {
    let (mut changes, mut failures) = (Vec::with_capacity(told.len()), Vec::new());
    for change in told {
        match change {
            Told::Put(name, delivered) => match delivered.resource(&name) {
                Ok(resource) => changes.push(Change::Put(resource.clone())),
                Err(failure) => failures.push(failure),
            },
            Told::Delete(name) => changes.extend(name.parse().ok().map(Change::Delete)),
        }
    }
    loop {
        match before.apply(revision, &changes) {
            Ok(topology) => return (topology, failures),
            Err(violations) => {
                let refused: BTreeSet<Name> =
                    violations.iter().map(|violation| violation.resource.clone()).collect();
                let left = changes.len();
                changes.retain(|change| !refused.contains(&change.name()));
                failures.extend(violations.iter().map(failure_of));
                if changes.len() == left {
                    // The fault is in nothing that changed, so nothing of the change can be put in force.
                    return (before.clone(), failures);
                }
            }
        }
    }
}

fn failure_of(violation: &Violation) -> Failure {
    let reason = match violation.kind {
        ViolationKind::Invalid => "FIELD_INVALID",
        ViolationKind::ReferenceMissing { .. } => "REFERENCE_MISSING",
        ViolationKind::ValueTaken { .. } => "VALUE_TAKEN",
        ViolationKind::InUse { .. } => "RESOURCE_IN_USE",
        ViolationKind::Incompatible => "TOPOLOGY_INVALID",
        ViolationKind::LimitReached { .. } => "QUOTA_EXCEEDED",
    };
    Failure::new(Arc::from(violation.resource.to_string()), reason, violation.to_string())
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
