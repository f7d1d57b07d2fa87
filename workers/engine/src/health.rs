//! What we know of each target: a circuit UP → SUSPECT → DOWN → PROBING → UP, and beside it BLOCKED
//! until the time of a `Retry-After`. It sends nothing; it says when a probe is due and is told how it ended.
//!
//! | evidence | UP | SUSPECT | DOWN | PROBING |
//! |---|---|---|---|---|
//! | a call was answered with life | UP | UP | PROBING, one success | success, at `rise` UP |
//! | a probe was answered with life | UP | success, at `rise` UP | PROBING, one success | success, at `rise` UP |
//! | a call failed (`passive_fall` in a row) | SUSPECT, probed at once | SUSPECT | DOWN | PROBING |
//! | a probe failed | UP, at `fall` DOWN | SUSPECT, at `fall` DOWN | DOWN | DOWN |
//! | 503 with `Retry-After` | BLOCKED beside the state, which stays | same | same | same |
//!
//! A probe that fails although a call was answered since it began is not counted: a server that
//! ignores OPTIONS but takes calls stays UP. A SUSPECT that answers OPTIONS but not calls needs `rise`
//! answers to come back, so that it costs one call per round and not every second one.
//! Each target is probed by one shard only; the others hear of it ([`Health::apply`]).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use um_routing::TargetId;

mod circuit;
mod probe;

pub use circuit::{Circuit, Evidence};
pub(crate) use probe::{Policy, ProbeId};

use circuit::Judgement;
use probe::{Probing, Schedule};

#[cfg(test)]
mod tests;

/// The picture that one shard has of all targets.
#[derive(Debug)]
pub(crate) struct Health {
    shard: u16,
    shards: u16,
    targets: BTreeMap<TargetId, Tracked>,
    probes: Schedule,
    outputs: VecDeque<HealthOutput>,
}

/// What [`Health`] wants done or known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HealthOutput {
    /// Send OPTIONS to this target and call [`Health::probed`] with this number.
    Probe(TargetId, ProbeId),
    /// The probe has used up its time; whatever it still holds may be given back.
    ProbeOver(ProbeId),
    /// The visible state may have changed; read it with [`Health::condition`].
    Changed(TargetId),
    /// The other shards should hear of this.
    Tell(TargetId, Evidence),
}

/// What is visible of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Where the circuit stands.
    pub(crate) circuit: Circuit,
    /// Until when the target asked to be left alone, if it did and that is not over.
    pub(crate) blocked_until: Option<Instant>,
}

#[derive(Debug)]
struct Tracked {
    policy: Policy,
    judgement: Judgement,
    blocked_until: Option<Instant>,
    probing: Probing,
}

impl Health {
    pub(crate) fn new(shard: u16, shards: u16) -> Self {
        Self {
            shard,
            shards,
            targets: BTreeMap::new(),
            probes: Schedule::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes over the targets of a new topology. What is known of a target that stays is kept; what is
    /// gone is forgotten.
    pub(crate) fn configure(&mut self, now: Instant, wanted: BTreeMap<TargetId, Policy>) {
        let gone: Vec<TargetId> =
            self.targets.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect();
        for id in gone {
            if let Some(tracked) = self.targets.remove(&id) {
                self.outputs
                    .extend(self.probes.drop_target(&id, &tracked.probing).map(HealthOutput::ProbeOver));
            }
        }
        for (id, policy) in wanted {
            let ours = owner(&id, self.shards) == self.shard && policy.interval > Duration::ZERO;
            if let Some(tracked) = self.targets.get_mut(&id) {
                tracked.policy = policy;
                continue;
            }
            let probing = if ours {
                let first = now + first_delay(&id, policy.interval);
                self.probes.due(first, &id);
                Probing::Waiting(first)
            } else {
                Probing::Elsewhere
            };
            self.targets.insert(
                id.clone(),
                Tracked { policy, judgement: Judgement::default(), blocked_until: None, probing },
            );
            self.outputs.push_back(HealthOutput::Changed(id));
        }
    }

    /// Notes what a target did to a call of this shard, and tells the others if that changed anything.
    pub(crate) fn mark(&mut self, now: Instant, target: &TargetId, evidence: Evidence) {
        if self.apply(now, target, evidence, now) && self.shards > 1 {
            self.outputs.push_back(HealthOutput::Tell(target.clone(), evidence));
        }
    }

    /// Applies evidence that this or another shard has seen at `at`; true if it changed our picture.
    pub(crate) fn apply(&mut self, now: Instant, target: &TargetId, evidence: Evidence, at: Instant) -> bool {
        let Some(tracked) = self.targets.get_mut(target) else { return false };
        let before = (tracked.judgement.circuit(), tracked.blocked_until);
        let changed = match evidence {
            Evidence::Blocked { for_ } => {
                let until = at + for_.min(BLOCK_MAX);
                let longer = tracked.blocked_until.is_none_or(|known| known < until);
                if longer {
                    tracked.blocked_until = Some(until);
                    self.probes.block(until, target);
                }
                longer
            }
            Evidence::Life | Evidence::Failed | Evidence::ProbeAnswered | Evidence::ProbeFailed => {
                tracked.judgement.apply(evidence, &tracked.policy, at)
            }
        };
        let after = (tracked.judgement.circuit(), tracked.blocked_until);
        if after.0 == Circuit::Suspect && before.0 != Circuit::Suspect {
            self.probes.advance(now, target, &mut tracked.probing);
        }
        if before != after {
            self.outputs.push_back(HealthOutput::Changed(target.clone()));
        }
        changed
    }

    /// Says how a probe ended. One that is over already is ignored.
    pub(crate) fn probed(&mut self, now: Instant, probe: ProbeId, evidence: Evidence) {
        let Some((target, began)) = self.probes.finish(probe) else { return };
        self.conclude(now, &target, began, evidence);
    }

    /// Says that a probe could not be sent for reasons of ours: it says nothing, and the next one comes in its time.
    pub(crate) fn not_probed(&mut self, now: Instant, probe: ProbeId) {
        let Some((target, began)) = self.probes.finish(probe) else { return };
        self.schedule(now, &target, began);
    }

    /// Starts probes that are due, ends those that take too long, lifts blocks that are over.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(event) = self.probes.pop(now) {
            match event {
                probe::Due::Start(target) => self.start_probe(now, &target),
                probe::Due::Expired(probe, target, began) => {
                    self.outputs.push_back(HealthOutput::ProbeOver(probe));
                    self.conclude(now, &target, began, Evidence::ProbeFailed);
                }
                probe::Due::Unblock(target) => self.unblock(now, &target),
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.probes.next()
    }

    pub(crate) fn poll_output(&mut self) -> Option<HealthOutput> {
        self.outputs.pop_front()
    }

    /// What is visible of a target; one that is not tracked counts as UP.
    pub(crate) fn condition(&self, target: &TargetId, now: Instant) -> Condition {
        self.targets.get(target).map_or(Condition { circuit: Circuit::Up, blocked_until: None }, |tracked| {
            Condition {
                circuit: tracked.judgement.circuit(),
                blocked_until: tracked.blocked_until.filter(|until| *until > now),
            }
        })
    }

    /// Whether a response to a call proves that the target is dead rather than alive.
    pub(crate) fn is_dead_code(&self, target: &TargetId, status: u16) -> bool {
        self.targets.get(target).is_some_and(|tracked| tracked.policy.is_dead(status))
    }

    /// Every target that is tracked, in order.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &TargetId> {
        self.targets.keys()
    }

    fn start_probe(&mut self, now: Instant, target: &TargetId) {
        let Some(tracked) = self.targets.get_mut(target) else { return };
        let Probing::Waiting(_) = tracked.probing else { return };
        let probe = self.probes.start(now, target, tracked.policy.timeout);
        tracked.probing = Probing::Running(probe);
        self.outputs.push_back(HealthOutput::Probe(target.clone(), probe));
    }

    fn conclude(&mut self, now: Instant, target: &TargetId, began: Instant, evidence: Evidence) {
        self.schedule(now, target, began);
        let Some(tracked) = self.targets.get(target) else { return };
        let answered_since = tracked.judgement.last_life().is_some_and(|at| at >= began);
        if evidence == Evidence::ProbeFailed && answered_since {
            return;
        }
        self.mark(now, target, evidence);
    }

    /// Files the next probe, one interval after the start of the last.
    fn schedule(&mut self, now: Instant, target: &TargetId, began: Instant) {
        let Some(tracked) = self.targets.get_mut(target) else { return };
        let next = (began + tracked.policy.interval).max(now);
        tracked.probing = Probing::Waiting(next);
        self.probes.due(next, target);
    }

    fn unblock(&mut self, now: Instant, target: &TargetId) {
        let Some(tracked) = self.targets.get_mut(target) else { return };
        if tracked.blocked_until.is_some_and(|until| until <= now) {
            tracked.blocked_until = None;
            self.outputs.push_back(HealthOutput::Changed(target.clone()));
        }
    }
}

/// Says which shard probes a target.
fn owner(target: &TargetId, shards: u16) -> u16 {
    let shard = fingerprint(target) % u64::from(shards.max(1));
    u16::try_from(shard).unwrap_or(0)
}

/// Spreads the first probes of many targets over the first second.
fn first_delay(target: &TargetId, interval: Duration) -> Duration {
    let millis = (fingerprint(target) >> 16) % 1_000;
    Duration::from_millis(millis).min(interval)
}

/// FNV-1a over the printed name: the same on every shard and in every process.
fn fingerprint(target: &TargetId) -> u64 {
    target
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A target may not ask to be left alone for longer than this.
const BLOCK_MAX: Duration = Duration::from_secs(300);
