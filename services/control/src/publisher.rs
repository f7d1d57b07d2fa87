//! Follows the store and publishes one consistent picture after another; every read and every stream begins here.
//!
//! A picture is published whole or not at all. When the store is gone, the last one stays and grows old; how old is
//! known to everyone who reads. Nothing is missed over a reconnect: if the store has forgotten the revisions in
//! between, the difference to a fresh scan is published as one merged revision.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use um_discovery::Snapshot;
use um_store::{Store, StoreError};

use crate::{error::ApiError, history::History, keys::Keys, picture::Picture, stored::Shared};

mod follower;
mod load;

pub use follower::Follower;
pub use load::{LoadError, load};

/// Without a proof that nothing is missing for so long, answers say how old they are.
const STALE: Duration = Duration::from_secs(6);
/// Longest wait until a revision that exists is published.
const CATCH_UP: Duration = Duration::from_secs(5);

/// What is published.
#[derive(Debug, Clone)]
pub struct Published {
    /// Everything at one revision.
    pub picture: Picture,
    /// How it came about.
    pub history: History,
    /// The store's revision of which it is known that nothing is missing; at least the picture's.
    pub revision: i64,
    /// When the store last proved that nothing is missing.
    pub seen: Instant,
}

/// Hands out what is published.
#[derive(Debug, Clone)]
pub struct Publisher {
    published: watch::Receiver<Option<Arc<Published>>>,
}

/// Makes both ends.
#[must_use]
pub fn publisher(store: Arc<dyn Store>, keys: Keys) -> (Follower, Publisher) {
    let (publish, published) = watch::channel(None);
    (Follower::new(store, keys, publish), Publisher { published })
}

impl Publisher {
    /// What is published now.
    ///
    /// # Errors
    ///
    /// The store has not been read yet.
    pub fn current(&self) -> Result<Arc<Published>, ApiError> {
        let published = self.published.borrow().clone();
        published.ok_or_else(|| {
            StoreError::Unavailable { reason: "the store has not been read yet".into() }.into()
        })
    }

    /// A stream of what is published.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.published.clone()
    }

    /// Waits until everything up to `revision` is published.
    ///
    /// # Errors
    ///
    /// That takes too long, because the store is gone or this replica is behind.
    pub async fn reach(&self, revision: i64) -> Result<Arc<Published>, ApiError> {
        let mut published = self.published.clone();
        let reached = published.wait_for(|now| now.as_ref().is_some_and(|now| now.revision >= revision));
        match tokio::time::timeout(CATCH_UP, reached).await {
            Ok(Ok(now)) => now.clone().ok_or(ApiError::ShuttingDown),
            Ok(Err(_)) => Err(ApiError::ShuttingDown),
            Err(_) => {
                let current = self.current().map(|now| now.picture.revision).unwrap_or_default();
                Err(ApiError::ReplicaBehind { current })
            }
        }
    }
}

impl Published {
    /// How old this is, when that is worth saying.
    #[must_use]
    pub fn stale_for(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.seen)).filter(|age| *age >= STALE)
    }

    /// What was published at an earlier revision of the same store, while every step since then is known.
    #[must_use]
    pub fn snapshot_at(&self, store_id: &str, revision: i64) -> Option<Snapshot<Shared>> {
        let mut snapshot = self.picture.snapshot();
        if &*snapshot.store_id != store_id || revision > snapshot.revision {
            return None;
        }
        let since: Vec<_> = self.history.after(revision)?.collect();
        for change in since.iter().rev().flat_map(|step| step.changes.iter().rev()) {
            let name: Arc<str> = Arc::from(change.name.to_string());
            match &change.before {
                Some(before) => snapshot.resources.insert(name, Arc::clone(before)),
                None => snapshot.resources.remove(&name),
            };
        }
        snapshot.revision = revision;
        Some(snapshot)
    }
}
