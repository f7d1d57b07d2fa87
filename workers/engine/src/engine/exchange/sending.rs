//! Our own offers within a call: re-INVITE and UPDATE, their responses and ACKs.

use std::time::Instant;

use bytes::Bytes;
use um_media::sdp::Proposal;
use um_sip::endpoint::{Body as Load, ClientTransaction, Extra, Inside, Reliable, ResponseKind};
use um_sip::{Flow, HeaderName, Message, Method};

use super::super::errands::Task;
use super::super::session::Sender;
use super::Engine;
use crate::call::exchange::words::{Carrier, Closing, Content, Event, Fit, Refusal, Verdict};
use crate::call::words::Side;
use crate::leg::{ALLOW, Body, SDP, SUPPORTED, description, retry_after};

impl Engine {
    pub(super) fn send_offer(
        &mut self,
        now: Instant,
        serial: u64,
        side: Side,
        carrier: Carrier,
        content: Content,
    ) {
        let offer = match content {
            Content::Same => {
                self.negotiation(serial, side).and_then(|negotiation| negotiation.offer_again().ok())
            }
            Content::Wish | Content::Joined => self
                .wished(serial, side, content)
                .and_then(|proposal| self.negotiation(serial, side)?.offer(&proposal).ok()),
        };
        match offer {
            Some(offer) => self.send_request(now, serial, side, carrier, Some(offer)),
            None => self.tell_exchange(now, serial, Event::Refused(side, Refusal::of(500))),
        }
    }

    /// What the other leg wants of this one, or speaks.
    fn wished(&mut self, serial: u64, side: Side, content: Content) -> Option<Proposal> {
        let direction = self.direction_towards(serial, side);
        let other = self.negotiation(serial, side.other())?;
        match content {
            Content::Wish => other.proposal(),
            Content::Joined | Content::Same => other.joined(direction),
        }
    }

    /// Sends a re-INVITE or UPDATE; what becomes of it is told to the exchange.
    pub(super) fn send_request(
        &mut self,
        now: Instant,
        serial: u64,
        side: Side,
        carrier: Carrier,
        offer: Option<Bytes>,
    ) {
        let leg = self.sessions.get(serial).and_then(|session| session.leg(side));
        let Some((Some(dialog), flow)) = leg.map(|leg| (leg.dialog, leg.flow)) else {
            return self.on_offer_not_sent(now, serial, side);
        };
        let method = match carrier {
            Carrier::Invite => Method::Invite,
            Carrier::Update | Carrier::Prack => Method::Update,
        };
        let headers = vec![
            Extra::Named(HeaderName::Allow, ALLOW.to_owned()),
            Extra::Named(HeaderName::Supported, SUPPORTED.to_owned()),
        ];
        let body = offer.map(|bytes| Load { content_type: SDP.to_owned(), bytes });
        let task = Task::Request(method, Box::new(Inside { headers, body }), Sender::Exchange(serial, side));
        self.run_errand(now, dialog, flow, task);
    }

    /// Our request has gone out.
    pub(in super::super) fn on_offer_sent(
        &mut self,
        serial: u64,
        side: Side,
        transaction: ClientTransaction,
    ) {
        if let Some(talk) = self.talk(serial) {
            talk.under(side).sent = Some(transaction);
        }
    }

    /// Our request could not be sent: there is no way, or the dialog is busy, which the endpoint knew before us.
    pub(in super::super) fn on_offer_not_sent(&mut self, now: Instant, serial: u64, side: Side) {
        self.tell_exchange(now, serial, Event::Refused(side, Refusal::of(491)));
    }

    pub(super) fn cancel_offer(&mut self, now: Instant, serial: u64, side: Side) {
        let transaction = self.talk(serial).and_then(|talk| talk.under(side).sent);
        if let Some(transaction) = transaction {
            // Gone: its final response is on its way through the queue.
            let _ = self.endpoint.cancel(now, transaction);
        }
    }

    /// A response to a re-INVITE or UPDATE of ours.
    pub(in super::super) fn on_offer_response(
        &mut self,
        now: Instant,
        (serial, side): (u64, Side),
        transaction: ClientTransaction,
        (kind, reliable): (ResponseKind, Option<Reliable>),
        flow: Flow,
        response: &Message,
    ) {
        match kind {
            ResponseKind::Provisional => {
                if let Some(reliable) = reliable {
                    self.take_early_answer(now, serial, side, flow, reliable, response);
                }
            }
            ResponseKind::Success => {
                self.end_offer(serial, side, transaction);
                self.sessions.note_flow(serial, side, flow);
                let event = self.judge_success(serial, side, response);
                self.tell_exchange(now, serial, event);
                self.set_remote(serial, side);
            }
            ResponseKind::Failure | ResponseKind::Broken => {
                self.end_offer(serial, side, transaction);
                if let Some(talk) = self.talk(serial) {
                    talk.under(side).answered = false;
                }
                let status = response.status().map_or(500, um_sip::StatusCode::code);
                let event = match (kind, status) {
                    (ResponseKind::Broken, _) => Event::Refused(side, Refusal::of(500)),
                    (_, 408 | 481) => Event::Lost(side),
                    (_, status) => {
                        Event::Refused(side, Refusal { status, retry_after: retry_after(response) })
                    }
                };
                self.tell_exchange(now, serial, event);
            }
            // The dialog has only this peer: what comes late belongs to it and ends with it.
            ResponseKind::Fork | ResponseKind::Late => {}
        }
    }

    /// A reliable provisional response gets its PRACK; an answer in it stands, but the change waits for the 2xx (RFC 6141 §3).
    fn take_early_answer(
        &mut self,
        now: Instant,
        serial: u64,
        side: Side,
        flow: Flow,
        reliable: Reliable,
        response: &Message,
    ) {
        let own = self.negotiation(serial, side).filter(|own| own.is_offering());
        if let (Some(own), Body::Sdp(answer)) = (own, description(response))
            && let Ok(agreement) = own.handle_answer(answer)
        {
            if let Some(talk) = self.talk(serial) {
                talk.agreement = Some(agreement);
                talk.under(side).answered = true;
            }
            self.tell_exchange(now, serial, Event::AnsweredEarly(side));
        }
        let leg = self.sessions.get(serial).and_then(|session| session.leg(side));
        if let Some(dialog) = leg.and_then(|leg| leg.dialog) {
            self.run_errand(now, dialog, flow, Task::AcknowledgeProvisional(reliable, None));
        }
    }

    /// Nothing came back, or nothing could.
    pub(in super::super) fn on_offer_unanswered(
        &mut self,
        now: Instant,
        (serial, side): (u64, Side),
        transaction: ClientTransaction,
        event: Event,
    ) {
        self.end_offer(serial, side, transaction);
        self.tell_exchange(now, serial, event);
    }

    /// The 2xx answers our offer, or brings the one that we asked for.
    fn judge_success(&mut self, serial: u64, side: Side, response: &Message) -> Event {
        if self.talk(serial).is_some_and(|talk| std::mem::take(&mut talk.under(side).answered)) {
            if let Some(negotiation) = self.negotiation(serial, side) {
                negotiation.commit();
            }
            return Event::Answered(side, self.verdict(serial, side));
        }
        let Some(negotiation) = self.negotiation(serial, side) else {
            return Event::Answered(side, Verdict::Missing);
        };
        match (description(response), negotiation.is_offering()) {
            (Body::Sdp(answer), true) => match negotiation.handle_answer(answer) {
                Ok(agreement) => {
                    negotiation.commit();
                    if let Some(talk) = self.talk(serial) {
                        talk.agreement = Some(agreement);
                    }
                    Event::Answered(side, self.verdict(serial, side))
                }
                Err(_) => Event::Answered(side, Verdict::Missing),
            },
            (Body::None | Body::Other, true) => Event::Answered(side, Verdict::Missing),
            (Body::Sdp(offer), false) => {
                let fit = if negotiation.handle_offer(offer).is_ok() {
                    self.fit(serial, side)
                } else {
                    Fit::Nothing
                };
                Event::OfferedBack(side, fit)
            }
            (Body::None | Body::Other, false) => Event::OfferedBack(side, Fit::Nothing),
        }
    }

    fn fit(&mut self, serial: u64, side: Side) -> Fit {
        let wished = self.wished(serial, side, Content::Wish);
        let Some(negotiation) = self.negotiation(serial, side) else { return Fit::Nothing };
        if wished.is_some_and(|wished| negotiation.joins(&wished)) {
            Fit::Wished
        } else if negotiation.keeps() {
            Fit::AsBefore
        } else {
            Fit::Nothing
        }
    }

    pub(super) fn acknowledge_peer(&mut self, now: Instant, serial: u64, side: Side, closing: Closing) {
        let answer = match closing {
            Closing::Plain => None,
            Closing::Wished => self.answer_wished(serial, side),
            Closing::AsBefore => {
                let answer = self.negotiation(serial, side).and_then(|own| own.answer_locally().ok());
                answer.map(|answer| answer.body)
            }
            Closing::Refused => self.negotiation(serial, side).and_then(|own| own.answer_nothing().ok()),
        };
        let leg = self.sessions.get(serial).and_then(|session| session.leg(side));
        if let Some((Some(dialog), flow)) = leg.map(|leg| (leg.dialog, leg.flow)) {
            self.run_errand(now, dialog, flow, Task::Acknowledge(answer));
        }
    }

    fn answer_wished(&mut self, serial: u64, side: Side) -> Option<Bytes> {
        let wished = self.wished(serial, side, Content::Wish)?;
        let (answer, agreement) = self.negotiation(serial, side)?.answer_joining(&wished).ok()?;
        if let Some(talk) = self.talk(serial) {
            talk.agreement = Some(agreement);
        }
        Some(answer.body)
    }

    fn end_offer(&mut self, serial: u64, side: Side, transaction: ClientTransaction) {
        self.senders.remove(&transaction);
        if let Some(talk) = self.talk(serial) {
            talk.under(side).sent = None;
        }
    }
}
