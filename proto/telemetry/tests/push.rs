//! Traces and metrics reach an OTLP collector (one of our own, on loopback) at the latest at shutdown.

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use um_telemetry::{CallOutcome, Config, LogFormat, Logs, Push, Service, Transport, init, spans};

struct Collector {
    names: mpsc::Sender<String>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for scope in request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans)
        {
            for span in scope.spans {
                let child = if span.parent_span_id.is_empty() { "" } else { " child" };
                let linked = if span.links.is_empty() { "" } else { " linked" };
                self.names
                    .send(format!("span {}{child}{linked}", span.name))
                    .await
                    .expect("the test listens");
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for scope in
            request.into_inner().resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics)
        {
            for metric in scope.metrics {
                self.names.send(format!("metric {}", metric.name)).await.expect("the test listens");
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[test]
fn what_was_recorded_is_pushed_before_the_process_ends() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let (names, mut received) = mpsc::channel(64);
    let endpoint = runtime.block_on(serve(names));
    let config = Config {
        service: Service::Worker,
        instance: "one".to_owned(),
        version: "9.9.9",
        logs: Some(Logs { format: LogFormat::Json, filter: "error".to_owned() }),
        push: Some(Push { endpoint: format!("http://{endpoint}"), interval: Duration::from_secs(600) }),
    };
    let telemetry = {
        let _entered = runtime.enter();
        init(&config).expect("the endpoint is usable")
    };
    place_a_call(endpoint);
    telemetry.worker_metrics().draining(true);
    telemetry.shutdown();

    let mut got = Vec::new();
    while let Ok(name) = received.try_recv() {
        got.push(name);
    }
    got.sort();
    assert_eq!(
        got,
        ["metric um.worker.draining", "span INVITE", "span INVITE attempt child", "span call.media linked"],
        "each exactly once"
    );
}

fn place_a_call(peer: SocketAddr) {
    let transport = Transport::Udp;
    let begun = spans::SetUp { line: "um", call_id: "a@b", peer, transport, revision: 7 };
    let set_up = spans::set_up(&"c1", &begun);
    let facts = spans::Attempt { number: 1, proxy_list: "um", entry: "um1", peer, transport: Transport::Udp };
    let attempt = spans::attempt(&set_up, &facts);
    spans::ended(&attempt, CallOutcome::Answered, 200);
    drop(attempt);
    spans::ended(&set_up, CallOutcome::Answered, 200);
    let media = spans::media(&set_up, &"c1");
    drop(set_up);
    let facts =
        spans::Settled { call_id: "a@b", station: "voicemail", attempts: 1, reason: "caller_hung_up" };
    spans::settled(&media, &facts);
    spans::relayed(&media, 250, 0);
}

async fn serve(names: mpsc::Sender<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector { names: names.clone() }))
        .add_service(MetricsServiceServer::new(Collector { names }));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}
