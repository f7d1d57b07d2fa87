//! The spans of calls in progress. Without a push no span is made, and this holds nothing.

use std::collections::BTreeMap;

use tracing::Span;
use um_engine::{CallKey, CallRecord, Observation};
use um_media::RelayCounters;
use um_telemetry::{CallOutcome, Transport, spans};

use super::{key_of, outcome_of};

/// Calls followed at once; observations may be lost, so a call may never be seen to end.
const MAX_CALLS: usize = 65_536;

/// One call's spans.
struct Trace {
    set_up: Span,
    attempts: BTreeMap<u16, Span>,
    media: Span,
}

/// The spans of all calls in progress.
#[derive(Default)]
pub(super) struct Traces {
    calls: BTreeMap<CallKey, Trace>,
}

impl Traces {
    /// Follows what happens to calls; what is about anything else leaves no trace.
    pub(super) fn on_observation(&mut self, observation: &Observation) {
        match observation {
            Observation::CallStarted { call, line, call_id, peer, transport, revision, .. } => {
                let transport = shown(*transport);
                let facts = spans::SetUp { line, call_id, peer: *peer, transport, revision: *revision };
                self.on_started(*call, &facts);
            }
            Observation::AttemptStarted { call, attempt, target, remote, transport } => {
                let Some(trace) = self.calls.get_mut(call) else { return };
                let (proxy_list, entry) = key_of(target);
                let facts = spans::Attempt {
                    number: u32::from(*attempt) + 1,
                    proxy_list: &proxy_list,
                    entry: &entry,
                    peer: *remote,
                    transport: shown(*transport),
                };
                trace.attempts.insert(*attempt, spans::attempt(&trace.set_up, &facts));
            }
            Observation::AttemptEnded { call, attempt, outcome, status, .. } => {
                let span = self.calls.get_mut(call).and_then(|trace| trace.attempts.remove(attempt));
                if let Some(span) = span {
                    spans::ended(&span, outcome_of(*outcome), *status);
                }
            }
            Observation::CallAnswered { call, .. } => {
                if let Some(trace) = self.calls.get_mut(call) {
                    trace.media = spans::media(&trace.set_up, call);
                    spans::ended(&trace.set_up, CallOutcome::Answered, 200);
                    trace.set_up = Span::none();
                }
            }
            Observation::CallEnded(record) => self.on_ended(record),
            Observation::MediaEnded { call, counters } => self.on_media(*call, counters),
            Observation::FailedOver { .. }
            | Observation::Rejected { .. }
            | Observation::Dropped { .. }
            | Observation::TargetState { .. }
            | Observation::Probed { .. }
            | Observation::Served { .. } => {}
        }
    }

    fn on_started(&mut self, call: CallKey, facts: &spans::SetUp<'_>) {
        let set_up = spans::set_up(&call, facts);
        if set_up.is_disabled() {
            return;
        }
        self.calls.insert(call, Trace { set_up, attempts: BTreeMap::new(), media: Span::none() });
        while self.calls.len() > MAX_CALLS {
            self.calls.pop_first();
        }
    }

    fn on_ended(&mut self, record: &CallRecord) {
        let Some(trace) = self.calls.get_mut(&record.call) else { return };
        let facts = spans::Settled {
            call_id: &record.call_id,
            station: record.station.as_deref().unwrap_or_default(),
            attempts: u32::from(record.attempts),
            reason: record.reason.as_str(),
        };
        trace.attempts.clear();
        if trace.media.is_disabled() {
            spans::settled(&trace.set_up, &facts);
            spans::ended(&trace.set_up, outcome_of(record.outcome), record.status);
            self.calls.remove(&record.call);
        } else {
            spans::settled(&trace.media, &facts);
        }
    }

    fn on_media(&mut self, call: CallKey, counters: &RelayCounters) {
        let Some(trace) = self.calls.remove(&call) else { return };
        let legs = [&counters.inbound, &counters.outbound];
        let packets = legs.iter().map(|leg| leg.rtp_sent).sum();
        let discarded = legs.iter().map(|leg| leg.discarded()).sum();
        spans::relayed(&trace.media, packets, discarded);
    }
}

const fn shown(transport: um_topology::Transport) -> Transport {
    match transport {
        um_topology::Transport::Udp => Transport::Udp,
        um_topology::Transport::Tcp => Transport::Tcp,
    }
}
