//! How a message gets to a place: a name becomes addresses, a TCP address becomes a connection. The way
//! of an attempt, of an errand or of a probe is one of these; the answer comes as a call back to its user.

use std::net::SocketAddr;
use std::time::Instant;

use um_sip::{Flow, LineIndex, Transport};
use um_topology::Id;

use super::Engine;
use crate::call::words::AttemptId;
use crate::configuration::{BoundLine, Configuration, LinePhase};
use crate::connections::{Link, PoolOutput};
use crate::health::ProbeId;
use crate::input::ConnectError;
use crate::locate::{Families, Located, LocatorOutput};
use crate::output::Output;

/// Who wants to get somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum User {
    /// An attempt of a call.
    Attempt(u64, AttemptId),
    /// Something that outlives its call.
    Errand(u64),
    /// A probe, and which of the addresses of its target.
    Probe(ProbeId, u8),
}

/// How far somebody is on the way, so that it can be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing is asked or held.
    Idle,
    /// The addresses of a place are awaited.
    Asking,
    /// A connection of this line to this address is awaited or held.
    Holding(LineIndex, SocketAddr),
}

/// Where a flow comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A flow to send on; on a stream with what is known of the connection.
    Flow(Flow, Connection),
    /// There is no way.
    Blocked(ConnectError),
}

/// What is known of the connection of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// There is none: datagrams.
    None,
    /// It was opened for this user.
    Fresh,
    /// It has served before.
    Reused,
}

impl Engine {
    /// Goes to an address: at once over UDP, by a connection over TCP. What comes back goes to `user`.
    pub(super) fn go(
        &mut self,
        now: Instant,
        line: &BoundLine,
        transport: um_topology::Transport,
        remote: SocketAddr,
        deadline: Instant,
        user: User,
    ) -> Way {
        match transport {
            um_topology::Transport::Udp => {
                let flow = Flow {
                    line: line.index,
                    transport: Transport::Udp,
                    local: line.local,
                    remote,
                    connection: None,
                };
                self.arrive(now, user, Arrival::Flow(flow, Connection::None));
                Way::Idle
            }
            um_topology::Transport::Tcp => {
                // A name may have been answered after the time for the connection was up.
                self.connections.acquire(line.index, remote, deadline.max(now), user);
                Way::Holding(line.index, remote)
            }
        }
    }

    /// Gives up a way, or gives back what was got.
    pub(super) fn leave(&mut self, now: Instant, user: User, way: &Way) {
        match way {
            Way::Idle => {}
            Way::Asking => self.locator.forget(user),
            Way::Holding(line, remote) => self.connections.release(now, *line, *remote, &user),
        }
    }

    pub(super) fn on_locator(&mut self, now: Instant, output: LocatorOutput<User>) {
        match output {
            LocatorOutput::Ask(query, question) => self.outputs.push_back(Output::Resolve {
                query,
                name: question.name.into_string(),
                kind: question.kind,
            }),
            LocatorOutput::Answer(user, located) => self.on_located(now, user, located),
        }
    }

    fn on_located(&mut self, now: Instant, user: User, located: Located) {
        match user {
            User::Attempt(serial, attempt) => self.on_attempt_located(serial, attempt, located),
            User::Errand(errand) => self.on_errand_located(now, errand, located),
            User::Probe(probe, _) => self.on_probe_located(now, probe, located),
        }
    }

    pub(super) fn on_pool(&mut self, now: Instant, output: PoolOutput<User>) {
        match output {
            PoolOutput::Open { connection, line, remote, deadline } => {
                self.outputs.push_back(Output::Open { connection, line, remote, deadline });
            }
            PoolOutput::Close(connection) => self.outputs.push_back(Output::Close { connection }),
            PoolOutput::Ready { user, line, remote, link } => {
                let Link { connection, local, reused } = link;
                let flow =
                    Flow { line, transport: Transport::Tcp, local, remote, connection: Some(connection) };
                let known = if reused { Connection::Reused } else { Connection::Fresh };
                self.arrive(now, user, Arrival::Flow(flow, known));
            }
            PoolOutput::Failed(user, error) => self.arrive(now, user, Arrival::Blocked(error)),
            // The endpoint tells each transaction of a lost connection; whoever only holds it has nothing to do.
            PoolOutput::Lost(..) => {}
        }
    }

    fn arrive(&mut self, now: Instant, user: User, arrival: Arrival) {
        match user {
            User::Attempt(serial, attempt) => self.on_attempt_arrived(now, serial, attempt, arrival),
            User::Errand(errand) => self.on_errand_arrived(now, errand, arrival),
            User::Probe(probe, index) => self.on_probe_arrived(now, (probe, index), arrival),
        }
    }
}

/// The address families that an open line has sockets for; both if it has none at present.
pub(super) fn families(configuration: &Configuration, line: &Id) -> Families {
    let mut found = Families { v4: false, v6: false };
    for bound in configuration.lines.iter().filter(|b| b.id == *line && b.phase == LinePhase::Open) {
        match bound.local.is_ipv4() {
            true => found.v4 = true,
            false => found.v6 = true,
        }
    }
    if found.v4 || found.v6 { found } else { Families::BOTH }
}

/// The transport of a flow, as topology names it.
pub(super) const fn topology_transport(transport: Transport) -> um_topology::Transport {
    match transport {
        Transport::Udp => um_topology::Transport::Udp,
        Transport::Tcp => um_topology::Transport::Tcp,
    }
}
