//! What is known about the workers: whose stream stands, what each runs, what it refused, how it is doing.
//!
//! It is this replica's view, made of the streams that end here; it is rebuilt from them after a restart.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use tokio::sync::watch;
use um_discovery::Failure;
use um_wire::v1;

use crate::clock;

/// Workers that are remembered; the longest gone are forgotten first.
const MAX_WORKERS: usize = 10_000;

/// All workers.
#[derive(Debug, Clone)]
pub struct Fleet {
    workers: Arc<Mutex<BTreeMap<String, Known>>>,
    changed: watch::Sender<u64>,
}

/// What is known about one worker.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who it said it is.
    pub hello: v1::Hello,
    /// Where its stream comes from.
    pub address: String,
    /// Number of its stream in this process; a newer one fences an older one.
    pub stream: u64,
    /// Whether that stream stands.
    pub connected: bool,
    /// When it began.
    pub connect_time: SystemTime,
    /// When anything last came.
    pub last_seen: SystemTime,
    /// The revision that it answered last.
    pub applied_revision: i64,
    /// What it could not put in force at that revision.
    pub rejections: Vec<Failure>,
    /// How it said that it is doing.
    pub report: Option<v1::Report>,
    /// When the stream ended, if it did.
    gone_since: Option<Instant>,
}

/// Whether every worker runs a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Programmed {
    /// Every connected worker runs it.
    True,
    /// No worker is connected, so nobody can say.
    Unknown,
    /// These have not answered for its revision yet.
    Pending(Vec<String>),
    /// This worker could not put it in force.
    Refused {
        /// The worker.
        worker: String,
        /// What it said.
        failure: Failure,
    },
}

impl Default for Fleet {
    fn default() -> Self {
        Self { workers: Arc::default(), changed: watch::Sender::new(0) }
    }
}

impl Fleet {
    /// Notes a new stream.
    pub fn connect(&self, stream: u64, hello: v1::Hello, address: String) {
        let now = clock::wall();
        let applied_revision = hello.last_applied.as_ref().map_or(0, |applied| applied.revision);
        let known = Known {
            address,
            stream,
            connected: true,
            connect_time: now,
            last_seen: now,
            applied_revision,
            rejections: Vec::new(),
            report: None,
            gone_since: None,
            hello,
        };
        self.change(|workers| {
            workers.insert(known.hello.worker.clone(), known);
            while workers.len() > MAX_WORKERS {
                let gone = workers.iter().filter(|(_, known)| !known.connected);
                let oldest = gone.min_by_key(|(_, known)| known.gone_since).map(|(name, _)| name.clone());
                let Some(oldest) = oldest else { break };
                workers.remove(&oldest);
            }
        });
    }

    /// Notes that a stream ended.
    pub fn disconnect(&self, worker: &str, stream: u64) {
        self.update(worker, stream, |known| {
            known.connected = false;
            known.gone_since = Some(clock::now());
        });
    }

    /// Notes what a worker runs, and what it could not put in force.
    pub fn on_answer(&self, worker: &str, stream: u64, revision: i64, rejections: Vec<Failure>) {
        self.update(worker, stream, |known| {
            known.applied_revision = revision;
            known.rejections = rejections;
        });
    }

    /// Notes how a worker is doing.
    pub fn on_report(&self, worker: &str, stream: u64, report: v1::Report) {
        self.update(worker, stream, |known| known.report = Some(report));
    }

    /// Whether a newer stream of the same worker stands.
    #[must_use]
    pub fn is_fenced(&self, worker: &str, stream: u64) -> bool {
        self.lock().get(worker).is_some_and(|known| known.stream > stream)
    }

    /// Everything about all workers, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Known)> {
        self.lock().iter().map(|(name, known)| (name.clone(), known.clone())).collect()
    }

    /// Everything about one worker.
    #[must_use]
    pub fn get(&self, worker: &str) -> Option<Known> {
        self.lock().get(worker).cloned()
    }

    /// Whether every connected worker runs the resource `name` as it is since `revision`.
    #[must_use]
    pub fn programmed(&self, name: &str, revision: i64) -> Programmed {
        let workers = self.lock();
        let mut pending = Vec::new();
        let mut any = false;
        for (worker, known) in workers.iter().filter(|(_, known)| known.connected) {
            any = true;
            if known.applied_revision < revision {
                pending.push(worker.clone());
            } else if let Some(failure) =
                known.rejections.iter().find(|one| *one.name == *name || &*one.name == Failure::EVERYTHING)
            {
                return Programmed::Refused { worker: worker.clone(), failure: failure.clone() };
            }
        }
        match (any, pending.is_empty()) {
            (false, _) => Programmed::Unknown,
            (true, true) => Programmed::True,
            (true, false) => Programmed::Pending(pending),
        }
    }

    /// Wakes whenever something about a worker changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn update(&self, worker: &str, stream: u64, change: impl FnOnce(&mut Known)) {
        self.change(|workers| {
            if let Some(known) = workers.get_mut(worker).filter(|known| known.stream == stream) {
                known.last_seen = clock::wall();
                change(known);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Known>)) {
        change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
    }

    /// A panic while the lock was held leaves at worst one worker's entry half new, and that is replaced soon.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Known>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(workers: &[(&str, u64)]) -> Fleet {
        let fleet = Fleet::default();
        for (worker, stream) in workers {
            fleet.connect(
                *stream,
                v1::Hello { worker: (*worker).to_owned(), ..Default::default() },
                String::new(),
            );
        }
        fleet
    }

    #[test]
    fn a_resource_is_programmed_when_every_connected_worker_answered_for_it() {
        assert_eq!(fleet(&[]).programmed("lines/a", 1), Programmed::Unknown);
        let fleet = fleet(&[("workers/a", 1), ("workers/b", 2)]);
        fleet.on_answer("workers/a", 1, 5, Vec::new());
        assert_eq!(fleet.programmed("lines/a", 5), Programmed::Pending(vec!["workers/b".into()]));
        fleet.on_answer("workers/b", 2, 6, Vec::new());
        assert_eq!(fleet.programmed("lines/a", 5), Programmed::True);
        assert_eq!(fleet.programmed("lines/a", 6), Programmed::Pending(vec!["workers/a".into()]));
        fleet.disconnect("workers/a", 1);
        assert_eq!(fleet.programmed("lines/a", 6), Programmed::True);
    }

    #[test]
    fn a_refusal_names_the_worker_and_only_its_resource() {
        let fleet = fleet(&[("workers/a", 1)]);
        let failure = Failure::new("lines/a".into(), "PORT_TAKEN", "taken");
        fleet.on_answer("workers/a", 1, 5, vec![failure.clone()]);
        assert_eq!(
            fleet.programmed("lines/a", 5),
            Programmed::Refused { worker: "workers/a".into(), failure }
        );
        assert_eq!(fleet.programmed("lines/b", 5), Programmed::True);
    }

    #[test]
    fn a_newer_stream_fences_the_older_one() {
        let fleet = fleet(&[("workers/a", 1), ("workers/a", 2)]);
        assert!(fleet.is_fenced("workers/a", 1) && !fleet.is_fenced("workers/a", 2));
        fleet.disconnect("workers/a", 1);
        assert!(fleet.get("workers/a").unwrap().connected);
        fleet.on_answer("workers/a", 1, 9, Vec::new());
        assert_eq!(fleet.get("workers/a").unwrap().applied_revision, 0);
    }
}
