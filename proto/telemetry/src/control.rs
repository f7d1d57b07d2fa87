//! The control plane's instruments: one recording function each.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

use crate::attribute::{NackReason, Role, StoreOperation, StoreOutcome};
use crate::catalogue as row;
use crate::instrument;

/// Everything the control plane counts and measures. Made once by [`crate::Telemetry::control_metrics`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct ControlMetrics {
    rpc: Histogram<f64>,
    subscribers: UpDownCounter<i64>,
    resyncs: Counter<u64>,
    revision: Gauge<u64>,
    convergence: Histogram<f64>,
    nacks: Counter<u64>,
    store_requests: Histogram<f64>,
    store_conflicts: Counter<u64>,
    store_reconnects: Counter<u64>,
    cache_age: Gauge<f64>,
    store_size: Gauge<u64>,
}

impl ControlMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            rpc: instrument::histogram(meter, &row::RPC_SERVER_DURATION),
            subscribers: instrument::up_down(meter, &row::WATCH_SUBSCRIBERS),
            resyncs: instrument::counter(meter, &row::WATCH_RESYNCS),
            revision: instrument::gauge(meter, &row::CONFIG_REVISION),
            convergence: instrument::histogram(meter, &row::CONFIG_CONVERGENCE),
            nacks: instrument::counter(meter, &row::CONFIG_NACKS),
            store_requests: instrument::histogram(meter, &row::STORE_REQUEST_DURATION),
            store_conflicts: instrument::counter(meter, &row::STORE_CONFLICTS),
            store_reconnects: instrument::counter(meter, &row::STORE_RECONNECTS),
            cache_age: instrument::gauge_f64(meter, &row::STORE_CACHE_AGE),
            store_size: instrument::gauge(meter, &row::STORE_SIZE),
        }
    }

    /// Records an RPC; `method` is the full name of a served method or `_OTHER`, `status` the name of the gRPC code.
    pub fn rpc(&self, method: &str, status: &'static str, took: Duration) {
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.to_owned()),
            KeyValue::new("rpc.status_code", status),
        ];
        self.rpc.record(took.as_secs_f64(), &attributes);
    }

    /// Moves the number of open streams of a kind (`worker`, `topology`) by `difference`.
    pub fn subscribers(&self, kind: &'static str, difference: i64) {
        self.subscribers.add(difference, &[KeyValue::new("kind", kind)]);
    }

    /// Counts a subscription that started over from a snapshot; `reason` is one of the discovery machine's.
    pub fn resync(&self, reason: &'static str) {
        self.resyncs.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// Records the revision that is published.
    pub fn config_revision(&self, revision: u64) {
        self.revision.record(revision, &[KeyValue::new("role", Role::Control)]);
    }

    /// Records the time from a commit to the last connected worker's acknowledgement.
    pub fn convergence(&self, took: Duration) {
        self.convergence.record(took.as_secs_f64(), &[]);
    }

    /// Counts a resource that a worker refused; `kind` is one of the model's kinds.
    pub fn config_nack(&self, kind: &'static str, reason: NackReason) {
        self.nacks.add(1, &[KeyValue::new("kind", kind), KeyValue::new("reason", reason)]);
    }

    /// Records a request to the store.
    pub fn store_request(
        &self,
        backend: &'static str,
        operation: StoreOperation,
        outcome: StoreOutcome,
        took: Duration,
    ) {
        let attributes = [
            KeyValue::new("op", operation),
            KeyValue::new("outcome", outcome),
            KeyValue::new("backend", backend),
        ];
        self.store_requests.record(took.as_secs_f64(), &attributes);
    }

    /// Counts a transaction that lost a race.
    pub fn store_conflict(&self, backend: &'static str) {
        self.store_conflicts.add(1, &[KeyValue::new("backend", backend)]);
    }

    /// Counts a watch that was opened again.
    pub fn store_reconnect(&self, backend: &'static str) {
        self.store_reconnects.add(1, &[KeyValue::new("backend", backend)]);
    }

    /// Records how long ago the cache last agreed with the store.
    pub fn cache_age(&self, backend: &'static str, age: Duration) {
        self.cache_age.record(age.as_secs_f64(), &[KeyValue::new("backend", backend)]);
    }

    /// Records the size of the store's data in bytes.
    pub fn store_size(&self, backend: &'static str, bytes: u64) {
        self.store_size.record(bytes, &[KeyValue::new("backend", backend)]);
    }
}
