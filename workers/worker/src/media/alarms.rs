//! When relays have something to send by themselves: a telephone event, silence during a hold. Most relays never have.

use std::{collections::BTreeSet, time::Instant};

/// Deadlines of the relays of one media thread, by slot.
#[derive(Debug, Default)]
pub(super) struct Alarms(BTreeSet<(Instant, usize)>);

impl Alarms {
    /// Files a relay under its next deadline. One under which it was filed before may stay: a relay that has nothing due sends nothing.
    pub(super) fn file(&mut self, slot: usize, at: Option<Instant>) {
        if let Some(at) = at {
            self.0.insert((at, slot));
        }
    }

    /// Takes out a relay whose deadline has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<usize> {
        let (at, slot) = *self.0.first()?;
        if at > now {
            return None;
        }
        self.0.pop_first();
        Some(slot)
    }

    /// Returns the next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }
}
