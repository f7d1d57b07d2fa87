//! Start-up and flush: one meter provider with a Prometheus reader, and OTLP push of traces and metrics when asked for.
//!
//! Nothing is global but the log subscriber, and that only when [`Config::logs`] is set: several processes' worth of
//! telemetry can live in one test.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use crate::control::ControlMetrics;
use crate::exposition::Exposition;
use crate::logs::{self, Logs};
use crate::worker::WorkerMetrics;

/// Which process this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `um-control`.
    Control,
    /// `um-worker`.
    Worker,
}

/// Where traces and metrics are pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// OTLP over gRPC in clear text, `http://host:4317`.
    pub endpoint: String,
    /// How often metrics go out.
    pub interval: Duration,
}

/// All that telemetry needs to know, from the binary's flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which process this is (`service.name`).
    pub service: Service,
    /// `service.instance.id`: the worker's id, the control replica's name.
    pub instance: String,
    /// `service.version`, the crate version of the binary.
    pub version: &'static str,
    /// What is logged; `None` leaves the process's subscriber alone (tests, embedding).
    pub logs: Option<Logs>,
    /// Where to push; `None` pushes nothing and makes no spans.
    pub push: Option<Push>,
}

/// Why telemetry did not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter does not parse.
    #[error("log filter {filter:?}: {reason}")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another subscriber is installed.
    #[error("log subscriber: {0}")]
    Subscriber(String),
    /// The endpoint is not one that can be pushed to.
    #[error("OTLP endpoint {endpoint:?}: {reason}")]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The meter provider could not be made.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// Keeps telemetry running. Dropping it flushes within [`SHUTDOWN`]; [`Telemetry::shutdown`] does so by name.
#[derive(Debug)]
pub struct Telemetry {
    meters: SdkMeterProvider,
    spans: Option<SdkTracerProvider>,
    exposition: Exposition,
}

/// Starts telemetry. With a [`Push`] it must be called inside a tokio runtime, which the exporters use.
///
/// # Errors
/// The filter does not parse, a subscriber is there already, or the endpoint cannot be used. That a collector does not
/// answer is no error: what cannot be sent is dropped.
pub fn init(config: &Config) -> Result<Telemetry, InitError> {
    let resource = resource(config);
    let (exposition, reader) = Exposition::new()?;
    let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(reader);
    let mut spans = None;
    if let Some(push) = &config.push {
        meters = meters.with_reader(metric_push(push)?);
        spans = Some(span_push(push, resource)?);
    }
    if let Some(wanted) = &config.logs {
        logs::install(wanted, spans.as_ref())?;
    }
    Ok(Telemetry { meters: meters.build(), spans, exposition })
}

impl Telemetry {
    /// Flushes and stops. Call it from a thread outside the runtime, while the runtime still lives.
    pub fn shutdown(self) {
        drop(self);
    }

    /// The worker's instruments.
    #[must_use]
    pub fn worker_metrics(&self) -> WorkerMetrics {
        WorkerMetrics::new(&self.meters.meter("um-worker"))
    }

    /// The control plane's instruments.
    #[must_use]
    pub fn control_metrics(&self) -> ControlMetrics {
        ControlMetrics::new(&self.meters.meter("um-control"))
    }

    /// A handle that writes the exposition, for the admin listener.
    #[must_use]
    pub fn scrape(&self) -> Scrape {
        Scrape { exposition: self.exposition.clone() }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // A collector that is gone must not hold up the end of the process, and there is nobody left to tell.
        if let Some(spans) = &self.spans {
            let _flushed = spans.shutdown_with_timeout(SHUTDOWN);
        }
        let _flushed = self.meters.shutdown_with_timeout(SHUTDOWN);
    }
}

/// Writes the Prometheus text format; outlives nothing, clones freely.
#[derive(Clone, Debug)]
pub struct Scrape {
    exposition: Exposition,
}

impl Scrape {
    /// Collects and writes all metrics, with [`crate::CONTENT_TYPE`].
    ///
    /// # Errors
    /// The encoder's, as text.
    pub fn text(&self) -> Result<String, String> {
        self.exposition.text().map_err(|error| error.to_string())
    }
}

fn resource(config: &Config) -> Resource {
    let name = match config.service {
        Service::Control => "um-control",
        Service::Worker => "um-worker",
    };
    // Empty on purpose: the default would read the environment.
    Resource::builder_empty()
        .with_service_name(name)
        .with_attribute(KeyValue::new("service.instance.id", config.instance.clone()))
        .with_attribute(KeyValue::new("service.version", config.version))
        .build()
}

fn metric_push(push: &Push) -> Result<PeriodicReader<MetricExporter>, InitError> {
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint(push)?)
        .with_timeout(EXPORT)
        .build()
        .map_err(|error| refused(push, error.to_string()))?;
    Ok(PeriodicReader::builder(exporter).with_interval(push.interval).build())
}

fn span_push(push: &Push, resource: Resource) -> Result<SdkTracerProvider, InitError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint(push)?)
        .with_timeout(EXPORT)
        .build()
        .map_err(|error| refused(push, error.to_string()))?;
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_batch_exporter(exporter)
        .build())
}

fn endpoint(push: &Push) -> Result<&str, InitError> {
    if !push.endpoint.starts_with("http://") {
        return Err(refused(push, "must begin with http://".to_owned()));
    }
    if push.interval.is_zero() {
        return Err(refused(push, "the interval of metrics must not be zero".to_owned()));
    }
    Ok(&push.endpoint)
}

fn refused(push: &Push, reason: String) -> InitError {
    InitError::Endpoint { endpoint: push.endpoint.clone(), reason }
}

/// Longest wait for one export.
const EXPORT: Duration = Duration::from_secs(5);

/// Longest wait for the last export.
pub const SHUTDOWN: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
