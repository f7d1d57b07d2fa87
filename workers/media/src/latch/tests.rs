//! The latching rule as a table: who may move our sending, when, and who never.

use super::*;
use crate::epoch::start;

const SDP: &str = "192.0.2.10:4000";
const SIGNALLING: &str = "192.0.2.99";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn latch(now: Instant) -> Latch {
    let allow = ["198.51.100.0/24".parse().unwrap()];
    Latch::open(now, address(SDP), SIGNALLING.parse().unwrap(), Arc::from(allow))
}

#[test]
fn the_first_packet_is_judged_by_source_and_time() {
    let table = [
        // source, ms after the answer, verdict, where we send afterwards
        (SDP, 0, Verdict::Known, SDP),
        (SDP, 60_000, Verdict::Known, SDP),
        ("192.0.2.10:4444", 0, Verdict::Latched, "192.0.2.10:4444"),
        ("192.0.2.10:4444", 4_999, Verdict::Latched, "192.0.2.10:4444"),
        ("192.0.2.10:4444", 5_000, Verdict::Foreign, SDP),
        ("192.0.2.99:7000", 100, Verdict::Latched, "192.0.2.99:7000"),
        ("192.0.2.99:7000", 5_000, Verdict::Foreign, SDP),
        ("198.51.100.7:9", 100, Verdict::Latched, "198.51.100.7:9"),
        ("198.51.101.7:9", 100, Verdict::Foreign, SDP),
        ("203.0.113.1:4000", 0, Verdict::Foreign, SDP),
    ];
    for (source, after, verdict, destination) in table {
        let now = start();
        let mut latch = latch(now);
        assert_eq!(
            latch.accept(now + Duration::from_millis(after), address(source)),
            verdict,
            "{source} {after}"
        );
        assert_eq!(latch.destination(), Some(address(destination)), "{source} {after}");
    }
}

#[test]
fn once_locked_nobody_else_is_taken() {
    let now = start();
    let mut latch = latch(now);
    assert_eq!(latch.accept(now, address("192.0.2.99:7000")), Verdict::Latched);
    for source in [SDP, "192.0.2.99:7002", "198.51.100.7:9", "203.0.113.1:1"] {
        assert_eq!(latch.accept(now, address(source)), Verdict::Foreign, "{source}");
    }
    assert_eq!(latch.accept(now + Duration::from_secs(600), address("192.0.2.99:7000")), Verdict::Known);
}

#[test]
fn a_foreign_packet_does_not_use_up_the_window() {
    let now = start();
    let mut latch = latch(now);
    assert_eq!(latch.accept(now, address("203.0.113.1:1")), Verdict::Foreign);
    assert_eq!(latch.accept(now, address("192.0.2.10:4444")), Verdict::Latched);
}

#[test]
fn a_new_address_unlocks_and_the_same_one_does_not() {
    let now = start();
    let mut latch = latch(now);
    latch.accept(now, address("192.0.2.10:4444"));
    let (signalling, allow) = (latch.signalling, Arc::clone(&latch.allow));
    latch.renegotiate(now, address(SDP), signalling, Arc::clone(&allow));
    assert_eq!(latch.destination(), Some(address("192.0.2.10:4444")));
    assert_eq!(latch.accept(now, address("192.0.2.10:4446")), Verdict::Foreign);
    latch.renegotiate(now, address("192.0.2.20:5000"), signalling, allow);
    assert_eq!(latch.destination(), Some(address("192.0.2.20:5000")));
    assert_eq!(latch.accept(now, address("192.0.2.10:4444")), Verdict::Foreign);
    assert_eq!(latch.accept(now, address("192.0.2.20:5002")), Verdict::Latched);
}

#[test]
fn the_window_restarts_while_nothing_was_learnt() {
    let now = start();
    let mut latch = latch(now);
    let answered = now + Duration::from_secs(20);
    let (signalling, allow) = (latch.signalling, Arc::clone(&latch.allow));
    latch.renegotiate(answered, address(SDP), signalling, allow);
    assert_eq!(latch.accept(answered + Duration::from_secs(1), address("192.0.2.10:4444")), Verdict::Latched);
}

#[test]
fn an_address_of_zeros_is_never_sent_to() {
    let now = start();
    let mut latch = Latch::open(now, address("0.0.0.0:4000"), SIGNALLING.parse().unwrap(), Arc::from([]));
    assert_eq!(latch.destination(), None);
    assert_eq!(latch.accept(now, address("192.0.2.99:7000")), Verdict::Latched);
    assert_eq!(latch.destination(), Some(address("192.0.2.99:7000")));
}

#[test]
fn an_ipv4_source_seen_through_ipv6_is_the_same() {
    let now = start();
    let mut latch = latch(now);
    assert_eq!(latch.accept(now, address("[::ffff:192.0.2.10]:4000")), Verdict::Known);
}
