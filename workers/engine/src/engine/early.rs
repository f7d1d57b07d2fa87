//! Media while a call is set up: which response to the caller carries which description
//! ([`Opening`](crate::call::exchange::opening::Opening)), offers that come late on either side, reliable provisional
//! responses and their PRACKs, and early dialogs that each stand alone.

use std::time::Instant;

use bytes::Bytes;
use um_media::Direction;
use um_media::sdp::Proposal;
use um_sip::endpoint::{DialogId, Reliable, ServerTransaction};
use um_sip::{Flow, HeaderName, Message};

use super::Engine;
use super::errands::Task;
use super::exchange::accepted;
use super::session::Fork;
use super::session_timers::granting;
use crate::call::exchange::opening::{Closing, Load, Offerer, Opening, Reliability};
use crate::call::exchange::words::{Event as Offers, Need, Verdict};
use crate::call::words::{AttemptId, Event, Reason, Side};
use crate::leg::{ALLOW, Body, SDP, SUPPORTED, description, reply, reply_later};

impl Engine {
    /// 101–199 to the caller, with what may be said of media by now.
    pub(super) fn ring(&mut self, now: Instant, serial: u64, attempt: AttemptId, status: u16) {
        let Some(offerer) = self.offerer(serial) else { return };
        let answer = self.answer_caller(serial, attempt);
        let setup = self.sessions.get(serial).and_then(|session| session.setup.as_mut());
        let Some(setup) = setup else { return };
        let provisional = setup.opening.provisional(answer.is_some());
        let body = match provisional.load {
            Load::Answer => answer,
            Load::Offer => self.offer_caller(serial),
            Load::Nothing => None,
        };
        if offerer == Offerer::Us {
            self.show_attempt(serial, attempt);
        }
        let mut reply = reply(status);
        if let Some(body) = body {
            reply = reply.body(SDP, body);
        }
        if provisional.reliability == Reliability::Required {
            let headers = [(HeaderName::Allow, ALLOW), (HeaderName::Supported, SUPPORTED)];
            reply = headers.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value));
            reply = reply.reliable();
        }
        self.respond_to_caller(now, serial, reply);
    }

    /// 200 to the caller; the attempt's leg is bridged.
    pub(super) fn answer(&mut self, now: Instant, serial: u64, attempt: AttemptId) {
        let answer = self.answer_caller(serial, attempt);
        self.show_attempt(serial, attempt);
        let setup = self.sessions.get(serial).and_then(|session| session.setup.as_mut());
        let Some(setup) = setup else { return };
        let (load, diverged) = (setup.opening.answer(), setup.diverged);
        let opening = setup.opening;
        let body = match load {
            Load::Answer => answer,
            Load::Offer => self.offer_caller(serial),
            Load::Nothing => None,
        };
        let mut reply = match body {
            Some(body) => accepted().body(SDP, body),
            None => accepted(),
        };
        let session = self.grant_caller(serial);
        if let Some((_, grant)) = &session {
            reply.headers.extend(granting(grant));
        }
        self.respond_to_caller(now, serial, reply);
        if let Some((timer, grant)) = session {
            self.start_caller(now, serial, timer, &grant);
        }
        self.sessions.end_setup(serial);
        let search = self.sessions.get(serial).and_then(|session| session.search.as_ref());
        let plan = search.map(|search| std::sync::Arc::clone(&search.plan));
        self.bridge_attempt(now, serial, attempt);
        if let Some(plan) = plan {
            self.begin_talk(now, serial, &plan.route);
            self.continue_opening(now, serial, opening, load, diverged);
        }
        if let Some(session) = self.sessions.get(serial) {
            session.story.answered = Some(now);
        }
        self.observe_answer(now, serial);
    }

    /// What the first offer and answer have left to be done once the call is answered.
    fn continue_opening(&mut self, now: Instant, serial: u64, opening: Opening, load: Load, diverged: bool) {
        let owed = opening.offerer() == Offerer::Us && !opening.is_done();
        if let Some(talk) = self.talk(serial) {
            if owed {
                talk.exchange.owe(Side::Inbound);
            }
            talk.under(Side::Inbound).owed = load == Load::Offer;
            talk.opening = Some(opening).filter(|opening| !opening.is_done());
        }
        let differs = !owed && self.verdict(serial, Side::Inbound) == Verdict::Differs;
        match opening.offerer() {
            // He has answered already, in a PRACK, before the server had.
            Offerer::Us if differs => {
                self.tell_exchange(now, serial, Offers::Align(Side::Outbound, Need::Must));
            }
            // What he was told first, of a server that failed then, is no longer true.
            Offerer::Caller if differs => {
                self.tell_exchange(now, serial, Offers::Align(Side::Inbound, Need::Must));
            }
            Offerer::Caller if diverged => {
                self.tell_exchange(now, serial, Offers::Align(Side::Inbound, Need::Should));
            }
            Offerer::Us | Offerer::Caller => {}
        }
    }

    fn offerer(&mut self, serial: u64) -> Option<Offerer> {
        let session = self.sessions.get(serial)?;
        Some(session.setup.as_ref()?.opening.offerer())
    }

    /// Our offer to a caller who made none: what the server took, then what it was offered beside.
    fn offer_caller(&mut self, serial: u64) -> Option<Bytes> {
        let taken = self.sessions.get(serial)?.talking(Side::Outbound).and_then(|leg| {
            leg.negotiation.as_ref().and_then(|negotiation| negotiation.joined(Direction::SendRecv))
        });
        let offer = match taken {
            Some(taken) => taken.widened(&Proposal::telephony()),
            None => Proposal::telephony(),
        };
        self.negotiation(serial, Side::Inbound)?.offer(&offer).ok()
    }

    /// Tells the relay where the attempt's far end is, if that is news.
    fn show_attempt(&mut self, serial: u64, attempt: AttemptId) {
        let Some(attempt) = self.sessions.get(serial).and_then(|session| session.attempt(attempt)) else {
            return;
        };
        // To set an address again would open the time for latching again.
        let agreement = attempt.agreement.clone();
        if agreement.is_some() && std::mem::replace(&mut attempt.told, agreement.clone()) != agreement {
            self.set_remote(serial, Side::Outbound);
        }
    }

    /// Whether the caller can be told what an attempt agreed to.
    pub(super) fn suits_caller(&mut self, serial: u64, attempt: AttemptId) -> bool {
        match self.offerer(serial) {
            Some(Offerer::Caller) => self.answer_caller(serial, attempt).is_some(),
            Some(Offerer::Us) => {
                let attempt = self.sessions.get(serial).and_then(|session| session.attempt(attempt));
                attempt.is_some_and(|attempt| attempt.agreement.is_some())
            }
            None => false,
        }
    }

    /// A response of an early dialog: its media are those that count now (RFC 3261 §13.2.2.4).
    pub(super) fn turn_to(&mut self, serial: u64, attempt: AttemptId, dialog: Option<DialogId>) {
        let Some(attempt) = self.sessions.get(serial).and_then(|session| session.attempt(attempt)) else {
            return;
        };
        let Some(dialog) = dialog.filter(|dialog| attempt.early != Some(*dialog)) else { return };
        let Some(before) = attempt.early.replace(dialog) else { return };
        let Some(current) = attempt.leg.as_mut().and_then(|leg| leg.negotiation.as_mut()) else { return };
        let next = attempt.forks.remove(&dialog);
        let next = next.unwrap_or_else(|| Fork { negotiation: current.fork(), agreement: None });
        let negotiation = std::mem::replace(current, next.negotiation);
        let agreement = std::mem::replace(&mut attempt.agreement, next.agreement);
        attempt.forks.insert(before, Fork { negotiation, agreement });
    }

    /// A reliable provisional response of the server gets its PRACK at once, with the answer if it had the offer.
    pub(super) fn acknowledge_provisional(
        &mut self,
        now: Instant,
        (serial, attempt): (u64, AttemptId),
        dialog: Option<DialogId>,
        flow: Flow,
        reliable: Reliable,
    ) {
        let session = self.sessions.get(serial);
        let answer = session.and_then(|session| session.attempt(attempt)?.closing.take());
        if let Some(dialog) = dialog {
            self.run_errand(now, dialog, flow, Task::AcknowledgeProvisional(reliable, answer));
        }
    }

    /// Takes the offer of a server that was asked for one, and answers it with what the caller offered as well.
    pub(super) fn take_late_offer(&mut self, serial: u64, attempt: AttemptId, offer: &[u8]) {
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(side) = session.search.as_ref().map(|search| search.side) else { return };
        let wish = session.leg(side.other()).and_then(|leg| leg.negotiation.as_ref()?.proposal());
        let wish = wish.unwrap_or_else(Proposal::telephony);
        let Some(attempt) = session.attempt(attempt) else { return };
        let negotiation = attempt.leg.as_mut().and_then(|leg| leg.negotiation.as_mut());
        let Some(negotiation) = negotiation else { return };
        if negotiation.handle_offer(offer).is_err() {
            return;
        }
        match negotiation.answer_joining(&wish) {
            Ok((answer, agreement)) => {
                attempt.closing = Some(answer.body);
                attempt.agreement = Some(agreement);
            }
            Err(_) => attempt.closing = negotiation.answer_nothing().ok(),
        }
    }

    /// Acknowledges an attempt's 2xx, with the answer if it had the offer.
    pub(super) fn acknowledge_attempt(&mut self, now: Instant, serial: u64, attempt: AttemptId) {
        let session = self.sessions.get(serial);
        let answer = session.and_then(|session| session.attempt(attempt)?.closing.take());
        self.run_on_attempt(now, serial, attempt, Task::Acknowledge(answer));
    }

    /// Hangs up an attempt whose 2xx is of no use; an offer in it is refused first.
    pub(super) fn dismiss_attempt(&mut self, now: Instant, serial: u64, attempt: AttemptId) {
        let session = self.sessions.get(serial);
        let refusal = session.and_then(|session| session.attempt(attempt)?.closing.take());
        if refusal.is_some() {
            self.run_on_attempt(now, serial, attempt, Task::Acknowledge(refusal));
        }
        self.run_on_attempt(now, serial, attempt, Task::HangUp);
    }

    /// The caller has acknowledged a reliable provisional response of ours.
    pub(super) fn on_prack(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: DialogId,
        prack: &Message,
    ) {
        let place = self.sessions.by_dialog(dialog);
        let Some((serial, side)) = place else { return self.respond(now, transaction, &reply(481)) };
        let body = description(prack);
        let described = matches!(body, Body::Sdp(_));
        let Some(session) = self.sessions.get(serial) else { return };
        let early = session.setup.as_mut().map(|setup| &mut setup.opening);
        let opening = early.or_else(|| session.talk.as_mut().and_then(|talk| talk.opening.as_mut()));
        let closing = opening.map_or(Closing::NothingDue, |opening| opening.on_prack(described));
        match (closing, body) {
            (Closing::Offer, Body::Sdp(offer)) => {
                let reply = self.answer_early(serial, side, offer);
                self.respond(now, transaction, &reply);
            }
            (Closing::Answer, Body::Sdp(answer)) => {
                self.respond(now, transaction, &reply(200));
                let taken = self.take_late_answer(serial, side, answer);
                self.on_opening_closed(now, serial, taken);
            }
            (Closing::Missing, _) => {
                self.respond(now, transaction, &reply(200));
                self.on_opening_closed(now, serial, Verdict::Missing);
            }
            (Closing::NothingDue | Closing::Answer | Closing::Offer, _) => {
                self.respond(now, transaction, &reply(200));
            }
        }
    }

    /// Our offer in a provisional response has its answer, or will never have one.
    fn on_opening_closed(&mut self, now: Instant, serial: u64, verdict: Verdict) {
        match self.talk(serial) {
            Some(talk) => {
                talk.opening = None;
                self.tell_exchange(now, serial, Offers::Answered(Side::Inbound, verdict));
            }
            // Before the call is answered there is no other leg that it could differ from.
            None if verdict == Verdict::Missing => self.tell(serial, Event::Broken(Reason::AnswerMissing)),
            None => {}
        }
    }

    /// Answers an offer within an early dialog: here, or not at all. The other leg has none of its own yet.
    pub(super) fn answer_early(&mut self, serial: u64, side: Side, offer: &[u8]) -> um_sip::endpoint::Reply {
        let retry = u32::try_from(self.draw.next() % 11).unwrap_or(0);
        let Some(negotiation) = self.negotiation(serial, side) else { return reply_later(500, Some(retry)) };
        if negotiation.kind().is_none() {
            // Our answer to the first offer is still to come (RFC 3311 §5.2).
            return reply_later(500, Some(retry));
        }
        if negotiation.handle_offer(offer).is_err() {
            return reply(488);
        }
        match negotiation.answer_locally() {
            Ok(answer) => {
                self.set_remote(serial, side);
                accepted().body(SDP, answer.body)
            }
            Err(_) => {
                negotiation.reject_offer();
                reply(488)
            }
        }
    }
}

impl Opening {
    /// How the first offer and answer of an INVITE go.
    pub(super) fn of(invite: &Message) -> Self {
        let offerer = match description(invite) {
            Body::Sdp(_) | Body::Other => Offerer::Caller,
            Body::None => Offerer::Us,
        };
        let reliability = if invite.required().contains(um_sip::OptionTag::Rel100) {
            Reliability::Required
        } else {
            Reliability::Plain
        };
        Self::new(offerer, reliability)
    }
}
