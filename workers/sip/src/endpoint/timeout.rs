//! The inputs of an endpoint: messages, deadlines, and failed flows.

use std::time::Instant;

use bytes::Bytes;

use super::{
    ClientTransaction, DropReason, Endpoint, Event, ServerTransaction,
    entry::{ClientMachine, ServerMachine},
    receive_request::fallback_flow,
    table::{Owner, Path},
};
use crate::{
    flow::{ConnectionId, Flow},
    message::Message,
    transaction::{acceptance, client_invite, client_non_invite},
};

impl Endpoint {
    /// Handles the bytes of one datagram or one framed stream message.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if self.line(flow.line).is_none() {
            return self.counters.on_drop(DropReason::UnknownLine);
        }
        match Message::parse(bytes, &self.config.limits) {
            Ok(message) => match message.status() {
                Some(status) => self.on_response(now, flow, message, status),
                None => self.on_request(now, flow, message),
            },
            Err(error) => self.on_malformed(flow, &error),
        }
    }

    /// Handles the news that nothing can be sent over a flow: an ICMP error, or a connection that could not be opened. The
    /// requests on it that have had no response fail at once ([`Event::Unreachable`]); those that had a provisional one
    /// go on ([`Event::FlowLost`]).
    pub fn handle_flow_failed(&mut self, now: Instant, flow: Flow) {
        self.on_path_failed(now, Path::from(&flow));
    }

    /// Handles the loss of a connection. Like [`Self::handle_flow_failed`] for our requests; responses that we still owe go
    /// over a new connection (RFC 3261 §18.2.2).
    /// What our own transactions still have to send goes there too.
    pub fn handle_connection_lost(&mut self, now: Instant, connection: ConnectionId) {
        self.on_path_failed(now, Path::Connection(connection));
    }

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
        if known.pending.bye.is_some() {
            self.send_deferred_bye(now, dialog);
        } else {
            self.emit(Event::AckMissing { dialog });
        }
    }

    fn on_path_failed(&mut self, now: Instant, path: Path) {
        for owner in self.table.on_path(path) {
            match owner {
                Owner::Client(id) => self.on_client_path_failed(now, id, path),
                Owner::Server(id) => self.on_server_path_failed(id, path),
            }
        }
    }

    fn on_client_path_failed(&mut self, now: Instant, id: ClientTransaction, path: Path) {
        let Some(entry) = self.table.client(id) else { return };
        let proceeds = match &mut entry.machine {
            ClientMachine::Invite(machine) => {
                machine.handle_unreachable(now);
                machine.state() == client_invite::State::Proceeding
            }
            ClientMachine::Other(machine) => {
                machine.handle_unreachable();
                machine.state() == client_non_invite::State::Proceeding
            }
        };
        if let Path::Connection(_) = path {
            let flow = Flow { connection: None, ..entry.flow };
            self.table.reroute_client(id, flow);
        }
        if proceeds {
            self.tell(id, Event::FlowLost { transaction: id });
        }
        self.drain_client(now, id, None);
    }

    fn on_server_path_failed(&mut self, id: ServerTransaction, path: Path) {
        match path {
            Path::Connection(_) => {
                let Some(entry) = self.table.server(id) else { return };
                let flow = fallback_flow(entry.flow, entry.fallback_port);
                self.table.reroute_server(id, flow);
            }
            // An unreachable peer may be back for the next repetition.
            Path::Peer(..) => {}
        }
    }
}
