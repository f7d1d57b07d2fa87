//! The real `um-worker` process against a control plane made by hand: what it takes, refuses and survives.

mod control;
#[expect(dead_code, reason = "the tests of the shards use all of it")]
#[path = "../../src/signalling/tests/parties.rs"]
mod parties;
mod worker;

use std::{net::UdpSocket, sync::Arc};

use um_discovery::FromWorker;
use um_topology::{
    AddressMode, Entry, Host, Id, Line, ProxyList, Resource, SipAddress, Station, Transport, User, UserUm,
};

use crate::{
    control::{Control, Stream},
    parties::{Caller, Server, options, status},
    worker::{Worker, free_port, options_status},
};

fn line(id: &str, port: u16) -> Resource {
    let mut line = Line::new(id, "127.0.0.1".parse().expect("an address"));
    line.transport.receive_port = Some(port);
    Resource::Line(Arc::new(line))
}

fn ack(nonce: u64, revision: i64) -> FromWorker {
    FromWorker::Ack { nonce, revision }
}

async fn refused(stream: &mut Stream) -> Vec<(String, String)> {
    match stream.answer().await {
        FromWorker::Nack { failures, .. } => {
            failures.into_iter().map(|failure| (failure.name.to_string(), failure.reason)).collect()
        }
        other @ (FromWorker::Hello(_) | FromWorker::Ack { .. }) => panic!("no NACK: {other:?}"),
    }
}

#[tokio::test]
async fn a_snapshot_and_its_deltas_open_and_close_lines_and_are_acknowledged() {
    let mut control = Control::start().await;
    let worker = Worker::start(&control.url);
    worker.until_get("/live", "live\n");
    assert!(worker.get("/ready").0 == 503);
    let (a, b) = (free_port(), free_port());
    let mut stream = control.accept().await;
    stream.snapshot(1, 5, "s", vec![("lines/a", line("a", a))]);
    assert_eq!(stream.answer().await, ack(1, 5));
    worker.until_get("/ready", "ready\n");
    assert_eq!(options_status(a), Some(200));
    stream.delta(2, 5, 6, vec![um_discovery::Change::Put("lines/b".into(), line("b", b))]);
    assert_eq!(stream.answer().await, ack(2, 6));
    assert_eq!(options_status(b), Some(200));
    stream.delta(3, 6, 7, vec![um_discovery::Change::Delete("lines/a".into())]);
    assert_eq!(stream.answer().await, ack(3, 7));
    worker.until_free(a);
    assert_eq!(options_status(b), Some(200));
    worker.until_status("\"revision\":7");
    assert!(worker.get("/metrics").1.contains("um_config_revision"));
    worker.end();
}

#[tokio::test]
async fn only_the_line_on_a_taken_port_is_refused_and_it_opens_when_the_port_is_free() {
    let mut control = Control::start().await;
    let worker = Worker::start(&control.url);
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let (blocked, free) = (taken.local_addr().expect("its address").port(), free_port());
    let mut stream = control.accept().await;
    stream.snapshot(1, 5, "s", vec![("lines/a", line("a", blocked)), ("lines/b", line("b", free))]);
    assert_eq!(refused(&mut stream).await, [("lines/a".to_owned(), "PORT_TAKEN".to_owned())]);
    assert_eq!(options_status(free), Some(200));
    let report = stream.report_of("lines/a").await;
    assert!(report.contains(&blocked.to_string()), "{report}");
    drop(taken);
    worker.until_open(blocked);
    assert_eq!(options_status(free), Some(200));
    worker.end();
}

#[tokio::test]
async fn a_line_that_cannot_move_stays_where_it_is() {
    let mut control = Control::start().await;
    let worker = Worker::start(&control.url);
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let before = free_port();
    let mut stream = control.accept().await;
    stream.snapshot(1, 5, "s", vec![("lines/a", line("a", before))]);
    assert_eq!(stream.answer().await, ack(1, 5));
    let blocked = taken.local_addr().expect("its address").port();
    stream.delta(2, 5, 6, vec![um_discovery::Change::Put("lines/a".into(), line("a", blocked))]);
    assert_eq!(refused(&mut stream).await, [("lines/a".to_owned(), "PORT_TAKEN".to_owned())]);
    assert_eq!(options_status(before), Some(200));
    // The same again, as control does for what was refused; it is offered anew, and refused anew.
    stream.delta(3, 6, 6, Vec::new());
    assert_eq!(refused(&mut stream).await.len(), 1);
    drop(taken);
    stream.delta(4, 6, 6, Vec::new());
    assert_eq!(stream.answer().await, ack(4, 6));
    assert_eq!(options_status(blocked), Some(200));
    worker.end();
}

#[tokio::test]
async fn a_lost_stream_changes_nothing_and_the_next_one_goes_on_from_what_is_in_force() {
    let mut control = Control::start().await;
    let worker = Worker::start(&control.url);
    let (a, b) = (free_port(), free_port());
    let mut stream = control.accept().await;
    stream.snapshot(1, 5, "s", vec![("lines/a", line("a", a))]);
    assert_eq!(stream.answer().await, ack(1, 5));
    drop(stream);
    assert_eq!(options_status(a), Some(200));
    let mut stream = control.accept().await;
    let applied = stream.hello.last_applied.clone().expect("it runs a topology");
    assert_eq!((&*applied.store_id, applied.revision, applied.partial), ("s", 5, false));
    // Another store with a lower revision: all of it replaces what runs.
    stream.snapshot(1, 2, "other", vec![("lines/b", line("b", b))]);
    assert_eq!(stream.answer().await, ack(1, 2));
    assert_eq!(options_status(b), Some(200));
    worker.until_free(a);
    drop(stream);
    // A wiped store does not wipe the worker.
    let mut stream = control.accept().await;
    stream.snapshot(1, 1, "wiped", Vec::new());
    assert_eq!(refused(&mut stream).await[0].1, "SNAPSHOT_EMPTY");
    assert_eq!(options_status(b), Some(200));
    worker.end();
}

#[tokio::test]
async fn a_worker_without_control_starts_and_serves_from_its_last_known_good() {
    let mut control = Control::start().await;
    let worker = Worker::start(&control.url);
    let a = free_port();
    let mut stream = control.accept().await;
    stream.snapshot(1, 5, "s", vec![("lines/a", line("a", a))]);
    assert_eq!(stream.answer().await, ack(1, 5));
    worker.until_get("/ready", "ready\n");
    drop((stream, control));
    assert_eq!(options_status(a), Some(200));
    let state = worker.end();
    // Something holds the port when it starts again, and lets go later.
    let holder = UdpSocket::bind(("127.0.0.1", a)).expect("the worker is gone");
    let worker = Worker::start_with("http://127.0.0.1:9", state);
    worker.until_get("/live", "live\n");
    assert_eq!(worker.get("/ready").0, 503);
    drop(holder);
    worker.until_get("/ready", "ready\n");
    assert_eq!(options_status(a), Some(200));
    worker.end();
}

#[tokio::test]
async fn a_signal_ends_an_idle_worker_with_success() {
    let mut control = Control::start().await;
    let worker = Worker::start(&control.url);
    let mut stream = control.accept().await;
    let port = free_port();
    stream.snapshot(1, 5, "s", vec![("lines/a", line("a", port))]);
    assert_eq!(stream.answer().await, ack(1, 5));
    let state = worker.end();
    assert!(state.path().join("last-known-good").exists());
    assert!(UdpSocket::bind(("127.0.0.1", port)).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_out_of_descriptors_serves_who_is_there_and_the_others_once_it_has_some() {
    let mut control = Control::start().await;
    let worker = Worker::start_with_descriptors(&control.url, 72);
    let mut stream = control.accept().await;
    let (udp, tcp) = (free_port(), free_port());
    let mut connected = Line::new("b", "127.0.0.1".parse().expect("an address"));
    connected.transport.receive_port = Some(tcp);
    connected.transport.protocol = Some(Transport::Tcp);
    stream.snapshot(
        1,
        5,
        "s",
        vec![("lines/a", line("a", udp)), ("lines/b", Resource::Line(connected.into()))],
    );
    assert_eq!(stream.answer().await, ack(1, 5));
    let first = Caller::tcp(tcp);
    assert_eq!(status(&first.ask(&options("first", "TCP"))), 200);
    let crowd: Vec<Caller> = (0..200).map(|_| Caller::tcp(tcp)).collect();
    assert_eq!(options_status(udp), Some(200));
    assert_eq!(status(&first.ask(&options("again", "TCP"))), 200);
    drop(crowd);
    assert_eq!(status(&Caller::tcp(tcp).ask(&options("late", "TCP"))), 200);
    worker.end();
}

/// A line for callers and the UM server, and user 2001 whose calls the server answers.
fn with_call(port: u16, server: u16) -> Vec<(&'static str, Resource)> {
    let mut line = Line::new("trunk", "127.0.0.1".parse().expect("an address"));
    line.transport.receive_port = Some(port);
    line.transport.protocol = Some(Transport::Udp);
    line.proxy_list = Some(Id::new("um"));
    let entry = Entry::new(Id::new("um1"), Host::Ip([127, 0, 0, 1].into()), Some(server));
    let host = "um.example.com".parse().expect("a host");
    let mut station = Station::new("voicemail", SipAddress::parts(Some("6000"), host, None));
    station.extension = Some("6000".into());
    station.contact_line = Some(Id::new("trunk"));
    let mut user = User::new("dana", "2001");
    user.um = UserUm {
        destination: Some(Id::new("voicemail")),
        address_mode: Some(AddressMode::InternalExtension),
        address: None,
    };
    vec![
        ("proxyLists/um", Resource::ProxyList(ProxyList::new("um", vec![entry]).into())),
        ("lines/trunk", Resource::Line(line.into())),
        ("stations/voicemail", Resource::Station(station.into())),
        ("users/dana", Resource::User(user.into())),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signal_refuses_new_calls_and_lets_the_running_one_finish() {
    let mut control = Control::start().await;
    let mut worker = Worker::start(&control.url);
    let server = Server::start();
    let mut stream = control.accept().await;
    let port = free_port();
    stream.snapshot(1, 5, "s", with_call(port, server.port));
    assert_eq!(stream.answer().await, ack(1, 5));
    let caller = Caller::udp(port);
    let ok = caller.invite("running");
    assert_eq!(status(&ok), 200, "{ok}");
    caller.tell(caller.inside(&ok, "ACK", 1).as_bytes());
    worker.signal();
    worker.until_status("\"draining\":true");
    let refused = Caller::udp(port).invite("late");
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(refused.contains("\r\nRetry-After: "), "{refused}");
    assert!(worker.get("/status").1.contains("\"calls\":1") && worker.is_running());
    assert_eq!(status(&caller.ask(&caller.inside(&ok, "BYE", 2))), 200);
    worker.wait();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_signal_hangs_up_what_is_left() {
    let mut control = Control::start().await;
    let worker = Worker::start(&control.url);
    let server = Server::start();
    let mut stream = control.accept().await;
    let port = free_port();
    stream.snapshot(1, 5, "s", with_call(port, server.port));
    assert_eq!(stream.answer().await, ack(1, 5));
    let caller = Caller::udp(port);
    let ok = caller.invite("stubborn");
    assert_eq!(status(&ok), 200, "{ok}");
    caller.tell(caller.inside(&ok, "ACK", 1).as_bytes());
    worker.signal();
    worker.until_status("\"draining\":true");
    worker.signal();
    assert!(caller.hear().starts_with("BYE "));
    worker.wait();
}
