//! The subscriber: human-readable or JSON lines on standard error, filtered by directives, and spans to OTLP when pushed.

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::startup::InitError;

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Form of a line.
    pub format: LogFormat,
    /// Directives such as `info,um_worker=debug`.
    pub filter: String,
}

/// Keeps the spans of `spans.rs` out of the lines.
const NO_SPANS: &str = "um_telemetry::spans=off";

/// Installs the process's subscriber. `spans` is where spans are pushed, if anywhere.
pub(crate) fn install(logs: &Logs, spans: Option<&SdkTracerProvider>) -> Result<(), InitError> {
    let filter = EnvFilter::builder()
        .parse(&logs.filter)
        .map_err(|error| InitError::Filter { filter: logs.filter.clone(), reason: error.to_string() })?;
    // Spans are for the push only. Where there is none, nobody wants them and they are never made.
    let filter = filter.add_directive(NO_SPANS.parse().map_err(|error: ParseError| InitError::Filter {
        filter: NO_SPANS.to_owned(),
        reason: error.to_string(),
    })?);
    let lines = lines(logs.format).with_filter(filter);
    let installed = match spans {
        Some(provider) => {
            // Spans are pushed whatever the lines show: a quiet log must not thin out the traces.
            let push = tracing_opentelemetry::layer().with_tracer(provider.tracer("umgate"));
            Registry::default().with(lines).with(push.with_filter(LevelFilter::INFO)).try_init()
        }
        None => Registry::default().with(lines).try_init(),
    };
    installed.map_err(|error| InitError::Subscriber(error.to_string()))
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    match format {
        // Escape sequences in a file or a journal hide what one looks for.
        LogFormat::Text => {
            fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).boxed()
        }
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .boxed(),
    }
}
