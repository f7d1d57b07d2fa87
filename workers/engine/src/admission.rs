//! Who may begin a call: drain, the state and the limits of the line, the limits of the shard; and how
//! many calls count against each limit. With several shards the others' counts are known from gossip,
//! so that a limit may be overshot by what begins within one gossip interval.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use um_routing::TargetId;
use um_topology::Id;

use crate::gossip::Gossip;

pub(crate) mod lobby;
pub(crate) mod overload;
mod sources;

#[cfg(test)]
mod tests;

/// Why a new call is refused before any work; each is answered 503 with `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The worker drains.
    Draining,
    /// The line is inactive, deleted or replaced.
    LineInactive,
    /// The line has as many calls as it may.
    LineFull,
    /// The line was offered more calls in a second than it may take.
    LineRate,
    /// The shard has as many calls as it may.
    ShardFull,
}

impl Refusal {
    /// Seconds for `Retry-After`.
    #[must_use]
    pub const fn retry_after(self) -> u32 {
        match self {
            Self::Draining | Self::LineInactive => 10,
            Self::LineFull | Self::ShardFull => 5,
            Self::LineRate => 1,
        }
    }

    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::LineInactive => "line_inactive",
            Self::LineFull => "line_full",
            Self::LineRate => "line_rate",
            Self::ShardFull => "shard_full",
        }
    }
}

/// The limits of one line; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineLimits {
    pub(crate) calls: Option<u32>,
    pub(crate) calls_in: Option<u32>,
    pub(crate) calls_out: Option<u32>,
    /// New inbound calls per second.
    pub(crate) rate: Option<u32>,
}

/// All counts of one shard, and what it heard of the others'.
#[derive(Debug)]
pub(crate) struct Admission {
    shard: u16,
    shards: u16,
    draining: bool,
    limit: usize,
    calls: usize,
    lines: BTreeMap<Id, LineLoad>,
    targets: BTreeMap<TargetId, Load>,
    news: News,
}

/// What changed since the last gossip.
#[derive(Debug, Default)]
struct News {
    lines: BTreeSet<Id>,
    targets: BTreeSet<TargetId>,
    due: Option<Instant>,
}

#[derive(Debug, Default)]
struct LineLoad {
    ours: LineCount,
    /// By shard; those without calls are left out.
    others: BTreeMap<u16, LineCount>,
    bucket: Option<Bucket>,
}

/// How many calls a line has. One that comes in and goes out on it is one call, with a leg in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// Calls with a leg on the line.
    pub calls: u32,
    /// Those that came in on it.
    pub inbound: u32,
    /// Those that went out on it.
    pub outbound: u32,
}

/// Whether the call that asks to go out on a line came in on it too, so that it counts already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameLine {
    /// It did.
    Yes,
    /// It came in on another one.
    No,
}

#[derive(Debug, Default)]
struct Load {
    ours: u32,
    /// By shard; those without calls are left out.
    others: BTreeMap<u16, u32>,
}

/// Lets `rate` calls a second through, and as many at once after a quiet second.
#[derive(Debug)]
struct Bucket {
    /// In thousandths of a call.
    level: u64,
    filled: Instant,
}

impl Admission {
    pub(crate) fn new(shard: u16, shards: u16, limit: usize) -> Self {
        Self {
            shard,
            shards,
            draining: false,
            limit,
            calls: 0,
            lines: BTreeMap::new(),
            targets: BTreeMap::new(),
            news: News::default(),
        }
    }

    pub(crate) fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.draining
    }

    /// Lets a new inbound call in and counts it, or says why not.
    pub(crate) fn admit(&mut self, now: Instant, line: &Id, limits: &LineLimits) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::Draining);
        }
        if self.calls >= self.limit {
            return Err(Refusal::ShardFull);
        }
        let shards = u64::from(self.shards.max(1));
        let load = self.lines.entry(line.clone()).or_default();
        let count = load.total();
        let full = |limit: Option<u32>, count: u32| limit.is_some_and(|limit| count >= limit);
        if full(limits.calls, count.calls) || full(limits.calls_in, count.inbound) {
            return Err(Refusal::LineFull);
        }
        if let Some(rate) = limits.rate
            && !load.bucket.get_or_insert_with(|| Bucket::full(now, rate)).take(now, rate, shards)
        {
            return Err(Refusal::LineRate);
        }
        load.ours.calls += 1;
        load.ours.inbound += 1;
        self.calls += 1;
        self.note_line(now, line);
        Ok(())
    }

    /// Whether the line may not send this call out.
    pub(crate) fn is_full_outbound(&self, line: &Id, limits: &LineLimits, same: SameLine) -> bool {
        let count = self.lines.get(line).map_or_else(LineCount::default, LineLoad::total);
        let calls = match same {
            SameLine::Yes => count.calls.saturating_sub(1),
            SameLine::No => count.calls,
        };
        limits.calls.is_some_and(|limit| calls >= limit)
            || limits.calls_out.is_some_and(|limit| count.outbound >= limit)
    }

    /// Ends what [`Admission::admit`] let in.
    pub(crate) fn leave(&mut self, now: Instant, line: &Id) {
        self.calls = self.calls.saturating_sub(1);
        if let Some(load) = self.lines.get_mut(line) {
            load.ours.calls = load.ours.calls.saturating_sub(1);
            load.ours.inbound = load.ours.inbound.saturating_sub(1);
        }
        self.note_line(now, line);
    }

    /// Counts a call that goes out on a line.
    pub(crate) fn begin_outbound(&mut self, now: Instant, line: &Id, same: SameLine) {
        let ours = &mut self.lines.entry(line.clone()).or_default().ours;
        ours.outbound += 1;
        ours.calls += u32::from(same == SameLine::No);
        self.note_line(now, line);
    }

    pub(crate) fn end_outbound(&mut self, now: Instant, line: &Id, same: SameLine) {
        if let Some(load) = self.lines.get_mut(line) {
            load.ours.outbound = load.ours.outbound.saturating_sub(1);
            load.ours.calls = load.ours.calls.saturating_sub(u32::from(same == SameLine::No));
        }
        self.note_line(now, line);
    }

    pub(crate) fn begin_target(&mut self, now: Instant, target: &TargetId) {
        let load = self.targets.entry(target.clone()).or_default();
        load.ours = load.ours.saturating_add(1);
        self.note_target(now, target);
    }

    pub(crate) fn end_target(&mut self, now: Instant, target: &TargetId) {
        let Some(load) = self.targets.get_mut(target) else { return };
        load.ours = load.ours.saturating_sub(1);
        if load.ours == 0 && load.others.is_empty() {
            self.targets.remove(target);
        }
        self.note_target(now, target);
    }

    /// Calls that a target has on all shards, as far as known here.
    pub(crate) fn target_calls(&self, target: &TargetId) -> u32 {
        self.targets.get(target).map_or(0, Load::total)
    }

    /// Forgets the counts of lines that nobody has calls on and no topology names.
    pub(crate) fn retain_lines(&mut self, wanted: impl Fn(&Id) -> bool) {
        self.lines.retain(|id, load| wanted(id) || load.total().calls > 0);
    }

    /// Takes over another shard's counts.
    pub(crate) fn hear(&mut self, from: u16, targets: Vec<(TargetId, u32)>, lines: Vec<(Id, LineCount)>) {
        for (target, count) in targets {
            let load = self.targets.entry(target.clone()).or_default();
            load.set(from, count);
            if load.total() == 0 {
                self.targets.remove(&target);
            }
        }
        for (line, count) in lines {
            let others = &mut self.lines.entry(line).or_default().others;
            if count == LineCount::default() {
                others.remove(&from);
            } else {
                others.insert(from, count);
            }
        }
    }

    /// When the others are to be told.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.news.due
    }

    /// Says what changed, if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Gossip> {
        if self.news.due.is_none_or(|due| due > now) {
            return None;
        }
        let news = std::mem::take(&mut self.news);
        let lines = news.lines.into_iter().map(|id| {
            let ours = self.lines.get(&id).map_or_else(LineCount::default, |load| load.ours);
            (id, ours)
        });
        let lines = lines.collect();
        let targets = news.targets.into_iter().map(|id| {
            let ours = self.targets.get(&id).map_or(0, |load| load.ours);
            (id, ours)
        });
        Some(Gossip::Load { shard: self.shard, targets: targets.collect(), lines })
    }

    fn note_line(&mut self, now: Instant, line: &Id) {
        if self.shards > 1 {
            self.news.lines.insert(line.clone());
            self.news.due.get_or_insert(now + GOSSIP_INTERVAL);
        }
    }

    fn note_target(&mut self, now: Instant, target: &TargetId) {
        if self.shards > 1 {
            self.news.targets.insert(target.clone());
            self.news.due.get_or_insert(now + GOSSIP_INTERVAL);
        }
    }
}

impl LineLoad {
    fn total(&self) -> LineCount {
        self.others.values().fold(self.ours, |sum, other| LineCount {
            calls: sum.calls.saturating_add(other.calls),
            inbound: sum.inbound.saturating_add(other.inbound),
            outbound: sum.outbound.saturating_add(other.outbound),
        })
    }
}

impl Load {
    fn total(&self) -> u32 {
        self.others.values().fold(self.ours, |sum, count| sum.saturating_add(*count))
    }

    fn set(&mut self, shard: u16, count: u32) {
        if count == 0 {
            self.others.remove(&shard);
        } else {
            self.others.insert(shard, count);
        }
    }
}

impl Bucket {
    fn full(now: Instant, rate: u32) -> Self {
        Self { level: u64::from(rate) * CALL, filled: now }
    }

    /// Each shard may take its share of the rate.
    fn take(&mut self, now: Instant, rate: u32, shards: u64) -> bool {
        let elapsed =
            u64::try_from(now.saturating_duration_since(self.filled).as_millis()).unwrap_or(u64::MAX);
        if elapsed > 0 {
            self.filled = now;
        }
        let share = u64::from(rate) / shards;
        let share = share.max(1).min(u64::from(rate));
        self.level = elapsed.saturating_mul(share).saturating_add(self.level).min(share * CALL);
        if self.level < CALL {
            return false;
        }
        self.level -= CALL;
        true
    }
}

/// One call in a bucket; a millisecond fills it by the rate.
const CALL: u64 = 1_000;
/// How often the others are told of changed counts, at most.
const GOSSIP_INTERVAL: Duration = Duration::from_millis(20);
