//! The control plane: keeps the topology in a store, serves the gRPC API, hands the topology to the workers.
//!
//! [`run`] is the whole process. A request goes `api` → `writer` (plan, check, one transaction) → store; the change
//! comes back through `publisher`, the only source of every read, watch and worker stream.

#![forbid(unsafe_code)]

pub mod api;
pub mod audit;
pub mod auditor;
pub mod clock;
pub mod conditions;
pub mod config;
pub mod error;
pub mod fleet;
pub mod history;
pub mod keys;
pub mod observe;
pub mod picture;
pub mod publisher;
pub mod schema;
pub mod snapshots;
pub mod stored;
pub mod vault;
pub mod writer;

mod streams;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::ServingStatus;
use um_store::Store;
use um_telemetry::{LogFormat, Logs, Push, Service, Telemetry};
use um_wire::{FILE_DESCRIPTOR_SET, v1};

use crate::{
    api::Api,
    config::Config,
    fleet::Fleet,
    keys::Keys,
    observe::MeasuredStore,
    publisher::{Publisher, publisher},
    snapshots::Snapshots,
    vault::Vault,
    writer::Writer,
};

/// Largest message, bytes.
const MAX_MESSAGE: usize = 4 << 20;
/// Time for streams and calls to end at shutdown.
const SHUTDOWN: Duration = Duration::from_secs(30);

/// A control plane that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens; with port 0 asked for, the port that it got.
    pub address: SocketAddr,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Running {
    /// Ends it and waits until it has ended.
    ///
    /// # Errors
    ///
    /// When serving failed before.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        match tokio::time::timeout(SHUTDOWN, self.server).await {
            Ok(ended) => Ok(ended??),
            Err(_) => Ok(()),
        }
    }

    /// Waits until it ends by itself, which only a failure brings about.
    ///
    /// # Errors
    ///
    /// Why serving failed.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        Ok((&mut self.server).await??)
    }
}

/// Runs the process until a signal ends it.
///
/// # Errors
///
/// A message that says what to do: the store cannot be opened, the address is taken.
pub async fn run(config: Config) -> anyhow::Result<()> {
    config.validate().map_err(anyhow::Error::msg)?;
    let telemetry = telemetry(&config)?;
    let store = um_store::open(&config.store)
        .await
        .with_context(|| format!("--store {} cannot be opened", config.store))?;
    let config = config.with_secret_key()?;
    let mut running = start(&config, store, &telemetry).await?;
    tracing::info!(address = %running.address, store = %config.store, realm = config.realm, "um-control listens");
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        ended = running.ended() => return ended,
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("um-control is shutting down");
    running.stop().await
}

/// Starts serving; what runs is ended by [`Running::stop`].
///
/// # Errors
///
/// When the address cannot be bound or reflection cannot be built.
pub async fn start(config: &Config, store: Arc<dyn Store>, telemetry: &Telemetry) -> anyhow::Result<Running> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("--listen {} cannot be bound; is another um-control running here?", config.listen)
    })?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let keys = Keys::new(&config.realm).with_vault(vault(config)?);
    let metrics = telemetry.control_metrics();
    let store: Arc<dyn Store> = Arc::new(MeasuredStore::new(store, metrics.clone()));
    let (follower, publisher) = publisher(Arc::clone(&store), keys.clone());
    tokio::spawn(follower.run(stop.clone()));
    tokio::spawn(observe::gauges(metrics.clone(), publisher.clone(), Arc::clone(&store), stop.clone()));
    let api = Api {
        writer: Writer::new(store, keys, publisher.clone()),
        publisher: publisher.clone(),
        fleet: Fleet::default(),
        snapshots: Snapshots::default(),
        streams: api::Streams::default(),
        metrics: metrics.clone(),
        stop: stop.clone(),
    };
    let (health, health_server) = tonic_health::server::health_reporter();
    for service in ["startup", "live"] {
        health.set_service_status(service, ServingStatus::Serving).await;
    }
    tokio::spawn(readiness(health, publisher, stop.clone()));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let router = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .layer(observe::Measure::new(metrics))
        .add_service(health_server)
        .add_service(reflection)
        .add_service(
            v1::line_service_server::LineServiceServer::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            v1::proxy_list_service_server::ProxyListServiceServer::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            v1::station_service_server::StationServiceServer::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            v1::user_service_server::UserServiceServer::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            v1::credential_service_server::CredentialServiceServer::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            v1::route_service_server::RouteServiceServer::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            v1::topology_service_server::TopologyServiceServer::new(api.clone())
                .max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(v1::routing_service_server::RoutingServiceServer::new(api.clone()))
        .add_service(v1::worker_service_server::WorkerServiceServer::new(api));
    // Nagle would hold an update back until the worker's last small message is acknowledged.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned()));
    Ok(Running { address, stop, server })
}

/// What seals secrets; without a key it seals none.
fn vault(config: &Config) -> anyhow::Result<Vault> {
    let vault = config.secret_key.as_deref().map(Vault::read).transpose().context("--secret-key")?;
    Ok(vault.unwrap_or_default())
}

/// Ready while the store has been read and answers; what is old is still served.
async fn readiness(
    health: tonic_health::server::HealthReporter,
    publisher: Publisher,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    while !stop.is_cancelled() {
        tick.tick().await;
        let fresh = publisher.current().is_ok_and(|published| published.stale_for(clock::now()).is_none());
        let status = if fresh { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in ["", "ready"] {
            health.set_service_status(service, status).await;
        }
    }
}

fn telemetry(config: &Config) -> anyhow::Result<Telemetry> {
    let format = match config.log_format {
        config::LogFormat::Text => LogFormat::Text,
        config::LogFormat::Json => LogFormat::Json,
    };
    let push = config.otlp.clone().map(|endpoint| Push { endpoint, interval: Duration::from_secs(10) });
    Ok(um_telemetry::init(&um_telemetry::Config {
        service: Service::Control,
        instance: config.id.clone(),
        version: env!("CARGO_PKG_VERSION"),
        logs: Some(Logs { format, filter: config.log.clone() }),
        push,
    })?)
}
