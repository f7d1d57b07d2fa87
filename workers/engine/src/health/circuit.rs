//! The circuit of one target and the evidence that moves it; the table stands in `health.rs`.

use std::time::{Duration, Instant};

use super::probe::Policy;

/// Where a target's circuit stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circuit {
    /// Nothing speaks against it.
    #[default]
    Up,
    /// A call failed there: it is used last and probed at once.
    Suspect,
    /// Probes say it is dead: it is used only if all others are too.
    Down,
    /// It was dead and has begun to answer.
    Probing,
}

/// What a target did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It answered a call with anything but a dead code.
    Life,
    /// A call failed there: not reached, silent, or a dead code.
    Failed,
    /// It answered 503 with `Retry-After`.
    Blocked {
        /// The time it asked for; capped at 300 s when applied.
        for_: Duration,
    },
    /// It answered OPTIONS with anything but a dead code.
    ProbeAnswered,
    /// It did not answer OPTIONS in time, or with a dead code.
    ProbeFailed,
}

/// The circuit and its counters.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    circuit: Circuit,
    failed_calls: u32,
    failed_probes: u32,
    successes: u32,
    last_life: Option<Instant>,
}

impl Judgement {
    pub(super) const fn circuit(&self) -> Circuit {
        self.circuit
    }

    pub(super) const fn last_life(&self) -> Option<Instant> {
        self.last_life
    }

    /// Applies evidence; true if anything that decides later changed.
    pub(super) fn apply(&mut self, evidence: Evidence, policy: &Policy, at: Instant) -> bool {
        let before = (self.circuit, self.failed_calls, self.failed_probes, self.successes);
        match evidence {
            Evidence::Life => {
                self.last_life = Some(at);
                self.on_call_answered(policy);
            }
            Evidence::ProbeAnswered => self.on_probe_answered(policy),
            Evidence::Failed => self.on_call_failed(policy),
            Evidence::ProbeFailed => self.on_probe_failed(policy),
            Evidence::Blocked { .. } => {}
        }
        before != (self.circuit, self.failed_calls, self.failed_probes, self.successes)
    }

    fn on_call_answered(&mut self, policy: &Policy) {
        self.failed_calls = 0;
        self.failed_probes = 0;
        match self.circuit {
            Circuit::Up | Circuit::Suspect => self.set(Circuit::Up),
            Circuit::Down | Circuit::Probing => self.succeed(policy),
        }
    }

    fn on_probe_answered(&mut self, policy: &Policy) {
        self.failed_probes = 0;
        match self.circuit {
            Circuit::Up => {}
            Circuit::Suspect | Circuit::Down | Circuit::Probing => self.succeed(policy),
        }
    }

    fn on_call_failed(&mut self, policy: &Policy) {
        self.failed_calls = self.failed_calls.saturating_add(1).min(policy.passive_fall.max(1));
        match self.circuit {
            Circuit::Up if self.failed_calls >= policy.passive_fall.max(1) => self.set(Circuit::Suspect),
            Circuit::Suspect => self.successes = 0,
            Circuit::Up | Circuit::Down | Circuit::Probing => {}
        }
    }

    fn on_probe_failed(&mut self, policy: &Policy) {
        self.failed_probes = self.failed_probes.saturating_add(1).min(policy.fall.max(1));
        self.successes = 0;
        match self.circuit {
            Circuit::Up | Circuit::Suspect if self.failed_probes < policy.fall.max(1) => {}
            Circuit::Up | Circuit::Suspect | Circuit::Down | Circuit::Probing => self.set(Circuit::Down),
        }
    }

    fn succeed(&mut self, policy: &Policy) {
        self.successes = self.successes.saturating_add(1);
        if self.successes >= policy.rise.max(1) {
            self.set(Circuit::Up);
        } else if self.circuit == Circuit::Down {
            self.circuit = Circuit::Probing;
        }
    }

    fn set(&mut self, circuit: Circuit) {
        if self.circuit != circuit {
            self.successes = 0;
        }
        if circuit == Circuit::Up {
            self.failed_calls = 0;
            self.failed_probes = 0;
        }
        self.circuit = circuit;
    }
}
