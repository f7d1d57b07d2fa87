//! The health and metrics endpoint: `/live`, `/ready`, `/status` and `/metrics` over HTTP/1.1.
//!
//! `live` speaks of the process only. `ready` means a topology in force and its sockets bound; it never depends on
//! um-control, so a worker that serves its last known good stays ready.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use um_telemetry::Scrape;

use crate::status::Status;

/// What the endpoint shows.
#[derive(Clone)]
pub(crate) struct Admin {
    /// The latest picture of the worker, renewed every second and with every topology.
    pub(crate) status: watch::Receiver<Arc<Status>>,
    /// The metrics.
    pub(crate) scrape: Scrape,
}

/// Binds the endpoint.
///
/// # Errors
///
/// A sentence that names the address.
pub(crate) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| {
        anyhow::anyhow!("--listen {listen} cannot be bound: {error}; is another um-worker running here?")
    })
}

impl Admin {
    /// Answers until `stop`.
    pub(crate) async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let router = Router::new()
            .route("/live", get(|| async { "live\n" }))
            .route("/ready", get(ready))
            .route("/status", get(status))
            .route("/metrics", get(metrics))
            .with_state(self);
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the health and metrics endpoint ended");
        }
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    let missing = admin.status.borrow().missing();
    if missing.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", missing.join(", "))).into_response()
    }
}

async fn status(State(admin): State<Admin>) -> Json<Status> {
    Json(Status::clone(&admin.status.borrow()))
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.scrape.text() {
        Ok(text) => ([(CONTENT_TYPE, um_telemetry::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}
