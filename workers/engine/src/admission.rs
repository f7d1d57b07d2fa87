//! Who may begin a call: drain, the state and the limits of the line, the limits of the shard; and how
//! many calls count against each limit. With several shards the others' counts are known from gossip,
//! so that a limit may be overshot by what begins within one gossip interval.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use um_media::Leg;
use um_routing::TargetId;
use um_topology::Id;

use crate::gossip::Gossip;

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
    lines: BTreeSet<(Id, Leg)>,
    targets: BTreeSet<TargetId>,
    due: Option<Instant>,
}

#[derive(Debug, Default)]
struct LineLoad {
    inbound: Load,
    outbound: Load,
    bucket: Option<Bucket>,
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
        let (inbound, outbound) = (load.inbound.total(), load.outbound.total());
        let full = |limit: Option<u32>, count: u32| limit.is_some_and(|limit| count >= limit);
        if full(limits.calls, inbound.saturating_add(outbound)) || full(limits.calls_in, inbound) {
            return Err(Refusal::LineFull);
        }
        if let Some(rate) = limits.rate
            && !load.bucket.get_or_insert_with(|| Bucket::full(now, rate)).take(now, rate, shards)
        {
            return Err(Refusal::LineRate);
        }
        self.calls += 1;
        self.begin_line(now, line, Leg::Inbound);
        Ok(())
    }

    /// Whether the line may not send another call out.
    pub(crate) fn is_full_outbound(&self, line: &Id, limits: &LineLimits) -> bool {
        let load = self.lines.get(line);
        let inbound = load.map_or(0, |load| load.inbound.total());
        let outbound = load.map_or(0, |load| load.outbound.total());
        limits.calls.is_some_and(|limit| inbound.saturating_add(outbound) >= limit)
            || limits.calls_out.is_some_and(|limit| outbound >= limit)
    }

    /// Ends what [`Admission::admit`] let in.
    pub(crate) fn leave(&mut self, now: Instant, line: &Id) {
        self.calls = self.calls.saturating_sub(1);
        self.end_line(now, line, Leg::Inbound);
    }

    pub(crate) fn begin_line(&mut self, now: Instant, line: &Id, leg: Leg) {
        let load = self.lines.entry(line.clone()).or_default().of(leg);
        load.ours = load.ours.saturating_add(1);
        self.note_line(now, line, leg);
    }

    pub(crate) fn end_line(&mut self, now: Instant, line: &Id, leg: Leg) {
        if let Some(load) = self.lines.get_mut(line) {
            let load = load.of(leg);
            load.ours = load.ours.saturating_sub(1);
            self.note_line(now, line, leg);
        }
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
        self.lines.retain(|id, load| wanted(id) || load.inbound.total() > 0 || load.outbound.total() > 0);
    }

    /// Takes over another shard's counts.
    pub(crate) fn hear(&mut self, from: u16, targets: Vec<(TargetId, u32)>, lines: Vec<(Id, Leg, u32)>) {
        for (target, count) in targets {
            let load = self.targets.entry(target.clone()).or_default();
            load.set(from, count);
            if load.total() == 0 {
                self.targets.remove(&target);
            }
        }
        for (line, leg, count) in lines {
            self.lines.entry(line).or_default().of(leg).set(from, count);
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
        let lines = news.lines.into_iter().map(|(id, leg)| {
            let ours = self.lines.get_mut(&id).map_or(0, |load| load.of(leg).ours);
            (id, leg, ours)
        });
        let lines = lines.collect();
        let targets = news.targets.into_iter().map(|id| {
            let ours = self.targets.get(&id).map_or(0, |load| load.ours);
            (id, ours)
        });
        Some(Gossip::Load { shard: self.shard, targets: targets.collect(), lines })
    }

    fn note_line(&mut self, now: Instant, line: &Id, leg: Leg) {
        if self.shards > 1 {
            self.news.lines.insert((line.clone(), leg));
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
    fn of(&mut self, leg: Leg) -> &mut Load {
        match leg {
            Leg::Inbound => &mut self.inbound,
            Leg::Outbound => &mut self.outbound,
        }
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
