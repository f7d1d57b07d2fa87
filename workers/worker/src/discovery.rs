//! The worker's end of the Sync stream: what control sends becomes a topology in force, and control hears how that went.
//!
//! A topology is built aside, its new sockets are opened first, then every shard swaps; a resource that cannot be put in
//! force keeps its former version and is named in a NACK. Without control nothing changes.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use um_discovery::{
    Change as Told, FromWorker,
    client::{Apply, Config as SessionConfig, LastKnownGood, Output, Persist, Session},
};
use um_sip::LineIndex;
use um_topology::{Line, Topology};
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

mod enforce;
mod link;
mod report;

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
    Report {
        /// The report, without its lines.
        report: Box<v1::Report>,
        /// Calls by line.
        calls: BTreeMap<String, u32>,
    },
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
    /// The forms of lines that could not be opened, to be tried again.
    wanted: Vec<Arc<Line>>,
    /// Whether the loss of control was said.
    lost: bool,
    retry_at: Option<Instant>,
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
            wanted: Vec::new(),
            lost: false,
            retry_at: None,
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
            let session = self.session.poll_timeout().map(|(at, _)| at);
            let due = [session, self.keeper.poll_timeout(), self.retry_at].into_iter().flatten().min();
            tokio::select! {
                message = self.link.next() => self.on_link(message),
                event = events.recv() => match event {
                    Some(event) => self.on_event(event),
                    None => break,
                },
                () = wait_until(due) => self.on_time(),
                () = stop.cancelled() => break,
            }
        }
        if let Err(error) = self.keeper.sync() {
            tracing::warn!(%error, "the last known good topology may lack its last second");
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
        self.keep(now, None);
        if self.retry_at.take_if(|at| *at <= now).is_some() {
            self.retry_lines();
        }
    }

    /// Brings what is in force to disk, as far as that is due.
    fn keep(&mut self, now: Instant, step: Option<Persist<Delivered>>) {
        let kept = match step {
            Some(step) => self.keeper.keep(now, step),
            None => self.keeper.handle_timeout(now),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "the last known good topology cannot be written; trying again");
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
            Event::Report { report, calls } => {
                let lines = report::line_states(&self.listeners.lines(), &self.failures, &calls);
                let report = v1::Report { lines, ..*report };
                let message = v1::sync_request::Message::Report(report);
                self.link.send_if_idle(v1::SyncRequest { message: Some(message) });
            }
        }
    }

    fn on_link(&mut self, message: link::Received) {
        let now = clock::now();
        match message {
            link::Received::Connected(stream) => {
                tracing::info!("connected to control");
                self.lost = false;
                self.link.up(stream);
                self.session.handle_connected(now);
            }
            link::Received::Message(response) => self.on_message(now, response),
            link::Received::Lost(reason) => self.lose(&reason),
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
                Output::Persist(persist) => self.keep(clock::now(), Some(persist)),
                Output::Disconnect(reason) => {
                    tracing::warn!(%reason, "leaving control's stream");
                    self.link = Link::Down;
                }
            }
            self.show();
        }
    }

    fn send(&mut self, message: FromWorker) {
        if !self.link.send(sync::request(message, &self.identity)) {
            self.lose("control does not read what it is sent");
        }
    }

    fn lose(&mut self, reason: &str) {
        // Once for each loss: without control every further attempt fails the same way.
        if std::mem::replace(&mut self.lost, true) {
            tracing::debug!(reason, "still no connection to control");
        } else {
            tracing::warn!(reason, "no connection to control; going on with what is in force");
        }
        self.link = Link::Down;
        self.session.handle_disconnected(clock::now());
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

    fn show(&self) {
        let synced = Synced {
            connected: self.session.is_connected(),
            revision: self.session.applied().map(|applied| applied.revision),
            lines: self.listeners.lines(),
            failures: self.failures.iter().map(|one| (one.line.to_string(), one.text.clone())).collect(),
            targets: report::targets_of(&self.topology),
        };
        self.synced.send_if_modified(|shown| {
            let changed = *shown != synced;
            *shown = synced;
            changed
        });
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
