//! The revisions that streams may resume from: what each changed, newest last (rule W7 of the API design).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use imbl::Vector;

use crate::picture::Changed;

/// Revisions that are always kept, within [`MAX_CHANGES`].
const KEPT_REVISIONS: usize = 10_000;
/// Time for which revisions are always kept, within [`MAX_CHANGES`].
const KEPT_TIME: Duration = Duration::from_secs(600);
/// Changes that are kept at most, all revisions together: about 64 MiB of resources.
const MAX_CHANGES: usize = 100_000;

/// One revision.
#[derive(Debug)]
pub struct Revision {
    /// Its number.
    pub revision: i64,
    /// Everything that it changed.
    pub changes: Vec<Changed>,
    /// Several revisions of the store in one, because the store had forgotten them: all after this one.
    pub merged_since: Option<i64>,
    at: Instant,
}

/// A stretch of revisions; cloning it costs next to nothing.
#[derive(Debug, Clone)]
pub struct History {
    /// Every change after this revision is here.
    since: i64,
    revisions: Vector<Arc<Revision>>,
    changes: usize,
}

impl History {
    /// A history that begins after `since`.
    #[must_use]
    pub fn new(since: i64) -> Self {
        Self { since, revisions: Vector::new(), changes: 0 }
    }

    /// Adds the next revision and forgets what is old.
    pub fn push(&mut self, revision: i64, changes: Vec<Changed>, merged_since: Option<i64>, now: Instant) {
        self.changes += changes.len();
        self.revisions.push_back(Arc::new(Revision { revision, changes, merged_since, at: now }));
        while let Some(oldest) = self.revisions.front() {
            let young = self.revisions.len() <= KEPT_REVISIONS || now.duration_since(oldest.at) < KEPT_TIME;
            if young && self.changes <= MAX_CHANGES || self.revisions.len() == 1 {
                return;
            }
            self.since = oldest.revision;
            self.changes -= oldest.changes.len();
            self.revisions.pop_front();
        }
    }

    /// The revisions after `revision`, oldest first; nothing when some of them are no longer kept.
    #[must_use]
    pub fn after(&self, revision: i64) -> Option<impl Iterator<Item = &Arc<Revision>>> {
        if revision < self.since {
            return None;
        }
        let first = self
            .revisions
            .binary_search_by_key(&revision, |known| known.revision)
            .map_or_else(|at| at, |at| at + 1);
        // What lies inside a merged stretch is not known one by one, so nothing can start from there.
        let next = self.revisions.get(first).and_then(|next| next.merged_since);
        if next.is_some_and(|since| revision > since) {
            return None;
        }
        Some(self.revisions.iter().skip(first))
    }

    /// The oldest revision to resume after.
    #[must_use]
    pub fn since(&self) -> i64 {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use um_topology::Name;

    use super::*;
    use crate::clock;

    fn change() -> Changed {
        Changed { name: Name::line("a"), before: None, after: None }
    }

    fn numbers(history: &History, after: i64) -> Option<Vec<i64>> {
        history.after(after).map(|revisions| revisions.map(|one| one.revision).collect())
    }

    #[test]
    fn resumes_after_any_kept_revision_and_between() {
        let mut history = History::new(10);
        for revision in [12, 15, 20] {
            history.push(revision, vec![change()], None, clock::now());
        }
        assert_eq!(numbers(&history, 10), Some(vec![12, 15, 20]));
        assert_eq!(numbers(&history, 12), Some(vec![15, 20]));
        assert_eq!(numbers(&history, 17), Some(vec![20]));
        assert_eq!(numbers(&history, 20), Some(vec![]));
        assert_eq!(numbers(&history, 9), None);
    }

    #[test]
    fn nothing_starts_inside_a_merged_stretch() {
        let mut history = History::new(10);
        history.push(12, vec![change()], None, clock::now());
        history.push(40, vec![change()], Some(15), clock::now());
        history.push(41, vec![change()], None, clock::now());
        assert_eq!(numbers(&history, 12), Some(vec![40, 41]));
        assert_eq!(numbers(&history, 15), Some(vec![40, 41]));
        assert_eq!(numbers(&history, 16), None);
        assert_eq!(numbers(&history, 40), Some(vec![41]));
    }

    #[test]
    fn old_revisions_are_kept_for_their_time_and_number_and_then_forgotten() {
        let mut history = History::new(0);
        let start = clock::now();
        for revision in 1..=20_000 {
            history.push(revision, vec![change()], None, start);
        }
        assert_eq!(history.since(), 0);
        history.push(20_001, vec![change()], None, start + KEPT_TIME);
        assert_eq!(history.since(), 10_001);
    }

    #[test]
    fn the_number_of_changes_is_bounded_whatever_the_age() {
        let mut history = History::new(0);
        for revision in 1..=3 {
            history.push(revision, vec![change(); MAX_CHANGES / 2], None, clock::now());
        }
        assert_eq!(history.since(), 1);
    }
}
