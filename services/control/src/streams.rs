//! One task per worker's Sync stream: the subscription machine of `um-discovery` between the publisher and gRPC.

use std::time::Instant;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use um_discovery::{
    Applied, Change, FromControl, FromWorker, Snapshot,
    server::{CloseReason, Config, Output, Subscription},
};
use um_topology::{Id, Kind, Name, Resource};
use um_wire::{
    sync::{self, Upstream},
    v1,
};

use crate::{api::Api, clock, error::ApiError, publisher::Published, stored::Shared};

/// Messages that wait for the worker; parts of an update are made only as there is room.
const QUEUE: usize = 4;
/// Live entries of one batch.
const MAX_LIVE: usize = 100;

type Sender = mpsc::Sender<Result<v1::SyncResponse, Status>>;

/// One worker's stream.
struct Stream {
    api: Api,
    address: String,
    sender: Sender,
    subscription: Subscription<Shared>,
    number: u64,
    /// Who it is, once it has said so.
    worker: Option<String>,
    /// When the commit of the newest revision that was sent was seen, to measure how long the fleet takes.
    offered: Option<(i64, Instant)>,
}

/// Serves a worker until its stream ends.
pub(crate) fn start(
    api: &Api,
    address: String,
    requests: Streaming<v1::SyncRequest>,
) -> ReceiverStream<Result<v1::SyncResponse, Status>> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let number = api.streams.next();
    let subscription =
        Subscription::new(Config::new(|stored: &Shared| sync::size(&stored.model)), number, clock::now());
    let stream =
        Stream { api: api.clone(), address, sender, subscription, number, worker: None, offered: None };
    tokio::spawn(stream.run(requests));
    ReceiverStream::new(receiver)
}

impl Stream {
    async fn run(mut self, mut requests: Streaming<v1::SyncRequest>) {
        self.api.metrics.subscribers("worker", 1);
        let ended = self.serve(&mut requests).await;
        self.api.metrics.subscribers("worker", -1);
        if let Some(worker) = &self.worker {
            self.api.fleet.disconnect(worker, self.number);
            tracing::info!(worker, reason = %ended, "a worker's stream ended");
        }
        // The worker may be gone already, which is as good an end as any.
        let _ = self.sender.try_send(Err(status(ended)));
    }

    async fn serve(&mut self, requests: &mut Streaming<v1::SyncRequest>) -> CloseReason {
        let mut updates = self.api.publisher.subscribe();
        updates.mark_changed();
        loop {
            if let Some(reason) = self.drain().await {
                return reason;
            }
            let due = self.subscription.poll_timeout().map(|(at, _)| at);
            tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => self.on_request(request),
                    Ok(None) | Err(_) => return CloseReason::Violation("the stream was closed by the worker"),
                },
                changed = updates.changed() => {
                    if changed.is_err() {
                        return CloseReason::ShuttingDown;
                    }
                    let published = updates.borrow_and_update().clone();
                    if let Some(published) = published {
                        self.on_published(&published);
                    }
                }
                () = sleep_until(due) => self.subscription.handle_timeout(clock::now()),
                () = self.api.stop.cancelled() => self.subscription.close(CloseReason::ShuttingDown),
            }
            self.fence();
        }
    }

    /// Carries out what the subscription wants; returns why the stream ends, if it does.
    async fn drain(&mut self) -> Option<CloseReason> {
        while let Some(output) = self.subscription.poll_output() {
            match output {
                Output::Send(message) => {
                    let response = sync::response(to_model(message));
                    if self.sender.send(Ok(response)).await.is_err() {
                        return Some(CloseReason::Violation("the stream was closed by the worker"));
                    }
                }
                Output::Acked { revision } => self.on_answer(revision, Vec::new()),
                Output::Nacked { revision, failures } => self.on_answer(revision, failures),
                Output::Close(reason) => return Some(reason),
            }
        }
        None
    }

    fn on_published(&mut self, published: &Published) {
        let now = clock::now();
        if self.offered.is_none_or(|(revision, _)| revision < published.picture.revision) {
            self.offered = Some((published.picture.revision, now));
        }
        self.subscription.handle_publish(now, published.picture.snapshot());
    }

    fn on_answer(&mut self, revision: i64, failures: Vec<um_discovery::Failure>) {
        let Some(worker) = &self.worker else { return };
        if let Some((offered, at)) = self.offered
            && offered <= revision
        {
            self.api.metrics.convergence(clock::now().saturating_duration_since(at));
        }
        for failure in &failures {
            tracing::warn!(worker, name = %failure.name, reason = failure.reason, message = failure.message, "a worker cannot put a resource in force");
            let kind = failure.name.parse::<Name>().map_or("all", |name| name.kind.collection());
            self.api.metrics.config_nack(kind, crate::observe::nack_reason(&failure.reason));
        }
        self.api.fleet.on_answer(worker, self.number, revision, failures);
    }

    fn on_request(&mut self, request: v1::SyncRequest) {
        let now = clock::now();
        match sync::upstream(request) {
            Ok(Upstream::Hello(hello)) => self.on_hello(now, hello),
            Ok(Upstream::Answer(FromWorker::Ack { nonce, revision })) => {
                self.subscription.handle_ack(now, nonce, revision)
            }
            Ok(Upstream::Answer(FromWorker::Nack { nonce, revision, failures })) => {
                self.subscription.handle_nack(now, nonce, revision, failures);
            }
            Ok(Upstream::Answer(FromWorker::Hello(_))) => {}
            Ok(Upstream::Report(report)) => {
                if let Some(worker) = &self.worker {
                    self.api.fleet.on_report(worker, self.number, report);
                }
            }
            Ok(Upstream::Live(live)) => self.on_live(&live),
            Err(error) => tracing::warn!(%error, "a worker sent what is not understood"),
        }
    }

    fn on_hello(&mut self, now: Instant, hello: v1::Hello) {
        if self.worker.is_none() {
            if !is_worker_name(&hello.worker) {
                return self.subscription.close(CloseReason::Violation("`worker` must be workers/{id}"));
            }
            if !(1..=64).contains(&hello.incarnation.len()) {
                return self.subscription.close(CloseReason::Violation("`incarnation` is required"));
            }
            tracing::info!(
                worker = hello.worker,
                incarnation = hello.incarnation,
                address = self.address,
                "a worker connected"
            );
            self.worker = Some(hello.worker.clone());
            self.api.fleet.connect(self.number, hello.clone(), self.address.clone());
        }
        let hello = sync::hello(&hello);
        let known = self.known(hello.last_applied.as_ref());
        if hello.last_applied.is_some() && known.is_none() {
            self.api.metrics.resync("not_the_newest");
        }
        self.subscription.handle_hello(now, &hello, known);
    }

    /// What a worker says it runs, while every step since then is known; else it gets a snapshot, which is counted.
    fn known(&self, applied: Option<&Applied>) -> Option<Snapshot<Shared>> {
        let reason = match (applied, self.api.publisher.current()) {
            (None, _) => "new",
            (Some(applied), _) if applied.partial => "partial",
            (Some(_), Err(_)) => "store_unread",
            (Some(applied), Ok(published)) => {
                let known = published.snapshot_at(&applied.store_id, applied.revision);
                if known.is_some() {
                    return known;
                }
                if applied.store_id == published.picture.store_id {
                    "revision_unknown"
                } else {
                    "other_store"
                }
            }
        };
        self.api.metrics.resync(reason);
        None
    }

    /// Answers every live entry: no collection of them is served yet, and the worker must know.
    fn on_live(&self, live: &v1::Live) {
        let entries = live.puts.len() + live.deletes.len() + live.claims.len();
        let refusal = Status::unimplemented("this version of um-control keeps no such live entries");
        let results = vec![sync::rpc_status(&refusal); entries.min(MAX_LIVE)];
        let ack = v1::LiveAck { seq: live.seq, results };
        let response = v1::SyncResponse { message: Some(v1::sync_response::Message::LiveAck(ack)) };
        // A worker that reads too slowly for this repeats the batch at its next connection.
        let _ = self.sender.try_send(Ok(response));
    }

    fn fence(&mut self) {
        if let Some(worker) = &self.worker
            && self.api.fleet.is_fenced(worker, self.number)
        {
            self.subscription.close(CloseReason::Fenced);
        }
    }
}

/// A worker's name has the form of the other resources' names.
fn is_worker_name(name: &str) -> bool {
    name.strip_prefix("workers/").is_some_and(|id| Id::from(id).is_valid_for(Kind::Line))
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn status(reason: CloseReason) -> Status {
    match reason {
        CloseReason::ReplicaBehind => ApiError::ReplicaBehind { current: 0 }.into_status(),
        CloseReason::ShuttingDown => ApiError::ShuttingDown.into_status(),
        CloseReason::NoHello | CloseReason::NotAnswered => Status::deadline_exceeded(reason.to_string()),
        CloseReason::Violation(_) => Status::invalid_argument(reason.to_string()),
        CloseReason::Fenced => Status::aborted(reason.to_string()),
    }
}

/// The message with resources of the model, which is what the wire conversion takes.
fn to_model(message: FromControl<Shared>) -> FromControl<Resource> {
    match message {
        FromControl::Snapshot { nonce, revision, store_id, chunk, last, resources } => {
            let resources =
                resources.into_iter().map(|(name, stored)| (name, stored.model.clone())).collect();
            FromControl::Snapshot { nonce, revision, store_id, chunk, last, resources }
        }
        FromControl::Delta { nonce, revision, from_revision, chunk, last, changes } => {
            let change = |change| match change {
                Change::Put(name, stored) => Change::Put(name, Shared::clone(&stored).model.clone()),
                Change::Delete(name) => Change::Delete(name),
            };
            let changes = changes.into_iter().map(change).collect();
            FromControl::Delta { nonce, revision, from_revision, chunk, last, changes }
        }
        FromControl::Bookmark { revision } => FromControl::Bookmark { revision },
    }
}
