//! The rows of the race table in `call.rs`.

use super::*;

/// A call that was answered; the caller's ACK is still to come.
fn answered() -> Bench {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.answer(0);
    bench
}

fn established() -> Bench {
    let mut bench = answered();
    bench.tell(Event::Acknowledged(Side::Inbound));
    bench
}

const FIRST: AttemptId = AttemptId(0);

#[test]
fn a_cancel_before_the_relay_is_open_sends_nothing() {
    let mut bench = Bench::preparing(2);
    bench.tell(Event::Cancelled);
    let acts = bench.acts();
    assert_eq!((rejected(&acts), over(&acts)), (Some((487, None)), Some(Reason::CallerCancelled)));
    assert!(acts.contains(&Act::CloseRelay));
    bench.tell(Event::RelayOpened);
    assert_eq!(bench.acts(), []);
}

#[test]
fn a_cancel_gives_up_the_attempt_whatever_it_does_and_starts_no_other() {
    let news: [&[Heard]; 3] = [&[], &[Heard::Trying], &[Heard::Progress(180)]];
    for heard in news {
        for event in [Event::Cancelled, Event::HungUp(Side::Inbound)] {
            let mut bench = Bench::new(2);
            bench.send(0);
            for heard in heard {
                bench.hear(0, heard.clone());
            }
            bench.acts();
            bench.tell(event);
            let acts = bench.acts();
            assert!(acts.contains(&Act::Abandon(FIRST)));
            assert_eq!((rejected(&acts), over(&acts)), (Some((487, None)), Some(Reason::CallerCancelled)));
            for late in [Heard::Progress(180), Heard::Answered(Media::Usable), refused(503)] {
                bench.hear(0, late);
            }
            assert_eq!((bench.acts(), bench.call.poll_timeout()), (vec![], None));
        }
    }
}

#[test]
fn a_cancel_while_an_attempt_is_withdrawn_ends_the_call() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, Heard::Trying);
    bench.wait();
    bench.acts();
    bench.tell(Event::Cancelled);
    let acts = bench.acts();
    assert!(acts.contains(&Act::Abandon(FIRST)));
    assert_eq!(rejected(&acts), Some((487, None)));
}

#[test]
fn a_cancel_after_the_answer_has_no_effect_on_the_attempt_but_ends_like_a_bye() {
    let mut bench = answered();
    bench.tell(Event::Cancelled);
    assert!(bench.acts().contains(&Act::HangUp(Side::Outbound)));
}

#[test]
fn a_bye_of_the_caller_hangs_up_the_server() {
    for mut bench in [answered(), established()] {
        bench.tell(Event::HungUp(Side::Inbound));
        let acts = bench.acts();
        assert_eq!(acts[0], Act::HangUp(Side::Outbound));
        assert!(!acts.contains(&Act::HangUp(Side::Inbound)));
        assert_eq!(over(&acts), Some(Reason::CallerHungUp));
    }
}

#[test]
fn a_bye_of_the_server_hangs_up_the_caller() {
    let mut bench = established();
    bench.tell(Event::HungUp(Side::Outbound));
    let acts = bench.acts();
    assert_eq!(acts[0], Act::HangUp(Side::Inbound));
    assert!(!acts.contains(&Act::HangUp(Side::Outbound)));
    assert_eq!(over(&acts), Some(Reason::CalleeHungUp));
}

#[test]
fn crossing_byes_send_nothing_more() {
    let mut bench = established();
    bench.tell(Event::HungUp(Side::Inbound));
    bench.acts();
    bench.tell(Event::HungUp(Side::Outbound));
    assert_eq!(bench.acts(), []);
}

#[test]
fn a_bye_of_the_server_before_the_callers_ack_waits_for_it() {
    let mut bench = answered();
    bench.tell(Event::HungUp(Side::Outbound));
    assert_eq!(bench.acts(), []);
    bench.tell(Event::Acknowledged(Side::Inbound));
    let acts = bench.acts();
    assert_eq!((acts.first(), over(&acts)), (Some(&Act::HangUp(Side::Inbound)), Some(Reason::CalleeHungUp)));
}

#[test]
fn byes_of_both_before_the_ack_end_the_call() {
    let mut bench = answered();
    bench.tell(Event::HungUp(Side::Outbound));
    bench.tell(Event::HungUp(Side::Inbound));
    let acts = bench.acts();
    assert!(!acts.contains(&Act::HangUp(Side::Inbound)));
    assert_eq!(over(&acts), Some(Reason::CalleeHungUp));
}

#[test]
fn a_missing_ack_hangs_up_both() {
    let mut bench = answered();
    bench.tell(Event::Unacknowledged(Side::Inbound));
    let acts = bench.acts();
    assert_eq!(acts[..2], [Act::HangUp(Side::Inbound), Act::HangUp(Side::Outbound)]);
    assert_eq!(over(&acts), Some(Reason::AckMissing));
}

#[test]
fn a_missing_ack_after_the_server_hung_up_hangs_up_the_caller_only() {
    let mut bench = answered();
    bench.tell(Event::HungUp(Side::Outbound));
    bench.tell(Event::Unacknowledged(Side::Inbound));
    let acts = bench.acts();
    assert!(acts.contains(&Act::HangUp(Side::Inbound)) && !acts.contains(&Act::HangUp(Side::Outbound)));
}

#[test]
fn the_operator_ends_a_call_in_every_state() {
    let mut bench = Bench::new(1);
    bench.send(0);
    bench.tell(Event::Forced);
    let acts = bench.acts();
    assert!(acts.contains(&Act::Abandon(FIRST)));
    assert_eq!(rejected(&acts), Some((503, Some(10))));

    let mut bench = established();
    bench.tell(Event::Forced);
    let acts = bench.acts();
    assert_eq!(acts[..2], [Act::HangUp(Side::Inbound), Act::HangUp(Side::Outbound)]);
    assert_eq!(over(&acts), Some(Reason::Forced));
}

#[test]
fn a_call_that_is_ended_before_the_callers_ack_keeps_its_ports_until_then() {
    for event in [
        Event::Acknowledged(Side::Inbound),
        Event::Unacknowledged(Side::Inbound),
        Event::HungUp(Side::Inbound),
    ] {
        let mut bench = answered();
        bench.tell(Event::Forced);
        assert_eq!(bench.acts(), [Act::HangUp(Side::Outbound)]);
        bench.tell(event);
        assert!(bench.acts().contains(&Act::CloseRelay));
    }
}

#[test]
fn every_ended_call_closes_its_relay_once_and_holds_no_timer() {
    let endings = [Event::Cancelled, Event::Forced, Event::RelayFailed];
    for event in endings {
        let mut bench = Bench::preparing(1);
        bench.tell(event);
        for late in [
            Event::Cancelled,
            Event::HungUp(Side::Outbound),
            Event::Acknowledged(Side::Inbound),
            Event::Unacknowledged(Side::Inbound),
        ] {
            bench.tell(late);
        }
        let acts = bench.acts();
        assert_eq!(acts.iter().filter(|act| **act == Act::CloseRelay).count(), 1);
        assert_eq!(bench.call.state, State::Over);
        assert_eq!(bench.call.poll_timeout(), None);
    }
}
