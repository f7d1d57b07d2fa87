//! When the next target is tried, and which response the caller gets at last (domain rules of failover).

use super::*;

#[test]
fn two_silent_targets_cost_two_seconds_each() {
    let mut bench = Bench::new(3);
    bench.send(0);
    assert_eq!(bench.wait(), 2_000);
    bench.send(1);
    assert_eq!(bench.wait(), 4_000);
    bench.send(2);
    bench.answer(2);
}

#[test]
fn a_single_silent_target_has_until_the_give_up_and_then_the_caller_gets_503() {
    let mut bench = Bench::new(1);
    bench.send(0);
    assert_eq!(bench.wait(), 7_500);
    let acts = bench.acts();
    assert!(acts.contains(&Act::Abandon(AttemptId(0))));
    assert_eq!((rejected(&acts), over(&acts)), (Some((503, Some(10))), Some(Reason::Silent)));
    assert_eq!(marks(&acts), [(0, Sign::Failed)]);
}

#[test]
fn only_100_is_cancelled_after_the_timeout_and_the_next_target_follows_the_487() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, Heard::Trying);
    assert_eq!(bench.wait(), 7_500);
    assert_eq!(bench.acts(), [Act::Cancel(AttemptId(0))]);
    bench.pass(100);
    bench.hear(0, refused(487));
    let acts = bench.acts();
    assert_eq!(marks(&acts), [(0, Sign::Failed)]);
    assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
}

#[test]
fn a_cancelled_attempt_that_stays_silent_is_given_up_after_two_seconds() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, Heard::Trying);
    bench.wait();
    assert_eq!(bench.wait(), 9_500);
    let acts = bench.acts();
    assert!(acts.contains(&Act::Abandon(AttemptId(0))));
    assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
}

#[test]
fn an_answer_that_crosses_our_cancel_is_taken() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, Heard::Trying);
    bench.wait();
    bench.acts();
    bench.pass(500);
    bench.answer(0);
}

#[test]
fn ringing_without_an_answer_is_final_after_three_minutes() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, Heard::Progress(180));
    bench.acts();
    assert_eq!(bench.wait(), 12_000, "the budget does not cut a ringing attempt");
    assert_eq!(bench.acts(), []);
    assert_eq!(bench.wait(), 180_000);
    let acts = bench.acts();
    assert!(acts.contains(&Act::Abandon(AttemptId(0))));
    assert_eq!((rejected(&acts), over(&acts)), (Some((408, None)), Some(Reason::NotAnswered)));
    assert_eq!(marks(&acts), []);
}

#[test]
fn the_budget_ends_all_attempts() {
    let mut bench = Bench::new(9);
    for attempt in 0..5 {
        bench.send(attempt);
        bench.wait();
    }
    bench.send(5);
    bench.pass(1);
    bench.hear(5, Heard::Trying);
    assert_eq!(bench.wait(), 12_000);
    let acts = bench.acts();
    assert!(acts.contains(&Act::Abandon(AttemptId(5))));
    assert_eq!((rejected(&acts), over(&acts)), (Some((503, Some(10))), Some(Reason::BudgetUsedUp)));
}

#[test]
fn no_connection_in_time_moves_on() {
    let mut bench = Bench::new(2);
    bench.acts();
    bench.hear(0, Heard::Located(Arc::from([address(0)])));
    let acts = bench.acts();
    let Some(Act::Reach(reach)) = acts.last() else { panic!("{acts:?}") };
    assert_eq!((reach.connect_by - bench.began).as_millis(), 2_000);
    assert_eq!(bench.wait(), 2_000);
    assert!(matches!(bench.acts().last(), Some(Act::Locate(AttemptId(1), 1, _))));
}

#[test]
fn what_fails_at_once_moves_on_at_once() {
    let failures = [
        Heard::NotConnected(ConnectError::Refused),
        Heard::NotConnected(ConnectError::Unreachable),
        Heard::NotConnected(ConnectError::TimedOut),
    ];
    for heard in failures {
        let mut bench = Bench::new(2);
        bench.acts();
        bench.hear(0, Heard::Located(Arc::from([address(0)])));
        bench.acts();
        bench.hear(0, heard);
        let acts = bench.acts();
        assert_eq!(marks(&acts), [(0, Sign::Failed)]);
        assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
    }
}

#[test]
fn retryable_responses_move_on_at_once() {
    for status in [480, 500, 503, 599] {
        let mut bench = Bench::new(2);
        bench.send(0);
        bench.hear(0, refused(status));
        let acts = bench.acts();
        assert_eq!(marks(&acts), [(0, Sign::Refused(Refusal { status, retry_after: None }))]);
        assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
    }
}

#[test]
fn the_caller_gets_the_last_response_of_a_server_that_said_something_about_the_call() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, refused(500));
    bench.send(1);
    bench.hear(1, refused(480));
    assert_eq!(rejected(&bench.acts()), Some((480, None)));
}

#[test]
fn only_server_failures_make_503_with_retry_after() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, refused(500));
    bench.send(1);
    bench.hear(1, refused(503));
    assert_eq!(rejected(&bench.acts()), Some((503, Some(10))));
}

#[test]
fn a_name_without_address_moves_on() {
    let mut bench = Bench::new(2);
    bench.acts();
    bench.hear(0, Heard::Nowhere);
    let acts = bench.acts();
    assert_eq!(marks(&acts), [(0, Sign::Failed)]);
    assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
}

#[test]
fn every_address_of_a_name_is_tried_before_the_target_has_failed() {
    let mut bench = Bench::new(1);
    bench.acts();
    bench.hear(0, Heard::Located(Arc::from([address(1), address(2)])));
    bench.acts();
    bench.hear(0, Heard::Sent);
    assert_eq!(bench.wait(), 2_000, "another address is left");
    let acts = bench.acts();
    assert_eq!(marks(&acts), []);
    let Some(Act::Reach(reach)) = acts.last() else { panic!("{acts:?}") };
    assert_eq!((reach.attempt, reach.address, &reach.origin), (AttemptId(1), address(2), &Origin::Fresh));
    bench.hear(1, Heard::Sent);
    assert_eq!(bench.wait(), 9_500, "none is left");
    assert_eq!(marks(&bench.acts()), [(0, Sign::Failed)]);
}

#[test]
fn a_reused_connection_that_breaks_is_replaced_once() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, Heard::Lost(Carrier::ReusedConnection));
    let acts = bench.acts();
    assert_eq!(marks(&acts), []);
    let Some(Act::Reach(reach)) = acts.last() else { panic!("{acts:?}") };
    assert_eq!((reach.attempt, reach.target, reach.address), (AttemptId(1), 0, address(0)));
    bench.hear(1, Heard::Sent);
    bench.hear(1, Heard::Lost(Carrier::ReusedConnection));
    let acts = bench.acts();
    assert_eq!(marks(&acts), [(0, Sign::Failed)]);
    assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(2), 1, _))), "{acts:?}");
}

#[test]
fn a_fresh_connection_that_breaks_and_a_refused_datagram_move_on() {
    for carrier in [Carrier::FreshConnection, Carrier::Datagram] {
        let mut bench = Bench::new(2);
        bench.send(0);
        bench.hear(0, Heard::Lost(carrier));
        let acts = bench.acts();
        assert_eq!(marks(&acts), [(0, Sign::Failed)]);
        assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
    }
}

#[test]
fn a_connection_that_breaks_after_a_provisional_ends_nothing() {
    for provisional in [Heard::Trying, Heard::Progress(180)] {
        let mut bench = Bench::new(2);
        bench.send(0);
        bench.hear(0, provisional);
        bench.acts();
        bench.hear(0, Heard::Lost(Carrier::FreshConnection));
        assert_eq!(bench.acts(), [Act::Mark(0, Sign::Failed)]);
        bench.answer(0);
    }
}

#[test]
fn an_answer_without_media_is_hung_up_and_the_next_target_is_tried() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, Heard::Answered(Media::Unusable));
    let orders = bench.orders();
    let id = AttemptId(0);
    assert!(matches!(orders[..], [Act::Dismiss(a), Act::Locate(AttemptId(1), 1, _)] if a == id));
}

#[test]
fn a_target_that_may_not_be_used_now_is_skipped_without_blame() {
    for heard in [Heard::Unavailable, Heard::NotConnected(ConnectError::Local)] {
        let mut bench = Bench::new(2);
        bench.acts();
        if heard != Heard::Unavailable {
            bench.hear(0, Heard::Located(Arc::from([address(0)])));
        }
        bench.hear(0, heard);
        let acts = bench.acts();
        assert_eq!(marks(&acts), []);
        assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
    }
}
