//! A new configuration in force: lines for the endpoint, targets for health. Running calls keep theirs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use um_routing::TargetId;
use um_sip::endpoint::LineProfile;
use um_sip::transaction::Timing;
use um_sip::{Flow, Host, HostPort, ParseError};
use um_topology::{Line, LineTimers, Topology};

use super::Engine;
use super::probes::{Probed, probed_targets};
use crate::configuration::{BoundLine, Configuration, LinePhase};
use crate::health::Policy;
use crate::observation::Observation;
use crate::output::Output;

impl Engine {
    pub(super) fn on_configure(&mut self, now: Instant, configuration: Arc<Configuration>) {
        for old in &self.configuration.lines {
            if configuration.bound(old.index).is_none() {
                self.endpoint.remove_line(old.index);
            }
        }
        for bound in &configuration.lines {
            let line = configuration.topology.line(&bound.id);
            if let Some(profile) = profile(bound, line.map(|line| &**line)) {
                self.endpoint.set_line(bound.index, profile);
            }
        }
        let phases = configuration
            .lines
            .iter()
            .map(|bound| (bound.index, is_draining(&configuration.topology, bound)));
        self.lines.configure(&phases.collect::<Vec<_>>());
        let topology = &configuration.topology;
        self.admission.retain_lines(|id| topology.line(id).is_some());
        self.rotation.retain(topology);
        let targets = probed_targets(topology);
        let policies = targets.iter().map(|(id, probed)| (id.clone(), probed.policy.clone())).collect();
        self.configuration = configuration;
        self.health.configure(now, policies);
        self.learn_addresses(now, &targets);
        let mut idle = self.lines.never_used();
        // The last call may have left long before the line began to drain.
        idle.extend(self.lines.handle_timeout(now));
        self.outputs.extend(idle.into_iter().map(|line| Output::LineIdle { line }));
    }

    /// Asks for the names of all targets, so that a line that admits only UM servers knows them from the start.
    fn learn_addresses(&mut self, now: Instant, targets: &BTreeMap<TargetId, Probed>) {
        self.locator.learn(now, targets.values().map(|probed| probed.place.clone()));
    }

    /// Nothing that comes after it on the stream can be read: the connection has to go.
    pub(super) fn on_framing_lost(&mut self, now: Instant, flow: Flow, error: &ParseError) {
        self.observe(Observation::Dropped { reason: "framing_lost", count: 1 });
        self.endpoint.handle_framing_lost(flow, error);
        // The answer has to leave before the connection goes.
        self.settle(now);
        if let Some(connection) = flow.connection {
            self.outputs.push_back(Output::Close { connection });
        }
    }
}

/// Whether a line with a socket takes no new dialogs.
pub(super) fn is_draining(topology: &Topology, bound: &BoundLine) -> bool {
    let inactive = topology.line(&bound.id).is_none_or(|line| !line.effective_active());
    inactive || bound.phase == LinePhase::Draining
}

/// How an entry is watched.
pub(super) fn policy(health: &um_topology::Health) -> Policy {
    Policy {
        interval: health.effective_options_interval(),
        timeout: health.effective_options_timeout(),
        fall: health.effective_fall(),
        rise: health.effective_rise(),
        passive_fall: health.effective_passive_fall(),
        dead: health.effective_dead_codes(),
    }
}

fn profile(bound: &BoundLine, line: Option<&Line>) -> Option<LineProfile> {
    let host = Host::from_config(&bound.advertised.host).ok()?;
    let timing = line.map_or(Timing::STANDARD, |line| timing(&line.timers()));
    Some(LineProfile { timing, sent_by: HostPort::new(host, Some(bound.advertised.port)) })
}

fn timing(timers: &LineTimers) -> Timing {
    let count = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    Timing {
        t1: timers.t1,
        t2: timers.t2,
        max_packet_retry: count(timers.max_packet_retry),
        max_invite_retry: count(timers.max_invite_retry),
    }
}
