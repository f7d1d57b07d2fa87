//! The rows of the race table in `call/transfer.rs`.

use super::*;

/// An established call whose called side has referred the caller to the target of attempt 1, which was sent.
fn seeking() -> Bench {
    let mut bench = Bench::new(1);
    bench.send(0);
    bench.answer(0);
    bench.tell(Event::Acknowledged(Side::Inbound));
    bench.tell(referral());
    bench.send(1);
    bench
}

/// The same, and the referrer has hung up.
fn alone() -> Bench {
    let mut bench = seeking();
    bench.tell(Event::HungUp(Side::Outbound));
    assert_eq!(bench.acts(), [Act::Release(Side::Outbound)]);
    bench
}

/// The same, and the target was found while the referrer was there.
fn parting() -> Bench {
    let mut bench = seeking();
    bench.hear(1, Heard::Answered(Media::Usable));
    bench.acts();
    bench
}

fn referral() -> Event {
    Event::Referred(Side::Outbound, Arc::new(Plan { route: route(1), own: Vec::new() }))
}

/// A call whose called side has referred the caller before his ACK came.
fn unacknowledged() -> Bench {
    let mut bench = Bench::new(1);
    bench.send(0);
    bench.answer(0);
    bench.tell(referral());
    bench.send(1);
    bench
}

const SECOND: AttemptId = AttemptId(1);

#[test]
fn only_one_transfer_at_a_time() {
    for mut bench in [seeking(), alone(), parting()] {
        assert!(!bench.call.may_transfer());
        bench.tell(referral());
        assert_eq!(bench.acts(), []);
    }
}

#[test]
fn a_found_target_takes_the_referrers_side() {
    let mut bench = seeking();
    bench.hear(1, Heard::Progress(180));
    assert_eq!(bench.orders(), [Act::Preview(SECOND, 180)]);
    bench.hear(1, Heard::Answered(Media::Usable));
    assert_eq!(bench.orders(), [Act::Acknowledge(SECOND), Act::Bridge(SECOND), Act::Report(200)]);
    bench.pass(4_999);
    assert_eq!(bench.acts(), []);
    bench.pass(1);
    assert_eq!(bench.acts(), [Act::Part]);
    assert!(bench.call.may_transfer() && bench.call.poll_timeout().is_none());
}

#[test]
fn a_referrer_may_hang_up_while_the_target_rings() {
    let mut bench = alone();
    bench.hear(1, Heard::Progress(180));
    assert_eq!(bench.orders(), [Act::Preview(SECOND, 180)]);
}

#[test]
fn a_target_found_after_the_referrer_has_gone_is_bridged() {
    let mut bench = alone();
    bench.hear(1, Heard::Answered(Media::Usable));
    assert_eq!(bench.orders(), [Act::Acknowledge(SECOND), Act::Bridge(SECOND), Act::Report(200)]);
    assert!(bench.call.may_transfer() && bench.call.poll_timeout().is_none());
}

#[test]
fn a_referrer_who_hangs_up_after_success_is_not_hung_up() {
    let mut bench = parting();
    bench.tell(Event::Parted);
    assert_eq!((bench.acts(), bench.call.poll_timeout()), (vec![], None));
}

#[test]
fn who_stays_may_hang_up_while_the_target_rings() {
    let mut bench = seeking();
    bench.tell(Event::HungUp(Side::Inbound));
    let orders = bench.orders();
    let expected = [Act::Abandon(SECOND), Act::Unsought, Act::Report(487), Act::HangUp(Side::Outbound)];
    assert_eq!((&orders[..4], over(&orders)), (&expected[..], Some(Reason::CallerHungUp)));
    bench.hear(1, Heard::Answered(Media::Usable));
    assert_eq!(bench.acts(), []);
}

#[test]
fn who_stays_may_hang_up_when_the_referrer_has_gone() {
    let mut bench = alone();
    bench.tell(Event::HungUp(Side::Inbound));
    let orders = bench.orders();
    assert_eq!(orders[..3], [Act::Abandon(SECOND), Act::Unsought, Act::Report(487)]);
    assert_eq!(over(&orders), Some(Reason::CallerHungUp));
}

#[test]
fn a_bye_after_success_ends_all_three() {
    for side in Side::ALL {
        let mut bench = parting();
        bench.tell(Event::HungUp(side));
        let orders = bench.orders();
        assert_eq!(orders[..2], [Act::Part, Act::HangUp(side.other())]);
        assert_eq!((over(&orders), bench.call.poll_timeout()), (Some(hung_up_by(side)), None));
    }
}

#[test]
fn a_failed_transfer_leaves_the_call_as_it_was() {
    let mut bench = seeking();
    bench.hear(1, refused(486));
    assert_eq!(bench.orders(), [Act::Unsought, Act::Report(486)]);
    assert!(bench.call.may_transfer() && bench.call.poll_timeout().is_none());
    bench.tell(Event::HungUp(Side::Outbound));
    assert_eq!(bench.acts()[0], Act::HangUp(Side::Inbound));
}

#[test]
fn a_failed_transfer_without_referrer_ends_the_call() {
    let mut bench = alone();
    bench.hear(1, refused(486));
    let orders = bench.orders();
    assert_eq!(orders[..3], [Act::Unsought, Act::Report(486), Act::HangUp(Side::Inbound)]);
    assert_eq!(over(&orders), Some(Reason::TransferFailed));
}

#[test]
fn a_forced_end_gives_the_search_up() {
    for event in [Event::Forced, Event::Unacknowledged(Side::Inbound)] {
        for mut bench in [seeking(), alone()] {
            bench.tell(event.clone());
            let orders = bench.orders();
            assert_eq!(orders[..3], [Act::Abandon(SECOND), Act::Unsought, Act::Report(487)]);
            assert_eq!(orders[3..5], Side::ALL.map(Act::HangUp));
            assert!(over(&orders).is_some());
        }
    }
}

#[test]
fn a_forced_end_hangs_up_the_referrer_too() {
    let mut bench = parting();
    bench.tell(Event::Forced);
    let orders = bench.orders();
    assert_eq!(orders[..3], [Act::Part, Act::HangUp(Side::Inbound), Act::HangUp(Side::Outbound)]);
}

#[test]
fn a_transfer_may_begin_before_the_callers_ack() {
    let mut bench = unacknowledged();
    bench.tell(Event::Acknowledged(Side::Inbound));
    assert_eq!(bench.acts(), []);
    bench.hear(1, Heard::Answered(Media::Usable));
    assert_eq!(bench.orders(), [Act::Acknowledge(SECOND), Act::Bridge(SECOND), Act::Report(200)]);

    for event in [Event::Cancelled, Event::Unacknowledged(Side::Inbound), Event::Forced] {
        let mut bench = unacknowledged();
        bench.tell(event);
        assert_eq!(bench.orders()[..3], [Act::Abandon(SECOND), Act::Unsought, Act::Report(487)]);
    }
}

#[test]
fn before_the_callers_ack_a_failed_transfer_waits_for_it() {
    let mut bench = unacknowledged();
    bench.tell(Event::HungUp(Side::Outbound));
    assert_eq!(bench.acts(), [Act::Release(Side::Outbound)]);
    bench.hear(1, refused(486));
    assert_eq!(bench.orders(), [Act::Unsought, Act::Report(486)]);
    bench.tell(Event::Acknowledged(Side::Inbound));
    let acts = bench.acts();
    assert_eq!((&acts[0], over(&acts)), (&Act::HangUp(Side::Inbound), Some(Reason::TransferFailed)));
}

#[test]
fn before_the_callers_ack_the_target_may_hang_up() {
    let mut bench = unacknowledged();
    bench.hear(1, Heard::Answered(Media::Usable));
    bench.acts();
    bench.tell(Event::HungUp(Side::Outbound));
    assert_eq!(bench.acts(), [Act::Part]);
    bench.tell(Event::Acknowledged(Side::Inbound));
    assert_eq!(over(&bench.acts()), Some(Reason::CalleeHungUp));
}
