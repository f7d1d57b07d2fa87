//! What the control plane measures of itself: every RPC, every request to the store, the age of the cache.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use prost::Message;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};
use tracing::Instrument;
use um_store::{Backend, Store};
use um_telemetry::{ControlMetrics, NackReason, spans};
use um_wire::FILE_DESCRIPTOR_SET;

use crate::{clock, publisher::Publisher};

mod store;

pub use store::MeasuredStore;

/// How often gauges are set.
const INTERVAL: Duration = Duration::from_secs(5);

/// The method of a metric or span when the path names none that is served.
const OTHER: &str = "_OTHER";

/// Measures every RPC.
#[derive(Debug, Clone)]
pub struct Measure {
    metrics: ControlMetrics,
    methods: Arc<BTreeSet<String>>,
}

impl Measure {
    /// Records into `metrics`.
    #[must_use]
    pub fn new(metrics: ControlMetrics) -> Self {
        Self { metrics, methods: Arc::new(served()) }
    }
}

/// The full names of our methods, so that a caller cannot invent labels.
fn served() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)
        .expect("the descriptors are compiled in as they were generated");
    let mut names = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                names.insert(format!("{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    names
}

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, measure: self.clone() }
    }
}

/// A service whose calls are measured.
#[derive(Debug, Clone)]
pub struct Measured<S> {
    inner: S,
    measure: Measure,
}

impl<S, B, R> Service<tonic::codegen::http::Request<B>> for Measured<S>
where
    S: Service<tonic::codegen::http::Request<B>, Response = tonic::codegen::http::Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: tonic::codegen::http::Request<B>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/');
        let method = self.measure.methods.get(path).map_or(OTHER, String::as_str).to_owned();
        let span = spans::rpc(&method);
        let (metrics, begun) = (self.measure.metrics.clone(), clock::now());
        let answer = span.in_scope(|| self.inner.call(request)).instrument(span.clone());
        Box::pin(async move {
            let response = answer.await?;
            // A refusal comes as headers only; a success carries its code in the trailers.
            let code =
                response.headers().get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
            let code = tonic::Code::from_i32(code.unwrap_or_default());
            metrics.rpc(&method, name_of(code), clock::now().saturating_duration_since(begun));
            spans::answered(&span, name_of(code), is_fault(code));
            Ok(response)
        })
    }
}

/// Whether an answer of this code is our fault rather than the caller's.
const fn is_fault(code: tonic::Code) -> bool {
    matches!(
        code,
        tonic::Code::Unknown
            | tonic::Code::DeadlineExceeded
            | tonic::Code::Internal
            | tonic::Code::Unavailable
            | tonic::Code::DataLoss
    )
}

/// Sets the gauges until `stop`.
pub async fn gauges(
    metrics: ControlMetrics,
    publisher: Publisher,
    store: Arc<dyn Store>,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        let backend = match store.status().await {
            Ok(status) => {
                let backend = backend_name(status.backend);
                metrics.store_size(backend, status.size_bytes);
                backend
            }
            Err(_) => "unknown",
        };
        if let Ok(published) = publisher.current() {
            metrics.config_revision(u64::try_from(published.picture.revision).unwrap_or_default());
            metrics.cache_age(backend, clock::now().saturating_duration_since(published.seen));
        }
    }
}

const fn backend_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Embedded => "embedded",
        Backend::Etcd => "etcd",
    }
}

/// The label of a refusal by a worker.
#[must_use]
pub fn nack_reason(reason: &str) -> NackReason {
    match reason {
        "FIELD_INVALID" | "TOPOLOGY_INVALID" => NackReason::Invalid,
        "ADDRESS_MISSING" => NackReason::AddressMissing,
        "PORT_TAKEN" => NackReason::PortTaken,
        "NOT_ADVERTISED" => NackReason::NotAdvertisable,
        _ => NackReason::Other,
    }
}

const fn name_of(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::Ok => "OK",
        tonic::Code::Cancelled => "CANCELLED",
        tonic::Code::Unknown => "UNKNOWN",
        tonic::Code::InvalidArgument => "INVALID_ARGUMENT",
        tonic::Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        tonic::Code::NotFound => "NOT_FOUND",
        tonic::Code::AlreadyExists => "ALREADY_EXISTS",
        tonic::Code::PermissionDenied => "PERMISSION_DENIED",
        tonic::Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        tonic::Code::FailedPrecondition => "FAILED_PRECONDITION",
        tonic::Code::Aborted => "ABORTED",
        tonic::Code::OutOfRange => "OUT_OF_RANGE",
        tonic::Code::Unimplemented => "UNIMPLEMENTED",
        tonic::Code::Internal => "INTERNAL",
        tonic::Code::Unavailable => "UNAVAILABLE",
        tonic::Code::DataLoss => "DATA_LOSS",
        tonic::Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
