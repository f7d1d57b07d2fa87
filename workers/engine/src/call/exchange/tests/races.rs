//! The cells of the race table in `exchange.rs` in which both legs are at work.

use super::*;

/// Our re-INVITE, on a leg, is refused with 491.
fn glare(bench: &mut Bench, leg: Leg, chance: u64) {
    bench.exchange.handle(bench.now, Event::Refused(leg, PENDING), chance);
}

#[test]
fn glare_on_one_leg() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    for wish in [Wish::Same, Wish::Direction, Wish::Codecs, Wish::Kind] {
        assert_eq!(bench.admit(B, wish), Err(PENDING), "our offer is pending");
        let again = bench.admit(A, wish);
        assert_eq!(again, Err(Refusal { status: 500, retry_after: Some(7) }), "his own is not answered yet");
    }
    assert_eq!(bench.exchange.ask(B, 0), Err(PENDING));
    let seconds: Vec<_> = (0..1000).map(|chance| bench.exchange.ask(A, chance).unwrap_err()).collect();
    assert!(seconds.iter().all(|refusal| refusal.retry_after.is_some_and(|seconds| seconds <= 10)));
    assert!(seconds.iter().any(|refusal| refusal.retry_after == Some(0)));
    assert_eq!(bench.acts(), []);
}

#[test]
fn our_own_491_backs_off() {
    // The owner of the Call-ID waits longer, so that the two do not meet again (RFC 3261 §14.1).
    for (leg, chance, least) in [(A, 0, 0), (A, 200, 2_000), (B, 0, 2_100), (B, 190, 4_000)] {
        let mut bench = Bench::new();
        bench.tell(Event::Align(leg, Need::Must));
        bench.acts();
        bench.pass(Duration::from_millis(10));
        glare(&mut bench, leg, chance);
        assert_eq!(bench.acts(), [Act::RollBack(leg)]);
        assert_eq!(bench.wait(), GAP + Duration::from_millis(least));
        assert_eq!(bench.acts(), [Act::Offer(leg, Carrier::Invite, Content::Joined)]);
    }
}

#[test]
fn back_offs_come_in_steps_of_10_ms_and_stay_in_their_range() {
    let bench = Bench::new();
    for chance in (0..10_000).chain([u64::MAX, u64::MAX - 1]) {
        let [peer, ours] = [A, B].map(|leg| bench.exchange.side(leg).back_off(chance).as_millis());
        assert!(peer <= 2_000 && peer % 10 == 0, "{peer}");
        assert!((2_100..=4_000).contains(&ours) && ours % 10 == 0, "{ours}");
    }
}

#[test]
fn a_peer_waits_through_our_back_off() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    glare(&mut bench, B, 0);
    assert_eq!(bench.acts(), [Act::RollBack(B)]);
    bench.wait();
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
    bench.tell(Event::Answered(B, Verdict::Agreed));
    assert_eq!(bench.acts(), [Act::Acknowledge(B, Closing::Plain), Act::Answer(A, Source::Other)]);
}

#[test]
fn a_glare_without_end_is_told_to_the_peer_that_waits() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    let mut tries = 0;
    loop {
        glare(&mut bench, B, 0);
        let acts = bench.acts();
        if acts.contains(&Act::Refuse(A, PENDING)) {
            break;
        }
        tries += 1;
        assert!(tries <= 5, "{acts:?}");
        bench.wait();
        bench.acts();
    }
    assert!(bench.exchange.is_quiet());
}

#[test]
fn a_500_with_retry_after_is_heeded() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    bench.tell(Event::Refused(B, Refusal { status: 500, retry_after: Some(3) }));
    assert_eq!(bench.acts(), [Act::RollBack(B)]);
    assert_eq!(bench.wait(), GAP + Duration::from_secs(3));
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
    // One that asks for longer than the race it speaks of is a refusal.
    bench.tell(Event::Refused(B, Refusal { status: 500, retry_after: Some(300) }));
    let refusal = Refusal { status: 500, retry_after: Some(300) };
    assert_eq!(bench.acts(), [Act::RollBack(B), Act::Refuse(A, refusal)]);
}

#[test]
fn what_can_be_answered_here_is_so_while_the_other_leg_waits() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    glare(&mut bench, B, 0);
    bench.acts();
    // A waits for B, and B's dialog is quiet: it asks for something that concerns nobody else.
    for wish in [Wish::Same, Wish::Place] {
        bench.admit(B, wish).unwrap();
        assert_eq!(bench.acts(), [Act::Answer(B, Source::Here)]);
        bench.tell(Event::Acknowledged(B));
    }
    bench.wait();
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
}

#[test]
fn a_hold_is_answered_here_while_the_other_leg_is_asked() {
    let mut bench = Bench::new();
    bench.tell(Event::Align(B, Need::Must));
    bench.acts();
    bench.admit(A, Wish::Direction).unwrap();
    assert_eq!(bench.acts(), [Act::Answer(A, Source::Here)]);
}

#[test]
fn an_offer_is_answered_here_while_an_answer_is_due_on_the_other_leg() {
    let mut bench = Bench::new();
    bench.exchange.ask(B, 0).unwrap();
    bench.admit(A, Wish::Direction).unwrap();
    assert_eq!(bench.acts(), [Act::OfferBack(B), Act::Answer(A, Source::Here)]);
}

#[test]
fn a_hold_does_not_disturb_a_back_off() {
    let mut bench = Bench::new();
    bench.tell(Event::Align(B, Need::Must));
    bench.acts();
    glare(&mut bench, B, 0);
    bench.acts();
    let due = bench.exchange.poll_timeout();
    bench.admit(A, Wish::Direction).unwrap();
    assert_eq!((bench.acts(), bench.exchange.poll_timeout()), (vec![Act::Answer(A, Source::Here)], due));
}

#[test]
fn a_forwarded_hold_is_answered_here_when_the_other_peer_wants_something_too() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    glare(&mut bench, B, 0);
    bench.acts();
    bench.admit(B, Wish::Direction).unwrap();
    assert_eq!(bench.acts(), [Act::Answer(B, Source::Here)]);
}

/// Both peers change codecs at once and each meets our re-INVITE with 491: the later one is refused, backs off, and so
/// do we; whoever comes first then gets through.
#[test]
fn crossing_wishes_end_with_491_for_the_later() {
    for first in [A, B] {
        let mut bench = Bench::new();
        bench.admit(first, Wish::Codecs).unwrap();
        assert_eq!(bench.acts(), [Act::Offer(first.other(), Carrier::Invite, Content::Wish)]);
        assert_eq!(bench.admit(first.other(), Wish::Codecs), Err(PENDING));
        glare(&mut bench, first.other(), 100);
        assert_eq!(bench.acts(), [Act::RollBack(first.other())]);
        // The other peer was quicker than we, and his wish needs the leg that waits.
        assert_eq!(bench.admit(first.other(), Wish::Kind), Err(PENDING));
        bench.wait();
        assert_eq!(bench.acts(), [Act::Offer(first.other(), Carrier::Invite, Content::Wish)]);
        bench.tell(Event::Answered(first.other(), Verdict::Agreed));
        bench.acts();
        bench.tell(Event::Acknowledged(first));
        bench.admit(first.other(), Wish::Kind).unwrap();
        bench.wait();
        assert_eq!(bench.acts(), [Act::Offer(first, Carrier::Invite, Content::Wish)]);
    }
}

#[test]
fn a_wish_waits_for_our_request_on_the_other_leg() {
    for wish in [Wish::Direction, Wish::Codecs, Wish::Kind] {
        let mut bench = Bench::forwarding();
        bench.tell(Event::Align(B, Need::Must));
        bench.acts();
        bench.admit(A, wish).unwrap();
        assert_eq!(bench.acts(), []);
        bench.tell(Event::Answered(B, Verdict::Agreed));
        assert_eq!(bench.acts(), [Act::Acknowledge(B, Closing::Plain)]);
        bench.wait();
        assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
    }
}

#[test]
fn a_wish_waits_for_an_answer_that_is_due() {
    let mut bench = Bench::new();
    bench.exchange.ask(B, 0).unwrap();
    bench.admit(A, Wish::Codecs).unwrap();
    assert_eq!(bench.acts(), [Act::OfferBack(B)]);
    bench.tell(Event::Answered(B, Verdict::Agreed));
    assert_eq!(bench.wait(), GAP);
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
}

#[test]
fn a_wish_takes_the_place_of_an_alignment() {
    let mut bench = Bench::new();
    bench.tell(Event::Align(B, Need::Must));
    bench.acts();
    glare(&mut bench, B, 0);
    bench.acts();
    bench.admit(A, Wish::Codecs).unwrap();
    bench.wait();
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
}

#[test]
fn a_request_without_offer_is_served_while_the_other_leg_waits() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    glare(&mut bench, B, 0);
    bench.acts();
    bench.exchange.ask(B, 0).unwrap();
    assert_eq!(bench.acts(), [Act::OfferBack(B)]);
    bench.tell(Event::Answered(B, Verdict::Agreed));
    bench.wait();
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
}

#[test]
fn the_other_legs_answer_answers_the_peer() {
    let mut bench = Bench::forwarded(Wish::Kind);
    bench.pass(Duration::from_secs(5));
    bench.tell(Event::Answered(B, Verdict::Agreed));
    assert_eq!(bench.acts(), [Act::Acknowledge(B, Closing::Plain), Act::Answer(A, Source::Other)]);
}

#[test]
fn a_cancelled_wish_is_withdrawn() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    bench.tell(Event::Cancelled(A));
    assert_eq!(bench.acts(), [Act::Refuse(A, Refusal::of(487)), Act::Cancel(B)]);
    let mut late = Bench { exchange: bench.exchange.clone(), now: bench.now };
    bench.tell(Event::Refused(B, Refusal::of(487)));
    assert_eq!((bench.acts(), bench.exchange.is_quiet()), (vec![Act::RollBack(B)], true));
    // The 2xx was quicker than our CANCEL: the leg is brought back to what holds.
    late.tell(Event::Answered(B, Verdict::Agreed));
    assert_eq!(late.acts(), [Act::Acknowledge(B, Closing::Plain)]);
    late.wait();
    assert_eq!(late.acts(), [Act::Offer(B, Carrier::Invite, Content::Joined)]);
}

#[test]
fn a_cancel_drops_the_want() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    glare(&mut bench, B, 0);
    bench.acts();
    bench.tell(Event::Cancelled(A));
    assert_eq!(bench.acts(), [Act::Refuse(A, Refusal::of(487))]);
    assert!(bench.exchange.is_quiet());
    assert_eq!(bench.exchange.poll_timeout(), None);
}

#[test]
fn a_wish_of_a_peer_that_gave_up_is_not_tried_again() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    bench.tell(Event::Cancelled(A));
    bench.acts();
    glare(&mut bench, B, 0);
    assert_eq!((bench.acts(), bench.exchange.is_quiet()), (vec![Act::RollBack(B)], true));
}
