//! A watch of the embedded store: a task that reads the log from where it stands to the head.
//!
//! Nothing is pushed to watches, so a slow one costs no memory and misses nothing; one that falls
//! behind the compacted revision is told so.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use super::{
    file::StoreFile,
    picture::{Picture, Since},
    writer::Head,
};
use crate::{
    error::StoreError,
    item::Revision,
    watch::{Interest, WatchEvent},
};

/// Pause before the log is read again after the file failed.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// One watch.
pub(super) struct Follower {
    pub(super) file: Arc<StoreFile>,
    pub(super) head: watch::Receiver<Head>,
    pub(super) interest: Interest,
    /// The next revision to deliver.
    pub(super) next: Revision,
    pub(super) events: mpsc::Sender<WatchEvent>,
}

impl Follower {
    /// Delivers until the watch is dropped, the store is, or history is gone.
    pub(super) async fn run(mut self) {
        let mut answered = self.head.borrow().progress_asked;
        loop {
            let head = *self.head.borrow_and_update();
            if !self.catch_up(head.revision).await {
                return;
            }
            if head.progress_asked != answered {
                answered = head.progress_asked;
                let progress = WatchEvent::Progress(head.revision);
                if self.events.send(progress).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = self.head.changed() => if changed.is_err() { return },
                () = self.events.closed() => return,
            }
        }
    }

    /// Delivers everything up to `revision`; `false` when the watch has ended.
    async fn catch_up(&mut self, revision: Revision) -> bool {
        while self.next <= revision {
            match self.read(revision).await {
                Ok(since) => {
                    for batch in since.batches {
                        if self.events.send(WatchEvent::Batch(batch)).await.is_err() {
                            return false;
                        }
                    }
                    self.next = self.next.max(since.next);
                }
                Err(StoreError::Compacted { oldest }) => {
                    let _ = self.events.send(WatchEvent::Compacted { oldest }).await;
                    return false;
                }
                Err(error) => {
                    tracing::debug!(%error, "a watch waits for the store file");
                    if self.events.is_closed() || self.head.has_changed().is_err() {
                        return false;
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
        true
    }

    async fn read(&self, until: Revision) -> Result<Since, StoreError> {
        let file = Arc::clone(&self.file);
        let interest = self.interest.clone();
        let from = self.next;
        let read = move || {
            let database = file.database()?;
            Picture::take(&database)?.since(from, until, &interest)
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| StoreError::unavailable(format!("reading the log failed: {error}")))?
    }
}
