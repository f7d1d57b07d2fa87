//! A real etcd server for tests: on loopback, free ports, a temporary folder, killed when dropped.
//!
//! Only with the feature `testing`.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const STARTS_MAX: usize = 3;
const READY_PAUSE: Duration = Duration::from_millis(20);
const READY_ATTEMPTS: usize = 1_000;

/// A running (or killed, or frozen) etcd.
#[derive(Debug)]
pub struct EtcdServer {
    child: Option<Child>,
    folder: TempDir,
    client_port: u16,
    peer_port: u16,
    /// All members with their peer URLs, as etcd wants them.
    cluster: String,
}

impl EtcdServer {
    /// Starts a server of its own cluster and waits until it serves.
    ///
    /// # Panics
    /// When no etcd is installed or it does not come up.
    pub async fn start() -> Self {
        let mut server = Self::new(tempfile::tempdir().expect("a temporary folder can be made"));
        for _ in 0..STARTS_MAX {
            server.cluster = server.member();
            server.restart().await;
            if server.is_running() {
                return server;
            }
            // Somebody else took a port meanwhile.
            (server.client_port, server.peer_port) = (free_port(), free_port());
        }
        panic!("etcd does not start");
    }

    /// Starts a cluster of `count` members and waits until all serve.
    ///
    /// # Panics
    /// When no etcd is installed or one does not come up.
    pub async fn start_cluster(count: usize) -> Vec<Self> {
        let folder = || tempfile::tempdir().expect("a temporary folder can be made");
        let mut members: Vec<Self> = (0..count).map(|_| Self::new(folder())).collect();
        let cluster = members.iter().map(Self::member).collect::<Vec<_>>().join(",");
        for member in &mut members {
            member.cluster.clone_from(&cluster);
            member.spawn();
        }
        for member in &mut members {
            member.wait_until_ready().await;
            assert!(member.is_running(), "a member of the cluster does not start");
        }
        members
    }

    fn new(folder: TempDir) -> Self {
        let (client_port, peer_port) = (free_port(), free_port());
        Self { child: None, folder, client_port, peer_port, cluster: String::new() }
    }

    /// Returns the URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port)
    }

    /// Kills the server as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts a killed server on its old data; waits until it serves or has failed.
    ///
    /// # Panics
    /// When no etcd is installed.
    pub async fn restart(&mut self) {
        self.kill();
        self.spawn();
        self.wait_until_ready().await;
    }

    /// Puts an empty server in its place, at the same address; waits until it serves or has failed.
    ///
    /// # Panics
    /// When no etcd is installed, or the old data cannot be removed.
    pub async fn wipe(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.folder.path().join("data")).expect("the server had data");
        self.restart().await;
    }

    /// Stops the server without its peers noticing: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    async fn wait_until_ready(&mut self) {
        for _ in 0..READY_ATTEMPTS {
            if !self.is_running() || TcpStream::connect((Ipv4Addr::LOCALHOST, self.client_port)).is_ok() {
                return;
            }
            tokio::time::sleep(READY_PAUSE).await;
        }
        self.kill();
    }

    fn spawn(&mut self) {
        let client = self.url();
        let peer = self.peer_url();
        let name = format!("member-{}", self.peer_port);
        let child = Command::new("etcd")
            .args(["--name", &name, "--logger", "zap", "--log-level", "error"])
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.cluster])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is installed");
        self.child = Some(child);
    }

    fn peer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.peer_port)
    }

    fn member(&self) -> String {
        format!("member-{}={}", self.peer_port, self.peer_url())
    }

    fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.as_ref().map(Pid::from_child) {
            kill_process(pid, signal).expect("our own child can be signalled");
        }
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").port()
}
