//! Received responses (RFC 3261 §8.1.3, §17.1.3), and what the machines of client transactions ask for.

use std::time::Instant;

use super::{
    ClientTransaction, DialogId, DropReason, Endpoint, Event, Reliable, ResponseKind, compose,
    entry::{Audience, ClientMachine, ClientStep},
    keys,
    prack::Order,
};
use crate::{
    dialog::{Carrier, Dialog, Offer, State, Unacknowledged},
    flow::Flow,
    header_name::HeaderName,
    message::Message,
    method::Method,
    status::StatusCode,
};

/// A response on its way to the user.
pub(super) struct Received {
    flow: Flow,
    status: StatusCode,
    message: Message,
}

impl Endpoint {
    pub(super) fn on_response(&mut self, now: Instant, flow: Flow, message: Message, status: StatusCode) {
        // RFC 3261 §8.1.3.3: a response with Vias below ours was not meant for us.
        if message.values(HeaderName::Via).nth(1).is_some() {
            return self.counters.on_drop(DropReason::StrayResponse);
        }
        let branch = message.branch().unwrap_or_default().as_bytes();
        let key = keys::key(&mut self.scratch, &[branch, message.method().as_str().as_bytes()]);
        let Some(id) = self.table.find_client(key) else { return self.on_stray(flow, message, status) };
        let Some(entry) = self.table.client(id) else { return };
        let request = &entry.request;
        match &mut entry.machine {
            ClientMachine::Invite(machine) => {
                machine.handle_response(now, status.code(), || compose::ack_of_failure(request, &message));
            }
            ClientMachine::Other(machine) => machine.handle_response(now, status.code()),
        }
        self.drain_client(now, id, Some(Received { flow, status, message }));
    }

    fn on_stray(&mut self, flow: Flow, message: Message, status: StatusCode) {
        if self.belongs_elsewhere(&message) {
            return self.counters.on_drop(DropReason::Misrouted);
        }
        self.counters.on_drop(DropReason::StrayResponse);
        let tags = (message.from_tag().unwrap_or_default(), message.to_tag().unwrap_or_default());
        // A 2xx that comes again after Timer M belongs to a dialog that is up.
        let is_known = self.dialogs.find(tags.0, tags.1, message.call_id()).is_some();
        if status.is_success() && *message.method() == Method::Invite && !is_known {
            self.emit(Event::StrayAnswer { flow, message });
        }
    }

    /// Does what a client machine asks for, then files or removes its transaction. Returns how many messages it sent; called
    /// for a timer, these are repetitions.
    pub(super) fn drain_client(
        &mut self,
        now: Instant,
        id: ClientTransaction,
        mut received: Option<Received>,
    ) -> u64 {
        let mut sent = 0;
        while let Some((flow, step)) =
            self.table.client(id).and_then(|entry| Some((entry.flow, entry.poll_step()?)))
        {
            match step {
                ClientStep::Send(bytes) if bytes.is_empty() => {}
                ClientStep::Send(bytes) => {
                    sent += 1;
                    self.send(flow, bytes);
                }
                ClientStep::Cancel => self.send_cancel(now, id),
                ClientStep::TimedOut => self.tell(id, Event::TimedOut { transaction: id }),
                ClientStep::Unreachable => self.tell(id, Event::Unreachable { transaction: id }),
                ClientStep::Provisional => {
                    if let Some(received) = received.take() {
                        self.on_provisional(id, received);
                    }
                }
                ClientStep::Answer => {
                    if let Some(received) = received.take() {
                        self.on_answer(now, id, received, ResponseKind::Success);
                    }
                }
                ClientStep::LateAnswer => {
                    if let Some(received) = received.take() {
                        self.on_answer(now, id, received, ResponseKind::Late);
                    }
                }
                ClientStep::Failure | ClientStep::Final => {
                    if let Some(received) = received.take() {
                        self.on_final(id, received);
                    }
                }
            }
        }
        self.settle_client(id);
        sent
    }

    fn on_provisional(&mut self, id: ClientTransaction, received: Received) {
        let Some(entry) = self.table.client(id) else { return };
        let mut dialog = entry.dialog;
        let has_tag = received.status != StatusCode::TRYING && received.message.to_tag().is_some();
        if dialog.is_none() && has_tag && entry.method == Method::Invite {
            dialog = self.dialog_of_response(id, &received.message, State::Early);
        }
        let reliable = match self.order_of(dialog.filter(|_| has_tag), &received.message) {
            Order::Unreliable => None,
            Order::Next(reliable) => Some(reliable),
            Order::Discarded => return,
        };
        if let Some(known) = dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            known.peer.hear(&received.message);
            if reliable.is_some() && known.state == State::Confirmed {
                known.refresh_target(&received.message);
            }
        }
        if let Some(dialog) = dialog.filter(|_| reliable.is_some()) {
            self.note_session_in(id, dialog, &received.message);
        }
        let ended = dialog.filter(|_| received.status.code() == 199 && reliable.is_none());
        self.report(id, received, (dialog, reliable), ResponseKind::Provisional);
        if let Some(ended) = ended {
            self.end_early(&[ended]);
        }
    }

    /// Sorts a 2xx to an INVITE: repeated (acknowledged again if it was before), the first, a fork, or late.
    fn on_answer(&mut self, now: Instant, id: ClientTransaction, received: Received, kind: ResponseKind) {
        let Some(entry) = self.table.client(id) else { return };
        let to_tag = received.message.to_tag().unwrap_or_default();
        if let Some(ack) = entry.acks.iter().find(|ack| *ack.to_tag == *to_tag) {
            let (flow, bytes) = (ack.flow, ack.bytes.clone());
            self.counters.retransmissions_received += 1;
            return self.send(flow, bytes);
        }
        let Some(dialog) = self.dialog_of_response(id, &received.message, State::Confirmed) else {
            return self.on_broken_answer(now, id, received, kind);
        };
        let Some(entry) = self.table.client(id) else { return };
        let owed = Unacknowledged { invite: Some(id), cseq: entry.cseq };
        let is_winner = *entry.dialog.get_or_insert(dialog) == dialog;
        entry.request = bytes::Bytes::new();
        let Some(known) = self.dialogs.get_mut(dialog) else { return };
        if known.pending.unacknowledged.is_some_and(|owed| owed.invite == Some(id)) {
            self.counters.retransmissions_received += 1;
            return;
        }
        known.confirm(&received.message);
        known.peer.hear(&received.message);
        known.pending.on_request_over(id);
        known.pending.unacknowledged = Some(owed);
        self.note_session_in(id, dialog, &received.message);
        let kind = if kind == ResponseKind::Success && !is_winner { ResponseKind::Fork } else { kind };
        self.report(id, received, (Some(dialog), None), kind);
    }

    /// The attempt has failed for the user; a better 2xx that follows can only be late.
    fn on_broken_answer(
        &mut self,
        now: Instant,
        id: ClientTransaction,
        received: Received,
        kind: ResponseKind,
    ) {
        if kind == ResponseKind::Late || self.table.client(id).is_none_or(|entry| entry.dialog.is_some()) {
            return;
        }
        self.report(id, received, (None, None), ResponseKind::Broken);
        if let Some(ClientMachine::Invite(machine)) = self.table.client(id).map(|entry| &mut entry.machine) {
            machine.abandon(now);
        }
    }

    fn on_final(&mut self, id: ClientTransaction, received: Received) {
        let kind = if received.status.is_success() { ResponseKind::Success } else { ResponseKind::Failure };
        let Some(entry) = self.table.client(id) else { return };
        let (dialog, method, early) = (entry.dialog, entry.method.clone(), std::mem::take(&mut entry.forks));
        entry.request = bytes::Bytes::new();
        self.end_early(&early);
        if let Some(ended) = dialog.filter(|_| method == Method::Bye) {
            self.end_dialog(ended);
        }
        if let Some(dialog) = dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.pending.on_request_over(id);
            dialog.pending.end_offer(Carrier::Client(id));
            dialog.peer.hear(&received.message);
            if kind == ResponseKind::Success && compose::has_contact(&method) {
                dialog.refresh_target(&received.message);
            }
        }
        self.report(id, received, (dialog, None), kind);
    }

    /// Finds the dialog of a response to an INVITE, or makes it.
    fn dialog_of_response(
        &mut self,
        id: ClientTransaction,
        message: &Message,
        state: State,
    ) -> Option<DialogId> {
        let (local, remote) = (message.from_tag()?, message.to_tag().unwrap_or_default());
        if let Some(dialog) = self.dialogs.find(local, remote, message.call_id()) {
            return Some(dialog);
        }
        // Room is kept for 2xx, which must not be left unacknowledged, beside the early dialogs.
        let max_forks = match state {
            State::Early => self.config.max_forks,
            State::Confirmed | State::Terminating | State::Lingering => self.config.max_forks * 2,
        };
        let entry = self.table.client(id)?;
        // A 2xx gets its dialog over the limit of the endpoint too: else it could not be ended.
        let is_full = state == State::Early && self.dialogs.is_full();
        if is_full || entry.forks.len() >= max_forks {
            self.counters.on_drop(DropReason::TooManyForks);
            return None;
        }
        let fallback = || compose::request_uri(&entry.request);
        let made = Dialog::of_response(message, entry.flow.line, fallback, entry.contact_user.clone(), state);
        let Ok(mut dialog) = made else {
            self.counters.on_drop(DropReason::Undialogable);
            return None;
        };
        dialog.pending.invite_out = Some(id).filter(|_| state == State::Early);
        dialog.pending.offer = Some(Offer::Ours(Carrier::Client(id))).filter(|_| entry.has_offer);
        let dialog = self.dialogs.insert(Box::new(dialog));
        if let Some(entry) = self.table.client(id) {
            entry.forks.push(dialog);
        }
        Some(dialog)
    }

    fn report(
        &mut self,
        transaction: ClientTransaction,
        received: Received,
        (dialog, reliable): (Option<DialogId>, Option<Reliable>),
        kind: ResponseKind,
    ) {
        let Received { flow, message, .. } = received;
        self.tell(transaction, Event::Response { transaction, dialog, kind, reliable, flow, message });
    }

    /// Gives an event of a client transaction to the user, if it is for him.
    pub(super) fn tell(&mut self, id: ClientTransaction, event: Event) {
        if self.table.client(id).is_some_and(|entry| entry.audience == Audience::User) {
            self.emit(event);
        }
    }

    /// Files a client transaction under its deadline, or removes it with what depends on it.
    pub(super) fn settle_client(&mut self, id: ClientTransaction) {
        let Some(entry) = self.table.client(id) else { return };
        if entry.is_over() { self.end_client(id) } else { self.table.file_client(id) }
    }

    /// Removes a client transaction: its early dialogs end with it, and a dialog with its BYE.
    pub(super) fn end_client(&mut self, id: ClientTransaction) {
        let Some(entry) = self.table.remove_client(id) else { return };
        self.end_early(&entry.forks);
        let Some(dialog) = entry.dialog else { return };
        if entry.method == Method::Bye {
            return self.end_dialog(dialog);
        }
        if let Some(dialog) = self.dialogs.get_mut(dialog) {
            dialog.pending.on_request_over(id);
            // The offer of a 2xx waits for our ACK, not for its transaction.
            if dialog.pending.unacknowledged.is_none() {
                dialog.pending.end_offer(Carrier::Client(id));
            }
        }
    }

    fn end_early(&mut self, dialogs: &[DialogId]) {
        for id in dialogs {
            if self.dialogs.get(*id).is_some_and(|dialog| dialog.state() == State::Early) {
                self.end_dialog(*id);
            }
        }
    }
}
