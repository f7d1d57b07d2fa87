//! The real process on the embedded store is killed again and again under writers; nothing that it acknowledged may be
//! missing, nothing may be there twice, and the store keeps its invariants.
//!
//! Every client repeats what was not acknowledged under the same request id until it is, as a client should.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tonic::transport::{Channel, Endpoint};
use um_control::{auditor, keys::Keys};
use um_store::{EmbeddedOptions, EmbeddedStore, Store};
use um_wire::v1::{
    self, topology_service_client::TopologyServiceClient, user_service_client::UserServiceClient,
};
use uuid::Uuid;

/// Acknowledged writes in all: half of them creations, half of them updates.
const WRITES: usize = 10_000;
const WRITERS: usize = 16;
/// Acknowledgements after which the process is killed, counted from the last kill.
const KILLED_AFTER: [usize; 6] = [1, 1_777, 333, 2_500, 1_024, 2_001];
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Name of a user to the etag of its last acknowledged write and the display name that it gave.
type Acknowledged = BTreeMap<String, (String, String)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let mut process = start(folder.path(), address);
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (channel, acknowledged, count) =
                (channel.clone(), Arc::clone(&acknowledged), Arc::clone(&count));
            tokio::spawn(write(writer, channel, acknowledged, count))
        })
        .collect();
    let mut killed_at = 0;
    for after in KILLED_AFTER {
        killed_at += after;
        reached(&count, killed_at).await;
        // What was acknowledged before the kill must be there after it.
        let before = acknowledged.lock().unwrap().clone();
        process.kill();
        process = start(folder.path(), address);
        check(&channel, &before).await;
    }
    reached(&count, WRITES).await;
    for writer in writers {
        writer.await.unwrap();
    }
    process.kill();
    let store = EmbeddedStore::open(folder.path().join("store"), EmbeddedOptions::default()).await.unwrap();
    assert!(store.revision().await.unwrap() > i64::try_from(WRITES).unwrap());
    let report = auditor::audit(&store, &Keys::new("default")).await.unwrap();
    assert_eq!(report.broken, []);
    drop(store);
    let _process = start(folder.path(), address);
    let all = acknowledged.lock().unwrap().clone();
    assert_eq!(check(&channel, &all).await, WRITES / 2, "every user once");
}

/// The process; it ends with the test, however that ends.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, address: SocketAddr) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_um-control"))
        .args(["--listen", &address.to_string(), "--log", "error"])
        .arg("--store")
        .arg(format!("embedded:{}", folder.join("store").display()))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

async fn reached(count: &AtomicUsize, wanted: usize) {
    let waited = tokio::time::timeout(PATIENCE * 4, async {
        while count.load(Ordering::SeqCst) < wanted {
            tokio::time::sleep(PAUSE).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("only {} of {wanted} writes", count.load(Ordering::SeqCst)));
}

/// Creates and updates users until this writer's share is done.
async fn write(
    writer: usize,
    channel: Channel,
    acknowledged: Arc<Mutex<Acknowledged>>,
    count: Arc<AtomicUsize>,
) {
    let users = UserServiceClient::new(channel);
    for number in (writer..WRITES / 2).step_by(WRITERS) {
        let user = v1::User {
            name: format!("users/u{number}"),
            extension: Some(format!("{}", 100_000 + number)),
            aliases: vec![format!("{}", 300_000 + number)],
            ..Default::default()
        };
        let request = v1::CreateUserRequest {
            user_id: format!("u{number}"),
            user: Some(user.clone()),
            request_id: Uuid::new_v4().to_string(),
            validate_only: false,
        };
        let created = insist(|| {
            let (mut users, request) = (users.clone(), request.clone());
            async move { users.create_user(request).await }
        })
        .await;
        note(&acknowledged, &count, &created);
        let request = v1::UpdateUserRequest {
            user: Some(v1::User {
                display_name: format!("number {number}"),
                etag: created.etag,
                aliases: vec![format!("{}", 500_000 + number)],
                ..user
            }),
            request_id: Uuid::new_v4().to_string(),
            ..Default::default()
        };
        let updated = insist(|| {
            let (mut users, request) = (users.clone(), request.clone());
            async move { users.update_user(request).await }
        })
        .await;
        note(&acknowledged, &count, &updated);
    }
}

fn note(acknowledged: &Mutex<Acknowledged>, count: &AtomicUsize, user: &v1::User) {
    let told = (user.etag.clone(), user.display_name.clone());
    acknowledged.lock().unwrap().insert(user.name.clone(), told);
    count.fetch_add(1, Ordering::SeqCst);
}

/// Asks until there is an answer; only a process that is gone is a reason to ask again.
async fn insist<F>(mut ask: impl FnMut() -> F) -> v1::User
where
    F: Future<Output = Result<tonic::Response<v1::User>, tonic::Status>>,
{
    let asked = tokio::time::timeout(PATIENCE, async {
        loop {
            match ask().await {
                Ok(answer) => return answer.into_inner(),
                Err(status) => {
                    assert!(is_gone(&status), "{status:?}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    asked.await.expect("the process comes back")
}

/// Whether the connection broke or nobody listens.
fn is_gone(status: &tonic::Status) -> bool {
    [tonic::Code::Unavailable, tonic::Code::Unknown, tonic::Code::Cancelled].contains(&status.code())
}

/// Reads everything and compares; a later write of the same user may already be there. Returns how many users there are.
async fn check(channel: &Channel, acknowledged: &Acknowledged) -> usize {
    let topology = TopologyServiceClient::new(channel.clone());
    let mut stream = loop {
        // Right after its start the process has not read the store yet.
        match topology.clone().watch(v1::WatchRequest { send_initial: true, ..Default::default() }).await {
            Ok(stream) => break stream.into_inner(),
            Err(status) => {
                assert!(is_gone(&status), "{status:?}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    let mut found = BTreeMap::new();
    while let Some(response) = stream.message().await.unwrap() {
        match response.message.unwrap() {
            v1::watch_response::Message::Initial(initial) => {
                for resource in initial.resources {
                    let user = v1::User::try_from(resource).unwrap();
                    assert!(found.insert(user.name.clone(), user).is_none(), "everything once");
                }
            }
            v1::watch_response::Message::InitialEnd(_)
            | v1::watch_response::Message::Changes(_)
            | v1::watch_response::Message::Bookmark(_) => break,
        }
    }
    let number = |etag: &str| etag.trim_matches('"').parse::<i64>().unwrap();
    for (name, (etag, display_name)) in acknowledged {
        let user = found.get(name).unwrap_or_else(|| panic!("{name} was acknowledged"));
        if user.etag == *etag {
            assert_eq!(user.display_name, *display_name, "{name}");
        } else {
            assert!(number(&user.etag) > number(etag), "{name} went back");
        }
    }
    found.len()
}
