//! The worker's end, input by input.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::message::FromControl;

type Ses = Session<u32>;

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time; only differences matter")]
    Instant::now()
}

fn named(values: &[(&str, u32)]) -> Vec<(Arc<str>, u32)> {
    values.iter().map(|(name, value)| (Arc::from(*name), *value)).collect()
}

fn snapshot(nonce: u64, store: &str, revision: i64, values: &[(&str, u32)]) -> FromControl<u32> {
    let store_id = Arc::from(store);
    FromControl::Snapshot { nonce, revision, store_id, chunk: 0, last: true, resources: named(values) }
}

fn delta(nonce: u64, from: i64, to: i64, changes: Vec<Change<u32>>) -> FromControl<u32> {
    FromControl::Delta { nonce, revision: to, from_revision: from, chunk: 0, last: true, changes }
}

fn put(name: &str, value: u32) -> Change<u32> {
    Change::Put(Arc::from(name), value)
}

fn known(revision: i64, values: &[(&str, u32)]) -> LastKnownGood<u32> {
    let applied = Applied { store_id: Arc::from("s"), revision, partial: false };
    LastKnownGood { applied, resources: named(values).into_iter().collect() }
}

fn drain(session: &mut Ses) -> Vec<Output<u32>> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// A session with a stream that stands; its Hello is drained.
fn connected(now: Instant, from: Option<LastKnownGood<u32>>) -> Ses {
    let mut session = Ses::new(Config::default(), 3, from, now);
    session.handle_connected(now);
    drain(&mut session);
    session
}

/// Gives a message and has all of it applied; returns what came out.
fn apply(session: &mut Ses, now: Instant, message: FromControl<u32>) -> Vec<Output<u32>> {
    session.handle_message(now, message);
    let mut outputs = drain(session);
    session.handle_applied(now, vec![]);
    outputs.extend(drain(session));
    outputs
}

fn failure(name: &str) -> Failure {
    Failure::new(Arc::from(name), "PORT_TAKEN", "taken")
}

#[test]
fn connects_at_once_and_says_what_it_runs() {
    let now = start();
    let mut session = Ses::new(Config::default(), 3, Some(known(4, &[("a", 1)])), now);
    assert_eq!(drain(&mut session), [Output::Connect]);
    session.handle_connected(now);
    let hello = Hello { last_applied: Some(known(4, &[]).applied) };
    assert_eq!(drain(&mut session), [Output::Send(FromWorker::Hello(hello))]);
    assert_eq!(session.in_force().len(), 1, "in force without control");
}

#[test]
fn applies_then_acknowledges_then_persists() {
    let now = start();
    let mut session = connected(now, None);
    let outputs = apply(&mut session, now, snapshot(1, "s", 5, &[("a", 1)]));
    let applied = Applied { store_id: Arc::from("s"), revision: 5, partial: false };
    let expected = [
        Output::Apply(Apply { store_id: Arc::from("s"), revision: 5, changes: vec![put("a", 1)] }),
        Output::Send(FromWorker::Ack { nonce: 1, revision: 5 }),
        Output::Persist(Persist { applied, changes: vec![put("a", 1)] }),
    ];
    assert_eq!(outputs, expected);
}

#[test]
fn a_snapshot_after_a_reconnect_becomes_the_difference() {
    let now = start();
    let mut session = connected(now, Some(known(4, &[("a", 1), ("b", 2)])));
    session.handle_message(now, snapshot(1, "s", 6, &[("b", 3), ("c", 4)]));
    let changes = vec![Change::Delete(Arc::from("a")), put("b", 3), put("c", 4)];
    assert_eq!(
        drain(&mut session),
        [Output::Apply(Apply { store_id: Arc::from("s"), revision: 6, changes })]
    );
}

#[test]
fn rejects_only_the_bad_resource_and_keeps_its_previous_version() {
    let now = start();
    let mut session = connected(now, Some(known(4, &[("bad", 1), ("good", 1)])));
    session.handle_message(now, delta(1, 4, 5, vec![put("bad", 2), put("good", 2), put("new", 2)]));
    drain(&mut session);
    session.handle_applied(now, vec![failure("bad"), failure("new")]);
    let outputs = drain(&mut session);
    let failures = vec![failure("bad"), failure("new")];
    assert_eq!(outputs[0], Output::Send(FromWorker::Nack { nonce: 1, revision: 5, failures }));
    let applied = Applied { store_id: Arc::from("s"), revision: 5, partial: true };
    assert_eq!(outputs[1], Output::Persist(Persist { applied, changes: vec![put("good", 2)] }));
    assert_eq!(*session.in_force(), named(&[("bad", 1), ("good", 2)]).into_iter().collect());
}

#[test]
fn an_empty_delta_tries_the_refused_again() {
    let now = start();
    let mut session = connected(now, Some(known(4, &[("bad", 1)])));
    session.handle_message(now, delta(1, 4, 5, vec![put("bad", 2)]));
    drain(&mut session);
    session.handle_applied(now, vec![failure("bad")]);
    drain(&mut session);
    let outputs = apply(&mut session, now, delta(2, 5, 5, vec![]));
    assert!(matches!(&outputs[0], Output::Apply(Apply { changes, .. }) if *changes == [put("bad", 2)]));
    assert_eq!(outputs[1], Output::Send(FromWorker::Ack { nonce: 2, revision: 5 }));
    assert_eq!(session.in_force().get("bad"), Some(&2));
}

#[test]
fn never_applies_a_lower_revision_of_the_same_store() {
    let now = start();
    let mut session = connected(now, Some(known(9, &[("a", 9)])));
    session.handle_message(now, snapshot(1, "s", 8, &[("a", 8)]));
    assert_eq!(drain(&mut session), [Output::Disconnect(DisconnectReason::Behind)]);
    assert_eq!(session.in_force().get("a"), Some(&9));
}

#[test]
fn another_store_replaces_everything_even_with_a_lower_revision() {
    let now = start();
    let mut session = connected(now, Some(known(9, &[("a", 9), ("b", 9)])));
    apply(&mut session, now, snapshot(1, "restored", 2, &[("a", 2)]));
    assert_eq!(*session.in_force(), named(&[("a", 2)]).into_iter().collect());
}

#[test]
fn an_empty_snapshot_of_another_store_is_refused() {
    let now = start();
    let mut session = connected(now, Some(known(9, &[("a", 9)])));
    session.handle_message(now, snapshot(1, "wiped", 1, &[]));
    let outputs = drain(&mut session);
    let [Output::Send(FromWorker::Nack { nonce: 1, revision: 1, failures })] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!((&*failures[0].name, &*failures[0].reason), (Failure::EVERYTHING, "SNAPSHOT_EMPTY"));
    assert_eq!(session.in_force().len(), 1);

    // Explicitly deleted in the same store, it is believed.
    let mut session = connected(now, Some(known(9, &[("a", 9)])));
    apply(&mut session, now, snapshot(1, "s", 10, &[]));
    assert!(session.in_force().is_empty());
}

#[test]
fn loss_changes_nothing_and_reconnects_with_growing_waits() {
    let now = start();
    let mut session = connected(now, Some(known(9, &[("a", 9)])));
    let mut at = now;
    let mut waits = Vec::new();
    for _ in 0..4 {
        session.handle_disconnected(at);
        let (retry_at, reason) = session.poll_timeout().unwrap();
        assert_eq!(reason, TimeoutReason::Reconnect);
        waits.push(retry_at - at);
        at = retry_at;
        session.handle_timeout(at);
        assert_eq!(drain(&mut session), [Output::Connect]);
    }
    assert!(waits[3] > waits[0], "{waits:?}");
    assert_eq!(session.in_force().get("a"), Some(&9));
}

#[test]
fn gives_up_a_stream_that_is_silent_or_cannot_be_opened() {
    let now = start();
    let mut session = connected(now, None);
    let (at, reason) = session.poll_timeout().unwrap();
    assert_eq!((at - now, reason), (Duration::from_secs(15), TimeoutReason::Silence));
    session.handle_message(now + Duration::from_secs(10), FromControl::Bookmark { revision: 0 });
    let (at, _) = session.poll_timeout().unwrap();
    assert_eq!(at - now, Duration::from_secs(25), "a bookmark is a sign of life");
    session.handle_timeout(at);
    assert_eq!(drain(&mut session), [Output::Disconnect(DisconnectReason::Silent)]);

    let (at, _) = session.poll_timeout().unwrap();
    session.handle_timeout(at);
    let (at, _) = session.poll_timeout().unwrap();
    session.handle_timeout(at);
    assert_eq!(drain(&mut session), [Output::Connect, Output::Disconnect(DisconnectReason::ConnectTimeout)]);
}

#[test]
fn finishes_applying_across_a_lost_stream_but_answers_no_other_stream() {
    let now = start();
    let mut session = connected(now, None);
    session.handle_message(now, snapshot(1, "s", 5, &[("a", 1)]));
    drain(&mut session);
    session.handle_disconnected(now);
    assert_eq!(session.poll_timeout(), None, "the driver's answer comes first");
    let later = now + Duration::from_secs(10);
    session.handle_applied(later, vec![]);
    let outputs = drain(&mut session);
    assert!(matches!(outputs[..], [Output::Persist(_), Output::Connect]), "{outputs:?}");
    assert_eq!(session.applied().map(|applied| applied.revision), Some(5));
}

#[test]
fn an_answer_that_was_not_sent_in_time_is_dropped_with_its_stream() {
    let now = start();
    let mut session = connected(now, None);
    session.handle_message(now, snapshot(1, "s", 5, &[("a", 1)]));
    drain(&mut session);
    session.handle_applied(now, vec![]);
    session.handle_disconnected(now);
    let outputs = drain(&mut session);
    assert!(matches!(outputs[..], [Output::Persist(_)]), "{outputs:?}");
}

#[test]
fn messages_out_of_order_are_violations() {
    let now = start();
    let part = |nonce, chunk, last| {
        let (store_id, resources) = (Arc::from("s"), named(&[("x", 1)]));
        FromControl::Snapshot { nonce, revision: 5, store_id, chunk, last, resources }
    };
    let cases: [Vec<FromControl<u32>>; 6] = [
        vec![part(1, 1, true)],
        vec![part(1, 0, false), part(1, 2, true)],
        vec![part(1, 0, false), part(2, 0, true)],
        vec![part(0, 0, true)],
        vec![delta(1, 3, 4, vec![])],
        vec![part(1, 0, true), delta(2, 5, 6, vec![])],
    ];
    for messages in cases {
        let mut session = connected(now, None);
        for message in messages.clone() {
            session.handle_message(now, message);
        }
        let outputs = drain(&mut session);
        assert!(
            matches!(outputs.last(), Some(Output::Disconnect(DisconnectReason::Violation(_)))),
            "{messages:?} gave {outputs:?}"
        );
    }
}

#[test]
fn more_resources_than_a_topology_may_have_are_a_violation() {
    let now = start();
    let mut session = Ses::new(Config { max_resources: 2, ..Config::default() }, 3, None, now);
    session.handle_connected(now);
    drain(&mut session);
    session.handle_message(now, snapshot(1, "s", 5, &[("a", 1), ("b", 1), ("c", 1)]));
    assert!(matches!(drain(&mut session)[..], [Output::Disconnect(DisconnectReason::Violation(_))]));
}
