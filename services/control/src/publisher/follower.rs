//! The task that follows the store: one watch over all specs, and beside it a probe that proves that nothing is missing.
//!
//! The probe reads the head, which every change of a spec writes: a picture of that revision is complete, whatever the
//! watch says. It also notices a store that was replaced by another one, whose revisions a watch would wait for in vain.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use um_store::{Batch, Store, StoreError, WatchEvent};

use super::{LoadError, Published, load};
use crate::{
    clock,
    history::History,
    keys::Keys,
    picture::{Picture, PictureError},
    schema::{self, SchemaError},
};

/// Wait before the store is asked again after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// How often the store is asked to prove that nothing is missing.
const PROBE: Duration = Duration::from_secs(2);

/// Follows the store; runs once.
#[derive(Debug)]
pub struct Follower {
    store: Arc<dyn Store>,
    keys: Keys,
    publish: watch::Sender<Option<Arc<Published>>>,
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("the store's watch ended")]
    WatchEnded,
    #[error("the store's watch does not deliver what the store holds")]
    WatchStuck,
}

/// Why everything must be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anew {
    /// The store forgot revisions that were not read.
    Compacted,
    /// It is another store.
    Replaced,
}

impl Follower {
    pub(super) fn new(
        store: Arc<dyn Store>,
        keys: Keys,
        publish: watch::Sender<Option<Arc<Published>>>,
    ) -> Self {
        Self { store, keys, publish }
    }

    /// Follows the store until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        loop {
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
            let anew = tokio::select! {
                anew = self.watch(from) => anew?,
                anew = self.probe() => anew?,
            };
            match anew {
                Anew::Compacted => {
                    tracing::warn!("the store forgot revisions that were not read; reading it anew");
                }
                Anew::Replaced => tracing::warn!("this is another store than before; reading it anew"),
            }
            from = self.load().await?;
        }
    }

    /// Reads everything and publishes it; returns the revision that it is of.
    async fn load(&self) -> Result<i64, FollowError> {
        let (picture, revision) = load(&*self.store, &self.keys).await?;
        tracing::info!(resources = picture.resources.len(), revision, "the store is read");
        self.replace(picture, revision);
        Ok(revision)
    }

    /// Publishes a picture that was read, as the difference to what was published before.
    fn replace(&self, picture: Picture, revision: i64) {
        let now = clock::now();
        let before = self.publish.borrow().clone();
        let history = match before {
            Some(before) if before.picture.store_id == picture.store_id => {
                let mut history = before.history.clone();
                if picture.revision > before.picture.revision {
                    let changes = before.picture.difference(&picture);
                    history.push(picture.revision, changes, Some(before.picture.revision), now);
                }
                history
            }
            Some(_) | None => History::new(picture.revision),
        };
        self.publish.send_replace(Some(Arc::new(Published { picture, history, revision, seen: now })));
    }

    /// Follows changes after `from`; returns why everything must be read again.
    async fn watch(&self, from: i64) -> Result<Anew, FollowError> {
        let mut watch = self.store.watch(vec![self.keys.specs()], from + 1).await?;
        loop {
            match watch.next().await {
                Some(WatchEvent::Batch(batch)) => self.on_batch(&batch)?,
                Some(WatchEvent::Progress(revision)) => self.on_progress(revision),
                Some(WatchEvent::Alive) => {}
                Some(WatchEvent::Compacted { .. }) => return Ok(Anew::Compacted),
                None => return Err(FollowError::WatchEnded),
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
        history.push(batch.revision, changes, None, now);
        let published = Published { picture, history, revision: batch.revision, seen: now };
        self.publish.send_replace(Some(Arc::new(published)));
        Ok(())
    }

    /// The watch proves that nothing up to `revision` is missing.
    fn on_progress(&self, revision: i64) {
        self.note(|now| {
            now.revision = revision.max(now.revision);
            now.seen = clock::now();
        });
    }

    /// Asks the store again and again whether anything is missing; returns when everything must be read again.
    async fn probe(&self) -> Result<Anew, FollowError> {
        let mut tick = tokio::time::interval(PROBE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut silent, mut missing) = (false, None);
        loop {
            tick.tick().await;
            self.store.request_progress().await?;
            let Some(before) = self.publish.borrow().clone() else { return Err(FollowError::WatchEnded) };
            let asked = clock::now();
            let (store_id, head) = match self.head().await {
                Ok(found) => found,
                Err(error) => {
                    if !silent {
                        tracing::warn!(%error, "the store does not answer; serving what is known");
                    }
                    silent = true;
                    continue;
                }
            };
            if silent {
                tracing::info!("the store answers again");
                silent = false;
            }
            if store_id != before.picture.store_id {
                return Ok(Anew::Replaced);
            }
            if before.picture.revision >= head {
                missing = None;
                self.note(|now| now.seen = now.seen.max(asked));
            } else if missing == Some(before.picture.revision) {
                // Nothing came since the last time although there is something to come.
                return Err(FollowError::WatchStuck);
            } else {
                missing = Some(before.picture.revision);
            }
        }
    }

    /// Which store it is, and the revision of the last change.
    async fn head(&self) -> Result<(Arc<str>, i64), SchemaError> {
        let found = self.store.get(&[self.keys.schema(), self.keys.head()], None).await?;
        let mut items = found.items.into_iter();
        match (items.next().flatten(), items.next().flatten()) {
            (Some(schema), Some(head)) => Ok((schema::store_id(&schema)?, head.mod_revision)),
            // A store without schema is a new one.
            (_, _) => Ok((Arc::from(""), 0)),
        }
    }

    /// Changes what is known about the published picture; wakes readers only when the revision moves.
    fn note(&self, change: impl FnOnce(&mut Published)) {
        self.publish.send_if_modified(|published| {
            let Some(now) = published else { return false };
            let mut next = Published::clone(now);
            change(&mut next);
            let moved = next.revision > now.revision;
            *now = Arc::new(next);
            moved
        });
    }
}
