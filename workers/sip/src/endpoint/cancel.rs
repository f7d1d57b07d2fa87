//! CANCEL, received and sent (RFC 3261 §9).

use std::time::Instant;

use super::{
    ActError, ClientTransaction, Endpoint, Event, RefuseReason, Reply,
    compose::{self, ReplyParts},
    entry::{Audience, Cancellation, ClientEntry, ClientMachine, ServerMachine},
    receive_request::{reply_flow, server_key},
};
use crate::{
    flow::Flow,
    message::Message,
    method::Method,
    status::StatusCode,
    transaction::{ClientNonInvite, Reliability, server_invite},
};

impl Endpoint {
    /// Cancels an INVITE: now if a provisional response has come, else when one comes (§9.1). The final response is
    /// still an event: 487, a 2xx that was quicker, or [`Event::TimedOut`] 64·T1 after the CANCEL. Another request
    /// cannot be cancelled; nothing happens.
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the transaction is over.
    pub fn cancel(&mut self, now: Instant, transaction: ClientTransaction) -> Result<(), ActError> {
        let entry = self.table.client(transaction).ok_or(ActError::Gone)?;
        if let ClientMachine::Invite(machine) = &mut entry.machine {
            machine.cancel(now);
        }
        self.drain_client(now, transaction, None);
        Ok(())
    }

    /// Gives a request up: it is not repeated any more and no response is an event, but a late 2xx to an INVITE
    /// ([`super::ResponseKind::Late`]). An INVITE is kept for 64·T1 and cancelled as soon as a provisional response is or has
    /// been there; a late failure is acknowledged. Harmless if the transaction is over.
    pub fn abandon(&mut self, now: Instant, transaction: ClientTransaction) {
        let Some(entry) = self.table.client(transaction) else { return };
        match &mut entry.machine {
            ClientMachine::Invite(machine) => {
                machine.abandon(now);
                self.drain_client(now, transaction, None);
            }
            ClientMachine::Other(_) => self.end_client(transaction),
        }
    }

    /// Answers a CANCEL: 200 where its INVITE is known, even if too late, else 481 (§9.2).
    pub(super) fn on_cancel(&mut self, flow: Flow, message: Message) {
        let key = server_key(&mut self.scratch, &message, Method::Invite.as_str());
        let Some(id) = self.table.find_server(key) else {
            return self.refuse(flow, &message, RefuseReason::NoDialog);
        };
        let Some(entry) = self.table.server(id) else { return };
        let parts = ReplyParts {
            reply: &Reply::new(StatusCode::OK),
            tag: &entry.tag,
            contact: None,
            product: self.config.product.as_deref(),
            rseq: None,
        };
        let bytes = compose::reply(&message, flow.remote, &parts);
        // A 2xx that is held back is decided, though it is not out: as if the CANCEL had crossed it.
        let is_accepted = entry.reliable.as_ref().is_some_and(|reliable| reliable.is_accepted());
        let waits = match &entry.machine {
            ServerMachine::Invite(machine) => {
                machine.state() == server_invite::State::Proceeding && !is_accepted
            }
            ServerMachine::Other(_) => false,
        };
        let is_news = waits && entry.cancellation == Cancellation::None;
        entry.cancellation = Cancellation::Received;
        self.send(reply_flow(flow, &message), bytes);
        if is_news {
            self.emit(Event::Cancelled { transaction: id, message });
        }
    }

    /// Sends the CANCEL of an INVITE, as a transaction of its own with the same branch (§9.1).
    pub(super) fn send_cancel(&mut self, now: Instant, invite: ClientTransaction) {
        let Some(entry) = self.table.client(invite) else { return };
        let (flow, timing, cseq) = (entry.flow, entry.timing, entry.cseq);
        let Some(bytes) = compose::cancel_of(&entry.request) else { return };
        let key = entry.key_for(&Method::Cancel);
        let machine = ClientNonInvite::new(now, bytes, Reliability::of(flow.transport), timing);
        let id = self.table.insert_client(ClientEntry {
            machine: ClientMachine::Other(machine),
            method: Method::Cancel,
            cseq,
            flow,
            request: bytes::Bytes::new(),
            has_offer: false,
            contact_user: None,
            audience: Audience::Nobody,
            dialog: None,
            forks: smallvec::SmallVec::new(),
            acks: smallvec::SmallVec::new(),
            timing,
            key,
            due: None,
            path: None,
        });
        self.drain_client(now, id, None);
    }
}
