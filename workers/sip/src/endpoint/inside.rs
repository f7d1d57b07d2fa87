//! Requests inside of a dialog (RFC 3261 §12.2.1), the ACK of a 2xx (§13.2.2.4) and the BYE (§15).

use std::time::Instant;

use bytes::Bytes;

use super::{
    ActError, ClientTransaction, DialogId, Endpoint, Extra, Inside, Reliable,
    entry::{Audience, SentAck},
    originate::Outgoing,
    receive_request::outlives_call,
};
use crate::{
    dialog::{Carrier, DeferredBye, Dialog, Role, State, Unacknowledged, is_session},
    flow::{Flow, LineIndex},
    message::Message,
    method::Method,
};

impl Endpoint {
    /// Sends a request inside of a dialog, early or confirmed, over the flow towards its [`Dialog::next_hop`]. For ACK, BYE
    /// and PRACK there are [`Self::ack`], [`Self::bye`] and [`Self::prack`].
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over; [`ActError::NotAllowed`] for ACK, BYE, CANCEL and PRACK, for an INVITE while
    /// another one is under way in either direction (§14.1), for an UPDATE while another one of ours is (RFC 3311 §5.1), and
    /// for an offer while another one has no answer; [`ActError::Full`]; [`ActError::UnknownLine`].
    pub fn request_inside(
        &mut self,
        now: Instant,
        dialog: DialogId,
        flow: Flow,
        method: &Method,
        inside: &Inside,
    ) -> Result<ClientTransaction, ActError> {
        let known = self.dialogs.get(dialog).ok_or(ActError::Gone)?;
        match known.state {
            State::Early | State::Confirmed => {}
            State::Lingering if outlives_call(method) => {}
            State::Terminating | State::Lingering => return Err(ActError::Gone),
        }
        let act = Act::new(method, inside);
        if !known.may_send(method, act.has_session()) {
            return Err(ActError::NotAllowed);
        }
        if self.table.is_full() {
            return Err(ActError::Full);
        }
        self.launch_inside(now, dialog, flow, &act)
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
        let bytes = self.write_inside(dialog, flow, &Act::new(&Method::Ack, inside), owed.cseq)?;
        if let Some(known) = self.dialogs.get_mut(dialog) {
            known.pending.unacknowledged = None;
            if let Some(invite) = owed.invite {
                known.pending.end_offer(Carrier::Client(invite));
            }
        }
        self.send(flow, bytes.clone());
        if let Some(entry) = owed.invite.and_then(|invite| self.table.client(invite)) {
            // Kept for as long as the 2xx may come again, so without the room that it was written in.
            entry.acks.push(SentAck { to_tag, flow, bytes: Bytes::copy_from_slice(&bytes) });
        }
        Ok(())
    }

    /// Ends a dialog. An ACK that is still owed goes first. While our own 2xx waits for its ACK the BYE has to wait too
    /// (§15): it is sent when the ACK comes or is given up, and `None` is returned. Requests that come in the dialog
    /// from now on are answered without an event; it is removed when the BYE has its answer.
    ///
    /// A 2xx that waits for a PRACK (RFC 3262 §3) has not gone out: then the INVITE is answered 480, or 504 if the PRACK is
    /// missing, with these headers, and `None` is returned.
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over or being ended, [`ActError::NotAllowed`] if we are the UAS of an early
    /// dialog without such a 2xx (answer the INVITE instead), [`ActError::UnknownLine`].
    pub fn bye(
        &mut self,
        now: Instant,
        dialog: DialogId,
        flow: Flow,
        headers: Vec<Extra>,
    ) -> Result<Option<ClientTransaction>, ActError> {
        let known = self.dialogs.get_mut(dialog).ok_or(ActError::Gone)?;
        match known.state {
            State::Early if known.role == Role::Uas => {
                return self.retract(now, dialog, headers).map(|()| None);
            }
            State::Early | State::Confirmed => {}
            State::Terminating | State::Lingering => return Err(ActError::Gone),
        }
        if !known.pending.awaiting_ack.is_empty() {
            known.state = State::Terminating;
            known.pending.bye = Some(Box::new(DeferredBye { flow, headers }));
            return Ok(None);
        }
        if known.pending.unacknowledged.is_some() {
            self.ack(dialog, flow, &Inside::default())?;
        }
        self.send_bye(now, dialog, flow, headers).map(Some)
    }

    /// Removes a dialog with all of its usages, without telling the peer: when its takeover failed, or when it answered 481.
    pub fn forget(&mut self, dialog: DialogId) {
        if let Some(known) = self.dialogs.get_mut(dialog) {
            known.usages = 0;
        }
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
        Ok(self.dialogs.insert(Box::new(dialog)))
    }

    /// Sends the BYE that had to wait for the ACK of our 2xx, if there is one.
    pub(super) fn send_deferred_bye(&mut self, now: Instant, dialog: DialogId) {
        let Some(known) = self.dialogs.get_mut(dialog) else { return };
        if !known.pending.awaiting_ack.is_empty() {
            return;
        }
        let Some(bye) = known.pending.bye.take() else { return };
        if self.send_bye(now, dialog, bye.flow, bye.headers).is_err() {
            self.end_dialog(dialog);
        }
    }

    /// The peer has hung up while our BYE had to wait for his ACK: the BYE is not needed any more.
    pub(super) fn forget_deferred_bye(&mut self, bye: &Message) {
        let ended = self
            .dialog_of_request(bye)
            .filter(|id| self.dialogs.get(*id).is_some_and(|dialog| dialog.pending.bye.is_some()));
        if let Some(dialog) = ended {
            self.close_dialog(dialog);
        }
    }

    fn send_bye(
        &mut self,
        now: Instant,
        dialog: DialogId,
        flow: Flow,
        headers: Vec<Extra>,
    ) -> Result<ClientTransaction, ActError> {
        let inside = Inside { headers, body: None };
        let id = self.launch_inside(now, dialog, flow, &Act::new(&Method::Bye, &inside))?;
        if let Some(known) = self.dialogs.get_mut(dialog) {
            known.state = State::Terminating;
        }
        Ok(id)
    }

    pub(super) fn launch_inside(
        &mut self,
        now: Instant,
        id: DialogId,
        flow: Flow,
        act: &Act<'_>,
    ) -> Result<ClientTransaction, ActError> {
        let dialog = self.dialogs.get_mut(id).ok_or(ActError::Gone)?;
        let cseq = dialog.take_cseq();
        let copy = Parts::of(dialog);
        let outgoing = copy.outgoing(act, cseq);
        let transaction = self.launch(now, flow, &outgoing, Some(id), Audience::User)?;
        if let Some(dialog) = self.dialogs.get_mut(id) {
            dialog.pending.on_request_out(act.method, transaction, act.has_session());
        }
        Ok(transaction)
    }

    /// Says how many bytes a request inside of a dialog would take on a flow, at most; see [`Self::request_size`].
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over, [`ActError::UnknownLine`].
    pub fn size_inside(
        &mut self,
        dialog: DialogId,
        flow: Flow,
        method: &Method,
        inside: &Inside,
    ) -> Result<usize, ActError> {
        self.write_inside(dialog, flow, &Act::new(method, inside), u32::MAX).map(|bytes| bytes.len())
    }

    fn write_inside(
        &mut self,
        id: DialogId,
        flow: Flow,
        act: &Act<'_>,
        cseq: u32,
    ) -> Result<Bytes, ActError> {
        let dialog = self.dialogs.get(id).ok_or(ActError::Gone)?;
        let copy = Parts::of(dialog);
        let outgoing = copy.outgoing(act, cseq);
        self.write_request(flow, &outgoing).map(|(_, bytes)| bytes)
    }
}

/// A request of the user within a dialog.
#[derive(Clone, Copy)]
pub(super) struct Act<'a> {
    pub(super) method: &'a Method,
    pub(super) inside: &'a Inside,
    /// What a PRACK acknowledges.
    pub(super) reliable: Option<Reliable>,
}

impl<'a> Act<'a> {
    pub(super) fn new(method: &'a Method, inside: &'a Inside) -> Self {
        Self { method, inside, reliable: None }
    }

    fn has_session(&self) -> bool {
        self.inside.body.as_ref().is_some_and(|body| is_session(body.content_type.as_bytes()))
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

    fn outgoing<'a>(&'a self, act: &Act<'a>, cseq: u32) -> Outgoing<'a> {
        Outgoing {
            method: act.method,
            uri: &self.routing.request_uri,
            from: &self.local,
            to: &self.remote,
            call_id: &self.call_id,
            cseq,
            max_forwards: MAX_FORWARDS,
            routes: &self.routing.routes,
            contact_user: self.contact_user.as_deref(),
            reliable: act.reliable,
            headers: &act.inside.headers,
            body: act.inside.body.as_ref(),
        }
    }
}

/// Max-Forwards of the requests that we begin (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u8 = 70;
