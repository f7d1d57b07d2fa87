//! Making a dialog of the message that begins it, and refreshing it (RFC 3261 §12.1, §12.2, §13.2.2.4).

use super::{Dialog, Peer, Pending, Role, RouteSet, State};
use crate::{
    error::HeaderError, flow::LineIndex, header_name::HeaderName, message::Message, name_addr::NameAddr,
    uri::Uri,
};

impl Dialog {
    /// Makes the dialog of a received INVITE for when it gets a 101–299 with our tag (§12.1.1).
    ///
    /// # Errors
    ///
    /// A header of the request that the dialog needs cannot be read.
    pub(crate) fn of_request(request: &Message, line: LineIndex, tag: &str) -> Result<Self, HeaderError> {
        let remote = request.from()?;
        Ok(Self {
            role: Role::Uas,
            state: State::Early,
            line,
            call_id: request.call_id().into(),
            local: request.to()?.with_tag(tag),
            remote_target: contact(request)?.unwrap_or_else(|| remote.uri.clone()),
            remote,
            local_cseq: 0,
            remote_cseq: Some(request.cseq().number),
            route_set: RouteSet::of_uas(request.list(HeaderName::RecordRoute)?),
            contact_user: None,
            peer: Peer::of(request),
            usages: 0,
            pending: Pending::default(),
        })
    }

    /// Makes the dialog of a 101–299 to an INVITE of ours (§12.1.2). A response without Contact leaves the
    /// remote target at `fallback`, the Request-URI of the INVITE.
    ///
    /// # Errors
    ///
    /// A header of the response that the dialog needs cannot be read.
    pub(crate) fn of_response(
        response: &Message,
        line: LineIndex,
        fallback: impl FnOnce() -> Option<Uri>,
        contact_user: Option<Box<str>>,
        state: State,
    ) -> Result<Self, HeaderError> {
        let remote = response.to()?;
        let remote_target = contact(response)?.or_else(fallback).unwrap_or_else(|| remote.uri.clone());
        Ok(Self {
            role: Role::Uac,
            state,
            line,
            call_id: response.call_id().into(),
            local: response.from()?,
            remote,
            local_cseq: response.cseq().number,
            remote_cseq: None,
            route_set: RouteSet::of_uac(response.list(HeaderName::RecordRoute)?),
            remote_target,
            contact_user,
            peer: Peer::of(response),
            usages: 0,
            pending: Pending::default(),
        })
    }

    /// Confirms the dialog with the 2xx to the INVITE that made it: the route set is that of the 2xx (§13.2.2.4).
    pub(crate) fn confirm(&mut self, answer: &Message) {
        if self.state == State::Early {
            self.state = State::Confirmed;
            if let Ok(routes) = answer.list::<NameAddr>(HeaderName::RecordRoute) {
                self.route_set = RouteSet::of_uac(routes);
            }
        }
        self.refresh_target(answer);
    }

    /// Takes the Contact of a target refresh over (§12.2.1.2, §12.2.2); the route set stays.
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Ok(Some(target)) = contact(message) {
            self.remote_target = target;
        }
    }
}

/// Returns the URI of the only Contact that makes sense in a dialog, the first.
fn contact(message: &Message) -> Result<Option<Uri>, HeaderError> {
    Ok(message.contacts()?.list().first().map(|contact| contact.address.uri.clone()))
}
