//! Requests outside of a dialog (RFC 3261 §8.1), and the start of every client transaction.

use std::time::Instant;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    ActError, Body, ClientTransaction, DialogId, Endpoint, Extra, Reliable, Request,
    compose::{self, RequestParts, has_contact},
    entry::{Audience, ClientEntry, ClientMachine},
    keys,
};
use crate::{
    builder::RequestHead,
    dialog::is_session,
    flow::Flow,
    method::Method,
    name_addr::NameAddr,
    transaction::{ClientInvite, ClientNonInvite, Reliability},
    uri::Uri,
    via::Via,
};

/// A request with everything but what the line and the endpoint add.
pub(super) struct Outgoing<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) from: &'a NameAddr,
    pub(super) to: &'a NameAddr,
    pub(super) call_id: &'a str,
    pub(super) cseq: u32,
    pub(super) max_forwards: u8,
    pub(super) routes: &'a [NameAddr],
    pub(super) contact_user: Option<&'a str>,
    pub(super) reliable: Option<Reliable>,
    pub(super) headers: &'a [Extra],
    pub(super) body: Option<&'a Body>,
}

impl<'a> Outgoing<'a> {
    fn of(request: &'a Request, from: &'a NameAddr) -> Self {
        Self {
            method: &request.method,
            uri: &request.uri,
            from,
            to: &request.to,
            call_id: &request.identity.call_id,
            cseq: request.identity.cseq,
            max_forwards: request.max_forwards,
            routes: &request.routes,
            contact_user: request.contact_user.as_deref(),
            reliable: None,
            headers: &request.headers,
            body: request.body.as_ref(),
        }
    }
}

impl Endpoint {
    /// Sends a request outside of a dialog over a flow that the user has found, connected if it is a stream.
    ///
    /// An INVITE must be followed up until it is final: its give-up timer stops with the first provisional response.
    ///
    /// # Errors
    ///
    /// [`ActError::UnknownLine`], [`ActError::Full`], or [`ActError::NotAllowed`] for ACK and CANCEL.
    pub fn request(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Request,
    ) -> Result<ClientTransaction, ActError> {
        if self.table.is_full() || (request.method == Method::Invite && self.dialogs.is_full()) {
            return Err(ActError::Full);
        }
        if matches!(request.method, Method::Ack | Method::Cancel) {
            return Err(ActError::NotAllowed);
        }
        let from = request.from.clone().with_tag(&request.identity.tag);
        let outgoing = Outgoing::of(request, &from);
        self.launch(now, flow, &outgoing, None, Audience::User)
    }

    /// Says how many bytes [`Self::request`] would send over a flow: above what a datagram should carry, RFC 3261 §18.1.1
    /// asks for another transport.
    ///
    /// # Errors
    ///
    /// [`ActError::UnknownLine`].
    pub fn request_size(&mut self, flow: Flow, request: &Request) -> Result<usize, ActError> {
        let from = request.from.clone().with_tag(&request.identity.tag);
        self.write_request(flow, &Outgoing::of(request, &from)).map(|(_, bytes)| bytes.len())
    }

    /// Writes a request and starts its transaction.
    pub(super) fn launch(
        &mut self,
        now: Instant,
        flow: Flow,
        outgoing: &Outgoing<'_>,
        dialog: Option<DialogId>,
        audience: Audience,
    ) -> Result<ClientTransaction, ActError> {
        let (branch, bytes) = self.write_request(flow, outgoing)?;
        let timing = self.line(flow.line).ok_or(ActError::UnknownLine)?.timing;
        let reliability = Reliability::of(flow.transport);
        let is_invite = *outgoing.method == Method::Invite;
        let machine = if is_invite {
            ClientMachine::Invite(ClientInvite::new(now, bytes.clone(), reliability, timing))
        } else {
            ClientMachine::Other(ClientNonInvite::new(now, bytes.clone(), reliability, timing))
        };
        let key = keys::key(&mut self.scratch, &[branch.as_bytes(), outgoing.method.as_str().as_bytes()]);
        let id = self.table.insert_client(ClientEntry {
            machine,
            method: outgoing.method.clone(),
            cseq: outgoing.cseq,
            flow,
            request: if is_invite { bytes } else { Bytes::new() },
            has_offer: is_invite
                && outgoing.body.is_some_and(|body| is_session(body.content_type.as_bytes())),
            contact_user: outgoing.contact_user.map(Box::from),
            audience,
            dialog,
            forks: SmallVec::new(),
            acks: SmallVec::new(),
            timing,
            key: key.into(),
            due: None,
            path: None,
        });
        self.drain_client(now, id, None);
        Ok(id)
    }

    /// Writes a request with a new branch.
    pub(super) fn write_request(
        &mut self,
        flow: Flow,
        outgoing: &Outgoing<'_>,
    ) -> Result<(String, Bytes), ActError> {
        let branch = self.mint_branch();
        let line = self.line(flow.line).ok_or(ActError::UnknownLine)?;
        let via = Via::new(flow.transport, line.sent_by.clone(), &branch);
        let contact = has_contact(outgoing.method)
            .then(|| compose::contact(line, flow.transport, outgoing.contact_user, self.config.shard));
        let head = RequestHead {
            method: outgoing.method,
            uri: outgoing.uri,
            via: &via,
            max_forwards: outgoing.max_forwards,
            from: outgoing.from,
            to: outgoing.to,
            call_id: outgoing.call_id,
            cseq: outgoing.cseq,
        };
        let parts = RequestParts {
            head,
            routes: outgoing.routes,
            reliable: outgoing.reliable,
            contact,
            headers: outgoing.headers,
            body: outgoing.body,
            product: self.config.product.as_deref(),
        };
        let bytes = compose::request(&parts);
        Ok((branch, bytes))
    }
}
