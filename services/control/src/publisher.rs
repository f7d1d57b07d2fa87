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
use tokio_util::sync::CancellationToken;
use um_store::{Batch, PAGE_ITEMS_MAX, Store, StoreError, WatchEvent};

use crate::{
    clock,
    error::ApiError,
    history::History,
    keys::Keys,
    picture::{Changed, Picture, PictureError},
    schema,
    stored::Stored,
};

/// Wait before the store is asked again after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// Without a sign of the store for so long, answers say how old they are.
const STALE: Duration = Duration::from_secs(6);
/// How often the store is asked to prove that nothing is missing.
const PROGRESS: Duration = Duration::from_secs(2);
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
    /// When the store last gave a sign of life.
    pub seen: Instant,
}

/// Hands out what is published.
#[derive(Debug, Clone)]
pub struct Publisher {
    published: watch::Receiver<Option<Arc<Published>>>,
}

/// Follows the store; runs once.
#[derive(Debug)]
pub struct Follower {
    store: Arc<dyn Store>,
    keys: Keys,
    publish: watch::Sender<Option<Arc<Published>>>,
}

/// Makes both ends.
#[must_use]
pub fn publisher(store: Arc<dyn Store>, keys: Keys) -> (Follower, Publisher) {
    let (publish, published) = watch::channel(None);
    (Follower { store, keys, publish }, Publisher { published })
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("{0}")]
    Schema(String),
    #[error("the store's watch ended")]
    WatchEnded,
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
                let current = self.current().map(|now| now.revision).unwrap_or_default();
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
}

impl Follower {
    /// Follows the store until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let followed = tokio::select! {
                followed = self.follow() => followed,
                () = stop.cancelled() => return,
            };
            if let Err(error) = followed {
                tracing::warn!(%error, "the store cannot be followed; serving what is known and trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Reads everything, then follows the changes until something breaks.
    async fn follow(&self) -> Result<(), FollowError> {
        let known = self.publish.borrow().clone();
        let mut from = match known {
            Some(known) => known.revision,
            None => self.load().await?,
        };
        loop {
            match self.watch(from).await? {
                Some(compacted) => {
                    tracing::warn!(
                        compacted,
                        "the store forgot revisions that were not read; reading it anew"
                    );
                    from = self.load().await?;
                }
                None => return Err(FollowError::WatchEnded),
            }
        }
    }

    /// Reads everything and publishes it; returns the revision that it is of.
    async fn load(&self) -> Result<i64, FollowError> {
        let store_id = schema::ensure(&*self.store, &self.keys).await.map_err(FollowError::Schema)?;
        let (mut changes, mut after, mut at) = (Vec::new(), None, None);
        loop {
            let page = self.store.scan(&self.keys.specs(), at, PAGE_ITEMS_MAX, after.as_deref()).await?;
            at = Some(page.revision);
            after = page.items.last().map(|item| item.key.clone());
            for item in &page.items {
                let Some(name) = self.keys.parse_spec(&item.key) else { continue };
                let stored = Stored::decode(name.clone(), &item.value, item.mod_revision)
                    .map_err(PictureError::from)?;
                changes.push(Changed { name, before: None, after: Some(Arc::new(stored)) });
            }
            if changes.len() >= 100_000 {
                tracing::info!(resources = changes.len(), "reading the store");
            }
            if !page.more {
                break;
            }
        }
        let revision = at.unwrap_or_default();
        let of_change =
            changes.iter().filter_map(|change| change.after.as_ref()).map(|stored| stored.revision);
        let newest = of_change.max().unwrap_or_default();
        let picture = Picture::empty(store_id).after(newest, &changes)?;
        tracing::info!(resources = changes.len(), revision, "the store is read");
        self.replace(picture, revision);
        Ok(revision)
    }

    /// Publishes a picture that was read, as the difference to what was published before.
    fn replace(&self, mut picture: Picture, revision: i64) {
        let now = clock::now();
        let before = self.publish.borrow().clone();
        let history = match before {
            Some(before) if before.picture.store_id == picture.store_id => {
                let changes = before.picture.difference(&picture);
                let mut history = before.history.clone();
                // Deletions leave no resource to tell their revision by.
                picture.revision = if changes.is_empty() { before.picture.revision } else { revision };
                if !changes.is_empty() {
                    history.push(revision, changes, true, now);
                }
                history
            }
            Some(_) | None => {
                picture.revision = revision;
                History::new(revision)
            }
        };
        self.publish.send_replace(Some(Arc::new(Published { picture, history, revision, seen: now })));
    }

    /// Follows changes after `from`; returns the oldest revision that is left when the store has forgotten some.
    async fn watch(&self, from: i64) -> Result<Option<i64>, FollowError> {
        let mut watch = self.store.watch(vec![self.keys.specs()], from + 1).await?;
        let mut tick = tokio::time::interval(PROGRESS);
        loop {
            let event = tokio::select! {
                event = watch.next() => event,
                _ = tick.tick() => {
                    self.store.request_progress().await?;
                    continue;
                }
            };
            match event {
                Some(WatchEvent::Batch(batch)) => self.on_batch(&batch)?,
                Some(WatchEvent::Progress(revision)) => self.on_alive(revision),
                Some(WatchEvent::Alive) => self.on_alive(0),
                Some(WatchEvent::Compacted { oldest }) => return Ok(Some(oldest)),
                None => return Ok(None),
            }
        }
    }

    fn on_batch(&self, batch: &Batch) -> Result<(), FollowError> {
        let Some(before) = self.publish.borrow().clone() else { return Err(FollowError::WatchEnded) };
        if batch.revision <= before.revision {
            return Ok(());
        }
        let changes = before.picture.read(&self.keys, batch).map_err(PictureError::from)?;
        let picture = before.picture.after(batch.revision, &changes)?;
        let (mut history, now) = (before.history.clone(), clock::now());
        history.push(batch.revision, changes, false, now);
        let published = Published { picture, history, revision: batch.revision, seen: now };
        self.publish.send_replace(Some(Arc::new(published)));
        Ok(())
    }

    /// A sign of life; with a revision also the proof that nothing up to it is missing.
    fn on_alive(&self, revision: i64) {
        self.publish.send_if_modified(|published| {
            let Some(now) = published else { return false };
            let ahead = revision > now.revision;
            let next = Published {
                revision: revision.max(now.revision),
                seen: clock::now(),
                ..Published::clone(now)
            };
            *now = Arc::new(next);
            ahead
        });
    }
}
