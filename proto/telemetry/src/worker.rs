//! The worker's instruments: one recording function each.
//!
//! Called by the worker's observer thread, not on the path of a message or packet: what happens thousands of times a second
//! arrives here as a difference (`count`), once a second.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

use crate::attribute::{CallOutcome, CallState, Direction, ProbeOutcome, Role, TargetState, Transport};
use crate::catalogue as row;
use crate::instrument;

/// Everything a worker counts and measures. Made once by [`crate::Telemetry::worker_metrics`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkerMetrics {
    config_revision: Gauge<u64>,
    messages: Counter<u64>,
    retransmissions: Counter<u64>,
    parse_errors: Counter<u64>,
    shed: Counter<u64>,
    lag: Gauge<f64>,
    shedding: Gauge<u64>,
    transactions: Gauge<u64>,
    calls_active: UpDownCounter<i64>,
    calls_attempts: Counter<u64>,
    calls_setup: Histogram<f64>,
    calls_duration: Histogram<f64>,
    calls_failovers: Counter<u64>,
    calls_rejected: Counter<u64>,
    target_state: Gauge<u64>,
    target_attempts: Counter<u64>,
    target_calls: UpDownCounter<i64>,
    target_probes: Histogram<f64>,
    rtp_packets: Counter<u64>,
    rtp_discarded: Counter<u64>,
    ports_used: Gauge<u64>,
    ports_limit: Gauge<u64>,
    draining: Gauge<u64>,
}

impl WorkerMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            config_revision: instrument::gauge(meter, &row::CONFIG_REVISION),
            messages: instrument::counter(meter, &row::SIP_MESSAGES),
            retransmissions: instrument::counter(meter, &row::SIP_RETRANSMISSIONS),
            parse_errors: instrument::counter(meter, &row::SIP_PARSE_ERRORS),
            shed: instrument::counter(meter, &row::SIP_SHED),
            lag: instrument::gauge_f64(meter, &row::SIGNALLING_LAG),
            shedding: instrument::gauge(meter, &row::SHEDDING),
            transactions: instrument::gauge(meter, &row::SIP_TRANSACTIONS),
            calls_active: instrument::up_down(meter, &row::CALLS_ACTIVE),
            calls_attempts: instrument::counter(meter, &row::CALLS_ATTEMPTS),
            calls_setup: instrument::histogram(meter, &row::CALLS_SETUP),
            calls_duration: instrument::histogram(meter, &row::CALLS_DURATION),
            calls_failovers: instrument::counter(meter, &row::CALLS_FAILOVERS),
            calls_rejected: instrument::counter(meter, &row::CALLS_REJECTED),
            target_state: instrument::gauge(meter, &row::TARGET_STATE),
            target_attempts: instrument::counter(meter, &row::TARGET_ATTEMPTS),
            target_calls: instrument::up_down(meter, &row::TARGET_CALLS),
            target_probes: instrument::histogram(meter, &row::TARGET_PROBES),
            rtp_packets: instrument::counter(meter, &row::RTP_PACKETS),
            rtp_discarded: instrument::counter(meter, &row::RTP_DISCARDED),
            ports_used: instrument::gauge(meter, &row::RTP_PORTS_USED),
            ports_limit: instrument::gauge(meter, &row::RTP_PORTS_LIMIT),
            draining: instrument::gauge(meter, &row::DRAINING),
        }
    }

    /// Records the revision that calls are routed by.
    pub fn config_revision(&self, revision: u64) {
        self.config_revision.record(revision, &[KeyValue::new("role", Role::Worker)]);
    }

    /// Counts messages through the sockets.
    pub fn messages(&self, direction: Direction, transport: Transport, count: u64) {
        let attributes =
            [KeyValue::new("direction", direction), KeyValue::new("network.transport", transport)];
        self.messages.add(count, &attributes);
    }

    /// Counts messages that were sent again or absorbed as received again.
    pub fn retransmissions(&self, direction: Direction, count: u64) {
        self.retransmissions.add(count, &[KeyValue::new("direction", direction)]);
    }

    /// Counts input that is not SIP; `reason` names the parser's error.
    pub fn parse_errors(&self, reason: &'static str, count: u64) {
        self.parse_errors.add(count, &[KeyValue::new("reason", reason)]);
    }

    /// Counts new requests refused unread in an overload; `reason` is one of the lobby's reasons.
    pub fn shed(&self, method: &'static str, reason: &'static str, count: u64) {
        self.shed.add(count, &[KeyValue::new("sip.method", method), KeyValue::new("reason", reason)]);
    }

    /// Records the longest wait of a message for its turn, and whether new calls are refused because of it.
    pub fn signalling_lag(&self, longest: Duration, shedding: bool) {
        self.lag.record(longest.as_secs_f64(), &[]);
        self.shedding.record(u64::from(shedding), &[]);
    }

    /// Records the transactions that hold state.
    pub fn transactions(&self, active: u64) {
        self.transactions.record(active, &[]);
    }

    /// Moves the number of calls in a state by `difference`.
    pub fn calls_active(&self, line: &str, state: CallState, difference: i64) {
        self.calls_active.add(difference, &[own("um.line", line), KeyValue::new("state", state)]);
    }

    /// Counts an attempt that ended; `line` is the one that it left from, `status` real or synthetic.
    pub fn call_attempt(&self, line: &str, outcome: CallOutcome, status: u16) {
        let attributes = [
            own("um.line", line),
            KeyValue::new("outcome", outcome),
            KeyValue::new("sip.status_code", i64::from(status)),
        ];
        self.calls_attempts.add(1, &attributes);
    }

    /// Records the set-up time of a call.
    pub fn call_setup(&self, line: &str, outcome: CallOutcome, took: Duration) {
        self.calls_setup.record(took.as_secs_f64(), &ending(line, outcome));
    }

    /// Records the time from answer to hang-up.
    pub fn call_duration(&self, line: &str, outcome: CallOutcome, took: Duration) {
        self.calls_duration.record(took.as_secs_f64(), &ending(line, outcome));
    }

    /// Counts a move to the next target; `reason` is one of the engine's failover reasons.
    pub fn failover(&self, proxy_list: &str, reason: &'static str) {
        self.calls_failovers.add(1, &[own("um.proxy_list", proxy_list), KeyValue::new("reason", reason)]);
    }

    /// Counts a call refused without an attempt; `reason` is one of the routing's reasons.
    pub fn call_rejected(&self, line: &str, reason: &'static str) {
        self.calls_rejected.add(1, &[own("um.line", line), KeyValue::new("reason", reason)]);
    }

    /// Records the state of a target: 1 for it, 0 for every other.
    pub fn target_state(&self, proxy_list: &str, entry: &str, state: TargetState) {
        for &each in TargetState::ALL {
            let [list, entry] = target(proxy_list, entry);
            self.target_state.record(u64::from(each == state), &[list, entry, KeyValue::new("state", each)]);
        }
    }

    /// Counts an attempt by target.
    pub fn target_attempt(&self, proxy_list: &str, entry: &str, outcome: CallOutcome) {
        let [list, entry] = target(proxy_list, entry);
        self.target_attempts.add(1, &[list, entry, KeyValue::new("outcome", outcome)]);
    }

    /// Moves the number of calls on a target by `difference`.
    pub fn target_calls(&self, proxy_list: &str, entry: &str, difference: i64) {
        self.target_calls.add(difference, &target(proxy_list, entry));
    }

    /// Records an OPTIONS probe.
    pub fn target_probe(&self, proxy_list: &str, entry: &str, outcome: ProbeOutcome, took: Duration) {
        let [list, entry] = target(proxy_list, entry);
        self.target_probes.record(took.as_secs_f64(), &[list, entry, KeyValue::new("outcome", outcome)]);
    }

    /// Counts packets relayed.
    pub fn rtp_packets(&self, direction: Direction, line: &str, count: u64) {
        self.rtp_packets.add(count, &[KeyValue::new("direction", direction), own("um.line", line)]);
    }

    /// Counts packets received and not relayed.
    pub fn rtp_discarded(&self, direction: Direction, line: &str, count: u64) {
        self.rtp_discarded.add(count, &[KeyValue::new("direction", direction), own("um.line", line)]);
    }

    /// Records the media ports of a network: those that calls hold, and how many there are.
    pub fn rtp_ports(&self, network: &str, used: u64, limit: u64) {
        self.ports_used.record(used, &[own("network", network)]);
        self.ports_limit.record(limit, &[own("network", network)]);
    }

    /// Records whether the worker takes new calls (0) or not (1).
    pub fn draining(&self, draining: bool) {
        self.draining.record(u64::from(draining), &[]);
    }
}

fn own(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}

fn ending(line: &str, outcome: CallOutcome) -> [KeyValue; 2] {
    [own("um.line", line), KeyValue::new("outcome", outcome)]
}

fn target(proxy_list: &str, entry: &str) -> [KeyValue; 2] {
    [own("um.proxy_list", proxy_list), own("um.entry", entry)]
}
