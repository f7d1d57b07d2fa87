//! Failed flows (RFC 3261 §8.1.3.1, §18.4): what becomes of the transactions on them.

use std::time::Instant;

use super::{
    ClientTransaction, Endpoint, Event, ServerTransaction,
    entry::ClientMachine,
    receive_request::fallback_flow,
    table::{Owner, Path},
};
use crate::{
    flow::{ConnectionId, Flow},
    transaction::{client_invite, client_non_invite},
};

impl Endpoint {
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

    fn on_path_failed(&mut self, now: Instant, path: Path) {
        for owner in self.table.on_path(path) {
            match owner {
                Owner::Client(id) => self.on_client_path_failed(now, id, path),
                Owner::Server(id) => self.on_server_path_failed(id),
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

    fn on_server_path_failed(&mut self, id: ServerTransaction) {
        let Some(entry) = self.table.server(id) else { return };
        let flow = fallback_flow(entry.flow, entry.fallback_port);
        self.table.reroute_server(id, flow);
    }
}
