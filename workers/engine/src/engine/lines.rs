//! Which bound lines are still needed: by calls, and for 64·T1 after the last one by the transactions
//! that absorb repetitions. A draining line that is not needed any more may be closed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use um_sip::LineIndex;

/// The uses of all lines.
#[derive(Debug, Default)]
pub(super) struct LineUses {
    lines: BTreeMap<LineIndex, Uses>,
}

#[derive(Debug, Default)]
struct Uses {
    calls: u32,
    /// When the last call ended.
    left: Option<Instant>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    Draining,
    /// Its idleness was told.
    Told,
}

impl LineUses {
    /// Notes that a call may need these lines.
    pub(super) fn begin(&mut self, lines: &[LineIndex]) {
        for line in lines {
            self.lines.entry(*line).or_default().calls += 1;
        }
    }

    /// Notes that it does not any more.
    pub(super) fn end(&mut self, now: Instant, lines: &[LineIndex]) {
        for line in lines {
            if let Some(uses) = self.lines.get_mut(line) {
                uses.calls = uses.calls.saturating_sub(1);
                uses.left = Some(now);
            }
        }
    }

    /// Takes over which lines drain; lines that are not named are closed already.
    pub(super) fn configure(&mut self, lines: &[(LineIndex, bool)]) {
        self.lines.retain(|line, _| lines.iter().any(|(known, _)| known == line));
        for (line, draining) in lines {
            let uses = self.lines.entry(*line).or_default();
            uses.phase = match (draining, uses.phase) {
                (false, _) => Phase::Open,
                (true, Phase::Told) => Phase::Told,
                (true, Phase::Open | Phase::Draining) => Phase::Draining,
            };
        }
    }

    pub(super) fn uses(&self, line: LineIndex) -> bool {
        self.lines.get(&line).is_some_and(|uses| uses.calls > 0 || uses.phase == Phase::Draining)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.lines.values().filter_map(Uses::idle_at).min()
    }

    /// The draining lines that have become idle, each once.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<LineIndex> {
        let mut idle = Vec::new();
        for (line, uses) in &mut self.lines {
            if uses.idle_at().is_some_and(|at| at <= now) {
                uses.phase = Phase::Told;
                idle.push(*line);
            }
        }
        idle
    }

    /// The draining lines that no call has ever used, each once.
    pub(super) fn never_used(&mut self) -> Vec<LineIndex> {
        let mut idle = Vec::new();
        for (line, uses) in &mut self.lines {
            if uses.phase == Phase::Draining && uses.calls == 0 && uses.left.is_none() {
                uses.phase = Phase::Told;
                idle.push(*line);
            }
        }
        idle
    }
}

impl Uses {
    fn idle_at(&self) -> Option<Instant> {
        let left = self.left?;
        (self.phase == Phase::Draining && self.calls == 0).then_some(left + LINGER)
    }
}

/// 64·T1 of RFC 3261's default: what a transaction can still be waited for.
const LINGER: Duration = Duration::from_secs(32);
