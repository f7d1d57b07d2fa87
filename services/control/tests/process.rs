//! The real process beside a real etcd that is killed and comes back, and how the process starts and ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;
use um_control::{auditor, keys::Keys};
use um_store::{EtcdStore, testing::EtcdServer};
use um_wire::v1::{self, user_service_client::UserServiceClient};

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A control plane; it ends with the test, however that ends.
struct Process(Child);

impl Process {
    fn start(store: &str) -> (Self, UserServiceClient<Channel>) {
        let address = free_address();
        let child = command()
            .args(["--listen", &address.to_string(), "--log", "error", "--store", store])
            .stdin(Stdio::null())
            .spawn();
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        (Self(child.unwrap()), UserServiceClient::new(channel))
    }

    async fn ended(&mut self) -> ExitStatus {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        waited.await.expect("it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_um-control"))
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

async fn create(
    users: &UserServiceClient<Channel>,
    id: &str,
    extension: &str,
) -> Result<Response<v1::User>, Status> {
    let user = v1::User { extension: Some(extension.into()), ..Default::default() };
    let request = v1::CreateUserRequest { user_id: id.into(), user: Some(user), ..Default::default() };
    users.clone().create_user(request).await
}

async fn read(users: &UserServiceClient<Channel>, id: &str) -> Result<Response<v1::User>, Status> {
    let request = v1::GetUserRequest { name: format!("users/{id}"), read_mask: None };
    users.clone().get_user(request).await
}

/// Asks until the answer is as wanted.
async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F, wanted: impl Fn(&T) -> bool) -> T
where
    F: Future<Output = Result<T, Status>>,
{
    let asked = tokio::time::timeout(PATIENCE, async {
        loop {
            match ask().await {
                Ok(answer) if wanted(&answer) => return answer,
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    });
    asked.await.unwrap_or_else(|_| panic!("{what}: not in {PATIENCE:?}"))
}

fn age(answer: &Response<v1::User>) -> Option<u64> {
    answer.metadata().get("um-cache-age").map(|age| age.to_str().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_outlive_etcd_and_writes_come_back_with_it() {
    let mut etcd = EtcdServer::start().await;
    let (_process, users) = Process::start(&format!("etcd:{}", etcd.url()));
    until("it serves", || create(&users, "dana", "2001"), |_| true).await;
    etcd.kill();
    for number in 0..3 {
        let status = create(&users, &format!("lost{number}"), &format!("300{number}")).await.unwrap_err();
        let reason = status.get_error_details().error_info().unwrap().reason.clone();
        match (status.code(), reason.as_str()) {
            (Code::Unavailable, "STORE_UNAVAILABLE") => {}
            // Sent into a connection that had not been seen to close: then nobody can know what became of it.
            (Code::DeadlineExceeded, "STORE_TIMEOUT") if number == 0 => {}
            other => panic!("{other:?}: {status:?}"),
        }
    }
    let old =
        until("reads say how old they are", || read(&users, "dana"), |answer| age(answer).is_some()).await;
    assert_eq!(old.get_ref().extension.as_deref(), Some("2001"));
    etcd.restart().await;
    until("writes come back", || create(&users, "lee", "2002"), |_| true).await;
    until("reads are fresh", || read(&users, "lee"), |answer| age(answer).is_none()).await;
    let list = users.clone().list_users(v1::ListUsersRequest::default()).await.unwrap().into_inner();
    let names: Vec<&str> = list.users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["users/dana", "users/lee"], "nothing of the refused writes is there");
    let store = EtcdStore::connect([etcd.url()]).await.unwrap();
    assert_eq!(auditor::audit(&store, &Keys::new("default")).await.unwrap().broken, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_etcd_in_the_place_of_the_first_is_read_anew() {
    let mut etcd = EtcdServer::start().await;
    let (_process, users) = Process::start(&format!("etcd:{}", etcd.url()));
    until("it serves", || create(&users, "dana", "2001"), |_| true).await;
    for number in 0..20 {
        create(&users, &format!("u{number}"), &format!("30{number:02}")).await.unwrap();
    }
    etcd.wipe().await;
    until("the new store is served", || create(&users, "lee", "2002"), |_| true).await;
    let list = users.clone().list_users(v1::ListUsersRequest::default()).await.unwrap().into_inner();
    assert_eq!(list.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["users/lee"]);
}

#[tokio::test]
async fn a_signal_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, users) = Process::start(&format!("embedded:{}", folder.path().join("store").display()));
    until("it serves", || create(&users, "dana", "2001"), |_| true).await;
    let pid = process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(process.ended().await.code(), Some(0));
}

#[test]
fn what_cannot_work_is_refused_with_what_would() {
    let run = |args: &[&str]| -> Output { command().args(args).output().unwrap() };
    let folder = tempfile::tempdir().unwrap();
    let store = format!("embedded:{}", folder.path().join("store").display());
    for (args, code, told) in [
        (["--listen", "0.0.0.0:7400", "--store", &store], 1, "--insecure"),
        (["--listen", "nowhere", "--store", &store], 2, "--listen"),
        (["--listen", "127.0.0.1:0", "--store", "sqlite:x"], 2, "--store"),
        (["--listen", "127.0.0.1:0", "--store", "embedded:/dev/null/x"], 1, "--store"),
    ] {
        let output = run(&args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(told), "{text}");
    }
    let help = run(&["--help"]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for flag in ["--listen", "--store", "--insecure", "UM_LISTEN", "UM_STORE"] {
        assert!(text.contains(flag), "{flag} in {text}");
    }
}
