//! A watch: all changes under some prefixes, one batch per revision.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;

use crate::{
    item::{Item, Revision},
    key::KeyRange,
};

/// Batches a watch holds ready for a slow reader before it stops reading from the store.
pub(crate) const WATCH_QUEUE: usize = 64;

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The key was written; its `mod_revision` is the batch's revision.
    Put {
        /// What was written.
        item: Item,
        /// What stood there before; `None` for a new key, or when that is compacted.
        previous: Option<Item>,
    },
    /// The key was deleted.
    Delete {
        /// The key.
        key: Bytes,
        /// What was deleted; `None` when that is compacted.
        previous: Option<Item>,
    },
}

impl Event {
    /// Returns the key that changed.
    #[must_use]
    pub const fn key(&self) -> &Bytes {
        match self {
            Self::Put { item, .. } => &item.key,
            Self::Delete { key, .. } => key,
        }
    }

    /// Returns what stood there before.
    #[must_use]
    pub const fn previous(&self) -> Option<&Item> {
        match self {
            Self::Put { previous, .. } | Self::Delete { previous, .. } => previous.as_ref(),
        }
    }
}

/// All watched changes of one revision, in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The revision.
    pub revision: Revision,
    /// Its changes; never empty.
    pub events: Vec<Event>,
}

/// What a watch delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// The next revision that touches a watched key.
    Batch(Batch),
    /// Everything up to this revision has been delivered: the only proof of freshness there is.
    Progress(Revision),
    /// The store answers, but cannot prove freshness ([`crate::Status::progress_is_proof`] is false).
    Alive,
    /// History from the next wanted revision on is gone; read anew and watch from there. The watch ends.
    Compacted {
        /// The oldest revision that can be watched from.
        oldest: Revision,
    },
}

/// An open watch; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<WatchEvent>,
}

impl Watch {
    /// Makes the two ends of a watch; the sender learns of its end by being closed.
    pub(crate) fn channel() -> (mpsc::Sender<WatchEvent>, Self) {
        let (sender, events) = mpsc::channel(WATCH_QUEUE);
        (sender, Self { events })
    }

    /// Waits for the next event; `None` after `Compacted` or when the store was dropped.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        self.events.recv().await
    }
}

impl Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(cx)
    }
}

/// The prefixes of one watch.
#[derive(Debug, Clone)]
pub(crate) struct Interest(Vec<Bytes>);

impl Interest {
    pub(crate) fn new(prefixes: Vec<Bytes>) -> Self {
        Self(prefixes)
    }

    /// Whether `key` is watched.
    pub(crate) fn covers(&self, key: &[u8]) -> bool {
        self.0.iter().any(|prefix| key.starts_with(prefix))
    }

    /// The smallest range that holds all prefixes; keys between them are in it too.
    pub(crate) fn hull(&self) -> KeyRange {
        let start = self.0.iter().min().cloned().unwrap_or_default();
        let ends: Option<Vec<Bytes>> = self.0.iter().map(|prefix| KeyRange::prefix(prefix).end()).collect();
        KeyRange::between(start, ends.and_then(|ends| ends.into_iter().max()))
    }
}
