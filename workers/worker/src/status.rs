//! What the worker says about itself when asked: the `/status` document, and the pieces that it is made of.

use std::time::Duration;

use serde::Serialize;
use um_engine::{BoundLine, LinePhase, Usage};

/// Where synchronisation with control stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Synced {
    /// Whether control's stream is open.
    pub(crate) connected: bool,
    /// Revision of the topology in force; nothing before the first.
    pub(crate) revision: Option<i64>,
    /// Every line with a socket.
    pub(crate) lines: Vec<BoundLine>,
    /// Lines that could not be opened, and why.
    pub(crate) failures: Vec<(String, String)>,
    /// All targets of the topology: list (empty for a station of its own) and entry.
    pub(crate) targets: Vec<(String, String)>,
}

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Status {
    /// Name of the worker.
    pub(crate) id: String,
    /// Identity of this process.
    pub(crate) incarnation: String,
    /// Version of the program.
    pub(crate) version: &'static str,
    /// Revision of the topology in force; `null` before the first.
    pub(crate) revision: Option<i64>,
    /// Whether control's stream is open.
    pub(crate) control_connected: bool,
    /// Whether new calls are refused.
    pub(crate) draining: bool,
    /// Calls now, those being set up included.
    pub(crate) calls: u64,
    /// New calls in the last second.
    pub(crate) calls_per_second: f64,
    /// The longest that something readable waited for a shard's turn in the last second, milliseconds.
    pub(crate) signalling_lag_ms: u64,
    /// Whether new calls are refused because messages wait too long.
    pub(crate) shedding: bool,
    /// New calls and registrations refused unread since the worker began.
    pub(crate) requests_shed: u64,
    /// Lines with a socket.
    pub(crate) lines: Vec<LineStatus>,
    /// Lines without one.
    pub(crate) failures: Vec<LineFailed>,
    /// Targets.
    pub(crate) targets: Vec<TargetStatus>,
    /// What all shards have in use.
    pub(crate) usage: UsageStatus,
}

/// A line with a socket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LineStatus {
    /// Its id.
    pub(crate) line: String,
    /// What it speaks.
    pub(crate) transport: String,
    /// Where it is bound.
    pub(crate) local: String,
    /// What peers see.
    pub(crate) advertised: String,
    /// Whether it only finishes calls.
    pub(crate) draining: bool,
}

/// A line without a socket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LineFailed {
    /// Its id.
    pub(crate) line: String,
    /// Why.
    pub(crate) reason: String,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TargetStatus {
    /// The list; empty for a station that is reached by its own address.
    pub(crate) proxy_list: String,
    /// The entry, or the station.
    pub(crate) entry: String,
    /// UP, SUSPECT, DOWN, PROBING or BLOCKED.
    pub(crate) state: &'static str,
    /// Calls towards it.
    pub(crate) calls: u32,
    /// What the last probe met.
    pub(crate) last_result: String,
}

/// What all shards have in use; all back to zero when no call is left and everything has settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct UsageStatus {
    /// Calls.
    pub(crate) calls: usize,
    /// Transactions.
    pub(crate) transactions: usize,
    /// Dialogs.
    pub(crate) dialogs: usize,
    /// Pairs of media ports that calls hold.
    pub(crate) port_pairs: u32,
    /// Pairs of media ports.
    pub(crate) port_pairs_limit: u32,
    /// Relays.
    pub(crate) relays: usize,
    /// Connections towards peers.
    pub(crate) connections: usize,
}

impl UsageStatus {
    /// Adds what one shard has in use.
    pub(crate) fn add(&mut self, usage: &Usage) {
        self.calls += usage.calls;
        self.transactions += usage.transactions;
        self.dialogs += usage.dialogs;
        self.port_pairs += usage.ports;
        self.port_pairs_limit += usage.ports_limit;
        self.relays += usage.relays;
        self.connections += usage.connections;
    }
}

impl Status {
    /// What is missing before the worker is ready; nothing when it is.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.revision.is_none() {
            missing.push("a topology");
        }
        if self.lines.iter().all(|line| line.draining) {
            missing.push("an open line");
        }
        missing
    }

    /// Takes over where synchronisation stands.
    pub(crate) fn take_synced(&mut self, synced: &Synced) {
        self.revision = synced.revision;
        self.control_connected = synced.connected;
        self.lines = synced.lines.iter().map(line_status).collect();
        let failed = synced.failures.iter();
        self.failures =
            failed.map(|(line, reason)| LineFailed { line: line.clone(), reason: reason.clone() }).collect();
    }
}

fn line_status(bound: &BoundLine) -> LineStatus {
    LineStatus {
        line: bound.id.to_string(),
        transport: bound.transport.to_string(),
        local: bound.local.to_string(),
        advertised: format!("{}:{}", bound.advertised.host, bound.advertised.port),
        draining: bound.phase == LinePhase::Draining,
    }
}

/// Longest time between two pictures of the worker.
pub(crate) const RENEWED_EVERY: Duration = Duration::from_secs(1);
