//! The cache of raw record answers: one entry per name and kind, one question under way for each. An answer
//! holds for its TTL; after it, and for a stated time at most, it still serves while the resolver is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::input::{Record, RecordKind, Resolution, ResolveError};
use crate::output::QueryId;

/// What is asked: a name in lower case without the final dot, and the kind of its records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) name: Box<str>,
    pub(crate) kind: RecordKind,
}

impl Question {
    pub(super) fn new(name: &str, kind: RecordKind) -> Self {
        let mut name: Box<str> = name.trim_end_matches('.').into();
        name.make_ascii_lowercase();
        Self { name, kind }
    }
}

/// Whether a search may still wait for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// What is not known is asked for.
    Later,
    /// What is known by now has to do, stale answers too.
    Now,
}

/// What the cache knows of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// These records; none if the name has none of this kind.
    Records(Arc<[Record]>),
    /// Nobody can say at present.
    Failed(ResolveError),
    /// It has to be asked, or the answer is awaited.
    Awaited,
}

#[derive(Debug)]
pub(super) struct Cache<W> {
    entries: BTreeMap<Question, Entry<W>>,
    asked: BTreeMap<QueryId, Question>,
    deadlines: BTreeSet<(Instant, QueryId)>,
    by_use: BTreeMap<u64, Question>,
    uses: u64,
    limit: usize,
    last: u64,
}

#[derive(Debug)]
struct Entry<W> {
    answer: Option<Answer>,
    failed: Option<Failed>,
    /// Since when the resolver has the question.
    asked: Option<Instant>,
    waiting: Vec<W>,
    used: u64,
}

#[derive(Debug)]
struct Answer {
    records: Arc<[Record]>,
    /// From here on it is asked for again while it still holds, so that no call has to wait.
    refresh: Instant,
    fresh: Instant,
    stale: Instant,
}

/// The resolver had nothing to say; it is not asked again before `until`.
#[derive(Clone, Copy, Debug)]
struct Failed {
    error: ResolveError,
    until: Instant,
}

impl<W> Cache<W> {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            asked: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            limit,
            last: 0,
        }
    }

    /// Says what is known, without asking for anything.
    pub(super) fn known(&self, now: Instant, question: &Question, settle: Settle) -> Known {
        let Some(entry) = self.entries.get(question) else {
            return match settle {
                Settle::Later => Known::Awaited,
                Settle::Now => Known::Failed(ResolveError::TimedOut),
            };
        };
        let failed = entry.failed.filter(|failed| failed.until > now);
        if let Some(answer) = &entry.answer {
            let dead = failed.is_some() || entry.asked.is_some_and(|since| since + STALE_AFTER <= now);
            let serves = answer.fresh > now || (answer.stale > now && (dead || settle == Settle::Now));
            if serves {
                return Known::Records(Arc::clone(&answer.records));
            }
        }
        match (failed, settle) {
            (Some(failed), _) => Known::Failed(failed.error),
            (None, Settle::Now) => Known::Failed(ResolveError::TimedOut),
            (None, Settle::Later) => Known::Awaited,
        }
    }

    /// The last records of a question, however old.
    pub(super) fn last_known(&self, question: &Question) -> Option<&Arc<[Record]>> {
        self.entries.get(question)?.answer.as_ref().map(|answer| &answer.records)
    }

    /// Notes that a question is of use now, and says whether it has to be put to the resolver. `None` if there
    /// is no room for it.
    pub(super) fn want(&mut self, now: Instant, question: &Question) -> Option<Option<QueryId>> {
        if !self.entries.contains_key(question) && !self.make_room() {
            return None;
        }
        self.uses += 1;
        let used = self.uses;
        let entry = self.entries.entry(question.clone()).or_insert_with(Entry::new);
        self.by_use.remove(&entry.used);
        entry.used = used;
        self.by_use.insert(used, question.clone());
        if !entry.is_due(now) {
            return Some(None);
        }
        self.last += 1;
        let query = QueryId(self.last);
        entry.asked = Some(now);
        self.asked.insert(query, question.clone());
        self.deadlines.insert((now + RESOLVER_TIMEOUT, query));
        Some(Some(query))
    }

    /// Files somebody who waits for the answer to a question.
    pub(super) fn wait(&mut self, question: &Question, waiter: W) {
        if let Some(entry) = self.entries.get_mut(question) {
            entry.waiting.push(waiter);
        }
    }

    /// Takes an answer and returns who waited for it.
    pub(super) fn resolved(
        &mut self,
        now: Instant,
        query: QueryId,
        result: Result<Resolution, ResolveError>,
    ) -> Vec<W> {
        let Some(question) = self.asked.remove(&query) else { return Vec::new() };
        let Some(entry) = self.entries.get_mut(&question) else { return Vec::new() };
        if let Some(since) = entry.asked.take() {
            self.deadlines.remove(&(since + RESOLVER_TIMEOUT, query));
        }
        match result {
            Ok(found) if !found.records.is_empty() => entry.learn(now, found),
            Ok(_) | Err(ResolveError::NotFound) => entry.learn_absence(now),
            Err(error @ (ResolveError::TimedOut | ResolveError::Failed)) => {
                entry.failed = Some(Failed { error, until: now + NEGATIVE_TTL });
            }
        }
        std::mem::take(&mut entry.waiting)
    }

    /// A question that the resolver has left open for too long.
    pub(super) fn overdue(&self, now: Instant) -> Option<QueryId> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, query)| *query)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// How many questions are open.
    pub(super) fn asking(&self) -> usize {
        self.asked.len()
    }

    /// Makes room for one more entry: the one that was of no use for the longest time goes, unless its answer is awaited.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < self.limit {
            return true;
        }
        let idle = |question: &&Question| {
            self.entries.get(*question).is_none_or(|entry| entry.asked.is_none() && entry.waiting.is_empty())
        };
        let Some(oldest) = self.by_use.values().find(idle).cloned() else { return false };
        if let Some(entry) = self.entries.remove(&oldest) {
            self.by_use.remove(&entry.used);
        }
        true
    }
}

impl<W> Entry<W> {
    const fn new() -> Self {
        Self { answer: None, failed: None, asked: None, waiting: Vec::new(), used: 0 }
    }

    fn is_due(&self, now: Instant) -> bool {
        let failed = self.failed.is_some_and(|failed| failed.until > now);
        let held = self.answer.as_ref().is_some_and(|answer| answer.refresh > now);
        self.asked.is_none() && !failed && !held
    }

    fn learn(&mut self, now: Instant, found: Resolution) {
        let ttl = found.ttl.clamp(TTL_MIN, TTL_MAX);
        let fresh = now + ttl;
        self.failed = None;
        self.answer = Some(Answer {
            records: found.records.into(),
            refresh: fresh - (ttl / 10).min(REFRESH_AHEAD),
            fresh,
            stale: fresh + STALE_MAX,
        });
    }

    /// The name is gone: what was known before must not serve any more.
    fn learn_absence(&mut self, now: Instant) {
        let fresh = now + NEGATIVE_TTL;
        self.failed = None;
        self.answer =
            Some(Answer { records: Arc::from([]), refresh: fresh - NEGATIVE_TTL / 10, fresh, stale: fresh });
    }
}

/// How long a failed or empty answer is believed.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);
/// A TTL of zero would mean one question per call.
const TTL_MIN: Duration = Duration::from_secs(1);
/// No record is believed for longer without asking (RFC 8767 §4).
const TTL_MAX: Duration = Duration::from_secs(86_400);
/// How long before its end an answer that is in use is refreshed, at most.
const REFRESH_AHEAD: Duration = Duration::from_secs(10);
/// How long after its TTL an answer may serve while the resolver is dead (RFC 8767 §5: one to three days).
pub(super) const STALE_MAX: Duration = Duration::from_secs(86_400);
/// A stale answer serves once the resolver has been silent for so long.
pub(super) const STALE_AFTER: Duration = Duration::from_millis(500);
/// The driver's resolver answers within 2 s; this is for one that does not answer at all.
const RESOLVER_TIMEOUT: Duration = Duration::from_millis(2_100);
