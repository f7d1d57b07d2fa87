//! Requests that cross others in a dialog (RFC 3261 §14, RFC 3311 §5, RFC 6141 §4.4): of INVITEs one at a time in both
//! directions together, of UPDATEs one in each, and no offer while another has no answer.

use super::{Dialog, Offer, brings_session};
use crate::{endpoint::RefuseReason, message::Message, method::Method};

impl Dialog {
    /// Judges a request of the peer: 491 if it crosses a request or offer of ours, 500 if it comes before the answer to
    /// one of his own.
    pub(crate) fn check_glare(&self, request: &Message) -> Result<(), RefuseReason> {
        let pending = &self.pending;
        let is_invite = *request.method() == Method::Invite;
        let is_update = *request.method() == Method::Update;
        let unanswered =
            (is_invite && pending.invite_in.is_some()) || (is_update && pending.update_in.is_some());
        if unanswered {
            return Err(RefuseReason::Disorder);
        }
        if is_invite && pending.invite_out.is_some() {
            return Err(RefuseReason::Pending);
        }
        let offers = is_invite || (is_update && brings_session(request));
        match pending.offer.filter(|_| offers) {
            Some(Offer::Ours(_)) => Err(RefuseReason::Pending),
            Some(Offer::Theirs(_)) => Err(RefuseReason::Disorder),
            None => Ok(()),
        }
    }

    /// Whether a request of ours would break the same rules.
    pub(crate) fn may_send(&self, method: &Method, has_session: bool) -> bool {
        let pending = &self.pending;
        let is_busy = pending.invite_in.is_some() || pending.invite_out.is_some();
        match method {
            Method::Invite => !is_busy && pending.offer.is_none(),
            Method::Update => pending.update_out.is_none() && !(has_session && pending.offer.is_some()),
            Method::Ack | Method::Bye | Method::Cancel | Method::Prack => false,
            Method::Options
            | Method::Register
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other(_) => true,
        }
    }
}
