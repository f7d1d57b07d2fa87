//! `umctl` against a real `um-control` on an embedded store: what an operator types, what he sees, how it ends.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../../../deploy/dev/example.yaml");

/// A control plane of its own for one test.
struct Control {
    process: Child,
    url: String,
    folder: TempDir,
}

impl Control {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("its address").to_string();
        drop(free);
        let process = Command::new(binary("um-control"))
            .args(["--listen", &address, "--store"])
            .arg(format!("embedded:{}", folder.path().join("store.redb").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("um-control starts; `make test-build` builds it");
        let control = Self { process, url: format!("http://{address}"), folder };
        for _ in 0..300 {
            if control.run(&["workers", "-o", "name"]).status.success() {
                return control;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("um-control does not answer on {address}");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("umctl"));
        command.args(["--server", &self.url, "--timeout", "5s"]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("umctl runs")
    }

    /// Runs a command that must end with a code, and returns what it wrote to both outputs.
    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        let text = String::from_utf8(text).expect("text");
        assert_eq!(output.status.code(), Some(code), "umctl {arguments:?} wrote\n{text}");
        text
    }

    /// Writes a manifest and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path of text").to_owned()
    }

    fn with_example() -> Self {
        let control = Self::start();
        let example = control.file("example.yaml", EXAMPLE);
        control.ends(0, &["apply", "-f", &example]);
        control
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a binary of the workspace, which stands two folders above the test's own.
fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the test has a path");
    let folder = own.ancestors().nth(2).expect("target/debug");
    folder.join(name)
}

#[test]
fn what_is_applied_is_exported_and_applies_unchanged() {
    let control = Control::start();
    let example = control.file("example.yaml", EXAMPLE);
    assert!(control.ends(5, &["diff", "-f", &example]).contains("+ lines/um\n"));
    assert!(control.ends(0, &["apply", "-f", &example, "--dry-run"]).contains("lines/um created (dry run)"));
    assert_eq!(control.ends(0, &["export"]), "", "a dry run writes nothing");

    assert!(control.ends(0, &["apply", "-f", &example]).lines().all(|line| line.ends_with(" created")));
    let again = control.ends(0, &["apply", "-f", &example]);
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    assert_eq!(control.ends(0, &["diff", "-f", &example]), "");

    let exported = control.file("exported.yaml", &control.ends(0, &["export"]));
    assert_eq!(control.ends(0, &["diff", "-f", &exported]), "");
    let folder = control.ends(0, &["get", "user", "-o", "yaml"]);
    assert!(folder.contains("kind: User\nname: dana\nextension: \"2001\"\n"), "{folder}");
    assert_eq!(control.ends(0, &["get", "line", "-o", "name"]), "lines/pbx\nlines/um\n");
}

#[test]
fn a_changed_order_is_shown_before_it_is_applied() {
    let control = Control::with_example();
    let changed =
        EXAMPLE.replacen("priority: 1", "priority: 3", 1).replacen("timeout: 7500ms", "timeout: 8s", 1);
    let changed = control.file("changed.yaml", &changed);
    let shown = control.ends(5, &["diff", "-f", &changed]);
    assert!(shown.contains("~ entries[um1].priority: 1 -> 3"), "{shown}");
    assert!(shown.contains("~ timeout: 7500ms -> 8s"), "{shown}");
    let applied = control.ends(0, &["apply", "-f", &changed, "-o", "name"]);
    assert_eq!(applied, "proxyLists/um\n", "only what changed");
}

#[test]
fn every_fault_is_told_with_its_line_and_nothing_is_written() {
    let control = Control::with_example();
    let wrong = control.file("wrong.yaml", "kind: Line\nname: a\ntransport: {recieve_port: 5060}\n");
    let told = control.ends(1, &["apply", "-f", &wrong]);
    assert!(told.contains("wrong.yaml:3:13: transport.recieve_port: "), "{told}");
    assert!(told.contains("did you mean receive_port?"), "{told}");

    let text = "\
kind: User
name: eve
extension: \"2001\"
um: {destination: nowhere}
---
kind: Line
name: b
transport: {bind_address: 127.0.0.1, receive_port: 0}
";
    let refused = control.file("refused.yaml", text);
    let told = control.ends(1, &["apply", "-f", &refused]);
    for place in [
        "refused.yaml:3:12: extension: ",
        "refused.yaml:4:19: um.destination: ",
        "refused.yaml:8:52: transport.receive_port: ",
    ] {
        assert!(told.contains(place), "{place} is not in\n{told}");
    }
    control.ends(3, &["get", "user", "eve"]);
}

#[test]
fn refusals_end_with_the_code_of_their_kind() {
    let control = Control::with_example();
    let told = control.ends(4, &["delete", "line", "um"]);
    assert!(told.contains("stations/voicemail"), "{told}");
    control.ends(4, &["delete", "user", "dana", "--etag", "\"1\""]);
    control.ends(3, &["delete", "user", "nobody"]);
    control.ends(0, &["delete", "user", "nobody", "--ignore-missing"]);
    control.ends(2, &["get", "lien"]);
    control.ends(0, &["delete", "user", "dana"]);
    control.ends(3, &["describe", "user", "dana"]);
}

#[test]
fn an_edit_replaces_what_was_read_and_a_wrong_one_changes_nothing() {
    let control = Control::with_example();
    assert_eq!(control.ends(0, &["edit", "line", "pbx", "--editor", "true"]), "lines/pbx unchanged\n");
    let edited = control.ends(0, &["edit", "line", "pbx", "--editor", "sed -i s/2000/7/"]);
    assert_eq!(edited, "lines/pbx edited\n");
    assert!(control.ends(0, &["get", "line", "pbx", "-o", "yaml"]).contains("max_calls: 7\n"));
    let told = control.ends(1, &["edit", "line", "pbx", "--editor", "sed -i s/5060/70000/"]);
    assert!(told.contains("transport.receive_port"), "{told}");
    assert!(control.ends(0, &["get", "line", "pbx", "-o", "yaml"]).contains("receive_port: 5060\n"));
}

#[test]
fn a_watch_shows_what_there_is_and_then_each_change() {
    let control = Control::with_example();
    let mut watch = control
        .command(&["get", "user", "-w", "-o", "name"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("umctl runs");
    let lines = watch.stdout.take().map(BufReader::new).expect("its output");
    let mut lines = lines.lines().map(|line| line.expect("text"));
    assert_eq!(lines.by_ref().take(2).collect::<Vec<_>>(), ["users/dana", "users/lee"]);
    let dana = control.file("dana.yaml", "kind: User\nname: dana\nextension: \"2009\"\n");
    control.ends(0, &["apply", "-f", &dana]);
    assert_eq!(lines.next().as_deref(), Some("users/dana"));
    let _ = watch.kill();
    let _ = watch.wait();
}

#[test]
fn a_simulated_route_says_who_is_tried_and_why() {
    let control = Control::with_example();
    let told = control
        .ends(0, &["route", "simulate", "--request-uri", "sip:2001@127.0.0.1", "--assume", "um/um1=DOWN"]);
    assert!(told.contains("user dana"), "{told}");
    let row = |target: &str| {
        told.lines().find(|line| line.contains(target) && line.contains("TCP")).map(ToOwned::to_owned)
    };
    assert!(row("um/um1").is_some_and(|row| row.starts_with('-') && row.ends_with("DOWN")), "{told}");
    assert!(row("um/um2").is_some_and(|row| row.starts_with('1')), "{told}");
    let told = control.ends(0, &["route", "simulate", "--request-uri", "sip:9999@127.0.0.1"]);
    assert!(told.contains("Rejected with 404"), "{told}");
}

#[test]
fn a_manifest_may_come_from_the_standard_input_and_control_may_be_gone() {
    let mut control = Control::start();
    let mut apply = control.command(&["apply", "-f", "-"]).stdin(Stdio::piped()).spawn().expect("umctl runs");
    apply
        .stdin
        .take()
        .expect("its input")
        .write_all(b"kind: Settings\ndomains: [pbx.example.com]\n")
        .expect("room");
    assert!(apply.wait().expect("an end").success());
    assert!(control.ends(0, &["topology"]).contains("domains pbx.example.com"));

    control.process.kill().expect("it runs");
    control.process.wait().expect("it ends");
    assert!(control.ends(7, &["get", "line"]).contains("does not answer"));
}
