//! The program over real sockets: a server process, callers, the control port, exit codes.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_um-double");

/// A server on ports of its own choice; killed when dropped.
struct Server {
    process: Child,
    address: String,
    control: String,
}

impl Server {
    fn start(transport: &str, media_ports: &str) -> Self {
        let listen = format!("{transport}:127.0.0.1:0");
        let mut process = Command::new(PROGRAM)
            .args(["server", "--name", "um7", "--listen", &listen, "--control", "127.0.0.1:0"])
            .args(["--media-ports", media_ports])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let behind = |mark: &str| {
            let rest = line.split(mark).nth(1).unwrap_or_else(|| panic!("no {mark} in {line}"));
            rest.split([',', '\n']).next().expect("a word").to_owned()
        };
        Self { address: behind(&format!("{transport}:")), control: behind("control port "), process }
    }

    fn call(&self, more: &[&str]) -> Output {
        let to = format!("sip:6000@{}", self.address);
        Command::new(PROGRAM)
            .args(["call", "--to", &to, "--hold", "2s"])
            .args(more)
            .output()
            .expect("it runs")
    }

    fn tell(&self, command: &str) -> serde_json::Value {
        let told = Command::new(PROGRAM).args(["tell", &self.control, command]).output().expect("it runs");
        serde_json::from_slice(&told.stdout).expect("JSON")
    }

    fn terminate(mut self) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a pid"));
        kill(pid, Signal::SIGTERM).expect("it runs");
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_call_over_udp_is_answered_heard_and_drawn() {
    let server = Server::start("udp", "34000-34099");
    let beside = format!("um7={}", server.control);
    let called = server.call(&["--diversion", "2001;no-answer", "--expect", "um7/2001", "--beside", &beside]);
    assert_eq!(called.status.code(), Some(0), "{called:?}");
    let drawing = text(&called);
    assert!(drawing.contains("UM server um7, mailbox 2001, call answering"), "{drawing}");
    assert_eq!(drawing.matches("INVITE sip:").count(), 2, "both legs are drawn:\n{drawing}");
    assert_eq!(server.tell("stats")["answered"], 1);
    assert_eq!(server.tell("calls")["calls"][0]["heard"][0], "caller");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_call_over_tcp_reports_as_json_and_by_exit_code() {
    let server = Server::start("tcp", "34100-34199");
    let called = server.call(&["--transport", "tcp", "--from", "2001", "--json", "--expect", "um8/2001"]);
    assert_eq!(called.status.code(), Some(4), "another server was expected");
    let report: serde_json::Value = serde_json::from_slice(&called.stdout).expect("JSON");
    assert_eq!(report["outcome"], "answered");
    assert_eq!(report["announcement"]["service"], "subscriber-access");
    assert_eq!(server.tell("behave busy:503,retry-after=9")["behaviour"], "busy:503,retry-after=9");
    let refused = server.call(&["--transport", "tcp", "--json"]);
    assert_eq!(refused.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!((&report["status"], &report["retry_after"]), (&503.into(), &9.into()));
    server.tell("behave close-connection");
    let closed = server.call(&["--transport", "tcp"]);
    assert!(text(&closed).contains("cannot be reached"), "{}", text(&closed));
}
