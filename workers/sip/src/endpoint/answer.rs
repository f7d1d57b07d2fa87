//! Responses of the user (RFC 3261 §8.2.6, §12.1.1, §13.3.1), and what the machines of server transactions ask for.

use std::time::Instant;

use super::{
    ActError, DialogId, Endpoint, Reply, ServerTransaction,
    compose::{self, ReplyParts, has_contact},
    entry::{ServerEntry, ServerMachine, ServerStep},
};
use crate::{dialog::State, flow::Flow, method::Method, status::StatusCode, transaction::Acceptance};

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
        let shard = self.config.shard;
        let entry = self.table.server(transaction).ok_or(ActError::Gone)?;
        let (flow, dialog) = (entry.flow, entry.dialog);
        let earlier_user = dialog.and_then(|id| self.dialogs.get(id)?.contact_user.clone());
        let contact_user = reply.contact_user.as_deref().or(earlier_user.as_deref());
        let line = self.lines.get(&flow.line).ok_or(ActError::UnknownLine)?;
        let entry = self.table.server(transaction).ok_or(ActError::Gone)?;
        let request = entry.request.as_ref().ok_or(ActError::NotAllowed)?;
        let status = reply.status;
        let makes_dialog = status != StatusCode::TRYING && status.class() < 3;
        let contact = (makes_dialog && has_contact(&entry.method))
            .then(|| compose::contact(line, flow.transport, contact_user, shard));
        let parts = ReplyParts { reply, tag: &entry.tag, contact, product: self.config.product.as_deref() };
        let bytes = compose::reply(request, entry.source, &parts);
        let is_invite = match &mut entry.machine {
            ServerMachine::Invite(machine) => {
                machine.respond(now, status.code(), bytes.clone()).then_some(true)
            }
            ServerMachine::Other(machine) => {
                machine.respond(now, status.code(), bytes.clone()).then_some(false)
            }
        };
        let is_invite = is_invite.ok_or(ActError::NotAllowed)?;
        if status.is_final() {
            entry.request = None;
        }
        if is_invite && status.is_success() {
            entry.acceptance = Some(Acceptance::new(now, bytes, entry.timing));
        }
        if is_invite {
            self.advance_dialog(transaction, reply);
        }
        let dialog = self.table.server(transaction).and_then(|entry| entry.dialog);
        self.finish_request(transaction, status, dialog);
        self.drain_server(now, transaction);
        Ok(dialog.filter(|id| self.dialogs.get(*id).is_some()))
    }

    /// Lets the response to an INVITE make, confirm or end the dialog of its INVITE.
    fn advance_dialog(&mut self, transaction: ServerTransaction, reply: &Reply) {
        let status = reply.status;
        let Some(entry) = self.table.server(transaction) else { return };
        let cseq = entry.cseq;
        let makes_dialog = status != StatusCode::TRYING && status.class() < 3;
        if makes_dialog && let Some(embryo) = entry.embryo.take() {
            let id = self.dialogs.insert(*embryo);
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

    /// Ends what the final response of a request ends: an early dialog with a failure, any dialog with a BYE.
    fn finish_request(
        &mut self,
        transaction: ServerTransaction,
        status: StatusCode,
        dialog: Option<DialogId>,
    ) {
        let Some(entry) = self.table.server(transaction) else { return };
        let is_bye = entry.method == Method::Bye;
        entry.embryo = entry.embryo.take().filter(|_| status.is_provisional());
        let Some(id) = dialog.filter(|_| status.is_final()) else { return };
        let is_early = self.dialogs.get(id).is_some_and(|dialog| dialog.state == State::Early);
        if is_bye || (is_early && !status.is_success()) {
            self.end_dialog(id);
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
                ServerStep::Expired => self.counters.requests_unanswered += 1,
            }
        }
        self.settle_server(id);
        sent
    }

    fn send_trying(&mut self, now: Instant, id: ServerTransaction, flow: Flow) {
        let Some(ServerEntry { machine, request: Some(request), tag, source, .. }) = self.table.server(id)
        else {
            return;
        };
        let reply = Reply::new(StatusCode::TRYING);
        let parts = ReplyParts { reply: &reply, tag, contact: None, product: None };
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
        if entry.method == Method::Bye {
            return self.end_dialog(dialog);
        }
        if let Some(dialog) = self.dialogs.get_mut(dialog)
            && dialog.pending.invite_in == Some(id)
        {
            dialog.pending.invite_in = None;
        }
    }

    /// Removes a dialog; what it still repeats is repeated no more.
    pub(super) fn end_dialog(&mut self, id: DialogId) {
        let Some(dialog) = self.dialogs.remove(id) else { return };
        for (_, transaction) in dialog.pending.awaiting_ack {
            if let Some(entry) = self.table.server(transaction) {
                entry.acceptance = None;
            }
            self.table.file_server(transaction);
        }
    }
}
