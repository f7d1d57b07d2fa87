//! The gRPC services: requests to writes and reads, results to replies. No rule of the product lives here.

use std::{sync::Arc, time::Duration};

use prost_types::FieldMask;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, metadata::MetadataValue};
use um_telemetry::ControlMetrics;
use um_topology::{Kind, Name};
use um_wire::{Kinded, mask};
use uuid::Uuid;

use crate::{
    audit::Actor,
    clock,
    error::ApiError,
    fleet::Fleet,
    publisher::{Published, Publisher},
    snapshots::Snapshots,
    writer::Writer,
};

mod routing;
mod standard;
mod topology;
mod watch;
mod workers;

pub use self::workers::Streams;

/// Everything that the services share.
#[derive(Clone, Debug)]
pub struct Api {
    /// What reads see.
    pub publisher: Publisher,
    /// What writes.
    pub writer: Writer,
    /// What is known about workers.
    pub fleet: Fleet,
    /// Pictures that lists are being read from.
    pub snapshots: Snapshots,
    /// Numbers the workers' streams.
    pub streams: Streams,
    /// Instruments.
    pub metrics: ControlMetrics,
    /// Ends the streams.
    pub stop: CancellationToken,
}

impl Api {
    /// The picture that a read sees, as fresh as its metadata ask for (`um-consistency: strong`).
    async fn read<T>(&self, request: &Request<T>) -> Result<Arc<Published>, ApiError> {
        match request.metadata().get("um-consistency").map(|value| value.as_bytes()) {
            None => self.publisher.current(),
            Some(b"strong") => {
                let head = self.writer.head().await?;
                self.publisher.reach(head).await
            }
            Some(_) => Err(ApiError::field("um-consistency", "the only value is `strong`")),
        }
    }
}

/// A reply that says of which revision it is, and how old that is when the store is silent.
fn reply<T>(message: T, published: &Published) -> Response<T> {
    reply_at(message, published.picture.revision, published.stale_for(clock::now()))
}

fn reply_at<T>(message: T, revision: i64, age: Option<Duration>) -> Response<T> {
    let mut response = Response::new(message);
    response.metadata_mut().insert("um-revision", MetadataValue::from(revision));
    if let Some(age) = age {
        response.metadata_mut().insert("um-cache-age", MetadataValue::from(age.as_secs()));
    }
    response
}

/// Who asks.
fn actor<T>(request: &Request<T>, method: &'static str) -> Actor {
    let address = request.remote_addr().map(|address| address.to_string()).unwrap_or_default();
    Actor { method, address, manager: String::new() }
}

/// Reads a full name of `kind`.
fn name_of(kind: Kind, text: &str, field: &str) -> Result<Name, ApiError> {
    let form = || format!("must be a name of the form `{}/{{id}}`", kind.collection());
    match text.parse::<Name>() {
        Ok(name) if name.kind == kind => Ok(name),
        Ok(_) | Err(_) if text.is_empty() => {
            Err(ApiError::field(field, format!("is required and {}", form())))
        }
        Ok(_) | Err(_) => Err(ApiError::field(
            field,
            format!("`{}` {}", text.chars().take(128).collect::<String>(), form()),
        )),
    }
}

/// Reads a `request_id`; empty means none.
fn request_id(text: &str) -> Result<Option<Uuid>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| ApiError::field("request_id", "must be a UUID"))
}

/// The word that names a kind's field in requests, `proxy_list`.
const fn field_of(kind: Kind) -> &'static str {
    match kind {
        Kind::ProxyList => "proxy_list",
        Kind::Line => "line",
        Kind::Station => "station",
        Kind::User => "user",
        Kind::Credential => "credential",
        Kind::Route => "route",
        Kind::Settings => "settings",
    }
}

/// The fields of a resource that a read asked for.
fn project<K: Kinded>(resource: K, read_mask: Option<&FieldMask>) -> Result<K, ApiError> {
    mask::project(resource, read_mask).map_err(|invalid| ApiError::Fields(invalid.violations))
}

/// A refusal of a write to one resource: paths begin with its field in the request.
fn refuse(kind: Kind) -> impl FnOnce(ApiError) -> Status {
    move |error| error.into_status_with(|_| format!("{}.", field_of(kind)))
}
