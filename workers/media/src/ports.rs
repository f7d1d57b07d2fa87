//! The media ports of one signalling shard: even and odd pairs (RFC 3550 section 11), reserved and released in logarithmic time.
//!
//! A released pair rests before it is used again, so that late packets of the old call never reach a new one.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// An even port for RTP and the odd one above it for RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortPair {
    rtp: u16,
}

impl PortPair {
    /// Returns the pair that starts at `rtp`, if that port is even and not 0.
    pub fn new(rtp: u16) -> Option<Self> {
        (rtp != 0 && rtp.is_multiple_of(2)).then_some(Self { rtp })
    }

    /// Returns the even port.
    pub fn rtp(self) -> u16 {
        self.rtp
    }

    /// Returns the odd port; it exists because the highest even port is 65534.
    pub fn rtcp(self) -> u16 {
        self.rtp | 1
    }
}

/// An inclusive range of UDP ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// Returns how many whole pairs the range holds.
    pub fn pairs(self) -> u32 {
        (u32::from(self.last) + 1).saturating_sub(self.base()) / 2
    }

    /// Returns the part of the range that belongs to one of `shards` shards; parts do not overlap and differ by at most one pair.
    /// `None` when there are fewer pairs than shards, or no such shard.
    pub fn slice(self, shard: u16, shards: u16) -> Option<Self> {
        let (pairs, shards, shard) = (self.pairs(), u32::from(shards), u32::from(shard));
        if shard >= shards || pairs < shards {
            return None;
        }
        let base = self.base();
        let first = base + pairs * shard / shards * 2;
        let last = base + pairs * (shard + 1) / shards * 2 - 1;
        Some(Self { first: u16::try_from(first).ok()?, last: u16::try_from(last).ok()? })
    }

    /// Returns the lowest even port; beyond the port space when there is none.
    fn base(self) -> u32 {
        u32::from(self.first.max(1)).next_multiple_of(2)
    }
}

/// The pool is empty: every pair is in use or resting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {limit} media port pairs are in use or resting")]
pub struct Exhausted {
    /// How many pairs the pool has.
    pub limit: u32,
}

/// The pairs of a range. `reserve` and `release` take time logarithmic in how many pairs rest, on average.
#[derive(Debug)]
pub struct PortPool {
    /// Pairs that may be reserved: those used before, the last one first, then those never used. So a worker keeps to few ports,
    /// whose sockets its driver may have kept too.
    free: VecDeque<PortPair>,
    /// Released pairs by when they may be used again, and when they were released.
    resting: BTreeMap<(Instant, PortPair), Instant>,
    /// By index of the pair in the range: whether it is reserved.
    reserved: Vec<bool>,
    base: u16,
    used: u32,
    quarantine: Duration,
}

impl PortPool {
    /// Creates a pool of all pairs in `range`; a released pair rests for `quarantine`.
    pub fn new(range: PortRange, quarantine: Duration) -> Self {
        let base = u16::try_from(range.base()).unwrap_or(u16::MAX);
        let free: VecDeque<_> = (u32::from(base)..)
            .step_by(2)
            .zip(0..range.pairs())
            .filter_map(|(rtp, _)| u16::try_from(rtp).ok().and_then(PortPair::new))
            .collect();
        Self { reserved: vec![false; free.len()], free, resting: BTreeMap::new(), base, used: 0, quarantine }
    }

    /// Reserves a pair that is not in use and has rested, rather one that was used before.
    ///
    /// # Errors
    /// [`Exhausted`] when every pair is in use or resting.
    pub fn reserve(&mut self, now: Instant) -> Result<PortPair, Exhausted> {
        while let Some(entry) = self.resting.first_entry()
            && entry.key().0 <= now
        {
            let ((_, pair), _) = entry.remove_entry();
            self.free.push_front(pair);
        }
        let limit = self.limit();
        let pair = self.free.pop_front().ok_or(Exhausted { limit })?;
        self.mark(pair, true);
        self.used += 1;
        Ok(pair)
    }

    /// Reserves the pair whose rest ends next, although it is not over: for a pool that is empty otherwise, where
    /// a call without ports would be the greater harm. It has rested for `least` at the least.
    ///
    /// # Errors
    /// [`Exhausted`] when that pair has not rested for that long.
    pub fn reserve_rested(&mut self, now: Instant, least: Duration) -> Result<PortPair, Exhausted> {
        let exhausted = Exhausted { limit: self.limit() };
        let next = self.resting.first_entry().filter(|entry| *entry.get() + least <= now);
        let ((_, pair), _) = next.ok_or(exhausted)?.remove_entry();
        self.mark(pair, true);
        self.used += 1;
        Ok(pair)
    }

    /// Gives a pair back; it rests before it is used again. A pair that is not reserved is ignored.
    pub fn release(&mut self, now: Instant, pair: PortPair) {
        self.release_after(now, pair, self.quarantine);
    }

    /// Gives a pair back as [`Self::release`] does; it rests for as long as `rest` says.
    pub fn release_after(&mut self, now: Instant, pair: PortPair, rest: Duration) {
        if self.mark(pair, false) {
            self.used -= 1;
            self.resting.insert((now + rest, pair), now);
        }
    }

    /// Returns how many pairs are reserved.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Returns how many pairs there are.
    pub fn limit(&self) -> u32 {
        u32::try_from(self.reserved.len()).unwrap_or(u32::MAX)
    }

    /// Sets whether `pair` is reserved; returns whether that changed.
    fn mark(&mut self, pair: PortPair, reserved: bool) -> bool {
        let index = usize::from(pair.rtp.wrapping_sub(self.base) / 2);
        match self.reserved.get_mut(index) {
            Some(state) if *state != reserved => {
                *state = reserved;
                true
            }
            Some(_) | None => false,
        }
    }
}

/// How long a released pair rests: longer than packets live in a network and a peer keeps sending after BYE.
pub const QUARANTINE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
