//! Offer and answer across the two legs of a call that has both dialogs, early or confirmed: hold, refresh, change of
//! codec, T.38 and back, glare (RFC 3261 §14, RFC 3264 §8, RFC 3311 §5, RFC 6141, RFC 6337). It speaks its own
//! [`words`]: no SIP, no SDP. What comes before both dialogs stand is in [`opening`].
//!
//! One offer at a time in each dialog, and at most one per call that both legs take part in. Each leg:
//!
//! ```text
//!            admit: peer's offer, for the other leg too          answered or refused
//!   Quiet ----------------------------------------------> Theirs --------------------> Quiet
//!     |  ^   (what can be answered here never leaves Quiet)
//!     |  | ask: peer wants our offer                         answer in ACK or PRACK
//!     |  +-------------------------------------> AnswerDue --------------------------> Quiet; none: End
//!     |
//!     | a want, when gap and back-off are over           2xx with answer, refusal
//!     +--------------------------------------------> Ours ---------------------------> Quiet
//!                                                      491, 500 + Retry-After: want again, later
//!                                                      408, 481, silence: End
//! ```
//!
//! A want is an offer of ours that has yet to go: the other peer's wish (forward), what the other leg speaks (align),
//! or a refresh. It waits for the ACK before it, `reinvite_delay` after that, and the back-off of a 491.
//!
//! # Races
//!
//! Rows: what leg A tells. Columns: where leg B stands at that moment. The name in a cell is the unit test.
//!
//! | A \ B | Quiet | Theirs (wants A) | Ours | AnswerDue | want waits |
//! |---|---|---|---|---|---|
//! | refresh, address, LOCAL hold | `a_refresh_is_answered_here` | `what_can_be_answered_here_is_so_while_the_other_leg_waits` | `a_hold_is_answered_here_while_the_other_leg_is_asked` | `an_offer_is_answered_here_while_an_answer_is_due_on_the_other_leg` | `a_hold_does_not_disturb_a_back_off` |
//! | FORWARD hold | `a_forwarded_hold_asks_the_other_leg` | `a_forwarded_hold_is_answered_here_when_the_other_peer_wants_something_too` | `a_wish_waits_for_our_request_on_the_other_leg` | as Ours | `a_wish_takes_the_place_of_an_alignment` |
//! | codec, T.38 | `a_codec_change_asks_the_other_leg` | `crossing_wishes_end_with_491_for_the_later` | `a_wish_waits_for_our_request_on_the_other_leg` | `a_wish_waits_for_an_answer_that_is_due` | `a_wish_takes_the_place_of_an_alignment` |
//! | request without offer | `a_request_without_offer_gets_ours` | `a_request_without_offer_is_served_while_the_other_leg_waits` | same | same | same |
//! | 2xx or ACK with answer | `an_answer_that_differs_aligns_the_other_leg` | `the_other_legs_answer_answers_the_peer` | impossible: of two requests of ours one is an alignment, `two_alignments_do_not_follow_each_other_for_ever` | as Quiet | `an_answer_that_differs_aligns_the_other_leg` |
//! | 491 | `our_own_491_backs_off` | `a_peer_waits_through_our_back_off` | as Quiet, legs back off apart | as Quiet | as Quiet |
//! | 500 + Retry-After | `a_500_with_retry_after_is_heeded` | same | as Quiet | as Quiet | as Quiet |
//! | other refusal | `a_refused_refresh_changes_nothing` | `a_refused_wish_is_refused_with_488` | as Quiet | as Quiet | as Quiet |
//! | 408, 481, silence | `a_lost_dialog_ends_the_call` | `a_lost_dialog_refuses_the_peer_that_waits` | as Quiet | as Quiet | as Quiet |
//! | ACK without answer | `no_answer_in_the_ack_ends_the_call` | same | same | same | same |
//! | CANCEL of its re-INVITE | nothing pending: ignored | impossible: both Theirs | `a_cancelled_wish_is_withdrawn` | `a_cancel_drops_the_want` | `a_cancel_drops_the_want` |
//! | BYE | `nothing_is_left_when_a_leg_goes` | same | same | same | same |
//!
//! On one leg: an offer while ours is pending is 491, while the peer's own is unanswered 500 with `Retry-After`
//! (`glare_on_one_leg`, RFC 3261 §14.2, RFC 3311 §5.2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use um_media::Leg;

mod conclude;
pub(crate) mod opening;
mod side;
pub(crate) mod words;

use side::{Intent, Side, Turn, Want};
use words::{Act, Carrier, Content, Event, Hold, Manners, Means, Need, Refusal, Source, Timing, Wish};

#[cfg(test)]
mod tests;

/// The offers and answers of one call.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    inbound: Side,
    outbound: Side,
    /// Alignments in a row; two legs that never agree are left alone.
    alignments: u8,
    acts: VecDeque<Act>,
    over: bool,
}

impl Exchange {
    /// Begins with two legs whose first offers have been answered.
    pub(crate) fn new(inbound: (Manners, Means), outbound: (Manners, Means)) -> Self {
        Self {
            inbound: Side::new(inbound.0, inbound.1),
            outbound: Side::new(outbound.0, outbound.1),
            alignments: 0,
            acts: VecDeque::new(),
            over: false,
        }
    }

    /// Takes in a request of `leg`'s peer with an offer. What follows for it is ordered: `Answer` or `Refuse`, now or later.
    ///
    /// # Errors
    /// The response to give at once: another offer is pending there.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        leg: Leg,
        carrier: Carrier,
        wish: Wish,
        chance: u64,
    ) -> Result<(), Refusal> {
        self.screen(leg, chance)?;
        let other = self.side(leg.other());
        let crossing = matches!(other.turn, Turn::Theirs { .. });
        let held_back = self.side(leg).manners.hold;
        match wish {
            Wish::Same | Wish::Place => self.answer(now, leg, carrier, Source::Here),
            Wish::Direction if held_back == Hold::Local || crossing || !other.can_offer() => {
                self.answer(now, leg, carrier, Source::Here);
            }
            // Both peers wait for the other one: the later tries again, so that it ends.
            Wish::Codecs | Wish::Kind if crossing => return Err(Refusal::of(REQUEST_PENDING)),
            Wish::Codecs | Wish::Kind if !other.can_offer() => return Err(Refusal::of(NOT_ACCEPTABLE)),
            Wish::Direction | Wish::Codecs | Wish::Kind => {
                let until = now + patience(carrier);
                self.side_mut(leg).turn = Turn::Theirs { carrier, wish, until };
                self.want(leg.other(), Intent::Forward, carrier);
                self.advance(now);
            }
        }
        Ok(())
    }

    /// Takes in a re-INVITE of `leg`'s peer without an offer: it is to be answered with ours.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(crate) fn ask(&mut self, leg: Leg, chance: u64) -> Result<(), Refusal> {
        self.screen(leg, chance)?;
        self.side_mut(leg).turn = Turn::AnswerDue;
        self.acts.push_back(Act::OfferBack(leg));
        Ok(())
    }

    /// Our first offer to this leg's peer has no answer yet; it comes in an ACK or a PRACK.
    pub(crate) fn owe(&mut self, leg: Leg) {
        self.side_mut(leg).turn = Turn::AnswerDue;
    }

    /// Takes in what happened; `chance` is any number that nobody outside can guess.
    pub(crate) fn handle(&mut self, now: Instant, event: Event, chance: u64) {
        if self.over {
            return;
        }
        match event {
            Event::Answered(leg, verdict) => self.on_answered(now, leg, verdict),
            Event::AnsweredEarly(leg) => self.on_answered_early(leg),
            Event::OfferedBack(leg, fit) => self.on_offered_back(now, leg, fit),
            Event::Refused(leg, refusal) => self.on_refused(now, leg, refusal, chance),
            Event::Lost(leg) => self.on_lost(leg),
            Event::Acknowledged(leg) => self.on_acknowledged(now, leg),
            Event::Cancelled(leg) => self.give_up_waiting(now, leg, REQUEST_TERMINATED),
            Event::Confirmed(leg) => self.on_confirmed(now, leg),
            Event::Align(leg, need) => {
                self.alignments = 0;
                self.align(now, leg, need);
            }
            Event::Refresh(leg) => self.on_refresh(now, leg),
            Event::Replaced(leg) => self.on_replaced(now, leg),
            Event::Gone(leg) => self.on_gone(leg),
        }
        self.advance(now);
    }

    /// Handles a deadline of [`Self::poll_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for leg in Leg::ALL {
            if let Turn::Theirs { carrier, until, .. } = self.side(leg).turn
                && until <= now
            {
                let status = match carrier {
                    Carrier::Invite => TEMPORARILY_UNAVAILABLE,
                    Carrier::Update | Carrier::Prack => SERVER_TIME_OUT,
                };
                self.give_up_waiting(now, leg, status);
            }
        }
        self.advance(now);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let sides = [&self.inbound, &self.outbound];
        sides.into_iter().filter_map(Side::poll_timeout).min().filter(|_| !self.over)
    }

    /// Changes what can be sent on a leg now, as its peer says in Allow.
    pub(crate) fn set_means(&mut self, leg: Leg, means: Means) {
        self.side_mut(leg).means = means;
    }

    /// Changes the settings of a leg, which another dialog has taken over.
    pub(crate) fn set_manners(&mut self, leg: Leg, manners: Manners) {
        self.side_mut(leg).manners = manners;
    }

    /// Where a hold by this leg's peer ends.
    pub(crate) fn hold(&self, leg: Leg) -> Hold {
        self.side(leg).manners.hold
    }

    /// Whether nothing is pending and nothing wanted.
    #[cfg(test)]
    fn is_quiet(&self) -> bool {
        [&self.inbound, &self.outbound].iter().all(|side| side.turn == Turn::Quiet && side.want.is_none())
    }

    /// RFC 3261 §14.2, RFC 3311 §5.2: one offer at a time in a dialog.
    fn screen(&self, leg: Leg, chance: u64) -> Result<(), Refusal> {
        if self.over {
            return Err(Refusal::of(NO_DIALOG));
        }
        match self.side(leg).turn {
            Turn::Quiet => Ok(()),
            Turn::Ours { .. } | Turn::AnswerDue => Err(Refusal::of(REQUEST_PENDING)),
            Turn::Theirs { .. } => {
                let seconds = u32::try_from(chance % (RETRY_AFTER_MAX + 1)).unwrap_or(0);
                Err(Refusal { status: SERVER_ERROR, retry_after: Some(seconds) })
            }
        }
    }

    /// Answers the peer's request.
    fn answer(&mut self, now: Instant, leg: Leg, carrier: Carrier, source: Source) {
        let side = self.side_mut(leg);
        side.turn = Turn::Quiet;
        match carrier {
            Carrier::Invite => side.unacknowledged = true,
            Carrier::Update | Carrier::Prack => {}
        }
        self.acts.push_back(Act::Answer(leg, source));
        self.advance(now);
    }

    /// Wants something on a leg; a wish of the other peer takes the place of anything else, nothing takes the place of a wish.
    fn want(&mut self, leg: Leg, intent: Intent, carrier: Carrier) {
        let side = self.side_mut(leg);
        let kept = side.want.map(|want| want.intent);
        let replaces = match (kept, intent) {
            (None, _) | (Some(Intent::Refresh), _) | (_, Intent::Forward | Intent::Align(Need::Must)) => {
                kept != Some(Intent::Forward)
            }
            (Some(Intent::Forward | Intent::Align(_)), Intent::Align(Need::Should) | Intent::Refresh) => {
                false
            }
        };
        if replaces {
            // A back-off under way is the dialog's, whatever waits for it.
            let not_before = side.want.and_then(|want| want.not_before);
            side.want = Some(Want { intent, carrier, not_before, tries: 0 });
        }
    }

    /// Sends what is wanted and may go.
    fn advance(&mut self, now: Instant) {
        for leg in Leg::ALL {
            if self.over || self.side(leg).ready_at(now).is_none_or(|at| at > now) {
                continue;
            }
            let side = self.side_mut(leg);
            let Some(carrier) = side.carrier() else { continue };
            let Some(Want { intent, tries, .. }) = side.want.take() else { continue };
            side.turn = Turn::Ours { intent, carrier, tries, early: false };
            if carrier == Carrier::Invite {
                side.keep_distance(now);
            }
            let act = self.opener(leg, intent, carrier);
            self.acts.push_back(act);
        }
    }

    /// How we begin: with an offer, or without one where the line is DELAYED and the peer's offer can tell what we need.
    fn opener(&self, leg: Leg, intent: Intent, carrier: Carrier) -> Act {
        let delayed = carrier == Carrier::Invite && self.side(leg).manners.timing == Timing::Delayed;
        let codecs = match self.side(leg.other()).turn {
            Turn::Theirs { wish, .. } => wish == Wish::Codecs,
            Turn::Quiet | Turn::Ours { .. } | Turn::AnswerDue => false,
        };
        match intent {
            Intent::Forward if delayed && codecs => Act::Ask(leg),
            Intent::Align(_) if delayed => Act::Ask(leg),
            Intent::Forward => Act::Offer(leg, carrier, Content::Wish),
            Intent::Align(_) => Act::Offer(leg, carrier, Content::Joined),
            Intent::Refresh => Act::Offer(leg, carrier, Content::Same),
        }
    }

    fn side(&self, leg: Leg) -> &Side {
        match leg {
            Leg::Inbound => &self.inbound,
            Leg::Outbound => &self.outbound,
        }
    }

    fn side_mut(&mut self, leg: Leg) -> &mut Side {
        match leg {
            Leg::Inbound => &mut self.inbound,
            Leg::Outbound => &mut self.outbound,
        }
    }
}

/// How long the peer's request waits for the other leg: a re-INVITE as long as a person may be asked, another request
/// so that its transaction does not end first (RFC 3311 §5.2, RFC 3261 §17.1.2.2).
const fn patience(carrier: Carrier) -> Duration {
    match carrier {
        Carrier::Invite => Duration::from_secs(60),
        Carrier::Update | Carrier::Prack => Duration::from_secs(10),
    }
}

const TEMPORARILY_UNAVAILABLE: u16 = 480;
const NO_DIALOG: u16 = 481;
const REQUEST_TERMINATED: u16 = 487;
const NOT_ACCEPTABLE: u16 = 488;
const REQUEST_PENDING: u16 = 491;
const SERVER_ERROR: u16 = 500;
const SERVER_TIME_OUT: u16 = 504;
/// Seconds (RFC 3261 §14.2).
const RETRY_AFTER_MAX: u64 = 10;
