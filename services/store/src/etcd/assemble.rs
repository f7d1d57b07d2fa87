//! From etcd's watch messages to batches of one whole revision each.
//!
//! A message may hold several revisions, and with fragments one revision may come in several
//! messages. A revision is whole when a later one begins or a message comes that is no fragment.

use etcd_client::{Event as EtcdEvent, KeyValue};

use super::convert::item;
use crate::{
    item::Revision,
    watch::{Batch, Event, Interest},
};

/// etcd's number for a deletion.
const DELETE: i32 = 1;

/// Collects events until their revision is whole.
pub(super) struct Assembler {
    interest: Interest,
    /// The next revision to deliver; earlier ones have been.
    next: Revision,
    pending: Option<Batch>,
}

impl Assembler {
    pub(super) const fn new(interest: Interest, next: Revision) -> Self {
        Self { interest, next, pending: None }
    }

    /// Returns the revision to watch from.
    pub(super) const fn next(&self) -> Revision {
        self.next
    }

    /// Forgets what is not whole; it comes again on the next connection.
    pub(super) fn restart(&mut self) {
        self.pending = None;
    }

    /// Takes the events of one message; returns what is whole now.
    pub(super) fn events(&mut self, events: Vec<EtcdEvent>, fragment: bool) -> Vec<Batch> {
        let mut whole = Vec::new();
        for event in events {
            let Some((revision, event)) = convert(event) else { continue };
            if revision < self.next {
                continue;
            }
            if self.pending.as_ref().is_some_and(|pending| pending.revision != revision) {
                whole.extend(self.finish());
            }
            self.pending.get_or_insert(Batch { revision, events: Vec::new() }).events.push(event);
        }
        if !fragment {
            whole.extend(self.finish());
        }
        whole
    }

    /// Notes that everything up to `revision` has arrived; returns it unless a revision is still open.
    pub(super) fn progress(&mut self, revision: Revision) -> Option<Revision> {
        if self.pending.is_some() {
            return None;
        }
        self.next = self.next.max(revision + 1);
        Some(revision)
    }

    /// Closes the pending revision; `None` when nothing in it is watched.
    fn finish(&mut self) -> Option<Batch> {
        let mut batch = self.pending.take()?;
        self.next = batch.revision + 1;
        batch.events.retain(|event| self.interest.covers(event.key()));
        batch.events.sort_by(|a, b| a.key().cmp(b.key()));
        (!batch.events.is_empty()).then_some(batch)
    }
}

fn convert(event: EtcdEvent) -> Option<(Revision, Event)> {
    let event = event.0;
    let kv = item(KeyValue(event.kv?));
    let previous = event.prev_kv.map(|previous| item(KeyValue(previous)));
    let revision = kv.mod_revision;
    if event.r#type == DELETE {
        return Some((revision, Event::Delete { key: kv.key, previous }));
    }
    Some((revision, Event::Put { item: kv, previous }))
}

#[cfg(test)]
mod tests {
    use etcd_client::proto::{PbEvent, PbKeyValue};

    use super::*;

    fn event(key: &str, mod_revision: Revision) -> EtcdEvent {
        let kv = PbKeyValue { key: key.into(), mod_revision, ..PbKeyValue::default() };
        EtcdEvent(PbEvent { kv: Some(kv), ..PbEvent::default() })
    }

    fn assembler() -> Assembler {
        Assembler::new(Interest::new(vec!["k".into()]), 10)
    }

    fn shape(batches: &[Batch]) -> Vec<(Revision, usize)> {
        batches.iter().map(|batch| (batch.revision, batch.events.len())).collect()
    }

    #[test]
    fn several_revisions_in_one_message_become_several_batches() {
        let mut assembler = assembler();
        let batches = assembler.events(vec![event("k2", 10), event("k1", 10), event("k", 12)], false);
        assert_eq!(shape(&batches), [(10, 2), (12, 1)]);
        assert_eq!(batches[0].events[0].key(), "k1");
        assert_eq!(assembler.next(), 13);
    }

    #[test]
    fn a_revision_in_fragments_waits_until_it_is_whole() {
        let mut assembler = assembler();
        assert_eq!(shape(&assembler.events(vec![event("k1", 10)], true)), []);
        assert_eq!(assembler.progress(20), None);
        assert_eq!(shape(&assembler.events(vec![event("k2", 10), event("k1", 11)], true)), [(10, 2)]);
        assert_eq!(shape(&assembler.events(vec![event("k2", 11)], false)), [(11, 2)]);
    }

    #[test]
    fn what_was_cut_off_comes_again_and_only_once() {
        let mut assembler = assembler();
        assert_eq!(shape(&assembler.events(vec![event("k", 10), event("k1", 11)], true)), [(10, 1)]);
        assembler.restart();
        assert_eq!(assembler.next(), 11);
        let again = vec![event("k", 10), event("k1", 11), event("k2", 11)];
        assert_eq!(shape(&assembler.events(again, false)), [(11, 2)]);
    }

    #[test]
    fn unwatched_revisions_are_passed_over() {
        let mut assembler = assembler();
        assert_eq!(shape(&assembler.events(vec![event("other", 10)], false)), []);
        assert_eq!(assembler.next(), 11);
        assert_eq!(assembler.progress(15), Some(15));
        assert_eq!(assembler.next(), 16);
        assert_eq!(assembler.progress(12), Some(12));
        assert_eq!(assembler.next(), 16);
    }
}
