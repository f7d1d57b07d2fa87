//! The machine of offers and answers: words in, orders out, on a virtual clock. The cells of the race table are in
//! `races.rs`, what ends a call in `ends.rs`.

use words::{Closing, Fit, Owner, Verdict};

use super::*;

mod ends;
mod races;

/// A call whose both dialogs are confirmed, with a clock, and what it ordered since one last looked.
struct Bench {
    exchange: Exchange,
    now: Instant,
}

const A: Leg = Leg::Inbound;
const B: Leg = Leg::Outbound;
const GAP: Duration = Duration::from_millis(750);
const CONFIRMED: Means = Means { invite: true, update: true };

/// The caller chose the Call-ID of his leg, we that of the other.
fn manners(leg: Leg) -> Manners {
    let owner = match leg {
        Leg::Inbound => Owner::Peer,
        Leg::Outbound => Owner::Us,
    };
    Manners { hold: Hold::Local, timing: Timing::Normal, gap: GAP, owner }
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// `change` changes the settings of both legs.
    fn with(change: impl Fn(&mut Manners)) -> Self {
        let [inbound, outbound] = [A, B].map(|leg| {
            let mut manners = manners(leg);
            change(&mut manners);
            (manners, CONFIRMED)
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "a test needs some instant; only differences are looked at"
        )]
        let now = Instant::now();
        Self { exchange: Exchange::new(inbound, outbound), now }
    }

    fn forwarding() -> Self {
        Self::with(|manners| manners.hold = Hold::Forward)
    }

    fn admit(&mut self, leg: Leg, wish: Wish) -> Result<(), Refusal> {
        self.exchange.admit(self.now, leg, Carrier::Invite, wish, 7)
    }

    fn tell(&mut self, event: Event) {
        self.exchange.handle(self.now, event, 0);
    }

    fn acts(&mut self) -> Vec<Act> {
        std::iter::from_fn(|| self.exchange.poll_output()).collect()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.exchange.poll_timeout().is_some_and(|at| at <= self.now) {
            self.exchange.handle_timeout(self.now);
        }
    }

    /// Moves the clock to the next deadline and says how long that took.
    fn wait(&mut self) -> Duration {
        let at = self.exchange.poll_timeout().expect("a deadline");
        let passed = at - self.now;
        self.now = at;
        self.exchange.handle_timeout(at);
        passed
    }

    /// A codec change of A that has been passed on to B.
    fn forwarded(wish: Wish) -> Self {
        let mut bench = Self::forwarding();
        bench.admit(A, wish).unwrap();
        assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
        bench
    }
}

const PENDING: Refusal = Refusal::of(491);

#[test]
fn a_refresh_is_answered_here() {
    for wish in [Wish::Same, Wish::Place, Wish::Direction] {
        let mut bench = Bench::new();
        bench.admit(A, wish).unwrap();
        assert_eq!((bench.acts(), bench.exchange.is_quiet()), (vec![Act::Answer(A, Source::Here)], true));
    }
}

#[test]
fn a_forwarded_hold_asks_the_other_leg() {
    let mut bench = Bench::forwarded(Wish::Direction);
    bench.tell(Event::Answered(B, Verdict::Agreed));
    assert_eq!(bench.acts(), [Act::Acknowledge(B, Closing::Plain), Act::Answer(A, Source::Other)]);
    assert!(bench.exchange.is_quiet());
}

#[test]
fn a_codec_change_asks_the_other_leg() {
    for (wish, leg) in [(Wish::Codecs, A), (Wish::Codecs, B), (Wish::Kind, A), (Wish::Kind, B)] {
        let mut bench = Bench::new();
        bench.admit(leg, wish).unwrap();
        assert_eq!(bench.acts(), [Act::Offer(leg.other(), Carrier::Invite, Content::Wish)]);
        bench.tell(Event::Answered(leg.other(), Verdict::Agreed));
        let acknowledged = Act::Acknowledge(leg.other(), Closing::Plain);
        assert_eq!(bench.acts(), [acknowledged, Act::Answer(leg, Source::Other)]);
    }
}

#[test]
fn an_update_is_passed_on_as_update_where_that_is_allowed() {
    for (update, carrier) in [(true, Carrier::Update), (false, Carrier::Invite)] {
        let mut bench = Bench::new();
        bench.exchange.set_means(B, Means { invite: true, update });
        bench.exchange.admit(bench.now, A, Carrier::Update, Wish::Codecs, 0).unwrap();
        assert_eq!(bench.acts(), [Act::Offer(B, carrier, Content::Wish)]);
    }
}

#[test]
fn an_update_that_is_refused_as_unknown_goes_as_re_invite() {
    let mut bench = Bench::new();
    bench.exchange.admit(bench.now, A, Carrier::Update, Wish::Codecs, 0).unwrap();
    bench.acts();
    bench.tell(Event::Refused(B, Refusal::of(405)));
    assert_eq!(bench.acts(), [Act::RollBack(B), Act::Offer(B, Carrier::Invite, Content::Wish)]);
}

#[test]
fn early_dialogs_take_offers_by_update_only() {
    let mut bench = Bench::new();
    bench.exchange.set_means(A, Means { invite: false, update: true });
    bench.exchange.admit(bench.now, B, Carrier::Update, Wish::Codecs, 0).unwrap();
    assert_eq!(bench.acts(), [Act::Offer(A, Carrier::Update, Content::Wish)]);
    let mut bench = Bench::new();
    bench.exchange.set_means(A, Means { invite: false, update: false });
    let refused = bench.exchange.admit(bench.now, B, Carrier::Update, Wish::Codecs, 0);
    assert_eq!(refused, Err(Refusal::of(488)));
    bench.exchange.admit(bench.now, B, Carrier::Update, Wish::Direction, 0).unwrap();
    assert_eq!(bench.acts(), [Act::Answer(B, Source::Here)]);
}

#[test]
fn an_alignment_waits_for_the_confirmed_dialog() {
    let mut bench = Bench::new();
    bench.exchange.set_means(A, Means { invite: false, update: false });
    bench.tell(Event::Align(A, Need::Should));
    assert_eq!((bench.acts(), bench.exchange.poll_timeout()), (vec![], None));
    bench.tell(Event::Confirmed(A));
    assert_eq!(bench.wait(), GAP);
    assert_eq!(bench.acts(), [Act::Offer(A, Carrier::Invite, Content::Joined)]);
}

#[test]
fn a_re_invite_keeps_its_distance_from_the_ack_before() {
    let mut bench = Bench::forwarding();
    bench.admit(B, Wish::Same).unwrap();
    bench.acts();
    bench.admit(A, Wish::Codecs).unwrap();
    assert_eq!((bench.acts(), bench.exchange.poll_timeout().is_some()), (vec![], true));
    bench.pass(Duration::from_millis(100));
    bench.tell(Event::Acknowledged(B));
    bench.pass(GAP - Duration::from_millis(1));
    assert_eq!(bench.acts(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)]);
}

#[test]
fn a_request_without_offer_gets_ours() {
    let mut bench = Bench::new();
    bench.exchange.ask(A, 0).unwrap();
    assert_eq!(bench.acts(), [Act::OfferBack(A)]);
    assert_eq!(bench.admit(A, Wish::Same), Err(PENDING), "our offer is pending until the ACK");
    bench.tell(Event::Answered(A, Verdict::Agreed));
    assert_eq!((bench.acts(), bench.exchange.is_quiet()), (vec![], true));
}

#[test]
fn an_answer_that_differs_aligns_the_other_leg() {
    let mut bench = Bench::new();
    bench.exchange.ask(A, 0).unwrap();
    bench.tell(Event::Answered(A, Verdict::Differs));
    assert_eq!(bench.acts(), [Act::OfferBack(A), Act::Offer(B, Carrier::Invite, Content::Joined)]);
    bench.tell(Event::Answered(B, Verdict::Agreed));
    assert_eq!(bench.acts(), [Act::Acknowledge(B, Closing::Plain)]);
    assert!(bench.exchange.is_quiet());
}

#[test]
fn two_alignments_do_not_follow_each_other_for_ever() {
    let mut bench = Bench::new();
    bench.tell(Event::Align(B, Need::Must));
    let mut offers = 0;
    for _ in 0..20 {
        for act in bench.acts() {
            if let Act::Offer(leg, ..) = act {
                offers += 1;
                bench.tell(Event::Answered(leg, Verdict::Differs));
            }
        }
        bench.pass(GAP);
    }
    assert!(offers <= 3, "{offers}");
    assert!(bench.exchange.is_quiet());
}

#[test]
fn a_delayed_line_is_asked_for_its_offer() {
    let cases = [
        (Fit::Wished, Closing::Wished, Act::Answer(A, Source::Other)),
        (Fit::AsBefore, Closing::AsBefore, Act::Refuse(A, Refusal::of(488))),
    ];
    for (fit, closing, end) in cases {
        let mut bench = Bench::with(|manners| manners.timing = Timing::Delayed);
        bench.admit(A, Wish::Codecs).unwrap();
        assert_eq!(bench.acts(), [Act::Ask(B)]);
        bench.tell(Event::OfferedBack(B, fit));
        assert_eq!(bench.acts(), [Act::Acknowledge(B, closing), end]);
    }
    let mut bench = Bench::with(|manners| manners.timing = Timing::Delayed);
    bench.admit(A, Wish::Kind).unwrap();
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Wish)], "T.38 has to be named");
}

#[test]
fn a_refresh_of_ours_repeats_what_holds() {
    let mut bench = Bench::new();
    bench.tell(Event::Refresh(A));
    assert_eq!(bench.acts(), [Act::Offer(A, Carrier::Invite, Content::Same)]);
    bench.tell(Event::Answered(A, Verdict::Agreed));
    assert_eq!(bench.acts(), [Act::Acknowledge(A, Closing::Plain)]);
    bench.tell(Event::Refresh(A));
    bench.wait();
    bench.acts();
    bench.tell(Event::Answered(A, Verdict::Missing));
    assert_eq!(bench.acts(), [Act::Acknowledge(A, Closing::Plain), Act::RollBack(A)]);
}

#[test]
fn a_refused_refresh_changes_nothing() {
    let mut bench = Bench::new();
    bench.tell(Event::Refresh(B));
    bench.acts();
    bench.tell(Event::Refused(B, Refusal::of(488)));
    assert_eq!((bench.acts(), bench.exchange.is_quiet()), (vec![Act::RollBack(B)], true));
}

#[test]
fn a_refused_wish_is_refused_with_488() {
    for (status, told) in [(488, 488), (415, 488), (606, 488), (603, 603), (401, 500), (302, 500)] {
        let mut bench = Bench::forwarded(Wish::Kind);
        bench.tell(Event::Refused(B, Refusal::of(status)));
        assert_eq!(bench.acts(), [Act::RollBack(B), Act::Refuse(A, Refusal::of(told))]);
        assert!(bench.exchange.is_quiet());
    }
}

#[test]
fn a_forwarded_hold_that_is_refused_is_answered_here() {
    let mut bench = Bench::forwarded(Wish::Direction);
    bench.tell(Event::Refused(B, Refusal::of(488)));
    assert_eq!(bench.acts(), [Act::RollBack(B), Act::Answer(A, Source::Here)]);
}

#[test]
fn a_peer_that_refuses_what_it_has_done_is_brought_back() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    bench.tell(Event::AnsweredEarly(B));
    bench.tell(Event::Refused(B, Refusal::of(500)));
    assert_eq!(bench.acts(), [Act::RollBack(B), Act::Refuse(A, Refusal::of(500))]);
    assert_eq!(bench.wait(), GAP);
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Joined)]);
}

#[test]
fn a_replaced_leg_starts_afresh() {
    let mut bench = Bench::forwarded(Wish::Codecs);
    bench.tell(Event::Replaced(B));
    assert_eq!(bench.acts(), [Act::Refuse(A, PENDING)]);
    bench.tell(Event::Align(B, Need::Must));
    assert_eq!(bench.acts(), []);
    bench.tell(Event::Confirmed(B));
    assert_eq!(bench.wait(), GAP);
    assert_eq!(bench.acts(), [Act::Offer(B, Carrier::Invite, Content::Joined)]);
}
