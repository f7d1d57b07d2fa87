//! INVITE with Replaces (RFC 3891): a new leg takes the place of another one in a call that is up. It is answered at
//! once, with the codecs that the other side speaks, and the leg before it is hung up.

use std::net::IpAddr;
use std::time::Instant;

use um_media::Negotiation;
use um_routing::Peer;
use um_sip::dialog::State;
use um_sip::endpoint::{DialogId, ServerTransaction};
use um_sip::{Flow, HeaderName, Message, Method, Replaces};

use super::Engine;
use super::errands::Task;
use super::session::Leg;
use crate::call::words::Side;
use crate::configuration::BoundLine;
use crate::leg::{ALLOW, Body, SDP, description, reply};
use crate::observation::{Observation, Rejected};

/// The leg that is to be replaced.
#[derive(Clone, Copy, Debug)]
struct Seat {
    serial: u64,
    side: Side,
}

impl Engine {
    /// Whether an INVITE wants to take the place of a dialog.
    pub(super) fn is_replacing(invite: &Message) -> bool {
        invite.values(HeaderName::Replaces).next().is_some()
    }

    pub(super) fn on_replacing(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        flow: Flow,
        line: &BoundLine,
        invite: &Message,
    ) {
        let seat = self.seat(flow, line, invite);
        let taken = seat.and_then(|seat| self.take_seat(now, transaction, flow, line, seat, invite));
        if let Err(status) = taken {
            self.respond(now, transaction, &reply(status));
            let (method, reason) = (Method::Invite, Rejected::Replaces);
            let line = line.id.clone();
            self.observe(Observation::Rejected { line, method, status, reason, explanation: None });
        }
    }

    /// Finds the leg, by the rules of RFC 3891 §3; else the status that says why not.
    fn seat(&mut self, flow: Flow, line: &BoundLine, invite: &Message) -> Result<Seat, u16> {
        let replaces = invite.replaces().ok().flatten().ok_or(BAD_REQUEST)?;
        let dialog = self.find_replaced(&replaces)?;
        let Some((serial, side)) = self.sessions.by_dialog(dialog) else { return Err(DECLINE) };
        let session = self.sessions.get(serial).ok_or(NO_DIALOG)?;
        let replaced = session.leg(side).ok_or(NO_DIALOG)?.flow.remote.ip();
        if !session.call.may_transfer() || session.leg(side.other()).is_none() {
            return Err(REQUEST_PENDING);
        }
        // Tags are secrets, but they pass through many hands: only who could have sent the dialog's requests, or
        // whom the line names, takes its place.
        let known = self.configuration.topology.line(&line.id);
        let access = known.map(|known| &known.access);
        let source = flow.remote.ip();
        let is_ours = self.configuration.lines.iter().any(|line| line.local.ip() == source);
        let trusted = source == replaced || is_ours || access.is_some_and(|access| access.allows(source));
        if access.is_none_or(|access| access.denies(source)) || !trusted {
            return Err(FORBIDDEN);
        }
        Ok(Seat { serial, side })
    }

    /// Finds the dialog that is meant. Whose tags are those of a dialog of ours is told how it stands.
    pub(super) fn find_replaced(&self, replaces: &Replaces) -> Result<DialogId, u16> {
        let (to, from) = (replaces.to_tag(), replaces.from_tag());
        let found = self.endpoint.find_dialog(replaces.call_id(), to, from);
        let dialog = found.or_else(|| {
            // RFC 3891 §6.1: "0" stands for no tag as well.
            (from == "0").then(|| self.endpoint.find_dialog(replaces.call_id(), to, "")).flatten()
        });
        let dialog = dialog.ok_or(NO_DIALOG)?;
        let state = self.endpoint.dialog(dialog).map(um_sip::Dialog::state).ok_or(NO_DIALOG)?;
        if state == State::Early {
            // One that we began would be an attempt, whose place only its answer takes.
            return Err(NO_DIALOG);
        }
        if state != State::Confirmed {
            return Err(DECLINE);
        }
        if replaces.is_early_only() { Err(BUSY_HERE) } else { Ok(dialog) }
    }

    fn take_seat(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        flow: Flow,
        line: &BoundLine,
        seat: Seat,
        invite: &Message,
    ) -> Result<(), u16> {
        let Body::Sdp(offer) = description(invite) else { return Err(NOT_ACCEPTABLE) };
        let session_id = self.draw.next();
        let session = self.sessions.get(seat.serial).ok_or(NO_DIALOG)?;
        let held = session.media.as_ref().ok_or(NOT_ACCEPTABLE)?;
        let standing = session.leg(seat.side.other()).and_then(|leg| leg.negotiation.as_ref()?.standing());
        let standing = standing.ok_or(NOT_ACCEPTABLE)?;
        let mut negotiation = Negotiation::new(session_id, held.local(seat.side));
        negotiation.handle_offer(offer).map_err(|_| NOT_ACCEPTABLE)?;
        let answer = negotiation.answer(&standing).map_err(|_| NOT_ACCEPTABLE)?;
        let mut ok = reply(200).header(HeaderName::Allow, ALLOW).body(SDP, answer.body);
        let uri = invite.request_uri().ok();
        ok.contact_user = uri.and_then(|uri| uri.user_text().map(|user| user.into_owned()));
        let Ok(Some(dialog)) = self.endpoint.respond(now, transaction, &ok) else { return Ok(()) };
        let peer = self.peer_at(flow.remote.ip());
        let leg = Leg {
            dialog: Some(dialog),
            negotiation: Some(negotiation),
            ..Leg::new(flow, line.id.clone(), peer)
        };
        self.seat_leg(now, seat, leg);
        Ok(())
    }

    /// Puts a leg in the place of another one, which is hung up.
    fn seat_leg(&mut self, now: Instant, seat: Seat, leg: Leg) {
        let Seat { serial, side } = seat;
        let Some(session) = self.sessions.get(serial) else { return };
        let line_in = session.story.line_in.clone();
        let (dialog, line) = (leg.dialog, leg.flow.line);
        let before = session.bridge(side, Some(leg));
        self.lines.begin(&[line]);
        if let Some(dialog) = dialog {
            self.sessions.name_dialog(dialog, serial, side);
        }
        if let Some(before) = before {
            if let Some(dialog) = before.dialog {
                self.sessions.forget_dialog(dialog);
                self.run_errand(now, dialog, before.flow, Task::HangUp);
            }
            self.end_leg(now, &line_in, &before);
        }
        self.set_remote(serial, side);
        self.reseat_talk(now, serial, side);
    }

    /// Who is at this address.
    fn peer_at(&self, source: IpAddr) -> Peer {
        let servers = self.configuration.topology.um_servers();
        match servers.station_at(source, |host| self.locator.known(host)) {
            Some(_) => Peer::Um,
            None => Peer::Other,
        }
    }
}

const BAD_REQUEST: u16 = 400;
const FORBIDDEN: u16 = 403;
const NO_DIALOG: u16 = 481;
const BUSY_HERE: u16 = 486;
const NOT_ACCEPTABLE: u16 = 488;
const REQUEST_PENDING: u16 = 491;
const DECLINE: u16 = 603;
