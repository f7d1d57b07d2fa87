//! How an offer of ours ends, and what that means for the other leg.

use std::time::{Duration, Instant};

use um_media::Leg;

use super::side::{Intent, Side, Turn, Want};
use super::words::{Act, Carrier, Closing, Fit, Need, Refusal, Source, Verdict, Wish};
use super::{Exchange, NOT_ACCEPTABLE, REQUEST_PENDING, REQUEST_TERMINATED, RETRY_AFTER_MAX, SERVER_ERROR};
use crate::call::words::Reason;

impl Exchange {
    pub(super) fn on_answered(&mut self, now: Instant, leg: Leg, verdict: Verdict) {
        match self.side(leg).turn {
            Turn::Ours { intent, carrier, .. } => {
                self.side_mut(leg).turn = Turn::Quiet;
                if carrier == Carrier::Invite {
                    self.side_mut(leg).keep_distance(now);
                    self.acts.push_back(Act::Acknowledge(leg, Closing::Plain));
                }
                match (verdict, intent) {
                    // Nothing was to change: a peer that leaves the answer out means just that.
                    (Verdict::Missing, Intent::Refresh) => self.acts.push_back(Act::RollBack(leg)),
                    // RFC 3261 §13.2.2.4: an answer that cannot be used ends the dialog.
                    (Verdict::Missing, Intent::Forward | Intent::Align(_)) => self.end(Reason::NoMedia),
                    (Verdict::Agreed | Verdict::Differs, _) => self.settle(now, leg, intent, verdict),
                }
            }
            Turn::AnswerDue => {
                let side = self.side_mut(leg);
                side.turn = Turn::Quiet;
                side.unacknowledged = false;
                side.keep_distance(now);
                match verdict {
                    Verdict::Agreed => {}
                    Verdict::Differs => self.align(now, leg.other(), Need::Must),
                    Verdict::Missing => self.end(Reason::AnswerMissing),
                }
            }
            Turn::Quiet | Turn::Theirs { .. } => {}
        }
    }

    pub(super) fn on_answered_early(&mut self, leg: Leg) {
        match &mut self.side_mut(leg).turn {
            Turn::Ours { early, .. } => *early = true,
            Turn::Quiet | Turn::Theirs { .. } | Turn::AnswerDue => {}
        }
    }

    /// The 2xx to our re-INVITE without an offer has brought one; the ACK must answer it.
    pub(super) fn on_offered_back(&mut self, now: Instant, leg: Leg, fit: Fit) {
        let Turn::Ours { intent, .. } = self.side(leg).turn else { return };
        let side = self.side_mut(leg);
        side.turn = Turn::Quiet;
        side.keep_distance(now);
        match fit {
            Fit::Wished => {
                self.acts.push_back(Act::Acknowledge(leg, Closing::Wished));
                self.settle(now, leg, intent, Verdict::Agreed);
            }
            Fit::AsBefore => {
                self.acts.push_back(Act::Acknowledge(leg, Closing::AsBefore));
                self.fail(now, leg, intent, Refusal::of(NOT_ACCEPTABLE));
            }
            Fit::Nothing => {
                self.acts.push_back(Act::Acknowledge(leg, Closing::Refused));
                self.end(Reason::NoMedia);
            }
        }
    }

    pub(super) fn on_refused(&mut self, now: Instant, leg: Leg, refusal: Refusal, chance: u64) {
        let Turn::Ours { intent, carrier, tries, early } = self.side(leg).turn else { return };
        let side = self.side_mut(leg);
        side.turn = Turn::Quiet;
        if carrier == Carrier::Invite {
            side.keep_distance(now);
        }
        self.acts.push_back(Act::RollBack(leg));
        // A wish that nobody waits for any more is not tried again.
        let wanted = intent != Intent::Forward || self.awaits(leg.other());
        let pause = pause(self.side(leg), refusal, chance).filter(|_| wanted && tries < TRIES_MAX);
        let side = self.side_mut(leg);
        match (refusal.status, pause) {
            (_, Some(pause)) => {
                let gap = if carrier == Carrier::Invite { side.manners.gap } else { Duration::ZERO };
                let not_before = Some(now + gap + pause);
                side.want = Some(Want { intent, carrier, not_before, tries: tries + 1 });
            }
            // It says that it allows UPDATE, and does not.
            (405 | 501, None) if carrier == Carrier::Update && side.means.invite => {
                side.means.update = false;
                side.want =
                    Some(Want { intent, carrier: Carrier::Invite, not_before: None, tries: tries + 1 });
            }
            (_, None) => {
                self.fail(now, leg, intent, refusal);
                // RFC 6141 §3.4: it may have done already what it now refuses.
                if early {
                    self.align(now, leg, Need::Must);
                }
            }
        }
    }

    /// RFC 3261 §12.2.1.2: 408, 481 or nothing at all mean that the peer has no such dialog any more.
    pub(super) fn on_lost(&mut self, leg: Leg) {
        match self.side(leg).turn {
            Turn::Ours { .. } => self.end(Reason::DialogLost),
            Turn::Quiet | Turn::Theirs { .. } | Turn::AnswerDue => {}
        }
    }

    pub(super) fn on_acknowledged(&mut self, now: Instant, leg: Leg) {
        let side = self.side_mut(leg);
        side.unacknowledged = false;
        side.keep_distance(now);
    }

    pub(super) fn on_confirmed(&mut self, now: Instant, leg: Leg) {
        let side = self.side_mut(leg);
        side.means.invite = true;
        side.keep_distance(now);
    }

    pub(super) fn on_refresh(&mut self, now: Instant, leg: Leg) {
        // Anything else that is about to go refreshes the session as well.
        if self.side(leg).turn == Turn::Quiet {
            self.want(leg, Intent::Refresh, Carrier::Invite);
            self.advance(now);
        }
    }

    /// Another dialog stands for this leg; what was under way in the old one is void.
    pub(super) fn on_replaced(&mut self, now: Instant, leg: Leg) {
        if let Turn::Theirs { .. } = self.side(leg).turn {
            self.drop_forward(leg.other());
            self.acts.push_back(Act::Refuse(leg, Refusal::of(REQUEST_TERMINATED)));
        }
        self.side_mut(leg).reset();
        self.refuse_waiting(now, leg.other(), Refusal::of(REQUEST_PENDING));
    }

    pub(super) fn on_gone(&mut self, gone: Leg) {
        for leg in [gone, gone.other()] {
            if let Turn::Theirs { .. } = self.side(leg).turn {
                self.acts.push_back(Act::Refuse(leg, Refusal::of(REQUEST_TERMINATED)));
            }
        }
        self.close();
    }

    /// The peer has cancelled, or waited long enough: what goes on for it at the other leg is withdrawn.
    pub(super) fn give_up_waiting(&mut self, now: Instant, leg: Leg, status: u16) {
        let Turn::Theirs { .. } = self.side(leg).turn else { return };
        self.side_mut(leg).turn = Turn::Quiet;
        self.acts.push_back(Act::Refuse(leg, Refusal::of(status)));
        self.drop_forward(leg.other());
        self.advance(now);
    }

    pub(super) fn align(&mut self, now: Instant, leg: Leg, need: Need) {
        if self.alignments >= ALIGNMENTS_MAX {
            if need == Need::Must {
                self.end(Reason::NoMedia);
            }
            return;
        }
        self.alignments += 1;
        self.want(leg, Intent::Align(need), Carrier::Invite);
        self.advance(now);
    }

    pub(super) fn end(&mut self, reason: Reason) {
        if self.over {
            return;
        }
        for leg in Leg::ALL {
            if let Turn::Theirs { .. } = self.side(leg).turn {
                self.acts.push_back(Act::Refuse(leg, Refusal::of(REQUEST_TERMINATED)));
            }
        }
        self.acts.push_back(Act::End(reason));
        self.close();
    }

    fn close(&mut self) {
        self.over = true;
        for leg in Leg::ALL {
            let side = self.side_mut(leg);
            side.turn = Turn::Quiet;
            side.want = None;
        }
    }

    /// Our offer was accepted.
    fn settle(&mut self, now: Instant, leg: Leg, intent: Intent, verdict: Verdict) {
        let other = leg.other();
        match (intent, self.side(other).turn) {
            (Intent::Forward, Turn::Theirs { carrier, .. }) => {
                self.alignments = 0;
                self.answer(now, other, carrier, Source::Other);
            }
            // Who wanted it has given up meanwhile: back to what holds at the other leg.
            (Intent::Forward, Turn::Quiet | Turn::Ours { .. } | Turn::AnswerDue) => {
                self.align(now, leg, Need::Must);
            }
            (Intent::Align(_), _) => match verdict {
                Verdict::Differs => self.align(now, other, Need::Should),
                Verdict::Agreed | Verdict::Missing => self.alignments = 0,
            },
            (Intent::Refresh, _) => {}
        }
    }

    /// Our offer was refused, for good.
    fn fail(&mut self, now: Instant, leg: Leg, intent: Intent, refusal: Refusal) {
        match intent {
            Intent::Forward => self.refuse_waiting(now, leg.other(), as_told_on(refusal)),
            Intent::Align(Need::Must) => self.end(Reason::NoMedia),
            Intent::Align(Need::Should) | Intent::Refresh => {}
        }
    }

    /// The other leg does not do what this leg's peer wants. A hold succeeds all the same: it only ends here.
    fn refuse_waiting(&mut self, now: Instant, leg: Leg, refusal: Refusal) {
        let Turn::Theirs { carrier, wish, .. } = self.side(leg).turn else { return };
        match wish {
            Wish::Same | Wish::Place | Wish::Direction => self.answer(now, leg, carrier, Source::Here),
            Wish::Codecs | Wish::Kind => {
                self.side_mut(leg).turn = Turn::Quiet;
                self.acts.push_back(Act::Refuse(leg, refusal));
                self.advance(now);
            }
        }
    }

    fn drop_forward(&mut self, leg: Leg) {
        let side = self.side_mut(leg);
        side.want = side.want.filter(|want| want.intent != Intent::Forward);
        if let Turn::Ours { intent: Intent::Forward, carrier: Carrier::Invite, .. } = side.turn {
            self.acts.push_back(Act::Cancel(leg));
        }
    }

    fn awaits(&self, leg: Leg) -> bool {
        matches!(self.side(leg).turn, Turn::Theirs { .. })
    }
}

/// How long to wait before the same offer may go again; `None` if it need not.
fn pause(side: &Side, refusal: Refusal, chance: u64) -> Option<Duration> {
    match (refusal.status, refusal.retry_after.map(u64::from)) {
        (REQUEST_PENDING, _) => Some(side.back_off(chance)),
        (SERVER_ERROR, Some(seconds)) if seconds <= RETRY_AFTER_MAX => Some(Duration::from_secs(seconds)),
        _ => None,
    }
}

/// What the peer that waits is told of a refusal by the other one: what speaks of media as 488, what would end his
/// dialog or ask him for credentials as a failure of ours, the rest as it is.
const fn as_told_on(refusal: Refusal) -> Refusal {
    match refusal.status {
        415 | 488 | 606 => Refusal::of(NOT_ACCEPTABLE),
        300..=399 | 401 | 407 | 408 | 481 => Refusal::of(SERVER_ERROR),
        _ => refusal,
    }
}

/// How often one offer is tried again after a 491 or a 500.
const TRIES_MAX: u8 = 5;
/// Alignments one after the other.
const ALIGNMENTS_MAX: u8 = 3;
