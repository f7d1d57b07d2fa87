//! Control's end, input by input.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::Change;
use crate::message::{Applied, FromControl};

type Sub = Subscription<u32>;

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an origin for virtual time; only differences matter")]
    Instant::now()
}

fn snapshot(revision: i64, values: &[(&str, u32)]) -> Snapshot<u32> {
    let resources = values.iter().map(|(name, value)| (Arc::from(*name), *value)).collect();
    Snapshot { store_id: Arc::from("store"), revision, resources }
}

fn config() -> Config<u32> {
    Config { chunk_items: 2, ..Config::new(|_| 10) }
}

/// A stream on which the worker said that it runs `revision`, or nothing.
fn greeted(now: Instant, revision: Option<i64>) -> Sub {
    let mut sub = Sub::new(config(), 1, now);
    let last_applied =
        revision.map(|revision| Applied { store_id: Arc::from("store"), revision, partial: false });
    sub.handle_hello(now, &Hello { last_applied }, None);
    sub
}

fn drain(sub: &mut Sub) -> Vec<Output<u32>> {
    std::iter::from_fn(|| sub.poll_output()).collect()
}

fn delta_of(output: &Output<u32>) -> (u64, i64, i64, Vec<Change<u32>>) {
    let Output::Send(FromControl::Delta { nonce, revision, from_revision, changes, last: true, .. }) = output
    else {
        panic!("not a whole delta: {output:?}");
    };
    (*nonce, *from_revision, *revision, changes.clone())
}

/// Number, whether it is the last, and size of a part of snapshot 1 at revision 7.
fn part_of(output: &Output<u32>) -> (u32, bool, usize) {
    let Output::Send(FromControl::Snapshot { nonce: 1, revision: 7, chunk, last, resources, .. }) = output
    else {
        panic!("not a part of the snapshot: {output:?}");
    };
    (*chunk, *last, resources.len())
}

#[test]
fn sends_the_snapshot_in_parts_of_bounded_size() {
    let now = start();
    let mut sub = greeted(now, None);
    sub.handle_publish(now, snapshot(7, &[("a", 1), ("b", 2), ("c", 3)]));
    let parts: Vec<_> = drain(&mut sub).iter().map(part_of).collect();
    assert_eq!(parts, [(0, false, 2), (1, true, 1)]);
}

#[test]
fn an_empty_snapshot_is_one_empty_part() {
    let now = start();
    let mut sub = greeted(now, None);
    sub.handle_publish(now, snapshot(1, &[]));
    let outputs = drain(&mut sub);
    assert!(
        matches!(&outputs[..], [Output::Send(FromControl::Snapshot { last: true, resources, .. })] if resources.is_empty())
    );
}

#[test]
fn a_resource_above_the_size_of_a_part_travels_alone() {
    let now = start();
    let mut sub = Sub::new(Config { chunk_bytes: 5, ..config() }, 1, now);
    sub.handle_hello(now, &Hello::default(), None);
    sub.handle_publish(now, snapshot(1, &[("a", 1), ("b", 2)]));
    assert_eq!(drain(&mut sub).len(), 2);
}

#[test]
fn coalesces_what_is_published_while_an_update_is_in_flight() {
    let now = start();
    let mut sub = greeted(now, None);
    sub.handle_publish(now, snapshot(1, &[("a", 1)]));
    assert_eq!(drain(&mut sub).len(), 1);
    sub.handle_publish(now, snapshot(2, &[("a", 2)]));
    sub.handle_publish(now, snapshot(3, &[("a", 2), ("b", 1)]));
    assert!(drain(&mut sub).is_empty(), "one nonce at a time");

    sub.handle_ack(now, 1, 1);
    let outputs = drain(&mut sub);
    assert_eq!(outputs[0], Output::Acked { revision: 1 });
    let changes = vec![Change::Put(Arc::from("a"), 2), Change::Put(Arc::from("b"), 1)];
    assert_eq!(delta_of(&outputs[1]), (2, 1, 3, changes));
}

#[test]
fn ignores_a_publication_that_goes_back() {
    let now = start();
    let mut sub = greeted(now, None);
    sub.handle_publish(now, snapshot(5, &[("a", 5)]));
    drain(&mut sub);
    sub.handle_ack(now, 1, 5);
    drain(&mut sub);
    sub.handle_publish(now, snapshot(4, &[("a", 4)]));
    assert!(drain(&mut sub).is_empty());
}

#[test]
fn resumes_with_a_delta_where_the_snapshot_of_the_worker_is_still_known() {
    let now = start();
    let mut sub = Sub::new(config(), 1, now);
    let applied = Applied { store_id: Arc::from("store"), revision: 3, partial: false };
    sub.handle_publish(now, snapshot(4, &[("a", 1), ("b", 9)]));
    let known = Some(snapshot(3, &[("a", 1), ("b", 2)]));
    sub.handle_hello(now, &Hello { last_applied: Some(applied) }, known);
    assert_eq!(delta_of(&drain(&mut sub)[0]), (1, 3, 4, vec![Change::Put(Arc::from("b"), 9)]));
}

#[test]
fn a_worker_that_is_up_to_date_gets_an_empty_delta_to_acknowledge() {
    let now = start();
    let mut sub = Sub::new(config(), 1, now);
    let applied = Applied { store_id: Arc::from("store"), revision: 4, partial: false };
    sub.handle_publish(now, snapshot(4, &[("a", 1)]));
    sub.handle_hello(now, &Hello { last_applied: Some(applied) }, Some(snapshot(4, &[("a", 1)])));
    assert_eq!(delta_of(&drain(&mut sub)[0]), (1, 4, 4, vec![]));
}

#[test]
fn a_worker_that_runs_only_a_part_gets_a_snapshot() {
    let now = start();
    let mut sub = Sub::new(config(), 1, now);
    let applied = Applied { store_id: Arc::from("store"), revision: 4, partial: true };
    sub.handle_publish(now, snapshot(4, &[("a", 1)]));
    sub.handle_hello(now, &Hello { last_applied: Some(applied) }, Some(snapshot(4, &[("a", 1)])));
    assert!(matches!(drain(&mut sub)[0], Output::Send(FromControl::Snapshot { .. })));
}

#[test]
fn waits_for_a_replica_that_is_behind_the_worker_and_then_gives_up() {
    let now = start();
    let mut sub = greeted(now, Some(9));
    sub.handle_publish(now, snapshot(8, &[("a", 1)]));
    assert!(drain(&mut sub).is_empty());
    let (at, reason) = sub.poll_timeout().unwrap();
    assert_eq!((at - now, reason), (Duration::from_secs(5), TimeoutReason::Behind));

    let mut caught_up = greeted(now, Some(9));
    caught_up.handle_publish(now, snapshot(8, &[("a", 1)]));
    caught_up.handle_publish(now, snapshot(9, &[("a", 2)]));
    assert!(matches!(drain(&mut caught_up)[0], Output::Send(FromControl::Snapshot { revision: 9, .. })));

    sub.handle_timeout(at);
    assert_eq!(drain(&mut sub), [Output::Close(CloseReason::ReplicaBehind)]);
    assert!(sub.is_closed());
}

#[test]
fn offers_refused_resources_again_after_a_growing_time() {
    let now = start();
    let mut sub = greeted(now, None);
    sub.handle_publish(now, snapshot(1, &[("a", 1)]));
    drain(&mut sub);
    let failures = vec![Failure::new(Arc::from("a"), "PORT_TAKEN", "5060 is taken")];
    sub.handle_nack(now, 1, 1, failures.clone());
    assert_eq!(drain(&mut sub), [Output::Nacked { revision: 1, failures: failures.clone() }]);

    let (first, reason) = sub.poll_timeout().unwrap();
    assert_eq!(reason, TimeoutReason::Retry);
    assert!(first - now <= Duration::from_secs(2));
    sub.handle_timeout(first);
    assert_eq!(delta_of(&drain(&mut sub)[0]), (2, 1, 1, vec![]));
    sub.handle_nack(first, 2, 1, failures);
    drain(&mut sub);
    let (second, _) = sub.poll_timeout().unwrap();
    assert!(second - first > Duration::from_secs(2) / 2);
    sub.handle_timeout(second);
    drain(&mut sub);
    sub.handle_ack(second, 3, 1);
    assert_eq!(drain(&mut sub), [Output::Acked { revision: 1 }]);
    assert_eq!(sub.poll_timeout().unwrap().1, TimeoutReason::Bookmark, "nothing is left to retry");
}

#[test]
fn another_store_is_sent_as_a_snapshot() {
    let now = start();
    let mut sub = greeted(now, None);
    sub.handle_publish(now, snapshot(9, &[("a", 1)]));
    drain(&mut sub);
    sub.handle_ack(now, 1, 9);
    drain(&mut sub);
    sub.handle_publish(now, Snapshot { store_id: Arc::from("restored"), ..snapshot(2, &[("a", 1)]) });
    assert!(matches!(drain(&mut sub)[0], Output::Send(FromControl::Snapshot { revision: 2, .. })));
}

#[test]
fn bookmarks_when_nothing_else_is_sent() {
    let now = start();
    let mut sub = greeted(now, None);
    sub.handle_publish(now, snapshot(1, &[("a", 1)]));
    drain(&mut sub);
    sub.handle_ack(now, 1, 1);
    drain(&mut sub);
    let (at, reason) = sub.poll_timeout().unwrap();
    assert_eq!((at - now, reason), (Duration::from_secs(5), TimeoutReason::Bookmark));
    sub.handle_timeout(at);
    assert_eq!(drain(&mut sub), [Output::Send(FromControl::Bookmark { revision: 1 })]);
    assert_eq!(sub.poll_timeout().unwrap().0 - at, Duration::from_secs(5));
}

#[test]
fn closes_when_no_hello_or_no_answer_comes() {
    let now = start();
    let mut silent = Sub::new(config(), 1, now);
    let (at, _) = silent.poll_timeout().unwrap();
    silent.handle_timeout(at - Duration::from_millis(1));
    assert!(!silent.is_closed());
    silent.handle_timeout(at);
    assert_eq!(drain(&mut silent), [Output::Close(CloseReason::NoHello)]);

    let mut stuck = greeted(now, None);
    stuck.handle_publish(now, snapshot(1, &[]));
    drain(&mut stuck);
    let (at, _) = stuck.poll_timeout().unwrap();
    stuck.handle_timeout(at);
    assert_eq!(drain(&mut stuck), [Output::Close(CloseReason::NotAnswered)]);
    assert_eq!(stuck.poll_timeout(), None, "a closed stream holds no timer");
}

#[test]
fn answers_that_fit_nothing_are_violations() {
    let now = start();
    let published = || {
        let mut sub = greeted(now, None);
        sub.handle_publish(now, snapshot(1, &[("a", 1), ("b", 1), ("c", 1)]));
        sub
    };
    let mut wrong_nonce = published();
    drain(&mut wrong_nonce);
    wrong_nonce.handle_ack(now, 2, 1);
    let mut wrong_revision = published();
    drain(&mut wrong_revision);
    wrong_revision.handle_ack(now, 1, 2);
    let mut too_early = published();
    assert!(too_early.poll_output().is_some(), "the first of two parts");
    too_early.handle_ack(now, 1, 1);
    let mut of_nothing = published();
    drain(&mut of_nothing);
    of_nothing.handle_nack(now, 1, 1, vec![]);
    let mut greeted_twice = published();
    drain(&mut greeted_twice);
    greeted_twice.handle_hello(now, &Hello::default(), None);
    for mut sub in [wrong_nonce, wrong_revision, too_early, of_nothing, greeted_twice] {
        let outputs = drain(&mut sub);
        assert!(matches!(outputs[..], [Output::Close(CloseReason::Violation(_))]), "{outputs:?}");
    }
}
