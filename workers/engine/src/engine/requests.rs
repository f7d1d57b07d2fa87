//! Requests other than a new INVITE: OPTIONS, BYE, re-INVITE, and what is not served here, which is
//! answered all the same. A refusal names what is allowed (RFC 3261 §8.2.1).

use std::time::Instant;

use um_sip::endpoint::{DialogId, Reply, ServerTransaction};
use um_sip::{Flow, HeaderName, Message, Method};
use um_topology::Usage;

use super::Engine;
use super::probes::probed_targets;
use crate::call::exchange::words::Carrier;
use crate::call::words::Event;
use crate::leg::{ALLOW, SDP, reply, reply_later};
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
        if let Some(dialog) = dialog
            && let Err(refusal) = self.judge_session(transaction, dialog, request)
        {
            return self.respond(now, transaction, &refusal);
        }
        match (request.method(), dialog) {
            (Method::Invite, None) => return self.on_invite(now, transaction, flow, request),
            (Method::Invite, Some(dialog)) => {
                self.on_new_offer(now, transaction, dialog, Carrier::Invite, request);
            }
            (Method::Update, Some(dialog)) => {
                self.on_new_offer(now, transaction, dialog, Carrier::Update, request);
            }
            (Method::Prack, Some(dialog)) => self.on_prack(now, transaction, dialog, request),
            (Method::Info, Some(dialog)) => self.on_info(now, transaction, dialog, request),
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
}

fn allowing(status: u16) -> Reply {
    reply(status).header(HeaderName::Allow, ALLOW)
}
