//! From changes to a topology in force: built aside, its new sockets opened first, then every shard swaps.
//!
//! What cannot be put in force keeps its former version; a line whose socket could not be opened is tried again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use um_discovery::{Change as Told, Failure};
use um_engine::{Configuration, Input};
use um_topology::{Change, Name, Resource, Topology, Violation, ViolationKind};
use um_wire::sync::Delivered;

use super::Discovery;
use crate::{clock, signalling::listeners::LineFailure};

/// How often a line that could not be opened is tried again: the port may be held by a process that ends soon.
const RETRY_EVERY: Duration = Duration::from_secs(5);

impl Discovery {
    /// Puts changes in force; what cannot be keeps its former version and is returned with the reason.
    pub(super) fn put_in_force(&mut self, revision: i64, told: Vec<Told<Delivered>>) -> Vec<Failure> {
        let (topology, mut failures) = next_topology(&self.topology, revision, told);
        self.enforce(topology);
        failures.extend(self.failures.iter().map(|failure| {
            let name = Name::line(failure.line.clone()).to_string();
            Failure::new(Arc::from(name), failure.reason.as_str(), failure.text.clone())
        }));
        failures
    }

    /// Tries to open the lines that failed, which needs no control: it may be gone, or hold no NACK of them.
    pub(super) fn retry_lines(&mut self) {
        let puts = self.wanted.iter().map(|line| Change::Put(Resource::Line(Arc::clone(line))));
        let puts: Vec<Change> = puts.collect();
        let before = self.failures.len();
        // Refused only if what is in force has moved on; then the next update offers the lines again.
        let Ok(topology) = self.topology.apply(self.topology.revision(), &puts) else { return };
        self.enforce(topology);
        if self.failures.len() < before {
            tracing::info!(left = self.failures.len(), "a line that could not be opened now is");
        }
    }

    fn enforce(&mut self, topology: Topology) {
        let before = std::mem::replace(&mut self.topology, topology);
        let reconciled = self.listeners.reconcile(&self.topology);
        self.wanted.clear();
        for failure in &reconciled.failures {
            if !self.wanted.iter().any(|line| line.id == failure.line) {
                self.wanted.extend(self.topology.line(&failure.line).cloned());
            }
        }
        for failure in &reconciled.failures {
            self.keep_former(&before, failure);
        }
        self.retry_at = (!reconciled.failures.is_empty()).then(|| clock::now() + RETRY_EVERY);
        self.failures = reconciled.failures;
        for (line, sockets) in reconciled.opened {
            self.signalling.listen(line, sockets);
        }
        self.configure();
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

    pub(super) fn configure(&self) {
        let configuration = Configuration { topology: self.topology.clone(), lines: self.listeners.lines() };
        self.signalling.tell(&Input::Configure(Arc::new(configuration)));
        self.show();
    }
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
