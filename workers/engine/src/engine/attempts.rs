//! The way of an attempt: addresses, connection, INVITE; and its responses, as the call wants to hear them.

use std::collections::BTreeMap;
use std::time::Instant;

use um_media::Negotiation;
use um_media::sdp::{Agreement, Proposal};
use um_sip::endpoint::{ClientTransaction, DialogId, Identity, Reliable, ResponseKind};
use um_sip::{Flow, LineIndex, Message, Transport};
use um_topology::MediaTiming;

use super::Engine;
use super::errands::Task;
use super::probes::is_transport_free;
use super::session::{Attempt, Leg, Placed, Search, Sender};
use super::way::{Arrival, Connection, User, Way, families};
use crate::call::words::{AttemptId, Carrier, Event, Heard, Media as Talk, Origin, Reach, Refusal};
use crate::configuration::Configuration;
use crate::leg::{self, Body, description, headers};
use crate::locate::{Located, Means, Place};

impl Engine {
    pub(super) fn locate_attempt(
        &mut self,
        now: Instant,
        serial: u64,
        attempt: AttemptId,
        target: usize,
        place: Place,
    ) {
        let user = User::Attempt(serial, attempt);
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(search) = &mut session.search else { return };
        let Some(chosen) = search.plan.route.targets.get(target) else { return };
        let (id, uri) = (chosen.id.clone(), chosen.request_uri.clone());
        let means = means(&session.configuration, search, target, &place, serial);
        let transport_free = means.alternative.is_some();
        search.attempt = Some(Attempt { transport_free, ..Attempt::new(now, attempt, target, uri) });
        if self.health.condition(&id, now).blocked_until.is_some() {
            return self.tell(serial, Event::Heard(attempt, Heard::Unavailable));
        }
        match self.locator.locate(now, &place, means, user) {
            Located::Asked => {
                if let Some(attempt) = self.sessions.get(serial).and_then(|session| session.attempt(attempt))
                {
                    attempt.way = Way::Asking;
                }
            }
            located @ (Located::At { .. } | Located::Nowhere(_)) => {
                self.on_attempt_located(serial, attempt, located)
            }
        }
    }

    pub(super) fn on_attempt_located(&mut self, serial: u64, attempt: AttemptId, located: Located) {
        let Some(search) = self.sessions.get(serial).and_then(|session| session.search.as_mut()) else {
            return;
        };
        let free = search.attempt.as_mut().filter(|present| present.id == attempt).and_then(|present| {
            present.way = Way::Idle;
            present.transport_free.then_some(present.target)
        });
        let heard = match located {
            Located::At { transport, addresses } => {
                search.detours.extend(free.map(|target| (target, transport)));
                Heard::Located(addresses)
            }
            Located::Nowhere(_) | Located::Asked => Heard::Nowhere,
        };
        self.tell(serial, Event::Heard(attempt, heard));
    }

    /// Goes to one address; the INVITE follows when there is a flow.
    pub(super) fn reach(&mut self, now: Instant, serial: u64, reach: Reach) {
        let attempt = reach.attempt;
        let fresh = match reach.origin {
            Origin::Fresh => Some((self.endpoint.new_identity(), self.draw.next())),
            Origin::Redirection(..) => None,
        };
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(search) = &mut session.search else { return };
        let Some((transport, uri)) = destination(search, &reach) else { return };
        match fresh {
            Some((identity, description)) => {
                search.identity = Some(identity);
                search.description = description;
            }
            None => search.identity = search.identity.as_ref().map(Identity::next),
        }
        let present = search.attempt.take().filter(|present| present.id == attempt);
        let present = present.unwrap_or_else(|| Attempt::new(now, attempt, reach.target, uri.clone()));
        search.attempt = Some(Attempt { uri, remote: Some(reach.address), ..present });
        let line_out = &search.plan.route.line_out;
        let line = session.configuration.bound_towards(line_out, transport, reach.address.ip()).cloned();
        self.observe_attempt(now, serial, &reach, transport);
        let Some(line) = line else {
            return self.tell(serial, Event::Heard(attempt, Heard::Unavailable));
        };
        let user = User::Attempt(serial, attempt);
        let way = self.go(now, &line, transport, reach.address, reach.connect_by, user);
        if let Some(attempt) = self.sessions.get(serial).and_then(|session| session.attempt(attempt)) {
            attempt.way = way;
        }
    }

    pub(super) fn on_attempt_arrived(
        &mut self,
        now: Instant,
        serial: u64,
        attempt: AttemptId,
        arrival: Arrival,
    ) {
        let heard = match arrival {
            Arrival::Flow(flow, connection) => match self.invite(now, serial, attempt, flow, connection) {
                Some(Invited::Sent) => Heard::Sent,
                Some(Invited::TooLarge(line)) => return self.go_by_stream(now, serial, attempt, flow, line),
                None => Heard::Unavailable,
            },
            Arrival::Blocked(error) => {
                let present = self.sessions.get(serial).and_then(|session| session.attempt(attempt));
                let datagrams = present.and_then(|present| {
                    present.way = Way::Idle;
                    present.datagrams
                });
                match datagrams {
                    Some(flow) => {
                        self.on_no_stream(now, flow.remote);
                        let sent = self.invite(now, serial, attempt, flow, Connection::None);
                        if sent.is_some() { Heard::Sent } else { Heard::Unavailable }
                    }
                    None => Heard::NotConnected(error),
                }
            }
        };
        self.tell(serial, Event::Heard(attempt, heard));
    }

    /// RFC 3261 §18.1.1: what is too large for a datagram goes over TCP to the same address.
    fn go_by_stream(&mut self, now: Instant, serial: u64, attempt: AttemptId, flow: Flow, line: LineIndex) {
        let user = User::Attempt(serial, attempt);
        if let Some(present) = self.sessions.get(serial).and_then(|session| session.attempt(attempt)) {
            present.datagrams = Some(flow);
            present.way = Way::Holding(line, flow.remote);
            self.connections.acquire(line, flow.remote, now + Self::STREAM_PATIENCE, user);
        }
    }

    /// Sends the INVITE; `None` if it cannot be written or sent from here.
    fn invite(
        &mut self,
        now: Instant,
        serial: u64,
        attempt: AttemptId,
        flow: Flow,
        connection: Connection,
    ) -> Option<Invited> {
        let session = self.sessions.get(serial)?;
        let search = session.search.as_ref()?;
        let proposal = session.leg(search.side.other())?.negotiation.as_ref()?.proposal();
        // Who has not offered anything may still be offered what every telephone speaks.
        let proposal = proposal.unwrap_or_else(Proposal::telephony);
        let mut negotiation = Negotiation::new(search.description, session.media?.local(search.side));
        let route = &search.plan.route;
        let timing = route.outbound.media_timing;
        let offer = match timing {
            MediaTiming::Normal => Some(negotiation.offer(&proposal).ok()?),
            MediaTiming::Delayed => None,
        };
        let (line, peer) = (route.line_out.clone(), route.outbound_peer);
        let present = search.attempt.as_ref().filter(|present| present.id == attempt)?;
        let (uri, may_be_large) = (&present.uri, present.datagrams.is_some());
        let identity = search.identity.clone()?;
        let mut request = headers::invite(&route.headers, uri, identity, search.max_forwards, offer).ok()?;
        request.headers.extend(search.headers.iter().cloned());
        request.headers.extend(self.ask_for_session(serial, attempt));
        if flow.transport == Transport::Udp && !may_be_large {
            let size = self.endpoint.request_size(flow, &request).ok()?;
            if let Some(line) = self.stream_instead(now, flow, size) {
                return Some(Invited::TooLarge(line));
            }
        }
        let transaction = self.endpoint.request(now, flow, &request).ok()?;
        let sent = self.sessions.get(serial)?.attempt(attempt)?;
        sent.leg = Some(Leg { negotiation: Some(negotiation), ..Leg::new(flow, line, peer) });
        sent.transaction = Some(transaction);
        sent.timing = timing;
        sent.carrier = match connection {
            Connection::None => Carrier::Datagram,
            Connection::Fresh => Carrier::FreshConnection,
            Connection::Reused => Carrier::ReusedConnection,
        };
        self.senders.insert(transaction, Sender::Attempt(serial, attempt));
        Some(Invited::Sent)
    }

    /// A response to the INVITE of an attempt.
    pub(super) fn on_attempt_response(
        &mut self,
        now: Instant,
        (serial, attempt): (u64, AttemptId),
        transaction: ClientTransaction,
        (dialog, kind, reliable): (Option<DialogId>, ResponseKind, Option<Reliable>),
        flow: Flow,
        response: &Message,
    ) {
        let status = response.status().map_or(500, um_sip::StatusCode::code);
        let heard = match kind {
            ResponseKind::Provisional if status == 100 => Heard::Trying,
            // One branch of a fork has ended (RFC 6228); the caller did not ask to know.
            ResponseKind::Provisional if status == 199 => return,
            ResponseKind::Provisional => {
                self.turn_to(serial, attempt, dialog);
                self.take_answer(serial, attempt, response, reliable.is_some());
                if let Some(reliable) = reliable {
                    self.acknowledge_provisional(now, (serial, attempt), dialog, flow, reliable);
                }
                Heard::Progress(status)
            }
            ResponseKind::Success => {
                self.senders.remove(&transaction);
                self.start_session(now, serial, attempt, response);
                self.turn_to(serial, attempt, dialog);
                self.on_answered(serial, attempt, dialog, flow);
                Heard::Answered(self.judge_media(serial, attempt, response))
            }
            ResponseKind::Failure => {
                self.senders.remove(&transaction);
                if status == 422 && self.invite_for_longer(now, serial, attempt, response) {
                    return;
                }
                match status {
                    300..=302 => Heard::Redirected(status, leg::contacts(response)),
                    _ => Heard::Refused(Refusal { status, retry_after: leg::retry_after(response) }),
                }
            }
            ResponseKind::Broken => {
                self.senders.remove(&transaction);
                Heard::Answered(Talk::Unusable)
            }
            ResponseKind::Fork | ResponseKind::Late => return self.dismiss(now, dialog, flow),
        };
        self.tell(serial, Event::Heard(attempt, heard));
    }

    /// Sends the INVITE again to a server whose sessions have to last longer (RFC 4028 §7.4).
    fn invite_for_longer(
        &mut self,
        now: Instant,
        serial: u64,
        attempt: AttemptId,
        refusal: &Message,
    ) -> bool {
        let session = self.sessions.get(serial);
        let present = session.and_then(|session| session.attempt(attempt));
        let Some((Some(flow), carrier)) =
            present.map(|present| (present.leg.as_ref().map(|leg| leg.flow), present.carrier))
        else {
            return false;
        };
        let connection = match carrier {
            Carrier::Datagram => Connection::None,
            Carrier::FreshConnection => Connection::Fresh,
            Carrier::ReusedConnection => Connection::Reused,
        };
        if !self.raise_session(serial, attempt, refusal) {
            return false;
        }
        match self.invite(now, serial, attempt, flow, connection) {
            Some(Invited::Sent) => true,
            // The longer interval made it too large.
            Some(Invited::TooLarge(line)) => {
                self.go_by_stream(now, serial, attempt, flow, line);
                true
            }
            None => false,
        }
    }

    /// Acknowledges and hangs up a 2xx that nobody wants.
    pub(super) fn dismiss(&mut self, now: Instant, dialog: Option<DialogId>, flow: Flow) {
        if let Some(dialog) = dialog {
            self.run_errand(now, dialog, flow, Task::HangUp);
        }
    }

    /// What became of the transaction itself.
    pub(super) fn on_attempt_silent(&mut self, serial: u64, attempt: AttemptId) {
        self.tell(serial, Event::Heard(attempt, Heard::Silent));
    }

    pub(super) fn on_attempt_lost(&mut self, serial: u64, attempt: AttemptId) {
        let lost = self.sessions.get(serial).and_then(|session| session.attempt(attempt));
        let carrier = lost.map_or(Carrier::Datagram, |attempt| attempt.carrier);
        self.tell(serial, Event::Heard(attempt, Heard::Lost(carrier)));
    }

    fn on_answered(&mut self, serial: u64, attempt: AttemptId, dialog: Option<DialogId>, flow: Flow) {
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(leg) = session.attempt(attempt).and_then(|attempt| attempt.leg.as_mut()) else { return };
        leg.dialog = dialog;
        leg.flow = flow;
    }

    /// Makes an answered attempt the leg of its side, in the place of the one that is returned. The search is over.
    pub(super) fn bridge_attempt(&mut self, now: Instant, serial: u64, attempt: AttemptId) -> Option<Leg> {
        let session = self.sessions.get(serial)?;
        session.attempt(attempt)?;
        let search = session.search.take()?;
        let lines = search.lines(&session.configuration);
        let target = search.counted_target().cloned();
        let present = search.attempt?;
        let mut leg = present.leg?;
        leg.placed =
            target.map(|target| Placed { target, holds: (User::Attempt(serial, attempt), present.way) });
        let (dialog, line) = (leg.dialog, leg.flow.line);
        let before = session.bridge(search.side, Some(leg));
        if let (Some(dialog), Some(timer)) = (dialog, present.timer) {
            self.sessions.timers.insert(dialog, *timer);
        }
        self.lines.begin(&[line]);
        self.lines.end(now, &lines);
        if let Some(dialog) = dialog {
            self.sessions.name_dialog(dialog, serial, search.side);
        }
        before
    }

    /// Takes the answer out of a response, if it has one; or the offer, if we made none. An offer counts only in a response
    /// that cannot be lost, and only once (RFC 3262 §5).
    fn take_answer(&mut self, serial: u64, attempt: AttemptId, response: &Message, reliable: bool) {
        let Body::Sdp(body) = description(response) else { return };
        let id = attempt;
        let Some(attempt) = self.sessions.get(serial).and_then(|session| session.attempt(attempt)) else {
            return;
        };
        match attempt.timing {
            MediaTiming::Normal => {}
            MediaTiming::Delayed if reliable && attempt.agreement.is_none() => {
                return self.take_late_offer(serial, id, body);
            }
            MediaTiming::Delayed => return,
        }
        let negotiation = attempt.leg.as_mut().and_then(|leg| leg.negotiation.as_mut());
        let agreement: Option<Agreement> =
            negotiation.and_then(|negotiation| negotiation.handle_answer(body).ok());
        if agreement.is_some() {
            attempt.agreement = agreement;
        }
    }

    /// Whether a 2xx gives an answer, now or in a provisional response before, that the other side can be told.
    fn judge_media(&mut self, serial: u64, attempt: AttemptId, response: &Message) -> Talk {
        if let Body::Sdp(_) = description(response)
            && let Some(attempt) = self.sessions.get(serial).and_then(|session| session.attempt(attempt))
            && attempt.timing == MediaTiming::Normal
        {
            attempt.agreement = None;
        }
        self.take_answer(serial, attempt, response, true);
        let session = self.sessions.get(serial);
        let usable = match session.filter(|session| session.setup.is_none()) {
            Some(session) => session.suits(attempt),
            None => self.suits_caller(serial, attempt),
        };
        if usable { Talk::Usable } else { Talk::Unusable }
    }
}

/// What became of an INVITE that was to be sent over a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invited {
    Sent,
    /// It has to go over TCP from this line.
    TooLarge(LineIndex),
}

impl Attempt {
    fn new(now: Instant, id: AttemptId, target: usize, uri: um_topology::Uri) -> Self {
        Self {
            id,
            target,
            started: now,
            way: Way::Idle,
            carrier: Carrier::Datagram,
            uri,
            remote: None,
            datagrams: None,
            transport_free: false,
            transaction: None,
            leg: None,
            agreement: None,
            told: None,
            timer: None,
            timing: MediaTiming::Normal,
            closing: None,
            early: None,
            forks: BTreeMap::new(),
        }
    }
}

/// How to go, and the Request-URI that goes there.
fn destination(search: &Search, reach: &Reach) -> Option<(um_topology::Transport, um_topology::Uri)> {
    match &reach.origin {
        Origin::Fresh => {
            let target = search.plan.route.targets.get(reach.target)?;
            // The records of a name may have asked for the other transport.
            let chosen = search.detours.get(&reach.target).copied().unwrap_or(target.transport);
            Some((chosen, target.request_uri.clone()))
        }
        Origin::Redirection(_, hop) => Some((hop.transport, hop.uri.clone())),
    }
}

/// What an attempt may choose from: every family that its line has, and with NAPTR either transport of a UDP line
/// unless the entry or its list says which (RFC 3263 §4.1). A call finds the servers of a name in one order.
fn means(configuration: &Configuration, search: &Search, target: usize, place: &Place, serial: u64) -> Means {
    let route = &search.plan.route;
    let free = place.transport == um_topology::Transport::Udp
        && route.targets.get(target).is_some_and(|target| {
            place.host == target.host && is_transport_free(&configuration.topology, &target.id)
        });
    Means {
        families: families(configuration, &route.line_out),
        alternative: free.then_some(um_topology::Transport::Tcp),
        lot: serial,
    }
}
