//! Responses of the user (RFC 3261 §8.2.6, §12.1.1, §13.3.1), and what the machines of server transactions ask for.

use std::time::Instant;

use bytes::Bytes;

use super::{
    ActError, DialogId, Endpoint, Reply, ServerTransaction,
    compose::{self, ReplyParts, has_contact},
    entry::{ServerEntry, ServerMachine, ServerStep},
    provisional::Course,
};
use crate::{
    dialog::{Carrier, Offer, State, is_session},
    flow::Flow,
    message::Message,
    method::Method,
    rseq::RSeq,
    status::StatusCode,
    transaction::Acceptance,
};

impl Endpoint {
    /// Answers a received request.
    ///
    /// A 101–299 to an INVITE makes its dialog, or confirms it; the dialog is returned. A final response to a BYE ends
    /// the dialog. To an INVITE the user may send any number of provisional responses and one final one; to any
    /// other request 100 and one final one, never 408 (RFC 4320).
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the transaction is over, [`ActError::NotAllowed`] if the response may not be sent now,
    /// [`ActError::UnknownLine`] if the line was removed.
    pub fn respond(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        reply: &Reply,
    ) -> Result<Option<DialogId>, ActError> {
        match self.course(transaction, reply)? {
            Course::Now => self.respond_now(now, transaction, reply),
            Course::Reliably(rseq) => self.respond_reliably(now, transaction, reply, rseq),
            Course::Held => self.hold(transaction, reply),
        }
    }

    /// Sends a response that waits for nothing.
    pub(super) fn respond_now(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        reply: &Reply,
    ) -> Result<Option<DialogId>, ActError> {
        let bytes = self.write_reply(transaction, reply, None)?;
        let entry = self.table.server(transaction).ok_or(ActError::Gone)?;
        let status = reply.status;
        let is_invite = match &mut entry.machine {
            ServerMachine::Invite(machine) => {
                machine.respond(now, status.code(), bytes.clone()).then_some(true)
            }
            ServerMachine::Other(machine) => {
                machine.respond(now, status.code(), bytes.clone()).then_some(false)
            }
        };
        let is_invite = is_invite.ok_or(ActError::NotAllowed)?;
        let request = entry.request.take_if(|_| status.is_final());
        entry.embryo = entry.embryo.take().filter(|_| status.class() < 3);
        if is_invite && status.is_success() {
            entry.acceptance = Some(Acceptance::new(now, bytes, entry.timing));
        }
        if is_invite {
            self.advance_dialog(transaction, reply);
        }
        let dialog = self.table.server(transaction).and_then(|entry| entry.dialog);
        if request.is_some() {
            self.end_provisionals(transaction);
            self.note_session_out(transaction, reply);
        }
        self.drain_server(now, transaction);
        if let (Some(request), Some(dialog)) = (request, dialog) {
            self.finish_request(now, transaction, dialog, status, &request);
        }
        Ok(dialog.filter(|id| self.dialogs.get(*id).is_some()))
    }

    /// Writes a response; with an `RSeq` a reliable one.
    pub(super) fn write_reply(
        &mut self,
        transaction: ServerTransaction,
        reply: &Reply,
        rseq: Option<RSeq>,
    ) -> Result<Bytes, ActError> {
        let shard = self.config.shard;
        let entry = self.table.server(transaction).ok_or(ActError::Gone)?;
        let line = self.lines.get(&entry.flow.line).ok_or(ActError::UnknownLine)?;
        let earlier_user = entry.dialog.and_then(|id| self.dialogs.get(id)?.contact_user.as_deref());
        let contact_user = reply.contact_user.as_deref().or(earlier_user);
        let request = entry.request.as_ref().ok_or(ActError::NotAllowed)?;
        let makes_dialog = reply.status != StatusCode::TRYING && reply.status.class() < 3;
        let contact = (makes_dialog && has_contact(&entry.method))
            .then(|| compose::contact(line, entry.flow.transport, contact_user, shard));
        let product = self.config.product.as_deref();
        let parts = ReplyParts { reply, tag: &entry.tag, contact, product, rseq };
        Ok(compose::reply(request, entry.source, &parts))
    }

    /// Lets the response to an INVITE make, confirm or end the dialog of its INVITE.
    pub(super) fn advance_dialog(&mut self, transaction: ServerTransaction, reply: &Reply) {
        let status = reply.status;
        let Some(entry) = self.table.server(transaction) else { return };
        let cseq = entry.cseq;
        let makes_dialog = status != StatusCode::TRYING && status.class() < 3;
        if makes_dialog && let Some(mut embryo) = entry.embryo.take() {
            let offer = Offer::Theirs(Carrier::Server(transaction));
            embryo.pending.offer = Some(offer).filter(|_| entry.has_offer);
            let id = self.dialogs.insert(embryo);
            entry.dialog = Some(id);
        }
        let Some(dialog) = entry.dialog.and_then(|id| self.dialogs.get_mut(id)) else { return };
        if makes_dialog {
            dialog.contact_user =
                reply.contact_user.as_deref().map(Box::from).or_else(|| dialog.contact_user.take());
        }
        dialog.pending.invite_in = Some(transaction).filter(|_| status.is_provisional());
        if status.is_success() {
            dialog.pending.awaiting_ack.push((cseq, transaction));
            if dialog.state == State::Early {
                dialog.state = State::Confirmed;
            }
        }
    }

    /// Does what the final response to a request entails: a failure ends an early dialog, a 2xx to a target refresh moves
    /// the remote target (RFC 3261 §12.2.2, RFC 6141 §4.3), the answer to a BYE ends any dialog, and that to a PRACK lets
    /// a 2xx go that waited for it.
    fn finish_request(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        id: DialogId,
        status: StatusCode,
        request: &Message,
    ) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        if dialog.pending.update_in == Some(transaction) {
            dialog.pending.update_in = None;
        }
        if status.is_success() && has_contact(request.method()) && request.to_tag().is_some() {
            dialog.refresh_target(request);
        }
        let is_early = dialog.state == State::Early;
        if *request.method() == Method::Bye {
            self.refuse_pending(now, id);
            self.close_dialog(id);
        } else if *request.method() == Method::Prack {
            self.on_prack_over(now, id);
        } else if *request.method() == Method::Invite && is_early && !status.is_success() {
            self.end_dialog(id);
        }
    }

    /// What the peer asked before his BYE gets its answer all the same (RFC 3261 §15.1.2).
    fn refuse_pending(&mut self, now: Instant, dialog: DialogId) {
        let Some(pending) = self.dialogs.get(dialog).map(|dialog| &dialog.pending) else { return };
        for request in [pending.invite_in, pending.update_in].into_iter().flatten() {
            // NotAllowed: answered in the same moment.
            let _ = self.respond_now(now, request, &Reply::new(StatusCode::REQUEST_TERMINATED));
        }
    }

    /// Does what a server machine asks for, then files or removes its transaction. Returns how many responses it sent;
    /// called for a timer, these are repetitions.
    pub(super) fn drain_server(&mut self, now: Instant, id: ServerTransaction) -> u64 {
        let mut sent = 0;
        while let Some((flow, step)) =
            self.table.server(id).and_then(|entry| Some((entry.flow, entry.poll_step()?)))
        {
            match step {
                ServerStep::Send(bytes) => {
                    sent += 1;
                    self.send(flow, bytes);
                }
                ServerStep::Trying => self.send_trying(now, id, flow),
                ServerStep::Ack => {}
                ServerStep::AckMissing => self.counters.failures_unacknowledged += 1,
                ServerStep::Expired => self.on_expired(now, id),
            }
        }
        self.settle_server(id);
        sent
    }

    /// A request that the user never answered.
    fn on_expired(&mut self, now: Instant, id: ServerTransaction) {
        self.counters.requests_unanswered += 1;
        let Some(entry) = self.table.server(id) else { return };
        let (is_prack, dialog) = (entry.method == Method::Prack, entry.dialog);
        let Some(dialog) = dialog else { return };
        if let Some(known) = self.dialogs.get_mut(dialog) {
            known.pending.end_offer(Carrier::Server(id));
            if known.pending.update_in == Some(id) {
                known.pending.update_in = None;
            }
        }
        if is_prack {
            self.on_prack_over(now, dialog);
        }
    }

    fn send_trying(&mut self, now: Instant, id: ServerTransaction, flow: Flow) {
        let Some(ServerEntry { machine, request: Some(request), tag, source, .. }) = self.table.server(id)
        else {
            return;
        };
        let reply = Reply::new(StatusCode::TRYING);
        let parts = ReplyParts { reply: &reply, tag, contact: None, product: None, rseq: None };
        let bytes = compose::reply(request, *source, &parts);
        // Sent from here and not with the next step: a 100 that a timer prompts is no repetition.
        match machine {
            ServerMachine::Invite(machine) => {
                machine.respond(now, 100, bytes.clone());
                machine.poll_output();
            }
            ServerMachine::Other(machine) => {
                machine.respond(now, 100, bytes.clone());
                machine.poll_output();
            }
        }
        self.send(flow, bytes);
    }

    /// Files a server transaction under its deadline, or removes it with what depends on it.
    pub(super) fn settle_server(&mut self, id: ServerTransaction) {
        let Some(entry) = self.table.server(id) else { return };
        if !entry.is_over() {
            return self.table.file_server(id);
        }
        let Some(entry) = self.table.remove_server(id) else { return };
        let Some(dialog) = entry.dialog else { return };
        if entry.method == Method::Bye && entry.request.is_some() {
            return self.close_dialog(dialog);
        }
        if let Some(dialog) = self.dialogs.get_mut(dialog)
            && dialog.pending.invite_in == Some(id)
        {
            dialog.pending.invite_in = None;
        }
    }

    /// The peer has hung up: the dialog goes when its last 2xx of ours has its ACK, because the peer's INVITE must have
    /// its final response although the BYE may have crossed it (RFC 3261 §15.1.2).
    pub(super) fn close_dialog(&mut self, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.pending.bye = None;
        dialog.pending.is_closed = true;
        if dialog.pending.awaiting_ack.is_empty() {
            self.end_dialog(id);
        }
    }

    /// Removes a dialog, unless another usage keeps it; what it still repeats is repeated no more.
    pub(super) fn end_dialog(&mut self, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        for (_, transaction) in std::mem::take(&mut dialog.pending.awaiting_ack) {
            if let Some(entry) = self.table.server(transaction) {
                entry.acceptance = None;
            }
            self.table.file_server(transaction);
        }
        if !self.lingers(id) {
            self.dialogs.remove(id);
        }
    }
}

/// Whether a response of the user has a session description.
pub(super) fn carries_session(reply: &Reply) -> bool {
    reply.body.as_ref().is_some_and(|body| is_session(body.content_type.as_bytes()))
}
