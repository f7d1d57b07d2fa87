//! What follows from a topology for sockets, with real ones on loopback.

use clap::Parser;
use um_topology::Change;

use super::*;

fn listeners(extra: &[&str]) -> Listeners {
    let config = Config::try_parse_from(["um-worker", "--id", "w1"].iter().chain(extra)).unwrap();
    Listeners::new(config)
}

fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn line(id: &str, address: &str, port: u16) -> Line {
    let mut line = Line::new(id, address.parse().unwrap());
    line.transport.receive_port = Some(port);
    line
}

fn topology(lines: impl IntoIterator<Item = Line>) -> Topology {
    let changes: Vec<Change> = lines.into_iter().map(|line| Change::Put(line.into())).collect();
    Topology::new().apply(1, &changes).unwrap()
}

#[test]
fn a_new_line_is_opened_once_and_kept() {
    let mut listeners = listeners(&[]);
    let wanted = topology([line("a", "127.0.0.1", free_port())]);
    let first = listeners.reconcile(&wanted);
    // One for datagrams, one for connections.
    assert_eq!((first.opened.len(), first.lines.len(), first.failures.len()), (2, 2, 0));
    let second = listeners.reconcile(&wanted);
    assert_eq!((second.opened.len(), &second.lines), (0, &first.lines));
}

#[test]
fn a_taken_port_fails_only_its_line() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut listeners = listeners(&[]);
    let result =
        listeners.reconcile(&topology([line("a", "127.0.0.1", port), line("b", "127.0.0.1", free_port())]));
    assert_eq!(result.failures.len(), 1);
    assert_eq!((&*result.failures[0].line, result.failures[0].reason), ("a", FailureReason::PortTaken));
    assert!(result.lines.iter().all(|line| &*line.id == "b") && !result.lines.is_empty());
}

#[test]
fn a_line_that_cannot_move_keeps_its_old_socket() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut listeners = listeners(&[]);
    let before = listeners.reconcile(&topology([line("a", "127.0.0.1", free_port())]));
    let after = listeners.reconcile(&topology([line("a", "127.0.0.1", taken.local_addr().unwrap().port())]));
    assert_eq!(after.failures.len(), 1);
    assert_eq!(after.lines, before.lines);
}

#[test]
fn a_moved_line_opens_the_new_socket_before_the_old_one_drains_and_closes_when_all_shards_are_idle() {
    let mut listeners = listeners(&["--signalling-threads", "2"]);
    let old: Vec<LineIndex> = listeners
        .reconcile(&topology([line("a", "127.0.0.1", free_port())]))
        .lines
        .iter()
        .map(|line| line.index)
        .collect();
    let moved = listeners.reconcile(&topology([line("a", "127.0.0.1", free_port())]));
    assert_eq!(moved.opened.len(), 2);
    let phases: Vec<LinePhase> = moved.lines.iter().map(|line| line.phase).collect();
    assert_eq!(phases, [LinePhase::Draining, LinePhase::Draining, LinePhase::Open, LinePhase::Open]);
    for old in old {
        assert!(!listeners.on_idle(old, 0));
        assert!(!listeners.on_idle(old, 0));
        assert!(listeners.on_idle(old, 1));
    }
    assert_eq!(listeners.lines().len(), 2);
}

/// RFC 3261 §18.2.1.
#[test]
fn a_udp_line_takes_connections_at_its_port_unless_another_line_does() {
    let mut listeners = listeners(&[]);
    let port = free_port();
    let alone = listeners.reconcile(&topology([line("a", "127.0.0.1", port)]));
    let sockets = |lines: &[BoundLine]| -> Vec<(String, Transport, u16)> {
        let open = lines.iter().filter(|line| line.phase == LinePhase::Open);
        open.map(|line| (line.id.to_string(), line.transport, line.local.port())).collect()
    };
    let (udp, tcp) = (Transport::Udp, Transport::Tcp);
    assert_eq!(sockets(&alone.lines), [("a".to_owned(), udp, port), ("a".to_owned(), tcp, port)]);
    let mut other = line("b", "127.0.0.1", port);
    other.transport.protocol = Some(tcp);
    let both = listeners.reconcile(&topology([line("a", "127.0.0.1", port), other]));
    assert_eq!(sockets(&both.lines), [("a".to_owned(), udp, port), ("b".to_owned(), tcp, port)]);
    assert!(both.failures.is_empty());
}

#[test]
fn a_udp_line_serves_without_connections_where_another_process_has_the_port() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let result = listeners(&[]).reconcile(&topology([line("a", "127.0.0.1", port)]));
    assert_eq!((result.lines.len(), result.failures.len()), (1, 0));
}

#[test]
fn an_inactive_line_drains_and_comes_back_with_the_socket_it_has() {
    let mut listeners = listeners(&[]);
    let mut a = line("a", "127.0.0.1", free_port());
    let index = listeners.reconcile(&topology([a.clone()])).lines[0].index;
    a.active = Some(false);
    assert_eq!(listeners.reconcile(&topology([a.clone()])).lines[0].phase, LinePhase::Draining);
    a.active = Some(true);
    let back = listeners.reconcile(&topology([a]));
    assert_eq!((back.opened.len(), back.lines[0].index, back.lines[0].phase), (0, index, LinePhase::Open));
    assert!(!listeners.on_idle(index, 0));
}

#[test]
fn a_wildcard_needs_something_to_advertise() {
    let wildcard = line("a", "0.0.0.0", free_port());
    let result = listeners(&[]).reconcile(&topology([wildcard.clone()]));
    assert_eq!(result.failures[0].reason, FailureReason::NotAdvertised);
    let result = listeners(&["--advertise", "203.0.113.7"]).reconcile(&topology([wildcard]));
    assert_eq!(result.lines[0].advertised.host, "203.0.113.7");
}

#[test]
fn an_address_of_another_host_fails_with_the_address() {
    let result =
        listeners(&[]).reconcile(&topology([line("a", "192.0.2.1", 5060), line("b", "nosuch0", 5060)]));
    assert!(result.failures.iter().all(|failure| failure.reason == FailureReason::AddressMissing));
    assert!(result.failures[0].text.contains("192.0.2.1") && result.failures[1].text.contains("nosuch0"));
}
