//! When each target is probed, and which probes are under way. It knows nothing of OPTIONS itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use um_routing::TargetId;
use um_topology::CodeSet;

/// How a target is watched; from `health` of its proxy list entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Time between the starts of two probes; zero means that it is not probed.
    pub(crate) interval: Duration,
    /// Time after which a probe has failed.
    pub(crate) timeout: Duration,
    /// Failed probes in a row until DOWN.
    pub(crate) fall: u32,
    /// Answered probes in a row until UP.
    pub(crate) rise: u32,
    /// Failed calls in a row until SUSPECT.
    pub(crate) passive_fall: u32,
    /// Status codes that mean dead.
    pub(crate) dead: CodeSet,
}

impl Policy {
    /// Whether this status code means dead.
    pub(crate) fn is_dead(&self, status: u16) -> bool {
        self.dead.contains(status)
    }
}

/// Names one probe, unique within a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProbeId(pub(crate) u64);

/// Where the probing of one target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probing {
    /// Another shard does it, or nobody.
    Elsewhere,
    /// The next one is due then.
    Waiting(Instant),
    /// One is under way.
    Running(ProbeId),
}

/// What a look at the clock brought up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Probe this target.
    Start(TargetId),
    /// This probe of this target, begun then, has used up its time.
    Expired(ProbeId, TargetId, Instant),
    /// The block of this target may be over.
    Unblock(TargetId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Start,
    Unblock,
}

/// All deadlines of the health machine.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Keyed by time; a target has at most one `Start` (the one its `Probing::Waiting` names).
    deadlines: BTreeMap<(Instant, Reason, TargetId), ()>,
    running: BTreeMap<ProbeId, Running>,
    last: u64,
}

#[derive(Debug)]
struct Running {
    target: TargetId,
    began: Instant,
    deadline: Instant,
}

impl Schedule {
    pub(super) fn due(&mut self, at: Instant, target: &TargetId) {
        self.deadlines.insert((at, Reason::Start, target.clone()), ());
    }

    pub(super) fn block(&mut self, until: Instant, target: &TargetId) {
        self.deadlines.insert((until, Reason::Unblock, target.clone()), ());
    }

    /// Brings a waiting probe forward to now. One that runs already is enough.
    pub(super) fn advance(&mut self, now: Instant, target: &TargetId, probing: &mut Probing) {
        match *probing {
            Probing::Waiting(at) => {
                self.deadlines.remove(&(at, Reason::Start, target.clone()));
                self.due(now, target);
                *probing = Probing::Waiting(now);
            }
            Probing::Elsewhere | Probing::Running(_) => {}
        }
    }

    pub(super) fn start(&mut self, now: Instant, target: &TargetId, timeout: Duration) -> ProbeId {
        self.last += 1;
        let probe = ProbeId(self.last);
        self.running.insert(probe, Running { target: target.clone(), began: now, deadline: now + timeout });
        probe
    }

    pub(super) fn finish(&mut self, probe: ProbeId) -> Option<(TargetId, Instant)> {
        self.running.remove(&probe).map(|running| (running.target, running.began))
    }

    /// Forgets a target; names its probe if one was under way.
    pub(super) fn drop_target(&mut self, target: &TargetId, probing: &Probing) -> Option<ProbeId> {
        self.deadlines.retain(|(_, _, id), ()| id != target);
        match *probing {
            Probing::Running(probe) => self.running.remove(&probe).map(|_| probe),
            Probing::Elsewhere | Probing::Waiting(_) => None,
        }
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        if let Some(entry) = self.deadlines.first_entry()
            && entry.key().0 <= now
        {
            let ((_, reason, target), ()) = entry.remove_entry();
            return Some(match reason {
                Reason::Start => Due::Start(target),
                Reason::Unblock => Due::Unblock(target),
            });
        }
        let expired =
            self.running.iter().find(|(_, running)| running.deadline <= now).map(|(probe, _)| *probe)?;
        let running = self.running.remove(&expired)?;
        Some(Due::Expired(expired, running.target, running.began))
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let due = self.deadlines.first_key_value().map(|((at, _, _), ())| *at);
        let running = self.running.values().map(|running| running.deadline).min();
        due.into_iter().chain(running).min()
    }
}
