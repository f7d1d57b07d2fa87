//! What ends a call, or one peer's patience.

use super::*;
use crate::call::words::Reason;

#[test]
fn no_answer_in_the_ack_ends_the_call() {
    let mut bench = Bench::new();
    bench.exchange.ask(A, 0).unwrap();
    bench.acts();
    bench.tell(Event::Answered(A, Verdict::Missing));
    assert_eq!(bench.acts(), [Act::End(Reason::AnswerMissing)]);
}

#[test]
fn no_answer_in_the_2xx_ends_the_call() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    bench.tell(Event::Answered(B, Verdict::Missing));
    let refused = Act::Refuse(A, Refusal::of(487));
    assert_eq!(bench.acts(), [Act::Acknowledge(B, Closing::Plain), refused, Act::End(Reason::NoMedia)]);
}

#[test]
fn an_offer_that_fits_nothing_is_refused_and_ends_the_call() {
    let mut bench = Bench::with(|manners| manners.timing = Timing::Delayed);
    bench.tell(Event::Align(B, Need::Must));
    bench.acts();
    bench.tell(Event::OfferedBack(B, Fit::Nothing));
    assert_eq!(bench.acts(), [Act::Acknowledge(B, Closing::Refused), Act::End(Reason::NoMedia)]);
}

#[test]
fn a_refused_alignment_ends_the_call_only_if_it_must_be() {
    for (need, acts) in [
        (Need::Must, vec![Act::RollBack(B), Act::End(Reason::NoMedia)]),
        (Need::Should, vec![Act::RollBack(B)]),
    ] {
        let mut bench = Bench::new();
        bench.tell(Event::Align(B, need));
        bench.acts();
        bench.tell(Event::Refused(B, Refusal::of(488)));
        assert_eq!(bench.acts(), acts);
    }
}

#[test]
fn a_lost_dialog_ends_the_call() {
    let mut bench = Bench::new();
    bench.tell(Event::Refresh(B));
    bench.acts();
    bench.tell(Event::Lost(B));
    assert_eq!(bench.acts(), [Act::End(Reason::DialogLost)]);
    assert_eq!(bench.exchange.poll_timeout(), None);
}

#[test]
fn a_lost_dialog_refuses_the_peer_that_waits() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    bench.tell(Event::Lost(B));
    assert_eq!(bench.acts(), [Act::Refuse(A, Refusal::of(487)), Act::End(Reason::DialogLost)]);
}

#[test]
fn nothing_is_left_when_a_leg_goes() {
    for gone in [A, B] {
        let mut waiting = Bench::forwarded(Wish::Codecs);
        waiting.tell(Event::Gone(gone));
        assert_eq!(waiting.acts(), [Act::Refuse(A, Refusal::of(487))]);
        let mut quiet = Bench::new();
        quiet.tell(Event::Gone(gone));
        let mut backing_off = Bench::forwarded(Wish::Codecs);
        backing_off.tell(Event::Refused(B, PENDING));
        backing_off.tell(Event::Gone(gone));
        backing_off.acts();
        for mut bench in [waiting, quiet, backing_off] {
            assert_eq!((bench.acts(), bench.exchange.poll_timeout()), (vec![], None));
            for late in [Event::Answered(B, Verdict::Agreed), Event::Refresh(A), Event::Lost(B)] {
                bench.tell(late);
            }
            assert_eq!(bench.admit(A, Wish::Same), Err(Refusal::of(481)));
            assert_eq!((bench.acts(), bench.exchange.poll_timeout()), (vec![], None));
        }
    }
}

#[test]
fn a_peer_does_not_wait_for_ever() {
    for (carrier, seconds, status) in [(Carrier::Invite, 60, 480), (Carrier::Update, 10, 504)] {
        let mut bench = Bench::new();
        bench.exchange.set_means(B, Means { invite: true, update: false });
        bench.exchange.admit(bench.now, A, carrier, Wish::Codecs, 0).unwrap();
        bench.acts();
        assert_eq!(bench.wait(), Duration::from_secs(seconds));
        assert_eq!(bench.acts(), [Act::Refuse(A, Refusal::of(status)), Act::Cancel(B)]);
    }
}

/// Whatever comes in whatever order: there is an end, no deadline lies in the past, and nothing is ordered twice.
#[test]
fn any_order_of_events_comes_to_rest() {
    let mut seed: u64 = 1;
    let mut draw = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..2_000 {
        let mut bench = if draw(2) == 0 { Bench::new() } else { Bench::forwarding() };
        for _ in 0..30 {
            let leg = if draw(2) == 0 { A } else { B };
            let wish = [Wish::Same, Wish::Direction, Wish::Codecs, Wish::Kind][draw(4) as usize];
            match draw(11) {
                0..=3 => drop(bench.admit(leg, wish)),
                4 => drop(bench.exchange.ask(leg, draw(100))),
                5 => bench.tell(Event::Answered(leg, Verdict::Agreed)),
                6 => bench.tell(Event::Answered(leg, Verdict::Differs)),
                7 => bench.tell(Event::Refused(leg, PENDING)),
                8 => bench.tell(Event::Acknowledged(leg)),
                9 => bench.tell(Event::Cancelled(leg)),
                _ => bench.pass(Duration::from_millis(draw(3_000))),
            }
            bench.acts();
            assert!(bench.exchange.poll_timeout().is_none_or(|at| at > bench.now));
        }
        // From here on both peers accept whatever they are offered, and ask for nothing.
        for _ in 0..40 {
            for leg in [A, B] {
                bench.tell(Event::Acknowledged(leg));
                bench.tell(Event::Answered(leg, Verdict::Agreed));
            }
            bench.acts();
            bench.pass(Duration::from_secs(2));
        }
        assert!(bench.exchange.is_quiet(), "{:?}", bench.exchange);
        assert_eq!(bench.exchange.poll_timeout(), None);
    }
}
