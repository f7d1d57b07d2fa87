//! Requests inside of a dialog (RFC 3261 §12.2.1), the ACK of a 2xx (§13.2.2.4) and the BYE (§15).

use std::time::Instant;

use bytes::Bytes;

use super::{
    ActError, ClientTransaction, DialogId, Endpoint, Extra, Inside,
    entry::{Audience, SentAck},
    originate::Outgoing,
};
use crate::{
    dialog::{DeferredBye, Dialog, Role, State, Unacknowledged},
    flow::{Flow, LineIndex},
    message::Message,
    method::Method,
};

impl Endpoint {
    /// Sends a request inside of a dialog, over the flow towards its [`Dialog::next_hop`]. For ACK and BYE there are
    /// [`Self::ack`] and [`Self::bye`].
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over; [`ActError::NotAllowed`] for ACK, BYE and CANCEL, and for an INVITE while
    /// another one is under way in either direction (§14.1); [`ActError::Full`]; [`ActError::UnknownLine`].
    pub fn request_inside(
        &mut self,
        now: Instant,
        dialog: DialogId,
        flow: Flow,
        method: &Method,
        inside: &Inside,
    ) -> Result<ClientTransaction, ActError> {
        let known = self.dialogs.get(dialog).filter(|dialog| dialog.state != State::Terminating);
        let pending = &known.ok_or(ActError::Gone)?.pending;
        let is_invite = *method == Method::Invite;
        let is_busy = pending.invite_in.is_some() || pending.invite_out.is_some();
        if matches!(method, Method::Ack | Method::Bye | Method::Cancel) || (is_invite && is_busy) {
            return Err(ActError::NotAllowed);
        }
        if self.table.is_full() {
            return Err(ActError::Full);
        }
        let id = self.launch_inside(now, dialog, flow, method, inside, Audience::User)?;
        if let Some(dialog) = self.dialogs.get_mut(dialog).filter(|_| is_invite) {
            dialog.pending.invite_out = Some(id);
        }
        Ok(id)
    }

    /// Acknowledges the 2xx that is an event with [`super::ResponseKind::Success`]; `inside` has the SDP answer if the 2xx had
    /// the offer. Repetitions of the 2xx get the same ACK again.
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over, [`ActError::NotAllowed`] if no 2xx waits, [`ActError::UnknownLine`].
    pub fn ack(&mut self, dialog: DialogId, flow: Flow, inside: &Inside) -> Result<(), ActError> {
        let known = self.dialogs.get(dialog).ok_or(ActError::Gone)?;
        let owed = known.pending.unacknowledged.ok_or(ActError::NotAllowed)?;
        let to_tag = Box::from(known.remote_tag());
        let bytes = self.write_inside(dialog, flow, &Method::Ack, owed.cseq, inside)?;
        if let Some(known) = self.dialogs.get_mut(dialog) {
            known.pending.unacknowledged = None;
        }
        self.send(flow, bytes.clone());
        if let Some(entry) = owed.invite.and_then(|invite| self.table.client(invite)) {
            entry.acks.push(SentAck { to_tag, flow, bytes });
        }
        Ok(())
    }

    /// Ends a dialog. An ACK that is still owed goes first. While our own 2xx waits for its ACK the BYE has to wait too
    /// (§15): it is sent when the ACK comes or is given up, and `None` is returned. Requests that come in the dialog
    /// from now on are answered without an event; it is removed when the BYE has its answer.
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over or being ended, [`ActError::NotAllowed`] if we are the UAS of an early
    /// dialog (answer the INVITE instead), [`ActError::UnknownLine`].
    pub fn bye(
        &mut self,
        now: Instant,
        dialog: DialogId,
        flow: Flow,
        headers: Vec<Extra>,
    ) -> Result<Option<ClientTransaction>, ActError> {
        let known = self.dialogs.get_mut(dialog).filter(|dialog| dialog.state != State::Terminating);
        let known = known.ok_or(ActError::Gone)?;
        if known.role == Role::Uas && known.state == State::Early {
            return Err(ActError::NotAllowed);
        }
        if !known.pending.awaiting_ack.is_empty() {
            known.state = State::Terminating;
            known.pending.bye = Some(Box::new(DeferredBye { flow, headers }));
            return Ok(None);
        }
        if known.pending.unacknowledged.is_some() {
            self.ack(dialog, flow, &Inside::default())?;
        }
        self.send_bye(now, dialog, flow, headers, Audience::User).map(Some)
    }

    /// Removes a dialog without telling the peer: when its takeover failed, or when it answered 481.
    pub fn forget(&mut self, dialog: DialogId) {
        self.end_dialog(dialog);
    }

    /// Makes a dialog of a [`super::Event::StrayAnswer`], so that [`Self::bye`] can end it.
    ///
    /// # Errors
    ///
    /// [`ActError::NotAllowed`] if the response makes no dialog.
    pub fn adopt(&mut self, line: LineIndex, answer: &Message) -> Result<DialogId, ActError> {
        let is_answer =
            *answer.method() == Method::Invite && answer.status().is_some_and(|status| status.is_success());
        if !is_answer {
            return Err(ActError::NotAllowed);
        }
        let dialog = Dialog::of_response(answer, line, || None, None, State::Confirmed);
        let mut dialog = dialog.map_err(|_| ActError::NotAllowed)?;
        dialog.pending.unacknowledged = Some(Unacknowledged { invite: None, cseq: answer.cseq().number });
        Ok(self.dialogs.insert(dialog))
    }

    /// Sends the BYE that had to wait for the ACK of our 2xx, if there is one.
    pub(super) fn send_deferred_bye(&mut self, now: Instant, dialog: DialogId) {
        let Some(known) = self.dialogs.get_mut(dialog) else { return };
        if !known.pending.awaiting_ack.is_empty() {
            return;
        }
        let Some(bye) = known.pending.bye.take() else { return };
        if self.send_bye(now, dialog, bye.flow, bye.headers, Audience::User).is_err() {
            self.end_dialog(dialog);
        }
    }

    /// The peer has hung up while our BYE had to wait for his ACK: neither comes any more, and the 2xx is not repeated.
    pub(super) fn forget_deferred_bye(&mut self, bye: &Message) {
        let ended = self
            .dialog_of_request(bye)
            .filter(|id| self.dialogs.get(*id).is_some_and(|dialog| dialog.pending.bye.is_some()));
        if let Some(dialog) = ended {
            self.end_dialog(dialog);
        }
    }

    fn send_bye(
        &mut self,
        now: Instant,
        dialog: DialogId,
        flow: Flow,
        headers: Vec<Extra>,
        audience: Audience,
    ) -> Result<ClientTransaction, ActError> {
        let inside = Inside { headers, body: None };
        let id = self.launch_inside(now, dialog, flow, &Method::Bye, &inside, audience)?;
        if let Some(known) = self.dialogs.get_mut(dialog) {
            known.state = State::Terminating;
        }
        Ok(id)
    }

    fn launch_inside(
        &mut self,
        now: Instant,
        id: DialogId,
        flow: Flow,
        method: &Method,
        inside: &Inside,
        audience: Audience,
    ) -> Result<ClientTransaction, ActError> {
        let dialog = self.dialogs.get_mut(id).ok_or(ActError::Gone)?;
        let cseq = dialog.take_cseq();
        let copy = Parts::of(dialog);
        let outgoing = copy.outgoing(method, cseq, inside);
        self.launch(now, flow, &outgoing, Some(id), audience)
    }

    fn write_inside(
        &mut self,
        id: DialogId,
        flow: Flow,
        method: &Method,
        cseq: u32,
        inside: &Inside,
    ) -> Result<Bytes, ActError> {
        let dialog = self.dialogs.get(id).ok_or(ActError::Gone)?;
        let copy = Parts::of(dialog);
        let outgoing = copy.outgoing(method, cseq, inside);
        self.write_request(flow, &outgoing).map(|(_, bytes)| bytes)
    }
}

/// What a request takes from its dialog.
struct Parts {
    routing: crate::dialog::Routing,
    local: crate::name_addr::NameAddr,
    remote: crate::name_addr::NameAddr,
    call_id: Box<str>,
    contact_user: Option<Box<str>>,
}

impl Parts {
    fn of(dialog: &Dialog) -> Self {
        Self {
            routing: dialog.route_set.route(&dialog.remote_target),
            local: dialog.local.clone(),
            remote: dialog.remote.clone(),
            call_id: dialog.call_id.clone(),
            contact_user: dialog.contact_user.clone(),
        }
    }

    fn outgoing<'a>(&'a self, method: &'a Method, cseq: u32, inside: &'a Inside) -> Outgoing<'a> {
        Outgoing {
            method,
            uri: &self.routing.request_uri,
            from: &self.local,
            to: &self.remote,
            call_id: &self.call_id,
            cseq,
            max_forwards: MAX_FORWARDS,
            routes: &self.routing.routes,
            contact_user: self.contact_user.as_deref(),
            headers: &inside.headers,
            body: inside.body.as_ref(),
        }
    }
}

/// Max-Forwards of the requests that we begin (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u8 = 70;
