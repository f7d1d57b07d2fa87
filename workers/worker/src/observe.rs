//! Turns what the engines observe into metrics, log lines, the status document and the reports to control.
//!
//! One thread reads the observations of all shards from a bounded queue; a shard that finds it full drops the
//! observation and goes on with its calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use tokio::sync::{mpsc, watch};
use um_engine::{CallKey, CallRecord, Circuit, Observation, Outcome, TargetId};
use um_media::RelayCounters;
use um_telemetry::{CallOutcome, CallState, Direction, ProbeOutcome, WorkerMetrics};
use um_wire::v1;

use crate::{
    clock,
    discovery::Event,
    process_load::{ProcessLoad, Sampler},
    signalling::{Mailbox, Pulse},
    status::{RENEWED_EVERY, Status, Synced, UsageStatus},
};

mod target;
mod traces;

use self::{
    target::{Target, key_of, shown_state},
    traces::Traces,
};

/// Observations that may wait.
pub(crate) const QUEUE: usize = 65_536;
/// How long observations gather before they are taken in together; far below a scrape or a report.
const GATHER: Duration = Duration::from_millis(10);
/// Calls followed at once.
const MAX_CALLS: usize = 1 << 20;
/// Ended calls whose media counters are waited for.
const MAX_CLOSING: usize = 65_536;

/// One thing that a shard has to tell.
#[derive(Debug)]
pub(crate) enum Seen {
    /// An engine saw something.
    Observation(Observation),
    /// How a shard is doing; once a second.
    Pulse {
        /// The shard.
        shard: u16,
        /// How.
        pulse: Pulse,
    },
    /// A drain began or ended.
    Draining(bool),
    /// Nothing follows.
    End,
}

/// The thread's state.
pub(crate) struct Observer {
    metrics: WorkerMetrics,
    calls: BTreeMap<CallKey, LiveCall>,
    /// Lines of calls that have ended and whose media counters are still to come.
    closing: BTreeMap<CallKey, String>,
    targets: BTreeMap<(String, String), Target>,
    pulses: BTreeMap<u16, Pulse>,
    traces: Traces,
    lines: LineCalls,
    started: u64,
    draining: bool,
    status: Status,
    shards: Vec<Mailbox>,
    dropped: u64,
    synced: watch::Receiver<Synced>,
    show: watch::Sender<Arc<Status>>,
    reports: mpsc::Sender<Event>,
    renewed: Instant,
    sampler: Sampler,
    load: ProcessLoad,
}

struct LiveCall {
    line: String,
    line_out: String,
    answered: bool,
    target: Option<(String, String)>,
    /// Why its last attempt ended, for the failover that may follow.
    last_reason: &'static str,
}

/// Calls that came or left by each line; one that did both counts once.
#[derive(Default)]
struct LineCalls(BTreeMap<String, u32>);

impl LineCalls {
    fn begin(&mut self, lines: [&String; 2]) {
        for line in BTreeSet::from(lines) {
            *self.0.entry(line.clone()).or_default() += 1;
        }
    }

    fn end(&mut self, lines: [&String; 2]) {
        for line in BTreeSet::from(lines) {
            if let Some(count) = self.0.get_mut(line) {
                *count -= 1;
                if *count == 0 {
                    self.0.remove(line);
                }
            }
        }
    }
}

/// What an observer reads and where it shows what it makes of that.
pub(crate) struct Surroundings {
    /// The instruments.
    pub(crate) metrics: WorkerMetrics,
    /// The shards' queues, which count what they dropped.
    pub(crate) shards: Vec<Mailbox>,
    /// Where synchronisation stands.
    pub(crate) synced: watch::Receiver<Synced>,
    /// Where the status document is shown.
    pub(crate) show: watch::Sender<Arc<Status>>,
    /// Where reports go.
    pub(crate) reports: mpsc::Sender<Event>,
}

impl Observer {
    /// Begins with an empty picture; `status` says who the worker is.
    pub(crate) fn new(status: Status, around: Surroundings) -> Self {
        Self {
            metrics: around.metrics,
            calls: BTreeMap::new(),
            closing: BTreeMap::new(),
            targets: BTreeMap::new(),
            pulses: BTreeMap::new(),
            traces: Traces::default(),
            lines: LineCalls::default(),
            started: 0,
            draining: false,
            status,
            shards: around.shards,
            dropped: 0,
            synced: around.synced,
            show: around.show,
            reports: around.reports,
            renewed: clock::now(),
            sampler: Sampler::default(),
            load: ProcessLoad::default(),
        }
    }

    /// Reads until it is told to end, or all shards are gone.
    pub(crate) fn run(mut self, seen: &Receiver<Seen>) {
        loop {
            match seen.recv_timeout(RENEWED_EVERY / 10) {
                Ok(Seen::End) => return,
                Ok(first) => {
                    self.on_seen(first);
                    // To be woken for each one would cost every shard a system call a time.
                    thread::sleep(GATHER);
                    while let Ok(seen) = seen.try_recv() {
                        match seen {
                            Seen::End => return,
                            Seen::Observation(_) | Seen::Pulse { .. } | Seen::Draining(_) => {
                                self.on_seen(seen)
                            }
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let synced = self.synced.has_changed().unwrap_or(false);
            if synced || clock::now().duration_since(self.renewed) >= RENEWED_EVERY {
                self.renew();
            }
        }
    }

    fn on_seen(&mut self, seen: Seen) {
        match seen {
            Seen::Observation(observation) => {
                self.traces.on_observation(&observation);
                self.on_observation(observation);
            }
            Seen::Pulse { shard, pulse } => {
                let before = self.pulses.insert(shard, pulse).map(|before| before.traffic);
                pulse.traffic.record(&before.unwrap_or_default(), &self.metrics);
            }
            Seen::End => {}
            Seen::Draining(draining) => {
                self.draining = draining;
                self.metrics.draining(draining);
            }
        }
    }

    fn on_observation(&mut self, observation: Observation) {
        match observation {
            Observation::CallStarted { call, line, line_out, .. } => {
                self.on_started(call, line.to_string(), line_out.to_string());
            }
            Observation::AttemptStarted { call, target, .. } => self.on_attempt(call, &target),
            Observation::AttemptEnded { call, line, target, outcome, reason, status, duration, .. } => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.last_reason = reason.as_str();
                }
                let (list, entry) = key_of(&target);
                self.metrics.call_attempt(&line, outcome_of(outcome), status);
                self.metrics.target_attempt(&list, &entry, outcome_of(outcome));
                self.target(&(list, entry)).last_result = status.to_string();
                tracing::debug!(%call, %target, outcome = outcome.as_str(), status, ?duration, "attempt ended");
                if outcome != Outcome::Answered {
                    self.leave_target(call);
                }
            }
            Observation::FailedOver { call, from, to } => {
                tracing::debug!(%call, %from, %to, "failing over to the next target");
                let reason = self.calls.get(&call).map_or("unknown", |live| live.last_reason);
                self.metrics.failover(&key_of(&from).0, reason);
            }
            Observation::CallAnswered { call, line, setup } => self.on_answered(call, &line, setup),
            Observation::CallEnded(record) => self.on_ended(&record),
            Observation::Rejected { line, method, status, reason, explanation } => {
                let why = explanation.as_ref().map(|explanation| explanation.text());
                tracing::debug!(%line, %method, status, reason = reason.as_str(), why, "a request was refused");
                self.metrics.call_rejected(&line, reason.as_str());
            }
            Observation::Dropped { reason, count } => self.metrics.parse_errors(reason, count),
            Observation::TargetState { target, circuit, blocked_until } => {
                self.on_target_state(&target, circuit, blocked_until);
            }
            Observation::Probed { target, status, duration } => self.on_probed(&target, status, duration),
            Observation::Served { line, method } => tracing::trace!(%line, %method, "a request was answered"),
            Observation::MediaEnded { call, counters } => self.on_media(call, &counters),
        }
    }

    fn on_started(&mut self, call: CallKey, line: String, line_out: String) {
        self.started += 1;
        self.metrics.calls_active(&line, CallState::Setup, 1);
        self.lines.begin([&line, &line_out]);
        let live = LiveCall { line, line_out, answered: false, target: None, last_reason: "unknown" };
        self.calls.insert(call, live);
        // An observation may have been lost, so a call may never be seen to end.
        while self.calls.len() > MAX_CALLS {
            let Some((_, oldest)) = self.calls.pop_first() else { return };
            self.lines.end([&oldest.line, &oldest.line_out]);
        }
    }

    fn on_attempt(&mut self, call: CallKey, target: &TargetId) {
        self.leave_target(call);
        let key = key_of(target);
        if let Some(live) = self.calls.get_mut(&call) {
            live.target = Some(key.clone());
            self.metrics.target_calls(&key.0, &key.1, 1);
            self.target(&key).calls += 1;
        }
    }

    fn leave_target(&mut self, call: CallKey) {
        let Some(key) = self.calls.get_mut(&call).and_then(|live| live.target.take()) else { return };
        self.metrics.target_calls(&key.0, &key.1, -1);
        let target = self.target(&key);
        target.calls = target.calls.saturating_sub(1);
    }

    fn on_answered(&mut self, call: CallKey, line: &str, setup: Duration) {
        self.metrics.call_setup(line, CallOutcome::Answered, setup);
        if let Some(live) = self.calls.get_mut(&call) {
            live.answered = true;
            self.metrics.calls_active(&live.line, CallState::Setup, -1);
            self.metrics.calls_active(&live.line, CallState::Established, 1);
        }
    }

    fn on_ended(&mut self, record: &CallRecord) {
        self.leave_target(record.call);
        let outcome = outcome_of(record.outcome);
        if let Some(live) = self.calls.remove(&record.call) {
            self.lines.end([&live.line, &live.line_out]);
            let state = if live.answered { CallState::Established } else { CallState::Setup };
            self.metrics.calls_active(&live.line, state, -1);
            if !live.answered {
                self.metrics.call_setup(&live.line, outcome, record.setup);
            }
            self.closing.insert(record.call, live.line);
            while self.closing.len() > MAX_CLOSING {
                self.closing.pop_first();
            }
        }
        if let Some(talk) = record.talk {
            self.metrics.call_duration(&record.line_in, outcome, talk);
        }
        tracing::info!(
            target: "um_worker::cdr",
            call = %record.call,
            line = %record.line_in,
            station = record.station.as_deref(),
            answered_by = record.answered_by.as_ref().map(ToString::to_string),
            attempts = record.attempts,
            outcome = record.outcome.as_str(),
            reason = record.reason.as_str(),
            status = record.status,
            setup_ms = record.setup.as_millis(),
            talk_ms = record.talk.map(|talk| talk.as_millis()),
            "call ended"
        );
        if let Some(explanation) = &record.explanation {
            tracing::debug!(call = %record.call, call_id = %record.call_id, why = explanation.text(), "how it was routed");
        }
    }

    fn on_media(&mut self, call: CallKey, counters: &RelayCounters) {
        let Some(line) = self.closing.remove(&call) else { return };
        for leg in [&counters.inbound, &counters.outbound] {
            self.metrics.rtp_packets(Direction::In, &line, leg.rtp_received);
            self.metrics.rtp_packets(Direction::Out, &line, leg.rtp_sent);
            self.metrics.rtp_discarded(Direction::In, &line, leg.discarded());
        }
    }

    fn on_target_state(&mut self, target: &TargetId, circuit: Circuit, blocked_until: Option<Instant>) {
        let (list, entry) = key_of(target);
        let now = clock::now();
        let state = shown_state(circuit, blocked_until, now);
        tracing::info!(%target, state = state.as_str(), "a target changed its state");
        self.metrics.target_state(&list, &entry, state);
        let known = self.target(&(list, entry));
        known.circuit = circuit;
        known.blocked_until = blocked_until;
        known.since = Some(now);
    }

    fn on_probed(&mut self, target: &TargetId, status: Option<u16>, duration: Duration) {
        let (list, entry) = key_of(target);
        let outcome = if status.is_some() { ProbeOutcome::Alive } else { ProbeOutcome::Timeout };
        self.metrics.target_probe(&list, &entry, outcome, duration);
        let known = self.target(&(list, entry));
        known.last_result = status.map_or_else(|| "timeout".to_owned(), |status| status.to_string());
        known.round_trip = status.map(|_| duration);
    }

    fn target(&mut self, key: &(String, String)) -> &mut Target {
        self.targets.entry(key.clone()).or_default()
    }

    /// Renews the status document and the report, and sets the gauges.
    fn renew(&mut self) {
        let now = clock::now();
        let elapsed = now.saturating_duration_since(self.renewed).as_secs_f64().max(0.001);
        let synced = self.synced.borrow_and_update().clone();
        self.targets.retain(|key, target| target.calls > 0 || synced.targets.contains(key));
        for key in &synced.targets {
            self.targets.entry(key.clone()).or_default();
        }
        let mut usage = UsageStatus::default();
        self.pulses.values().for_each(|pulse| usage.add(&pulse.usage));
        self.status.take_synced(&synced);
        self.status.draining = self.draining;
        self.status.calls = u64::try_from(usage.calls).unwrap_or(u64::MAX);
        self.status.usage = usage;
        let lag = self.pulses.values().map(|pulse| pulse.lag).max().unwrap_or_default();
        let shedding = self.pulses.values().any(|pulse| pulse.shedding);
        self.metrics.signalling_lag(lag, shedding);
        self.status.shedding = shedding;
        self.status.requests_shed = self.pulses.values().map(|pulse| pulse.traffic.shed.total()).sum();
        self.status.signalling_lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        if elapsed >= RENEWED_EVERY.as_secs_f64() {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people; calls of one second are few")]
            let rate = self.started as f64 / elapsed;
            self.status.calls_per_second = rate;
            self.started = 0;
            self.renewed = now;
            self.load = self.sampler.sample(now);
        }
        self.status.targets = self.targets.iter().map(|(key, target)| target.status(key, now)).collect();
        self.show.send_replace(Arc::new(self.status.clone()));
        self.set_gauges(&usage);
        // A report that does not fit is replaced by the next one in a second.
        let report = Box::new(self.report(&usage, now));
        let _ = self.reports.try_send(Event::Report { report, calls: self.lines.0.clone() });
    }

    fn set_gauges(&mut self, usage: &UsageStatus) {
        if let Some(revision) = self.status.revision {
            self.metrics.config_revision(u64::try_from(revision).unwrap_or_default());
        }
        let dropped = self.shards.iter().map(Mailbox::dropped).sum();
        if dropped > self.dropped {
            tracing::warn!(
                count = dropped - self.dropped,
                "shards dropped messages of each other: they are too busy"
            );
            self.metrics.parse_errors("shard_busy", dropped - self.dropped);
            self.dropped = dropped;
        }
        self.metrics.transactions(usage.transactions as u64);
        self.metrics.rtp_ports(
            "media",
            u64::from(usage.port_pairs) * 2,
            u64::from(usage.port_pairs_limit) * 2,
        );
    }

    fn report(&self, usage: &UsageStatus, now: Instant) -> v1::Report {
        v1::Report {
            calls: u32::try_from(usage.calls).unwrap_or(u32::MAX),
            cps: self.status.calls_per_second,
            health: self.targets.iter().map(|(key, target)| target.health(key, now)).collect(),
            load: Some(v1::Load {
                cpu_cores: self.load.cores,
                memory_bytes: self.load.memory,
                media_ports_used: usage.port_pairs * 2,
                media_ports_limit: usage.port_pairs_limit * 2,
            }),
            lines: Vec::new(),
            draining: self.draining,
            command_results: Vec::new(),
        }
    }
}

const fn outcome_of(outcome: Outcome) -> CallOutcome {
    match outcome {
        Outcome::Answered => CallOutcome::Answered,
        Outcome::Busy => CallOutcome::Busy,
        Outcome::NoAnswer => CallOutcome::NoAnswer,
        Outcome::Rejected => CallOutcome::Rejected,
        Outcome::Failed => CallOutcome::Failed,
        Outcome::Cancelled => CallOutcome::Cancelled,
    }
}
