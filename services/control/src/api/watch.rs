//! The Watch stream (rules W1 to W7 of the API design): a snapshot if asked for, then every change of every revision.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout},
};
use tonic::Status;
use um_topology::Kind;
use um_wire::{
    resource::kind_from_proto,
    v1::{self, watch_response::Message},
};

use super::Api;
use crate::{
    clock, conditions::decorate, error::ApiError, history::Revision, picture::Changed, publisher::Published,
    stored::Shared,
};

/// Messages that wait for a slow reader; the stream ends when one more would have to wait for [`PATIENCE`].
const QUEUE: usize = 64;
/// How long a reader may keep a full queue waiting before it is cut off, and resumes by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// Resources of one message of the snapshot.
const CHUNK: usize = 500;
/// How often a bookmark is sent when nothing is said, and the bounds.
const BOOKMARK: (Duration, Duration, Duration) =
    (Duration::from_secs(15), Duration::from_secs(1), Duration::from_secs(3600));
/// How long a replica waits for a revision that it has not seen.
const BEHIND: Duration = Duration::from_secs(5);

/// The receiving end of a stream.
pub(super) type Stream = tokio_stream::wrappers::ReceiverStream<Result<v1::WatchResponse, Status>>;

/// One running watch.
struct Watcher {
    api: Api,
    kinds: BTreeSet<Kind>,
    bookmark: Duration,
    sender: mpsc::Sender<Result<v1::WatchResponse, Status>>,
    /// The store that counts the revisions.
    store_id: Arc<str>,
    /// Everything up to this revision was sent.
    sent: i64,
    /// When a bookmark is due because nothing else was sent.
    due: Instant,
}

/// Starts a watch.
pub(super) async fn start(api: &Api, request: v1::WatchRequest) -> Result<Stream, ApiError> {
    let kinds = kinds_of(&request.kinds)?;
    let bookmark = bookmark_of(request.bookmark_interval)?;
    if request.send_initial && request.start_revision != 0 {
        return Err(ApiError::field("start_revision", "cannot be given together with send_initial"));
    }
    if request.start_revision < 0 {
        return Err(ApiError::field("start_revision", "must not be negative"));
    }
    let published = reached(api, request.start_revision).await?;
    if request.start_revision > 0 && published.history.after(request.start_revision).is_none() {
        return Err(ApiError::RevisionCompacted { oldest: published.history.since() });
    }
    let sent = if request.start_revision > 0 { request.start_revision } else { published.picture.revision };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let due = clock::now() + bookmark;
    let store_id = Arc::clone(&published.picture.store_id);
    let watcher = Watcher { api: api.clone(), kinds, bookmark, sender, store_id, sent, due };
    tokio::spawn(watcher.run(published, request.send_initial));
    Ok(Stream::new(receiver))
}

/// The picture to begin with, which must have reached the revision that the client starts from.
async fn reached(api: &Api, start: i64) -> Result<Arc<Published>, ApiError> {
    let published = api.publisher.current()?;
    if start <= published.picture.revision {
        return Ok(published);
    }
    match timeout(BEHIND, api.publisher.reach(start)).await {
        Ok(reached) => reached,
        Err(_) => Err(ApiError::ReplicaBehind { current: published.picture.revision }),
    }
}

fn kinds_of(asked: &[i32]) -> Result<BTreeSet<Kind>, ApiError> {
    if asked.is_empty() {
        return Ok(Kind::ALL.into_iter().collect());
    }
    let kind = |(at, number): (usize, &i32)| {
        let kind = v1::resource::Kind::try_from(*number).ok().and_then(kind_from_proto);
        kind.ok_or_else(|| ApiError::field(format!("kinds[{at}]"), "is not a kind"))
    };
    asked.iter().enumerate().map(kind).collect()
}

fn bookmark_of(asked: Option<prost_types::Duration>) -> Result<Duration, ApiError> {
    let (default, least, most) = BOOKMARK;
    let Some(asked) = asked else { return Ok(default) };
    let interval = Duration::try_from(asked).ok().filter(|interval| (least..=most).contains(interval));
    interval.ok_or_else(|| ApiError::field("bookmark_interval", "must be 1 s to 1 h"))
}

impl Watcher {
    async fn run(mut self, published: Arc<Published>, send_initial: bool) {
        self.api.metrics.subscribers("topology", 1);
        let ended = self.follow(&published, send_initial).await;
        self.api.metrics.subscribers("topology", -1);
        if let Err(error) = ended {
            // The client may be gone already, which is as good an end as any.
            let _ = self.sender.try_send(Err(error.into()));
        }
    }

    async fn follow(&mut self, published: &Published, send_initial: bool) -> Result<(), ApiError> {
        let mut updates = self.api.publisher.subscribe();
        if send_initial {
            self.initial(published).await?;
        }
        loop {
            let current = updates.borrow_and_update().clone().ok_or(ApiError::ShuttingDown)?;
            self.catch_up(&current).await?;
            tokio::select! {
                () = sleep_until(self.due.into()) => {
                    self.send(self.sent, Message::Bookmark(v1::watch_response::Bookmark {})).await?;
                }
                changed = updates.changed() => if changed.is_err() { return Err(ApiError::ShuttingDown) },
                () = self.api.stop.cancelled() => return Err(ApiError::ShuttingDown),
                () = self.sender.closed() => return Ok(()),
            }
        }
    }

    async fn initial(&mut self, published: &Published) -> Result<(), ApiError> {
        let mut chunk = Vec::with_capacity(CHUNK);
        for kind in self.kinds.clone() {
            for stored in published.picture.of_kind(kind, None) {
                chunk.push(decorate(stored, &published.picture.topology, &self.api.fleet));
                if chunk.len() == CHUNK {
                    let resources = std::mem::take(&mut chunk);
                    self.send(
                        published.picture.revision,
                        Message::Initial(v1::watch_response::Initial { resources }),
                    )
                    .await?;
                }
            }
        }
        if !chunk.is_empty() {
            self.send(
                published.picture.revision,
                Message::Initial(v1::watch_response::Initial { resources: chunk }),
            )
            .await?;
        }
        self.send(published.picture.revision, Message::InitialEnd(v1::watch_response::InitialEnd {})).await
    }

    async fn catch_up(&mut self, current: &Published) -> Result<(), ApiError> {
        if current.picture.store_id != self.store_id {
            // Another store took its place; its revisions are others although the numbers may be the same.
            return Err(ApiError::RevisionCompacted { oldest: current.history.since() });
        }
        let Some(revisions) = current.history.after(self.sent) else {
            return Err(ApiError::SlowConsumer { last: self.sent });
        };
        let revisions: Vec<Arc<Revision>> = revisions.cloned().collect();
        for revision in revisions {
            let changes: Vec<v1::Change> = revision
                .changes
                .iter()
                .filter(|change| self.kinds.contains(&change.name.kind))
                .map(|change| self.change(change, current))
                .collect();
            if !changes.is_empty() {
                let message =
                    v1::watch_response::Changes { merged: revision.merged_since.is_some(), changes };
                self.send(revision.revision, Message::Changes(message)).await?;
            }
            self.sent = revision.revision;
        }
        self.sent = self.sent.max(current.picture.revision);
        Ok(())
    }

    fn change(&self, change: &Changed, current: &Published) -> v1::Change {
        let show = |stored: &Shared| decorate(stored, &current.picture.topology, &self.api.fleet);
        let kind = if change.after.is_some() { v1::change::Type::Put } else { v1::change::Type::Delete };
        v1::Change {
            r#type: kind.into(),
            resource: change.after.as_ref().map(show),
            previous: change.before.as_ref().map(show),
            name: change.name.to_string(),
        }
    }

    async fn send(&mut self, revision: i64, message: Message) -> Result<(), ApiError> {
        let response = v1::WatchResponse { revision, message: Some(message) };
        match timeout(PATIENCE, self.sender.send(Ok(response))).await {
            Ok(Ok(())) => {
                self.due = clock::now() + self.bookmark;
                Ok(())
            }
            Ok(Err(_)) => Err(ApiError::ShuttingDown),
            Err(_) => Err(ApiError::SlowConsumer { last: self.sent }),
        }
    }
}
