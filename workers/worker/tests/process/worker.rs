//! The process under test, its health endpoint, and a peer that asks its lines for OPTIONS.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// Polls for a condition; only a failing test polls so often.
const POLLS: usize = 600;
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Worker {
    child: Child,
    admin: SocketAddr,
    state: Option<TempDir>,
}

impl Worker {
    pub(crate) fn start(control: &str) -> Self {
        Self::start_with(control, tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn start_with(control: &str, state: TempDir) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_um-worker")), control, state)
    }

    /// Starts it with so many descriptors that it cannot raise the limit.
    pub(crate) fn start_with_descriptors(control: &str, most: u16) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n $0 && exec \"$@\"", &most.to_string(), env!("CARGO_BIN_EXE_um-worker")]);
        Self::run(shell, control, tempfile::tempdir().expect("a directory"))
    }

    fn run(mut command: Command, control: &str, state: TempDir) -> Self {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = command
            .args(["--id", "w1", "--control", control, "--log", "warn", "--signalling-threads", "2"])
            .args(["--listen", &admin.to_string()])
            .arg("--state-dir")
            .arg(state.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        Self { child, admin, state: Some(state) }
    }

    /// Status code and body of a GET; 0 while nobody answers.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.admin)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(
                format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
            )?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        let text = answer().unwrap_or_default();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        (head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0), body.to_owned())
    }

    pub(crate) fn until_get(&self, path: &str, body: &str) {
        until(&format!("{path} says {body}"), || self.get(path) == (200, body.to_owned()));
    }

    pub(crate) fn until_status(&self, part: &str) {
        until(&format!("the status has {part}"), || self.get("/status").1.contains(part));
    }

    pub(crate) fn until_free(&self, port: u16) {
        until("the port is free", || UdpSocket::bind(("127.0.0.1", port)).is_ok());
    }

    pub(crate) fn until_open(&self, port: u16) {
        until("the line answers", || options_status(port) == Some(200));
    }

    /// Ends it by a signal, which must succeed; returns its state directory.
    pub(crate) fn end(self) -> TempDir {
        self.signal();
        self.wait()
    }

    pub(crate) fn signal(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill(pid, Signal::SIGTERM).expect("it runs");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    /// Waits until it ends, which must be with success; returns its state directory.
    pub(crate) fn wait(mut self) -> TempDir {
        let mut code = None;
        until("the process ends", || {
            code = self.child.try_wait().expect("our child");
            code.is_some()
        });
        assert!(code.is_some_and(|code| code.success()), "{code:?}");
        self.state.take().expect("it has one")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut met: impl FnMut() -> bool) {
    for _ in 0..POLLS {
        if met() {
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("never: {what}");
}

pub(crate) fn free_port() -> u16 {
    loop {
        let port =
            UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What a line answers to OPTIONS; nothing when nobody does.
pub(crate) fn options_status(port: u16) -> Option<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    // Connected, so that a closed port is refused at once.
    socket.connect(("127.0.0.1", port)).expect("loopback");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a time");
    let local = socket.local_addr().expect("its address");
    let request = format!(
        "OPTIONS sip:umgate@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{}\r\nMax-Forwards: 70\r\n\
         From: <sip:pbx@127.0.0.1>;tag=f\r\nTo: <sip:umgate@127.0.0.1>\r\nCall-ID: {}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n",
        local.port(),
        local.port()
    );
    let mut buffer = [0; 4096];
    // Repeated as UDP needs it; the transaction answers each the same.
    for _ in 0..20 {
        socket.send(request.as_bytes()).ok()?;
        if let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            return text.get(8..11).and_then(|code| code.parse().ok());
        }
    }
    None
}
