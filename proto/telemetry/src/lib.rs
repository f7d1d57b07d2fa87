//! Everything the processes say about themselves: the catalogue of instruments and span fields, one recording function per
//! instrument, and start-up and flush of logs, traces and metrics.
//!
//! It is not an observer: it knows no call, no topology and no store. Binaries turn the events and counters of the pure crates
//! into calls of [`WorkerMetrics`] and [`ControlMetrics`]; nothing else names OpenTelemetry.
//! It reads neither flags nor environment: a binary's `config.rs` fills [`Config`].

mod attribute;
pub mod catalogue;
mod control;
mod exposition;
mod instrument;
mod logs;
pub mod spans;
mod startup;
mod worker;

pub use self::attribute::{
    CallOutcome, CallState, Direction, NackReason, ProbeOutcome, Role, StoreOperation, StoreOutcome,
    TargetState, Transport,
};
pub use self::control::ControlMetrics;
pub use self::exposition::CONTENT_TYPE;
pub use self::logs::{LogFormat, Logs};
pub use self::startup::{Config, InitError, Push, SHUTDOWN, Scrape, Service, Telemetry, init};
pub use self::worker::WorkerMetrics;
