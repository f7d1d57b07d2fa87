//! The outputs that a machine has ready until its parent polls them; almost always none, one or two.

use smallvec::SmallVec;

/// A first-in first-out queue that allocates only beyond two entries.
#[derive(Clone, Debug)]
pub(crate) struct Outbox<T> {
    items: SmallVec<[T; 2]>,
}

impl<T> Outbox<T> {
    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.items.is_empty() { None } else { Some(self.items.remove(0)) }
    }
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { items: SmallVec::new() }
    }
}
