//! Requests other than a new INVITE: OPTIONS, BYE, re-INVITE, and what is not served here, which is
//! answered all the same. A refusal names what is allowed (RFC 3261 §8.2.1).

use std::time::Instant;

use um_sip::endpoint::{DialogId, Reply, ServerTransaction};
use um_sip::{Flow, HeaderName, Message, Method};
use um_topology::Usage;

use super::Engine;
use super::probes::probed_targets;
use crate::call::words::{Event, Side};
use crate::leg::{ALLOW, Body, SDP, description, reply, reply_later};
use crate::observation::Observation;

impl Engine {
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: Option<DialogId>,
        flow: Flow,
        request: &Message,
    ) {
        if dialog.is_none() && *request.method() != Method::Invite && !self.admits(flow) {
            return self.respond(now, transaction, &reply(403));
        }
        match (request.method(), dialog) {
            (Method::Invite, None) => return self.on_invite(now, transaction, flow, request),
            (Method::Invite, Some(dialog)) => self.on_reinvite(now, transaction, dialog, request),
            (Method::Bye, Some(dialog)) => self.on_bye(now, transaction, dialog),
            (Method::Options, dialog) => self.on_options(now, transaction, dialog),
            (Method::Refer, dialog) => self.on_refer(now, transaction, dialog, request),
            (
                Method::Bye
                | Method::Ack
                | Method::Cancel
                | Method::Register
                | Method::Prack
                | Method::Update
                | Method::Info
                | Method::Subscribe
                | Method::Notify
                | Method::Message
                | Method::Publish
                | Method::Other(_),
                _,
            ) => self.respond(now, transaction, &allowing(405)),
        }
        if let Some(line) = self.configuration.bound(flow.line).map(|line| line.id.clone()) {
            self.observe(Observation::Served { line, method: request.method().clone() });
        }
    }

    /// Whether a source may send requests outside of a dialog; for a new INVITE routing decides that.
    fn admits(&self, flow: Flow) -> bool {
        let configuration = &self.configuration;
        let bound = configuration.bound(flow.line);
        let Some(line) = bound.and_then(|bound| configuration.topology.line(&bound.id)) else { return true };
        let source = flow.remote.ip();
        if line.access.denies(source) {
            return false;
        }
        match (line.access.allow.is_empty(), line.effective_usage()) {
            (false, _) => line.access.allows(source),
            (true, Usage::General) => true,
            (true, Usage::Um) => probed_targets(&configuration.topology).values().any(|probed| {
                probed.place.host.ip().map_or_else(
                    || self.locator.known(&probed.place.host.key()).contains(&source),
                    |host| host == source,
                )
            }),
        }
    }

    /// Both sides may hang up at any moment; the answer never waits for the other leg.
    fn on_bye(&mut self, now: Instant, transaction: ServerTransaction, dialog: DialogId) {
        self.respond(now, transaction, &reply(200));
        if let Some((serial, side)) = self.sessions.by_dialog(dialog) {
            self.tell(serial, Event::HungUp(side));
        } else if let Some(serial) = self.sessions.by_parting(dialog) {
            self.on_parted(now, serial);
        }
    }

    /// RFC 3261 §11.2: the answer is that of an INVITE. Inside a dialog a drain does not matter.
    fn on_options(&mut self, now: Instant, transaction: ServerTransaction, dialog: Option<DialogId>) {
        let draining = dialog.is_none() && self.admission.is_draining();
        let reply = if draining {
            reply_later(503, Some(crate::admission::Refusal::Draining.retry_after()))
        } else {
            allowing(200).header(HeaderName::Accept, SDP)
        };
        self.respond(now, transaction, &reply);
    }

    /// A new offer inside the call (hold, refresh) is answered here with the codecs in use; what that cannot
    /// serve is refused, and what held before still holds (RFC 3261 §14.2).
    fn on_reinvite(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: DialogId,
        request: &Message,
    ) {
        let Some((serial, side)) = self.sessions.by_dialog(dialog) else {
            return self.respond(now, transaction, &reply(481));
        };
        let reply = match self.answer_offer(serial, side, request) {
            Some(reply) => {
                self.set_remote(serial, side);
                reply
            }
            None => reply(488),
        };
        self.respond(now, transaction, &reply);
    }

    fn answer_offer(&mut self, serial: u64, side: Side, request: &Message) -> Option<Reply> {
        let Body::Sdp(offer) = description(request) else { return None };
        let negotiation = self.sessions.get(serial)?.leg_mut(side)?.negotiation.as_mut()?;
        negotiation.handle_offer(offer).ok()?;
        let Ok(answer) = negotiation.answer_locally() else {
            negotiation.reject_offer();
            return None;
        };
        Some(reply(200).header(HeaderName::Allow, ALLOW).body(SDP, answer.body))
    }
}

fn allowing(status: u16) -> Reply {
    reply(status).header(HeaderName::Allow, ALLOW)
}
