//! All dialogs of an endpoint. They are found by our tag, which no two dialogs share but the forks of one INVITE; then
//! Call-ID and remote tag are verified (RFC 3261 §12.2.2). Neither Request-URI nor source counts: many clients send
//! ACK and BYE to the URI that they first dialled.

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::Dialog;
use crate::endpoint::DialogId;

/// The dialogs.
#[derive(Debug)]
pub(crate) struct DialogTable {
    /// Each in a place of its own, so that the room of those that are over is given back.
    dialogs: HashMap<DialogId, Box<Dialog>, FixedState>,
    by_local_tag: HashMap<Box<str>, SmallVec<[DialogId; 1]>, FixedState>,
    next: u64,
    limit: usize,
}

impl DialogTable {
    pub(crate) fn new(seed: u64, limit: usize) -> Self {
        let state = FixedState::with_seed(seed);
        Self {
            dialogs: HashMap::with_hasher(state.clone()),
            by_local_tag: HashMap::with_hasher(state),
            next: 0,
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.dialogs.len()
    }

    /// Returns how many rows all indexes have together: none may outlive its dialog.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> usize {
        self.dialogs.len() + self.by_local_tag.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.dialogs.len() >= self.limit
    }

    pub(crate) fn insert(&mut self, dialog: Box<Dialog>) -> DialogId {
        self.next += 1;
        let id = DialogId(self.next);
        self.by_local_tag.entry(dialog.local_tag().into()).or_default().push(id);
        self.dialogs.insert(id, dialog);
        id
    }

    pub(crate) fn remove(&mut self, id: DialogId) -> Option<Box<Dialog>> {
        let dialog = self.dialogs.remove(&id)?;
        if let Some(ids) = self.by_local_tag.get_mut(dialog.local_tag()) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_local_tag.remove(dialog.local_tag());
            }
        }
        Some(dialog)
    }

    pub(crate) fn get(&self, id: DialogId) -> Option<&Dialog> {
        self.dialogs.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: DialogId) -> Option<&mut Dialog> {
        self.dialogs.get_mut(&id).map(Box::as_mut)
    }

    pub(crate) fn find(&self, local_tag: &str, remote_tag: &str, call_id: &str) -> Option<DialogId> {
        let ids = self.by_local_tag.get(local_tag)?;
        ids.iter().copied().find(|id| {
            self.dialogs
                .get(id)
                .is_some_and(|dialog| dialog.call_id() == call_id && dialog.remote_tag() == remote_tag)
        })
    }
}
