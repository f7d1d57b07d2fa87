//! The deadlines of an endpoint: each goes to the transaction that it belongs to (RFC 3261 §17).

use std::time::Instant;

use super::{
    ClientTransaction, Endpoint, Event, ServerTransaction,
    entry::{ClientMachine, ServerMachine},
    table::Owner,
};
use crate::{dialog::Carrier, transaction::acceptance};

impl Endpoint {
    /// Handles the deadlines that have come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(owner) = self.table.first_due(now) {
            match owner {
                Owner::Server(id) => self.on_server_due(now, id),
                Owner::Client(id) => self.on_client_due(now, id),
            }
        }
    }

    fn on_client_due(&mut self, now: Instant, id: ClientTransaction) {
        let Some(entry) = self.table.client(id) else { return };
        match &mut entry.machine {
            ClientMachine::Invite(machine) => machine.handle_timeout(now),
            ClientMachine::Other(machine) => machine.handle_timeout(now),
        }
        self.counters.retransmissions_sent += self.drain_client(now, id, None);
    }

    fn on_server_due(&mut self, now: Instant, id: ServerTransaction) {
        let Some(entry) = self.table.server(id) else { return };
        let flow = entry.flow;
        let due = entry.acceptance.as_mut().and_then(|acceptance| acceptance.handle_timeout(now));
        match &mut entry.machine {
            ServerMachine::Invite(machine) => machine.handle_timeout(now),
            ServerMachine::Other(machine) => machine.handle_timeout(now),
        }
        self.on_provisional_due(now, id);
        match due {
            Some(acceptance::Output::Send(bytes)) => {
                self.counters.retransmissions_sent += 1;
                self.send(flow, bytes);
            }
            Some(acceptance::Output::AckMissing) => self.on_ack_missing(now, id),
            None => {}
        }
        self.counters.retransmissions_sent += self.drain_server(now, id);
    }

    fn on_ack_missing(&mut self, now: Instant, id: ServerTransaction) {
        let Some(entry) = self.table.server(id) else { return };
        entry.acceptance = None;
        let cseq = entry.cseq;
        let Some(dialog) = entry.dialog else { return };
        let Some(known) = self.dialogs.get_mut(dialog) else { return };
        known.pending.take_acknowledged(cseq);
        known.pending.end_offer(Carrier::Server(id));
        if known.pending.is_closed {
            self.close_dialog(dialog);
        } else if known.pending.bye.is_some() {
            self.send_deferred_bye(now, dialog);
        } else {
            self.emit(Event::AckMissing { dialog });
        }
    }
}
