//! A control plane on a store of its own, clients for it, and the audit at the end.

use std::{sync::Arc, time::Duration};

use clap::Parser;
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;
use um_control::{Running, auditor, config::Config, keys::Keys, vault::Vault};
use um_store::{EmbeddedOptions, EmbeddedStore, EtcdStore, Store, testing::EtcdServer};
use um_telemetry::{Service, Telemetry};
use um_wire::v1::{
    credential_service_client::CredentialServiceClient, line_service_client::LineServiceClient,
    proxy_list_service_client::ProxyListServiceClient, route_service_client::RouteServiceClient,
    routing_service_client::RoutingServiceClient, station_service_client::StationServiceClient,
    topology_service_client::TopologyServiceClient, user_service_client::UserServiceClient,
    worker_service_client::WorkerServiceClient,
};

use crate::outage::Fragile;

/// Longest wait for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// What seals the secrets of the tests.
const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// Pause between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// One file in a temporary folder.
    Embedded,
    /// A real etcd on free loopback ports.
    Etcd,
}

/// One control plane and its clients.
pub(crate) struct Control {
    running: Running,
    pub(crate) lines: LineServiceClient<Channel>,
    pub(crate) lists: ProxyListServiceClient<Channel>,
    pub(crate) credentials: CredentialServiceClient<Channel>,
    pub(crate) routes: RouteServiceClient<Channel>,
    pub(crate) stations: StationServiceClient<Channel>,
    pub(crate) users: UserServiceClient<Channel>,
    pub(crate) topology: TopologyServiceClient<Channel>,
    pub(crate) routing: RoutingServiceClient<Channel>,
    pub(crate) workers: WorkerServiceClient<Channel>,
    pub(crate) channel: Channel,
    _telemetry: Telemetry,
}

/// A store with one control plane on it, to which more can be added.
pub(crate) struct Fixture {
    pub(crate) control: Control,
    pub(crate) store: Arc<Fragile>,
    _keep: Box<dyn std::any::Any + Send>,
}

impl Fixture {
    /// Starts a fresh store and a control plane on it.
    pub(crate) async fn start(backend: Backend) -> Self {
        let (store, keep): (Arc<dyn Store>, Box<dyn std::any::Any + Send>) = match backend {
            Backend::Embedded => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("store");
                let store = EmbeddedStore::open(path, EmbeddedOptions::default()).await.unwrap();
                (Arc::new(store), Box::new(folder))
            }
            Backend::Etcd => {
                let server = EtcdServer::start().await;
                (Arc::new(EtcdStore::connect([server.url()]).await.unwrap()), Box::new(server))
            }
        };
        let store = Arc::new(Fragile::new(store));
        Self { control: Control::start(Arc::clone(&store)).await, store, _keep: keep }
    }

    /// Starts another control plane on the same store.
    pub(crate) async fn replica(&self) -> Control {
        Control::start(Arc::clone(&self.store)).await
    }

    /// Audits the store and ends the control plane.
    pub(crate) async fn finish(self) {
        let report = auditor::audit(&*self.store, &keys()).await.unwrap();
        assert!(report.items >= 3, "the schema and the heads are there");
        assert_eq!(report.broken, [], "of revision {}", report.revision);
        self.control.stop().await;
    }
}

impl Control {
    async fn start(store: Arc<Fragile>) -> Self {
        // Read once at the start; all replicas have the same.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, SECRET_KEY).unwrap();
        let path = path.to_str().unwrap();
        let config = Config::parse_from(["um-control", "--listen", "127.0.0.1:0", "--secret-key", path]);
        let telemetry = um_telemetry::init(&um_telemetry::Config {
            service: Service::Control,
            instance: "test".into(),
            version: "0",
            logs: None,
            push: None,
        });
        let telemetry = telemetry.unwrap();
        let running = um_control::start(&config, store, &telemetry).await.unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{}", running.address)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let control = Self {
            running,
            lines: LineServiceClient::new(channel.clone()),
            lists: ProxyListServiceClient::new(channel.clone()),
            credentials: CredentialServiceClient::new(channel.clone()),
            routes: RouteServiceClient::new(channel.clone()),
            stations: StationServiceClient::new(channel.clone()),
            users: UserServiceClient::new(channel.clone()),
            topology: TopologyServiceClient::new(channel.clone()),
            routing: RoutingServiceClient::new(channel.clone()),
            workers: WorkerServiceClient::new(channel.clone()),
            channel,
            _telemetry: telemetry,
        };
        control.wait_until_read().await;
        control
    }

    /// Waits until the store has been read.
    async fn wait_until_read(&self) {
        eventually("the store is read", async || {
            self.topology.clone().get_settings(um_wire::v1::GetSettingsRequest::default()).await.is_ok()
        })
        .await;
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        let Self { running, .. } = self;
        running.stop().await.unwrap();
    }
}

/// The keys of the store, with what opens secrets.
pub(crate) fn keys() -> Keys {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, SECRET_KEY).unwrap();
    Keys::new("default").with_vault(Vault::read(&path).unwrap())
}

/// Looks again and again until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let looked = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(PAUSE).await;
        }
    });
    assert!(looked.await.is_ok(), "{what}: not in {PATIENCE:?}");
}

/// The machine-readable reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "um.v1");
    info.reason.clone()
}

/// A value of a refusal's metadata.
pub(crate) fn metadata(status: &Status, key: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(key).cloned()).unwrap_or_default()
}

/// The paths of all fields that a refusal names as wrong.
pub(crate) fn wrong_fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// Wants a refusal of this code and reason.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    answer: Result<Response<T>, Status>,
    code: Code,
    why: &str,
) -> Status {
    let status = answer.expect_err("is refused");
    assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status:?}");
    status
}
