//! A new INVITE: 100 at once, then who may call, where to, with which media; then a call is born.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use um_media::sdp::{Description, SdpError};
use um_routing::{Explanation, Outcome, Reject, Route, decide};
use um_sip::endpoint::{Reply, ServerTransaction};
use um_sip::session_timer::{Policy, SessionTimer};
use um_sip::{Flow, HeaderName, Message, Method};

use super::Engine;
use super::apply::is_draining;
use super::session::{Leg, Search, Session, Setup, Story};
use super::session_timers;
use super::view::{Moment, limits};
use crate::admission::Refusal;
use crate::call::Plan;
use crate::call::exchange::opening::Opening;
use crate::call::words::Side;
use crate::configuration::BoundLine;
use crate::leg::facts::{Unreadable, facts};
use crate::leg::{Body, SDP, description, headers, reply, reply_later};
use crate::observation::{CallKey, Observation, Rejected};

/// Why an INVITE does not become a call.
struct Refused {
    reply: Reply,
    reason: Rejected,
    explanation: Option<Box<Explanation>>,
}

impl Engine {
    pub(super) fn on_invite(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        flow: Flow,
        invite: &Message,
    ) {
        let Some(line) = self.configuration.bound(flow.line).cloned() else { return };
        self.respond(now, transaction, &reply(100));
        if Self::is_replacing(invite) {
            return self.on_replacing(now, transaction, flow, &line, invite);
        }
        let status = match self.receive(now, transaction, flow, &line, invite) {
            Ok(()) => return,
            Err(refused) => {
                self.respond(now, transaction, &refused.reply);
                (refused.reply.status.code(), refused.reason, refused.explanation)
            }
        };
        let (status, reason, explanation) = status;
        let method = Method::Invite;
        self.observe(Observation::Rejected { line: line.id, method, status, reason, explanation });
    }

    fn receive(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        flow: Flow,
        line: &BoundLine,
        invite: &Message,
    ) -> Result<(), Box<Refused>> {
        self.admit(now, line)?;
        match self.route(now, flow, line, invite) {
            Ok((route, explanation, offer)) => {
                self.begin(now, transaction, flow, line, invite, (route, explanation, offer));
                Ok(())
            }
            Err(refused) => {
                self.admission.leave(now, &line.id);
                Err(refused)
            }
        }
    }

    fn admit(&mut self, now: Instant, line: &BoundLine) -> Result<(), Box<Refused>> {
        let topology = &self.configuration.topology;
        let known = topology.line(&line.id).filter(|_| !is_draining(topology, line));
        let verdict = match known {
            Some(known) => self.admission.admit(now, &line.id, &limits(&known.limits)),
            None => Err(Refusal::LineInactive),
        };
        verdict.map_err(|refusal| {
            let reply = reply_later(503, Some(refusal.retry_after()));
            refused(reply, Rejected::Admission(refusal))
        })
    }

    fn route(
        &mut self,
        now: Instant,
        flow: Flow,
        line: &BoundLine,
        invite: &Message,
    ) -> Result<(Box<Route>, Explanation, Option<Bytes>), Box<Refused>> {
        let facts = facts(&line.id, flow.remote.ip(), invite).map_err(|unreadable| match unreadable {
            Unreadable::Scheme => refused(reply(416), Rejected::Unsupported),
            Unreadable::Malformed => refused(reply(400), Rejected::Malformed),
        })?;
        let view = Moment {
            now,
            configuration: &self.configuration,
            health: &self.health,
            admission: &self.admission,
            locator: &self.locator,
            line_in: &line.id,
        };
        let decision = decide(&self.configuration.topology, &facts, &view, &mut self.rotation);
        let route = match decision.outcome {
            Outcome::Route(route) => route,
            Outcome::Reject(reject) => return Err(refused_by_routing(&reject, decision.explanation)),
        };
        if invite.max_forwards() == Some(0) {
            return Err(refused(reply(483), Rejected::TooManyHops));
        }
        check_session(&route, invite)?;
        let offer = offer(invite)?;
        Ok((route, decision.explanation, offer))
    }

    fn begin(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        flow: Flow,
        line: &BoundLine,
        invite: &Message,
        (route, explanation, offer): (Box<Route>, Explanation, Option<Bytes>),
    ) {
        let own = self.configuration.lines.iter().flat_map(BoundLine::addresses).collect();
        let setup = Setup {
            transaction,
            offer,
            contact_user: invite
                .request_uri()
                .ok()
                .and_then(|uri| uri.user_text().map(|user| user.into_owned())),
            answer: None,
            wish: session_timers::wish(invite),
            opening: Opening::of(invite),
            diverged: false,
        };
        let caller = Leg::new(flow, line.id.clone(), route.inbound_peer);
        let story = Story {
            call_id: Arc::from(invite.call_id()),
            line_in: line.id.clone(),
            line_out: route.line_out.clone(),
            station: route.station.as_ref().map(|station| station.id.clone()),
            user: route.user.as_ref().map(|user| user.id.clone()),
            started: now,
            attempts: 0,
            answered: None,
            answered_by: None,
            explanation: Some(Arc::new(explanation)),
            relay_retries: 0,
        };
        let call_id = Arc::clone(&story.call_id);
        let line_out = story.line_out.clone();
        let hops = invite.max_forwards().unwrap_or(headers::MAX_FORWARDS).saturating_sub(1);
        let search = Search::new(Side::Outbound, Arc::new(Plan { route: *route, own }), hops);
        self.lines.begin(&[flow.line]);
        let configuration = Arc::clone(&self.configuration);
        self.begin_search(now, &line.id, &search, &configuration);
        let session = Session::new(now, configuration, caller, setup, search, story);
        let serial = self.sessions.insert(session);
        self.observe(Observation::CallStarted {
            call: self.call_key(serial),
            line: line.id.clone(),
            line_out,
            call_id,
            peer: flow.remote,
            transport: line.transport,
            revision: self.configuration.topology.revision(),
            at: now,
        });
        self.follow(now, serial);
    }

    pub(super) const fn call_key(&self, serial: u64) -> CallKey {
        CallKey { shard: self.config.shard, serial }
    }

    /// Answers a request; one whose transaction is over needs no answer any more.
    pub(super) fn respond(&mut self, now: Instant, transaction: ServerTransaction, reply: &Reply) {
        // Gone: cancelled or timed out meanwhile. NotAllowed: answered already, by a race that the call settled.
        let granted = self.grant_session(now, transaction, reply);
        let _ = self.endpoint.respond(now, transaction, granted.as_ref().unwrap_or(reply));
    }
}

/// RFC 4028 §9: an interval that is too small, where there is a session timer.
fn check_session(route: &Route, invite: &Message) -> Result<(), Box<Refused>> {
    let policy = route.inbound.session_timeout.and_then(Policy::of);
    let judged = policy.map(|policy| SessionTimer::new(policy).judge(&session_timers::wish(invite)));
    match judged {
        Some(Err(min)) => Err(refused(session_timers::too_small(min), Rejected::Unsupported)),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// The caller's offer, if he makes one; it must be one that a UM server can be offered.
fn offer(invite: &Message) -> Result<Option<Bytes>, Box<Refused>> {
    match description(invite) {
        Body::None => Ok(None),
        Body::Other => Err(refused(reply(415).header(HeaderName::Accept, SDP), Rejected::Unsupported)),
        Body::Sdp(body) => match Description::parse(body).as_ref().map(Description::audio) {
            Ok(Ok(_)) => Ok(Some(invite.body_bytes().slice_ref(body))),
            Ok(Err(_)) => Err(refused(reply(488).header(HeaderName::Warning, NO_STREAM), Rejected::Offer)),
            Err(SdpError::TooLong { .. } | SdpError::TooManyLines { .. } | SdpError::Line { .. }) => {
                Err(refused(reply(400).reason("Malformed Session Description"), Rejected::Malformed))
            }
        },
    }
}

fn refused(reply: Reply, reason: Rejected) -> Box<Refused> {
    Box::new(Refused { reply, reason, explanation: None })
}

fn refused_by_routing(reject: &Reject, explanation: Explanation) -> Box<Refused> {
    let reply = reply_later(reject.status, reject.retry_after).reason(reject.text);
    let reason = Rejected::Routing(reject.reason.as_str());
    Box::new(Refused { reply, reason, explanation: Some(Box::new(explanation)) })
}

/// RFC 3261 §20.43.
const NO_STREAM: &str = "304 umgate \"No audio stream that can be relayed\"";
