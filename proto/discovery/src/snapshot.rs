//! A snapshot: all resources at one revision of one store. Cheap to clone, because it shares its structure.

use std::sync::Arc;

use imbl::OrdMap;

/// Resources by name, `lines/um-plain`.
pub type Resources<R> = OrdMap<Arc<str>, R>;

/// All resources at one revision. It is consistent, or nobody publishes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot<R: Clone> {
    /// Names the store that counts the revisions; another store's revisions cannot be compared.
    pub store_id: Arc<str>,
    /// Revision of the store.
    pub revision: i64,
    /// The resources.
    pub resources: Resources<R>,
}

impl<R: Clone> Snapshot<R> {
    /// Says whether this snapshot may follow `other` without going back: a later revision, or another store.
    #[must_use]
    pub fn succeeds(&self, other: &Self) -> bool {
        self.store_id != other.store_id || self.revision > other.revision
    }
}
