//! The Prometheus side of the meter provider: dots become underscores, then the unit, then `_total` for counters.

use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Registry, TextEncoder};

use crate::startup::InitError;

/// Content type of [`crate::Scrape::text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Where a scrape finds the metrics.
#[derive(Clone, Debug)]
pub(crate) struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Makes the registry and the reader that fills it at every scrape.
    pub(crate) fn new() -> Result<(Self, PrometheusExporter), InitError> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| InitError::Metrics(error.to_string()))?;
        Ok((Self { registry }, reader))
    }

    /// Collects and writes the text format.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = String::with_capacity(16 * 1024);
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
