//! The timers of RFC 3261 §17 and RFC 6026 by letter, and the small table of deadlines that a transaction keeps.
//!
//! A transaction has at most two deadlines at once: the next repetition, and the end of its state.

use std::time::Instant;

/// A timer of RFC 3261 (table 4), of RFC 6026, or one of the three of ours that end a wait the RFC leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// INVITE repeated by the UAC.
    A,
    /// INVITE given up by the UAC.
    B,
    /// Repeated 300–699 absorbed by the UAC.
    D,
    /// Non-INVITE request repeated by the UAC.
    E,
    /// Non-INVITE request given up by the UAC.
    F,
    /// 300–699 to an INVITE repeated by the UAS.
    G,
    /// Wait for the ACK of a 300–699 given up by the UAS.
    H,
    /// Repeated ACKs absorbed by the UAS.
    I,
    /// Repeated non-INVITE requests absorbed by the UAS.
    J,
    /// Repeated final responses absorbed by the UAC.
    K,
    /// Repeated INVITEs absorbed by the UAS after its 2xx (RFC 6026).
    L,
    /// Further 2xx accepted by the UAC (RFC 6026).
    M,
    /// 100 (Trying) due from the UAS: 200 ms for an INVITE (RFC 3261 §17.2.1), RFC 4320 §4.1 for the others.
    Trying,
    /// End of an abandoned or cancelled client transaction, 64·T1 later (RFC 3261 §9.1).
    Linger,
    /// End of a non-INVITE server transaction that was never answered (RFC 4320 §4.2: no 408 is sent).
    Expiry,
}

impl Timer {
    /// Whether the timer repeats or prompts a message, or ends a state.
    const fn slot(self) -> usize {
        match self {
            Self::A | Self::E | Self::G | Self::Trying => 0,
            Self::B
            | Self::D
            | Self::F
            | Self::H
            | Self::I
            | Self::J
            | Self::K
            | Self::L
            | Self::M
            | Self::Linger
            | Self::Expiry => 1,
        }
    }
}

/// The deadlines of one transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimerTable {
    slots: [Option<(Instant, Timer)>; 2],
}

impl TimerTable {
    /// Starts a timer, in place of the one that held its slot.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        self.slots[timer.slot()] = Some((at, timer));
    }

    /// Stops a timer if it runs.
    pub fn stop(&mut self, timer: Timer) {
        let slot = &mut self.slots[timer.slot()];
        if slot.is_some_and(|(_, running)| running == timer) {
            *slot = None;
        }
    }

    /// Stops every timer.
    pub fn stop_all(&mut self) {
        self.slots = [None; 2];
    }

    /// Takes a timer whose deadline has come; the one that ends the state first, so that nothing is sent at or
    /// after a give-up.
    pub fn expire(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let due = |slot: &Option<(Instant, Timer)>| slot.is_some_and(|(at, _)| at <= now);
        let slot = self.slots.iter_mut().rev().find(|slot| due(slot))?;
        slot.take()
    }

    /// Whether the timer runs.
    #[must_use]
    pub fn is_running(&self, timer: Timer) -> bool {
        self.slots[timer.slot()].is_some_and(|(_, running)| running == timer)
    }

    /// Returns the earliest deadline and its timer.
    #[must_use]
    pub fn next(&self) -> Option<(Instant, Timer)> {
        match (self.slots[0], self.slots[1]) {
            (Some(a), Some(b)) => Some(if a.0 < b.0 { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}
