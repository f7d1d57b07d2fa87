//! How much each source address takes of what is let in: a hard rate if one is set, and a fair share in an overload, so
//! that one peer's flood does not cost the others their calls.
//!
//! Sources are kept in a table of fixed size by a keyed hash; what a flood from many addresses can do is to share slots
//! with others, never to grow it. An IPv6 source is its /64.

use std::hash::{DefaultHasher, Hasher};
use std::net::IpAddr;
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// The sources of one shard.
#[derive(Debug)]
pub(super) struct Sources {
    seed: [u8; 32],
    /// Newcomers that one source may bring a second; `None` is no limit.
    rate: Option<u32>,
    slots: Vec<Slot>,
    /// Number of the present interval, and when it began.
    interval: u64,
    begun: Option<Instant>,
    now: Totals,
    before: Totals,
}

/// What one interval brought.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    /// Sources that were seen.
    sources: u32,
    /// Newcomers that were let in.
    admitted: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The interval in which it was last seen.
    interval: u64,
    admitted: u32,
    /// Thousandths of newcomers that the rate still allows.
    level: u64,
    filled: Option<Instant>,
}

impl Sources {
    pub(super) fn new(seed: [u8; 32], rate: Option<u32>) -> Self {
        Self {
            seed,
            rate,
            slots: vec![Slot::default(); SLOTS],
            interval: 1,
            begun: None,
            now: Totals::default(),
            before: Totals::default(),
        }
    }

    /// Whether the rate of a source allows one more; takes it if so.
    pub(super) fn is_within_rate(&mut self, now: Instant, source: IpAddr) -> bool {
        let Some(rate) = self.rate.map(u64::from) else { return true };
        let slot = self.slot(now, source);
        let full = rate * WHOLE;
        let gained = slot.filled.map_or(full, |filled| {
            let elapsed = now.saturating_duration_since(filled).as_millis();
            u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_mul(rate)
        });
        slot.level = slot.level.saturating_add(gained).min(full);
        slot.filled = Some(now);
        let allowed = slot.level >= WHOLE;
        if allowed {
            slot.level -= WHOLE;
        }
        allowed
    }

    /// Whether a source has had less than an equal share in this interval. Among very many none can be told from a flood
    /// that changes its address, and a single one has nobody to share with.
    pub(super) fn is_below_share(&mut self, now: Instant, source: IpAddr) -> bool {
        let admitted = self.slot(now, source).admitted;
        let sources = self.before.sources.max(self.now.sources);
        (2..=MANY).contains(&sources) && admitted < (self.before.admitted / sources).max(1)
    }

    /// Counts a newcomer that was let in.
    pub(super) fn note_admitted(&mut self, now: Instant, source: IpAddr) {
        self.slot(now, source).admitted += 1;
        self.now.admitted += 1;
    }

    fn slot(&mut self, now: Instant, source: IpAddr) -> &mut Slot {
        let begun = *self.begun.get_or_insert(now);
        let elapsed = now.saturating_duration_since(begun);
        if elapsed >= INTERVAL {
            self.interval += 1;
            self.begun = Some(now);
            let recent = elapsed < 2 * INTERVAL;
            self.before = if recent { self.now } else { Totals::default() };
            self.now = Totals::default();
        }
        let index = self.index(source);
        let slot = &mut self.slots[index];
        if slot.interval != self.interval {
            *slot = Slot { interval: self.interval, admitted: 0, ..*slot };
            self.now.sources += 1;
        }
        slot
    }

    fn index(&self, source: IpAddr) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.seed);
        match source.to_canonical() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()[..8]),
        }
        usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or(0)
    }
}

/// Slots of the table.
const SLOTS: usize = 1_024;
/// One newcomer in a slot's level; a millisecond adds the rate.
const WHOLE: u64 = 1_000;
/// More sources at once than PBXs and UM servers of one worker.
const MANY: u32 = 64;
/// What is let in is shared out anew so often.
const INTERVAL: Duration = Duration::from_millis(100);
