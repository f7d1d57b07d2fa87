//! A worker made by hand: the real session machine over a real stream, and what it is told to refuse.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use um_control::clock;
use um_discovery::{
    Change, Failure, FromControl, FromWorker,
    client::{Config, LastKnownGood, Output, Session},
};
use um_wire::{
    sync::{self, Delivered, Downstream},
    v1,
};

use crate::fixture::{Control, PATIENCE};

/// What a worker keeps on disk.
pub(crate) type Known = LastKnownGood<Delivered>;

/// What a worker was told in one update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Whether it was a snapshot.
    pub(crate) snapshot: bool,
    /// Its revision.
    pub(crate) revision: i64,
    /// `+name` or `-name`, of what it changed in the worker.
    pub(crate) changes: Vec<String>,
}

/// A worker whose stream stands.
pub(crate) struct Worker {
    session: Session<Delivered>,
    identity: v1::Hello,
    requests: mpsc::Sender<v1::SyncRequest>,
    responses: Streaming<v1::SyncResponse>,
    /// Names that it cannot put in force.
    pub(crate) refused: Vec<&'static str>,
    persisted: Option<Known>,
}

impl Worker {
    /// Connects under a name, with what was on disk.
    pub(crate) async fn connect(control: &Control, name: &str, known: Option<Known>) -> Self {
        let now = clock::now();
        let mut session = Session::new(Config::default(), 7, known.clone(), now);
        assert_eq!(session.poll_output(), Some(Output::Connect));
        let (requests, outgoing) = mpsc::channel(16);
        let responses = control.workers.clone().sync(ReceiverStream::new(outgoing)).await.unwrap();
        session.handle_connected(now);
        let identity = v1::Hello {
            worker: name.into(),
            incarnation: uuid::Uuid::new_v4().to_string(),
            version: "1.2.3".into(),
            ..Default::default()
        };
        let responses = responses.into_inner();
        let mut worker =
            Self { session, identity, requests, responses, refused: Vec::new(), persisted: known };
        worker.drain(&mut Vec::new()).await;
        worker
    }

    /// Takes messages until an update has been answered.
    pub(crate) async fn acknowledge(&mut self) -> Told {
        let mut snapshot = false;
        let mut changes = Vec::new();
        loop {
            match self.next().await.expect("the stream goes on") {
                Downstream::Discovery(message) => {
                    snapshot |= matches!(message, FromControl::Snapshot { .. });
                    self.session.handle_message(clock::now(), message);
                }
                other @ (Downstream::LiveAck(_) | Downstream::Command(_)) => panic!("{other:?}"),
            }
            if let Some(revision) = self.drain(&mut changes).await {
                return Told { snapshot, revision, changes };
            }
        }
    }

    /// The next message, or why there is none.
    pub(crate) async fn next(&mut self) -> Result<Downstream, Status> {
        let next = tokio::time::timeout(PATIENCE, self.responses.message()).await.expect("control speaks");
        Ok(sync::downstream(next?.expect("a stream ends with a status")).unwrap())
    }

    /// Why the stream ended, whatever came before.
    pub(crate) async fn ended(&mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }

    /// Carries out what the session wants; returns the revision that was answered.
    async fn drain(&mut self, changes: &mut Vec<String>) -> Option<i64> {
        let mut answered = None;
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(message) => {
                    if let FromWorker::Ack { revision, .. } | FromWorker::Nack { revision, .. } = &message {
                        answered = Some(*revision);
                    }
                    self.requests.send(sync::request(message, &self.identity)).await.unwrap();
                }
                Output::Apply(apply) => {
                    changes.extend(apply.changes.iter().map(told));
                    let failures = apply.changes.iter().filter_map(|change| self.failure(change)).collect();
                    self.session.handle_applied(clock::now(), failures);
                }
                Output::Persist(persist) => {
                    let resources = self.session.in_force().clone();
                    self.persisted = Some(LastKnownGood { applied: persist.applied, resources });
                }
                Output::Connect | Output::Disconnect(_) => panic!("{output:?}"),
            }
        }
        answered
    }

    fn failure(&self, change: &Change<Delivered>) -> Option<Failure> {
        let Change::Put(name, _) = change else { return None };
        let taken = self.refused.iter().any(|refused| **refused == **name);
        taken.then(|| Failure::new(Arc::clone(name), "PORT_TAKEN", format!("{name}: the port is taken")))
    }

    /// Sends a report.
    pub(crate) async fn report(&self, report: v1::Report) {
        self.send(v1::sync_request::Message::Report(report)).await;
    }

    /// Sends anything.
    pub(crate) async fn send(&self, message: v1::sync_request::Message) {
        self.requests.send(v1::SyncRequest { message: Some(message) }).await.unwrap();
    }

    /// Ends the stream; returns what is on disk.
    pub(crate) fn leave(self) -> Option<Known> {
        self.persisted
    }

    /// What it has in force under a name.
    pub(crate) fn in_force(&self, name: &str) -> Option<um_topology::Resource> {
        let delivered = self.session.in_force().get(name)?;
        delivered.resource(&Arc::from(name)).ok().cloned()
    }

    /// Boot id of its process.
    pub(crate) fn incarnation(&self) -> &str {
        &self.identity.incarnation
    }
}

fn told(change: &Change<Delivered>) -> String {
    match change {
        Change::Put(name, delivered) => {
            assert!(delivered.resource(name).is_ok(), "control sends what it can read itself");
            format!("+{name}")
        }
        Change::Delete(name) => format!("-{name}"),
    }
}
