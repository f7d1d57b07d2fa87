//! `WorkerService`: the one stream of each worker, and what is known about workers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use um_discovery::Failure;
use um_wire::{
    sync::failure,
    v1::{self, worker_service_server::WorkerService},
};

use super::{Api, reply};
use crate::{error::ApiError, fleet::Known, publisher::Published, snapshots::PageToken, streams};

/// Counts the streams of this process, so that the newest of a worker is known.
#[derive(Debug, Clone, Default)]
pub struct Streams(Arc<AtomicU64>);

impl Streams {
    /// The number of the next stream.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[tonic::async_trait]
impl WorkerService for Api {
    type SyncStream = ReceiverStream<Result<v1::SyncResponse, Status>>;

    async fn sync(
        &self,
        request: Request<Streaming<v1::SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let address = request.remote_addr().map(|address| address.to_string()).unwrap_or_default();
        Ok(Response::new(streams::start(self, address, request.into_inner())))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let published = self.publisher.current()?;
        let message = request.into_inner();
        let size = super::standard::page_size_of(message.page_size)?;
        let after = match message.page_token.as_str() {
            "" => String::new(),
            token => PageToken::decode(token, "workers")?.after,
        };
        let mut all = self.fleet.all().into_iter().filter(|(name, _)| *name > after).peekable();
        let page: Vec<(String, Known)> = all.by_ref().take(size).collect();
        let next_page_token = match (all.peek(), page.last()) {
            (Some(_), Some((last, _))) => {
                PageToken { revision: published.picture.revision, after: last.clone() }.encode()
            }
            (_, _) => String::new(),
        };
        let workers = page.into_iter().map(|(name, known)| worker(name, known, &published)).collect();
        let revision = published.picture.revision;
        Ok(reply(v1::ListWorkersResponse { workers, next_page_token, revision }, &published))
    }

    async fn get_worker(
        &self,
        request: Request<v1::GetWorkerRequest>,
    ) -> Result<Response<v1::Worker>, Status> {
        let published = self.publisher.current()?;
        let name = request.into_inner().name;
        let known =
            self.fleet.get(&name).ok_or_else(|| ApiError::NotFound(name.chars().take(128).collect()))?;
        Ok(reply(worker(name, known, &published), &published))
    }
}

fn worker(name: String, known: Known, published: &Published) -> v1::Worker {
    let state = if known.connected { v1::worker::State::Connected } else { v1::worker::State::Disconnected };
    let rejection = |one: &Failure| v1::worker::Rejection {
        name: one.name.to_string(),
        revision: known.applied_revision,
        status: failure(one).status,
    };
    v1::Worker {
        name,
        incarnation: known.hello.incarnation,
        version: known.hello.version,
        state: state.into(),
        address: known.address,
        networks: known.hello.networks,
        capabilities: known.hello.capabilities,
        connect_time: Some(known.connect_time.into()),
        last_seen_time: Some(known.last_seen.into()),
        applied_revision: known.applied_revision,
        target_revision: published.picture.revision,
        rejections: known.rejections.iter().map(rejection).collect(),
        report: known.report,
    }
}
