//! Offers and answers within a call, as SIP and SDP: what the peers send is judged and told to the call's
//! [exchange](crate::call::exchange), what that orders is written, sent and told to the relay.

use std::time::Instant;

use um_media::Negotiation;
use um_media::sdp::{Change, Kind, OfferError};
use um_routing::Route;
use um_sip::dialog::Role;
use um_sip::endpoint::{DialogId, Reply, ServerTransaction};
use um_sip::{Dialog, Flow, HeaderName, Message, Method};
use um_topology::{FaxProtocol, HoldMode, MediaTiming};

use super::Engine;
use super::talk::Talk;
use crate::call::exchange::words::{
    Act, Carrier, Event, Hold, Manners, Means, Need, Owner, Refusal, Source, Timing, Verdict, Wish,
};
use crate::call::words::{Event as CallEvent, Side};
use crate::leg::{ALLOW, Body, SDP, SUPPORTED, description, reply, reply_later};

mod sending;

impl Engine {
    /// Both legs are there: from now on each peer may offer anew. The caller's ACK has still to come.
    pub(super) fn begin_talk(&mut self, now: Instant, serial: u64, route: &Route) {
        let [inbound, outbound] = Side::ALL.map(|side| {
            let means = Means { invite: false, update: self.takes_updates(serial, side) };
            (self.manners(serial, side, route), means)
        });
        let fax = [&route.inbound, &route.outbound].iter().all(|plan| plan.fax == FaxProtocol::T38);
        if let Some(session) = self.sessions.get(serial) {
            session.talk = Some(Talk::new(inbound, outbound, fax));
        }
        self.tell_exchange(now, serial, Event::Confirmed(Side::Outbound));
    }

    /// Another leg stands on a side, up already; if it speaks something else than the one who stays, that one is told.
    pub(super) fn replace_talk(&mut self, now: Instant, serial: u64, side: Side, route: &Route) {
        let manners = self.manners(serial, side, route);
        self.forget_offer(serial, side);
        let Some(talk) = self.talk(serial) else { return };
        talk.exchange.set_manners(side, manners);
        self.tell_exchange(now, serial, Event::Replaced(side));
        self.tell_exchange(now, serial, Event::Confirmed(side));
        if self.verdict(serial, side) == Verdict::Differs {
            self.tell_exchange(now, serial, Event::Align(side.other(), Need::Must));
        }
    }

    /// A leg that the peer has begun stands on a side, and its ACK has still to come.
    pub(super) fn reseat_talk(&mut self, now: Instant, serial: u64, side: Side) {
        self.forget_offer(serial, side);
        self.tell_exchange(now, serial, Event::Replaced(side));
        if self.verdict(serial, side) == Verdict::Differs {
            self.tell_exchange(now, serial, Event::Align(side.other(), Need::Must));
        }
    }

    /// What is still said to an offer in the dialog that was on a side concerns nobody any more.
    fn forget_offer(&mut self, serial: u64, side: Side) {
        if let Some(sent) = self.talk(serial).and_then(|talk| talk.under(side).sent.take()) {
            self.senders.remove(&sent);
        }
    }

    /// A re-INVITE, or an UPDATE, of a peer.
    pub(super) fn on_new_offer(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: DialogId,
        carrier: Carrier,
        request: &Message,
    ) {
        let chance = self.draw.next();
        let Some((serial, side)) = self.sessions.by_dialog(dialog) else {
            let reply = self.outside_offer(carrier, request, chance);
            return self.respond(now, transaction, &reply);
        };
        if let (Body::Sdp(offer), None) = (description(request), self.talk(serial)) {
            let reply = self.answer_early(serial, side, offer);
            return self.respond(now, transaction, &reply);
        }
        let taken = match (description(request), carrier) {
            (Body::Sdp(offer), _) => self.take_offer(now, serial, side, carrier, offer, chance),
            // An UPDATE without a description only says where the peer is now (RFC 3311 §5.2).
            (Body::None, Carrier::Update | Carrier::Prack) => {
                return self.respond(now, transaction, &accepted());
            }
            (Body::None, Carrier::Invite) => self.take_request_for_offer(serial, side, chance),
            (Body::Other, _) => Err(Box::new(reply(415).header(HeaderName::Accept, SDP))),
        };
        match taken {
            Ok(()) => {
                if let Some(talk) = self.talk(serial) {
                    talk.under(side).parked = Some((transaction, carrier));
                    self.sessions.name_server(transaction, serial);
                }
                self.follow_talk(now, serial);
            }
            Err(refusal) => self.respond(now, transaction, &refusal),
        }
    }

    /// A request in a dialog that is bridged nowhere, or not yet: early dialogs of servers have their answer still to come.
    fn outside_offer(&self, carrier: Carrier, request: &Message, chance: u64) -> Reply {
        match (carrier, description(request)) {
            (Carrier::Update, Body::None) => accepted(),
            (Carrier::Update, Body::Sdp(_) | Body::Other) => {
                reply_later(500, Some(u32::try_from(chance % 11).unwrap_or(0)))
            }
            (Carrier::Invite | Carrier::Prack, _) => reply(481),
        }
    }

    fn take_offer(
        &mut self,
        now: Instant,
        serial: u64,
        side: Side,
        carrier: Carrier,
        offer: &[u8],
        chance: u64,
    ) -> Result<(), Box<Reply>> {
        let session = self.sessions.get(serial).ok_or_else(|| Box::new(reply(481)))?;
        let negotiation = session.leg_mut(side).and_then(|leg| leg.negotiation.as_mut());
        let negotiation = negotiation.ok_or_else(|| Box::new(not_acceptable()))?;
        let change = negotiation.judge(offer).map_err(|error| Box::new(refusal_of(&error)))?;
        let is_fax = change == Change::Kind && negotiation.kind() == Some(Kind::Audio);
        let talk = session.talk.as_mut().ok_or_else(|| Box::new(not_acceptable()))?;
        if is_fax && !talk.fax {
            return Err(Box::new(not_acceptable()));
        }
        talk.exchange
            .admit(now, side, carrier, wish(change), chance)
            .map_err(|refusal| Box::new(refused(refusal)))?;
        if let Some(negotiation) = session.leg_mut(side).and_then(|leg| leg.negotiation.as_mut()) {
            // The exchange and the negotiation know of the same pending offers, and it was read just now.
            let _ = negotiation.handle_offer(offer);
        }
        Ok(())
    }

    fn take_request_for_offer(&mut self, serial: u64, side: Side, chance: u64) -> Result<(), Box<Reply>> {
        let talk = self.talk(serial).ok_or_else(|| Box::new(not_acceptable()))?;
        talk.exchange.ask(side, chance).map_err(|refusal| Box::new(refused(refusal)))
    }

    /// The ACK of our 2xx to an INVITE of `dialog`'s peer.
    pub(super) fn on_talk_acknowledged(&mut self, now: Instant, dialog: DialogId, flow: Flow, ack: &Message) {
        let Some((serial, side)) = self.sessions.by_dialog(dialog) else { return };
        self.sessions.note_flow(serial, side, flow);
        let Some(talk) = self.talk(serial) else { return };
        let owed = std::mem::take(&mut talk.under(side).owed);
        let event = if owed {
            let verdict = match description(ack) {
                Body::Sdp(answer) => self.take_late_answer(serial, side, answer),
                Body::None | Body::Other => Verdict::Missing,
            };
            Event::Answered(side, verdict)
        } else {
            Event::Acknowledged(side)
        };
        self.tell_exchange(now, serial, Event::Confirmed(side));
        self.tell_exchange(now, serial, event);
    }

    /// Takes the answer to an offer in our response, and says how it fits the other leg.
    pub(super) fn take_late_answer(&mut self, serial: u64, side: Side, answer: &[u8]) -> Verdict {
        let Some(negotiation) = self.negotiation(serial, side) else { return Verdict::Missing };
        if negotiation.handle_answer(answer).is_err() {
            return Verdict::Missing;
        }
        negotiation.commit();
        self.set_remote(serial, side);
        // While the call is set up there is no other leg to differ from.
        if self.talk(serial).is_none() { Verdict::Agreed } else { self.verdict(serial, side) }
    }

    /// Whether the legs can go on together with what `side` has just agreed on.
    pub(super) fn verdict(&mut self, serial: u64, side: Side) -> Verdict {
        let Some(session) = self.sessions.get(serial) else { return Verdict::Missing };
        let ours = session.leg(side).and_then(|leg| leg.negotiation.as_ref());
        let theirs = session.leg(side.other()).and_then(|leg| leg.negotiation.as_ref());
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours.fits(theirs) => Verdict::Agreed,
            (Some(_), Some(_)) => Verdict::Differs,
            (None, _) | (_, None) => Verdict::Missing,
        }
    }

    /// The peer cancelled a re-INVITE; false if the transaction is none.
    pub(super) fn on_talk_cancelled(
        &mut self,
        now: Instant,
        serial: u64,
        transaction: ServerTransaction,
    ) -> bool {
        let side = self.talk(serial).and_then(|talk| talk.parked_in(transaction));
        if let Some(side) = side {
            self.tell_exchange(now, serial, Event::Cancelled(side));
        }
        side.is_some()
    }

    /// The call is over: who waits is told.
    pub(super) fn end_talk(&mut self, now: Instant, serial: u64) {
        self.tell_exchange(now, serial, Event::Gone(Side::Inbound));
        let Some(mut talk) = self.sessions.get(serial).and_then(|session| session.talk.take()) else {
            return;
        };
        for side in Side::ALL {
            if let Some(transaction) = talk.under(side).sent.take() {
                self.senders.remove(&transaction);
            }
        }
    }

    pub(super) fn tell_exchange(&mut self, now: Instant, serial: u64, event: Event) {
        let chance = self.draw.next();
        if let Some(talk) = self.talk(serial) {
            talk.exchange.handle(now, event, chance);
        }
        self.follow_talk(now, serial);
    }

    /// Carries out what the exchange of a call ordered, and files the call anew.
    pub(super) fn follow_talk(&mut self, now: Instant, serial: u64) {
        while let Some(act) = self.talk(serial).and_then(|talk| talk.exchange.poll_output()) {
            self.carry_out_exchange(now, serial, act);
        }
        self.sessions.file(serial);
    }

    fn carry_out_exchange(&mut self, now: Instant, serial: u64, act: Act) {
        match act {
            Act::Answer(side, source) => self.answer_peer(now, serial, side, source),
            Act::OfferBack(side) => self.offer_back(now, serial, side),
            Act::Refuse(side, refusal) => {
                if let Some(negotiation) = self.negotiation(serial, side) {
                    negotiation.reject_offer();
                }
                self.respond_to_parked(now, serial, side, &refused(refusal));
            }
            Act::Offer(side, carrier, content) => self.send_offer(now, serial, side, carrier, content),
            Act::Ask(side) => self.send_request(now, serial, side, Carrier::Invite, None),
            Act::Acknowledge(side, closing) => self.acknowledge_peer(now, serial, side, closing),
            Act::Cancel(side) => self.cancel_offer(now, serial, side),
            Act::RollBack(side) => {
                if let Some(negotiation) = self.negotiation(serial, side) {
                    negotiation.withdraw_offer();
                }
            }
            Act::End(reason) => self.tell(serial, CallEvent::Broken(reason)),
        }
    }

    /// Answers the peer's pending offer, from what holds here or from what the other far end accepted.
    fn answer_peer(&mut self, now: Instant, serial: u64, side: Side, source: Source) {
        let agreement = self.talk(serial).and_then(|talk| match source {
            Source::Here => None,
            Source::Other => talk.agreement.take(),
        });
        let answer = self.negotiation(serial, side).and_then(|negotiation| match agreement {
            Some(agreement) => negotiation.answer(&agreement).ok(),
            None => negotiation.answer_locally().ok(),
        });
        match answer {
            Some(answer) => {
                self.set_remote(serial, side);
                self.respond_to_parked(now, serial, side, &accepted().body(SDP, answer.body));
            }
            None => {
                if let Some(negotiation) = self.negotiation(serial, side) {
                    negotiation.reject_offer();
                }
                self.respond_to_parked(now, serial, side, &not_acceptable());
                // No 2xx, so no ACK to wait for; and the other leg has moved without this one.
                self.tell_exchange(now, serial, Event::Acknowledged(side));
                if source == Source::Other {
                    self.tell_exchange(now, serial, Event::Align(side.other(), Need::Must));
                }
            }
        }
    }

    /// Answers the peer's re-INVITE without an offer with ours: what the other leg speaks, and what it was offered beside.
    fn offer_back(&mut self, now: Instant, serial: u64, side: Side) {
        let direction = self.direction_towards(serial, side);
        let proposal = self.negotiation(serial, side.other()).and_then(|other| other.joined(direction));
        let offer = proposal.and_then(|proposal| self.negotiation(serial, side)?.offer(&proposal).ok());
        match offer {
            Some(offer) => {
                if let Some(talk) = self.talk(serial) {
                    talk.under(side).owed = true;
                }
                self.respond_to_parked(now, serial, side, &accepted().body(SDP, offer));
            }
            None => {
                self.respond_to_parked(now, serial, side, &reply(500));
                self.tell_exchange(now, serial, Event::Answered(side, Verdict::Agreed));
            }
        }
    }

    fn respond_to_parked(&mut self, now: Instant, serial: u64, side: Side, reply: &Reply) {
        let parked = self.talk(serial).and_then(|talk| talk.under(side).parked.take());
        if let Some((transaction, _)) = parked {
            self.sessions.forget_server(transaction);
            self.respond(now, transaction, reply);
        }
    }

    /// The direction in which the other leg's peer is to be heard on `side`: its own, if it may hold us.
    fn direction_towards(&mut self, serial: u64, side: Side) -> um_media::Direction {
        let hold = self.talk(serial).map_or(Hold::Local, |talk| talk.exchange.hold(side.other()));
        let told = self.negotiation(serial, side.other()).and_then(|other| other.peer_direction());
        match hold {
            Hold::Local => um_media::Direction::SendRecv,
            Hold::Forward => told.unwrap_or_default(),
        }
    }

    fn manners(&mut self, serial: u64, side: Side, route: &Route) -> Manners {
        let dialog = self.sessions.get(serial).and_then(|session| session.leg(side)?.dialog);
        let role = dialog.and_then(|dialog| self.endpoint.dialog(dialog)).map(Dialog::role);
        let (own, other) = match side {
            Side::Inbound => (&route.inbound, &route.outbound),
            Side::Outbound => (&route.outbound, &route.inbound),
        };
        Manners {
            // A line says what its own peer learns of the other one's hold.
            hold: match other.hold {
                HoldMode::Local => Hold::Local,
                HoldMode::Forward => Hold::Forward,
            },
            timing: match own.media_reinvite_timing {
                MediaTiming::Normal => Timing::Normal,
                MediaTiming::Delayed => Timing::Delayed,
            },
            gap: own.reinvite_delay,
            owner: if role == Some(Role::Uac) { Owner::Us } else { Owner::Peer },
        }
    }

    /// Whether the peer of a side takes UPDATE within its dialog.
    fn takes_updates(&mut self, serial: u64, side: Side) -> bool {
        let dialog = self.sessions.get(serial).and_then(|session| session.leg(side)?.dialog);
        let peer = dialog.and_then(|dialog| self.endpoint.dialog(dialog)).map(Dialog::peer);
        peer.is_some_and(|peer| peer.allows(&Method::Update) == Some(true))
    }

    pub(super) fn negotiation(&mut self, serial: u64, side: Side) -> Option<&mut Negotiation> {
        self.sessions.get(serial)?.leg_mut(side)?.negotiation.as_mut()
    }

    pub(super) fn talk(&mut self, serial: u64) -> Option<&mut Talk> {
        self.sessions.get(serial)?.talk.as_deref_mut()
    }
}

/// What a 2xx within a call says.
pub(super) fn accepted() -> Reply {
    reply(200).header(HeaderName::Allow, ALLOW).header(HeaderName::Supported, SUPPORTED)
}

fn refused(refusal: Refusal) -> Reply {
    let Refusal { status, retry_after } = refusal;
    match status {
        488 => not_acceptable(),
        _ => reply_later(status, retry_after),
    }
}

fn not_acceptable() -> Reply {
    reply(488).header(HeaderName::Warning, INCOMPATIBLE)
}

fn refusal_of(error: &OfferError) -> Reply {
    match error {
        OfferError::Malformed(_) => reply(400).reason("Malformed Session Description"),
        OfferError::Unusable(_) => not_acceptable(),
        OfferError::Pending(_) => reply(491),
    }
}

const fn wish(change: Change) -> Wish {
    match change {
        Change::Nothing => Wish::Same,
        Change::Place => Wish::Place,
        Change::Direction => Wish::Direction,
        Change::Codecs => Wish::Codecs,
        Change::Kind => Wish::Kind,
    }
}

/// RFC 3261 §20.43.
const INCOMPATIBLE: &str = "304 umgate \"No media that both sides take\"";
