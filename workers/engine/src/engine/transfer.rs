//! REFER within a call (RFC 3515): who may ask, whom our own routing finds for it, and what a transfer does to the legs.
//! How it goes and its races are the call's affair (`call/transfer.rs`).

use std::sync::Arc;
use std::time::Instant;

use um_media::sdp::AgreedCodec;
use um_routing::{Facts, Ourselves, Outcome, Peer, Route, decide_referred, joining};
use um_sip::endpoint::{CopiedLine, DialogId, Extra, ServerTransaction};
use um_sip::{HeaderName, Message, Method, Replaces, Scheme};
use um_topology::Host;

use super::Engine;
use super::errands::Task;
use super::session::{Leg, Search, Session};
use super::view::Moment;
use crate::call::Plan;
use crate::call::words::{AttemptId, Event, Side};
use crate::configuration::BoundLine;
use crate::leg::{facts, headers, reply};

/// A transfer of a call that is up, as the engine keeps it.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    /// The subscription that the REFER made, unless it wanted none (RFC 4488).
    pub(super) subscription: Option<u64>,
    /// The referrer's leg, once the target has taken its side and until it is hung up.
    pub(super) parting: Option<Leg>,
}

/// A REFER that may be obeyed.
struct Wish {
    serial: u64,
    referrer: Side,
    dialog: DialogId,
    target: um_topology::Uri,
    /// The dialog at whose far end the target is already, if the transfer is attended.
    replaces: Option<Replaces>,
}

impl Engine {
    pub(super) fn on_refer(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: Option<DialogId>,
        request: &Message,
    ) {
        match self.examine(dialog, request) {
            Ok(wish) => self.refer(now, transaction, &wish, request),
            Err(status) => self.respond(now, transaction, &reply(status)),
        }
    }

    /// What is wrong with it comes before who asks, and that before whether now is the time.
    fn examine(&mut self, dialog: Option<DialogId>, request: &Message) -> Result<Wish, u16> {
        let (target, replaces) = target(request)?;
        let bridged = dialog.and_then(|dialog| Some((dialog, self.sessions.by_dialog(dialog)?)));
        let Some((dialog, (serial, referrer))) = bridged else { return Err(DECLINE) };
        let Some(session) = self.sessions.get(serial) else { return Err(DECLINE) };
        match session.leg(referrer).map(|leg| leg.peer) {
            Some(Peer::Um) => {}
            Some(Peer::Other) | None => return Err(DECLINE),
        }
        if !session.call.may_transfer() || session.search.is_some() {
            return Err(REQUEST_PENDING);
        }
        Ok(Wish { serial, referrer, dialog, target, replaces })
    }

    fn refer(&mut self, now: Instant, transaction: ServerTransaction, wish: &Wish, request: &Message) {
        let serial = wish.serial;
        let Some(leg) = self.sessions.get(serial).and_then(|session| session.leg_mut(wish.referrer)) else {
            return;
        };
        let flow = leg.flow;
        let id = leg.has_referred.then(|| request.cseq().number);
        leg.has_referred = true;
        let wants_notices = !is_false(request.header(HeaderName::ReferSub));
        let accepted = reply(ACCEPTED);
        let accepted = if wants_notices { accepted } else { accepted.header(HeaderName::ReferSub, "false") };
        self.respond(now, transaction, &accepted);
        let subscription = wants_notices.then(|| self.subscribe(now, wish.dialog, flow, id));
        match self.route_referred(now, wish) {
            Ok(route) => {
                let own = self.configuration.lines.iter().flat_map(BoundLine::addresses).collect();
                let plan = Arc::new(Plan { route: *route, own });
                let mut search = Search::new(wish.referrer, Arc::clone(&plan), headers::MAX_FORWARDS);
                search.headers = referred_by(request);
                if let Some(replaces) = &wish.replaces {
                    search.headers.push(Extra::Named(HeaderName::Replaces, replaces.to_string()));
                }
                self.seek(now, serial, search);
                if let Some(session) = self.sessions.get(serial) {
                    session.transfer = Some(Box::new(Transfer { subscription, parting: None }));
                }
                self.tell(serial, Event::Referred(wish.referrer, plan));
            }
            Err(status) => {
                if let Some(number) = subscription {
                    self.report(now, number, status);
                }
            }
        }
    }

    /// Where our routing finds the target, for the party who stays; else the status that says why not.
    fn route_referred(&mut self, now: Instant, wish: &Wish) -> Result<Box<Route>, u16> {
        let session = self.sessions.get(wish.serial).ok_or(DECLINE)?;
        let staying = session.leg(wish.referrer.other()).ok_or(DECLINE)?;
        let known = staying.dialog.and_then(|dialog| self.endpoint.dialog(dialog)).ok_or(DECLINE)?;
        let facts = Facts {
            line: staying.line.clone(),
            source: staying.flow.remote.ip(),
            request_uri: wish.target.clone(),
            from: facts::party(known.remote()).unwrap_or_else(facts::anonymous),
            asserted: None,
            diversions: Vec::new(),
            history: Vec::new(),
            call_id: Box::from(known.call_id()),
        };
        let configuration = Arc::clone(&session.configuration);
        let line_in = session.story.line_in.clone();
        if let Some(replaces) = &wish.replaces {
            return self.route_joined(wish, &facts, replaces);
        }
        let view = Moment {
            now,
            configuration: &configuration,
            health: &self.health,
            admission: &self.admission,
            locator: &self.locator,
            line_in: &line_in,
        };
        match decide_referred(&configuration.topology, &facts, &view, &mut self.rotation).outcome {
            Outcome::Route(route) => Ok(route),
            Outcome::Reject(reject) => Err(reject.status),
        }
    }

    /// The way to the far end of a dialog of ours, which may be at another shard: an INVITE to ourselves that takes the
    /// place of the referrer there finds it (RFC 3891).
    fn route_joined(&mut self, wish: &Wish, facts: &Facts, replaces: &Replaces) -> Result<Box<Route>, u16> {
        let shard = um_sip::shard::of_tag(replaces.to_tag().as_bytes());
        let shard = shard.filter(|shard| *shard < self.config.shards.max(1)).ok_or(NO_DIALOG)?;
        if shard == self.config.shard {
            let dialog = self.find_replaced(replaces)?;
            let elsewhere = self.sessions.by_dialog(dialog).filter(|(serial, _)| *serial != wish.serial);
            let (serial, _) = elsewhere.ok_or(NO_DIALOG)?;
            let other = self.sessions.get(serial).ok_or(NO_DIALOG)?;
            if !other.call.may_transfer() {
                return Err(REQUEST_PENDING);
            }
        }
        let session = self.sessions.get(wish.serial).ok_or(NO_DIALOG)?;
        let topology = &session.configuration.topology;
        let bound = session.configuration.lines.iter().find(|line| line.id == facts.line).ok_or(NO_DIALOG)?;
        let line = topology.line(&bound.id).ok_or(NO_DIALOG)?;
        let to = Ourselves {
            host: Host::Ip(bound.local.ip()),
            port: bound.local.port(),
            transport: bound.transport,
        };
        Ok(Box::new(joining(topology, facts, line, to)))
    }

    /// Counts what a search of a call that is up may use, and begins to keep it.
    fn seek(&mut self, now: Instant, serial: u64, search: Search) {
        let Some(session) = self.sessions.get(serial) else { return };
        let line_in = session.story.line_in.clone();
        let configuration = Arc::clone(&session.configuration);
        self.begin_search(now, &line_in, &search, &configuration);
        if let Some(session) = self.sessions.get(serial) {
            session.search = Some(Box::new(search));
        }
    }

    /// The search of a call that is up has found nobody.
    pub(super) fn end_seeking(&mut self, now: Instant, serial: u64) {
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(search) = session.search.take() else { return };
        let line_in = session.story.line_in.clone();
        let configuration = Arc::clone(&session.configuration);
        self.end_search(now, serial, &line_in, *search, &configuration);
    }

    /// The referrer hears that the target rings. Who is alone hears what it has to say already.
    pub(super) fn preview(&mut self, now: Instant, serial: u64, attempt: AttemptId, status: u16) {
        self.report_transfer(now, serial, status);
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(side) = session.search.as_ref().map(|search| search.side) else { return };
        if session.leg(side).is_some() || !session.suits(attempt) {
            return;
        }
        let Some(attempt) = session.attempt(attempt) else { return };
        // To set an address again would open the time for latching again.
        let agreement = attempt.agreement.clone();
        if std::mem::replace(&mut attempt.told, agreement.clone()) != agreement {
            self.set_remote(serial, side);
        }
    }

    pub(super) fn report_transfer(&mut self, now: Instant, serial: u64, status: u16) {
        let transfer = self.sessions.get(serial).and_then(|session| session.transfer.as_ref());
        if let Some(number) = transfer.and_then(|transfer| transfer.subscription) {
            self.report(now, number, status);
        }
    }

    /// The target takes the referrer's side; media flow to it from now on.
    pub(super) fn bridge_target(&mut self, now: Instant, serial: u64, attempt: AttemptId) {
        let search = self.sessions.get(serial).and_then(|session| session.search.as_ref());
        let sought = search.map(|search| (search.side, Arc::clone(&search.plan)));
        let Some((side, plan)) = sought else { return };
        if let Some(before) = self.bridge_attempt(now, serial, attempt) {
            if let Some(dialog) = before.dialog {
                self.sessions.name_parting(dialog, serial);
            }
            let session = self.sessions.get(serial);
            if let Some(transfer) = session.and_then(|session| session.transfer.as_mut()) {
                transfer.parting = Some(before);
            }
        }
        self.set_remote(serial, side);
        self.replace_talk(now, serial, side, &plan.route);
    }

    /// Hangs up the referrer whose place was taken.
    pub(super) fn part(&mut self, now: Instant, serial: u64) {
        let Some(leg) = self.end_parting(now, serial) else { return };
        if let Some(dialog) = leg.dialog {
            self.run_errand(now, dialog, leg.flow, Task::HangUp);
        }
    }

    /// The referrer whose place was taken has hung up by himself.
    pub(super) fn on_parted(&mut self, now: Instant, serial: u64) {
        self.end_parting(now, serial);
        self.tell(serial, Event::Parted);
    }

    /// The leg of a side has hung up; the other one stays.
    pub(super) fn release(&mut self, now: Instant, serial: u64, side: Side) {
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(leg) = session.bridge(side, None) else { return };
        let line_in = session.story.line_in.clone();
        if let Some(dialog) = leg.dialog {
            self.sessions.forget_dialog(dialog);
        }
        self.end_leg(now, &line_in, &leg);
    }

    fn end_parting(&mut self, now: Instant, serial: u64) -> Option<Leg> {
        let session = self.sessions.get(serial)?;
        let leg = session.transfer.as_mut()?.parting.take()?;
        let line_in = session.story.line_in.clone();
        if let Some(dialog) = leg.dialog {
            self.sessions.forget_dialog(dialog);
        }
        self.end_leg(now, &line_in, &leg);
        Some(leg)
    }
}

impl Session {
    /// Whether an attempt has answered in a codec that the one who stays speaks; which one it is, a re-INVITE can tell him.
    pub(super) fn suits(&mut self, attempt: AttemptId) -> bool {
        let Some(search) = &self.search else { return false };
        let staying = self.leg(search.side.other()).and_then(|leg| leg.negotiation.as_ref());
        let present = search.attempt.as_ref().filter(|present| present.id == attempt);
        let agreed = present.and_then(|present| present.agreement.as_ref());
        let (Some(staying), Some(agreed)) = (staying, agreed) else { return false };
        let is_spoken = |speech: &AgreedCodec| {
            staying.codecs().iter().any(|spoken| speech.call.same_encoding(&spoken.call))
        };
        agreed.codecs().iter().filter(|codec| codec.call.is_speech()).any(is_spoken)
    }
}

/// The one target of a REFER, which an INVITE can be sent to (RFC 3515 §2.4.1, §2.4.2).
fn target(request: &Message) -> Result<(um_topology::Uri, Option<Replaces>), u16> {
    let mut values = request.values(HeaderName::ReferTo);
    let (Some(_), None) = (values.next(), values.next()) else { return Err(BAD_REQUEST) };
    let refer_to = request.refer_to().ok().flatten().ok_or(BAD_REQUEST)?;
    match refer_to.address.uri.scheme() {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
        Scheme::Other => return Err(UNSUPPORTED_URI_SCHEME),
    }
    if refer_to.method() != Some(Method::Invite) {
        return Err(DECLINE);
    }
    let target = refer_to.target().as_str().parse().map_err(|_| BAD_REQUEST)?;
    Ok((target, refer_to.replaces().map_err(|_| BAD_REQUEST)?))
}

/// RFC 4488 §4.
fn is_false(refer_sub: Option<&[u8]>) -> bool {
    let value = refer_sub.and_then(|value| value.split(|byte| *byte == b';').next());
    value.is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"false"))
}

/// Who referred, for the one who is called for it (RFC 3892 §2.2).
fn referred_by(request: &Message) -> Vec<Extra> {
    let line = request.lines().find(|line| line.name == Some(HeaderName::ReferredBy));
    line.map(|line| Extra::Copied(CopiedLine::of(request, &line))).into_iter().collect()
}

const ACCEPTED: u16 = 202;
const BAD_REQUEST: u16 = 400;
const UNSUPPORTED_URI_SCHEME: u16 = 416;
const NO_DIALOG: u16 = 481;
const REQUEST_PENDING: u16 = 491;
const DECLINE: u16 = 603;
