//! One update on its way to a worker: a snapshot or a delta, cut into messages of bounded size as they are asked for.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use super::Config;
use crate::message::FromControl;
use crate::{Change, Snapshot};

/// A snapshot or delta that is being sent or waits for its answer.
#[derive(Debug)]
pub(super) struct Update<R: Clone> {
    pub(super) nonce: u64,
    /// What the worker shall run.
    pub(super) target: Snapshot<R>,
    pub(super) answer_until: Instant,
    chunk: u32,
    rest: Rest<R>,
}

/// What is still to be sent.
#[derive(Debug)]
enum Rest<R> {
    /// Of a snapshot, all resources after this name.
    Snapshot { after: Option<Arc<str>> },
    /// Of a delta, these changes.
    Delta { from_revision: i64, changes: VecDeque<Change<R>> },
    /// Nothing.
    Sent,
}

impl<R: Clone> Update<R> {
    pub(super) const fn snapshot(nonce: u64, target: Snapshot<R>, answer_until: Instant) -> Self {
        Self { nonce, target, answer_until, chunk: 0, rest: Rest::Snapshot { after: None } }
    }

    pub(super) fn delta(
        nonce: u64,
        from_revision: i64,
        target: Snapshot<R>,
        changes: Vec<Change<R>>,
        answer_until: Instant,
    ) -> Self {
        let rest = Rest::Delta { from_revision, changes: changes.into() };
        Self { nonce, target, answer_until, chunk: 0, rest }
    }

    /// Says whether the last message was made.
    pub(super) const fn is_sent(&self) -> bool {
        matches!(self.rest, Rest::Sent)
    }

    /// Makes the next message; `None` after the last.
    pub(super) fn next_message(&mut self, config: &Config<R>) -> Option<FromControl<R>> {
        let (nonce, revision, chunk) = (self.nonce, self.target.revision, self.chunk);
        let (message, rest) = match std::mem::replace(&mut self.rest, Rest::Sent) {
            Rest::Sent => return None,
            Rest::Snapshot { after } => {
                let (resources, rest) = self.next_resources(config, after);
                let last = matches!(rest, Rest::Sent);
                let store_id = Arc::clone(&self.target.store_id);
                (FromControl::Snapshot { nonce, revision, store_id, chunk, last, resources }, rest)
            }
            Rest::Delta { from_revision, changes } => {
                let (changes, rest) = next_changes(config, from_revision, changes);
                let last = matches!(rest, Rest::Sent);
                (FromControl::Delta { nonce, revision, from_revision, chunk, last, changes }, rest)
            }
        };
        self.rest = rest;
        self.chunk += 1;
        Some(message)
    }

    /// Takes as many resources after a name as fit one message.
    fn next_resources(&self, config: &Config<R>, after: Option<Arc<str>>) -> (Vec<(Arc<str>, R)>, Rest<R>) {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut budget = Budget::new(config);
        let mut taken: Vec<(Arc<str>, R)> = Vec::new();
        for (name, resource) in self.target.resources.range((start, Bound::Unbounded)) {
            if !budget.takes((config.size)(resource)) {
                let after = taken.last().map(|(name, _)| Arc::clone(name));
                return (taken, Rest::Snapshot { after });
            }
            taken.push((Arc::clone(name), resource.clone()));
        }
        (taken, Rest::Sent)
    }
}

/// Takes as many changes as fit one message.
fn next_changes<R>(
    config: &Config<R>,
    from_revision: i64,
    mut changes: VecDeque<Change<R>>,
) -> (Vec<Change<R>>, Rest<R>) {
    let mut budget = Budget::new(config);
    let mut taken = Vec::new();
    while let Some(change) = changes.pop_front() {
        let size = match &change {
            Change::Put(_, resource) => (config.size)(resource),
            Change::Delete(name) => name.len(),
        };
        if !budget.takes(size) {
            changes.push_front(change);
            return (taken, Rest::Delta { from_revision, changes });
        }
        taken.push(change);
    }
    (taken, Rest::Sent)
}

/// What still fits one message.
struct Budget {
    items: usize,
    bytes: usize,
    empty: bool,
}

impl Budget {
    const fn new<R>(config: &Config<R>) -> Self {
        Self { items: config.chunk_items, bytes: config.chunk_bytes, empty: true }
    }

    /// Takes one more if it fits; the first one always does.
    fn takes(&mut self, size: usize) -> bool {
        let fits = self.empty || (self.items > 0 && size <= self.bytes);
        if fits {
            self.empty = false;
            self.items = self.items.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(size);
        }
        fits
    }
}
