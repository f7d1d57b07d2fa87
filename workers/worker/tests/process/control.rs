//! A control plane made by hand: it accepts streams and says what the test wants said.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};
use um_discovery::{Change, FromControl, FromWorker, Hello};
use um_topology::Resource;
use um_wire::{
    sync::{self, Upstream},
    v1::{
        self,
        sync_request::Message,
        worker_service_server::{WorkerService, WorkerServiceServer},
    },
};

/// Longest wait for anything; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Control {
    pub(crate) url: String,
    streams: mpsc::Receiver<Stream>,
    task: tokio::task::JoinHandle<()>,
}

/// One stream of the worker.
pub(crate) struct Stream {
    pub(crate) hello: Hello,
    requests: Streaming<v1::SyncRequest>,
    responses: mpsc::Sender<Result<v1::SyncResponse, Status>>,
}

struct Service {
    streams: mpsc::Sender<Stream>,
}

impl Control {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let (accepted, streams) = mpsc::channel(4);
        let service = WorkerServiceServer::new(Service { streams: accepted });
        let serve =
            Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { serve.await.expect("it serves") });
        Self { url, streams, task }
    }

    pub(crate) async fn accept(&mut self) -> Stream {
        let mut stream = timeout(PATIENCE, self.streams.recv()).await.expect("in time").expect("a stream");
        let first = stream.next().await;
        let Ok(Upstream::Hello(hello)) = sync::upstream(first) else {
            panic!("the first message is no Hello")
        };
        stream.hello = sync::hello(&hello);
        stream
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stream {
    async fn next(&mut self) -> v1::SyncRequest {
        let next = timeout(PATIENCE, self.requests.message()).await.expect("in time");
        next.expect("the stream stands").expect("the stream goes on")
    }

    fn send(&self, message: FromControl<Resource>) {
        self.responses.try_send(Ok(sync::response(message))).expect("room");
    }

    pub(crate) fn snapshot(&self, nonce: u64, revision: i64, store: &str, all: Vec<(&str, Resource)>) {
        let resources = all.into_iter().map(|(name, resource)| (Arc::from(name), resource)).collect();
        self.send(FromControl::Snapshot {
            nonce,
            revision,
            store_id: store.into(),
            chunk: 0,
            last: true,
            resources,
        });
    }

    pub(crate) fn delta(&self, nonce: u64, from: i64, revision: i64, changes: Vec<Change<Resource>>) {
        self.send(FromControl::Delta { nonce, revision, from_revision: from, chunk: 0, last: true, changes });
    }

    /// The next ACK or NACK.
    pub(crate) async fn answer(&mut self) -> FromWorker {
        loop {
            if let Ok(Upstream::Answer(answer)) = sync::upstream(self.next().await) {
                return answer;
            }
        }
    }

    /// Why a line failed, from the next report that says so.
    pub(crate) async fn report_of(&mut self, line: &str) -> String {
        loop {
            if let Some(Message::Report(report)) = self.next().await.message {
                let failed =
                    report.lines.into_iter().find(|state| state.name == line && !state.reason.is_empty());
                if let Some(failed) = failed {
                    return failed.reason;
                }
            }
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Service {
    type SyncStream = ReceiverStream<Result<v1::SyncResponse, Status>>;

    async fn sync(
        &self,
        request: Request<Streaming<v1::SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let (responses, told) = mpsc::channel(16);
        let stream =
            Stream { hello: Hello { last_applied: None }, requests: request.into_inner(), responses };
        self.streams.send(stream).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn list_workers(
        &self,
        _: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        Err(Status::unimplemented("not for workers"))
    }

    async fn get_worker(&self, _: Request<v1::GetWorkerRequest>) -> Result<Response<v1::Worker>, Status> {
        Err(Status::unimplemented("not for workers"))
    }
}
