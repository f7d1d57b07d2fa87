//! Connections that this shard opened towards peers: one per (line, remote) where possible, reused by
//! whoever goes there next, closed when unused for a while (RFC 3261 §18.1.1). Connections that peers
//! opened are not in here; they carry responses and what belongs to their dialogs only.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use um_sip::{ConnectionId, LineIndex};

use crate::input::ConnectError;

#[cfg(test)]
mod tests;

/// What the pool wants done or known; `W` names a user of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PoolOutput<W> {
    /// Open a connection.
    Open {
        /// The number it shall have.
        connection: ConnectionId,
        /// Its line.
        line: LineIndex,
        /// The peer.
        remote: SocketAddr,
        /// When to give up.
        deadline: Instant,
    },
    /// Close a connection.
    Close(ConnectionId),
    /// One who waited may send.
    Ready {
        /// Who.
        user: W,
        /// Its line.
        line: LineIndex,
        /// The peer.
        remote: SocketAddr,
        /// The connection.
        link: Link,
    },
    /// One who waited cannot have a connection.
    Failed(W, ConnectError),
    /// A connection that this user held is gone.
    Lost(W, ConnectionId),
}

/// A connection that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number.
    pub(crate) connection: ConnectionId,
    /// Our end of it.
    pub(crate) local: SocketAddr,
    /// Whether somebody has used it before; then it may have died unseen.
    pub(crate) reused: bool,
}

/// The pool of one shard.
#[derive(Debug)]
pub(crate) struct Connections<W> {
    shard: u16,
    last: u64,
    limit: usize,
    idle: Duration,
    by_id: BTreeMap<ConnectionId, Connection<W>>,
    by_remote: BTreeMap<(LineIndex, SocketAddr), ConnectionId>,
    unused: BTreeMap<(Instant, ConnectionId), ()>,
    outputs: VecDeque<PoolOutput<W>>,
}

#[derive(Debug)]
struct Connection<W> {
    line: LineIndex,
    remote: SocketAddr,
    phase: Phase,
    /// Who waits for it or holds it.
    users: Vec<W>,
    served: u64,
}

#[derive(Debug)]
enum Phase {
    Opening { deadline: Instant },
    Open { local: SocketAddr, unused_since: Option<Instant> },
}

impl<W: Clone + PartialEq> Connections<W> {
    pub(crate) fn new(shard: u16, limit: usize, idle: Duration) -> Self {
        Self {
            shard,
            last: 0,
            limit,
            idle,
            by_id: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            unused: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Asks for a connection. `Ready` or `Failed` follows for `user`; then it holds the connection until
    /// [`Connections::release`].
    pub(crate) fn acquire(&mut self, line: LineIndex, remote: SocketAddr, deadline: Instant, user: W) {
        let known = self.by_remote.get(&(line, remote)).copied();
        if let Some(connection) = known.and_then(|id| self.by_id.get_mut(&id).map(|entry| (id, entry))) {
            let (id, entry) = connection;
            entry.users.push(user.clone());
            match &mut entry.phase {
                Phase::Opening { .. } => {}
                Phase::Open { local, unused_since } => {
                    let link = Link { connection: id, local: *local, reused: entry.served > 0 };
                    entry.served += 1;
                    if let Some(since) = unused_since.take() {
                        self.unused.remove(&(since, id));
                    }
                    self.outputs.push_back(PoolOutput::Ready { user, line, remote, link });
                }
            }
            return;
        }
        if self.by_id.len() >= self.limit && !self.close_one_unused() {
            self.outputs.push_back(PoolOutput::Failed(user, ConnectError::Local));
            return;
        }
        self.last += 1;
        let connection = ConnectionId { shard: self.shard, serial: self.last | OURS };
        let entry =
            Connection { line, remote, phase: Phase::Opening { deadline }, users: vec![user], served: 0 };
        self.by_id.insert(connection, entry);
        self.by_remote.insert((line, remote), connection);
        self.outputs.push_back(PoolOutput::Open { connection, line, remote, deadline });
    }

    /// Gives a connection back, or stops waiting for it.
    pub(crate) fn release(&mut self, now: Instant, line: LineIndex, remote: SocketAddr, user: &W) {
        let Some(id) = self.by_remote.get(&(line, remote)).copied() else { return };
        let Some(entry) = self.by_id.get_mut(&id) else { return };
        let Some(position) = entry.users.iter().position(|other| other == user) else { return };
        entry.users.swap_remove(position);
        self.rest_if_unused(now, id);
    }

    pub(crate) fn opened(&mut self, now: Instant, connection: ConnectionId, local: SocketAddr) {
        let Some(entry) = self.by_id.get_mut(&connection) else {
            // What another shard opened is not ours to close.
            if connection.shard == self.shard {
                self.outputs.push_back(PoolOutput::Close(connection));
            }
            return;
        };
        entry.phase = Phase::Open { local, unused_since: None };
        for (index, user) in entry.users.iter().enumerate() {
            let link = Link { connection, local, reused: index > 0 };
            let (line, remote) = (entry.line, entry.remote);
            self.outputs.push_back(PoolOutput::Ready { user: user.clone(), line, remote, link });
        }
        entry.served += entry.users.len() as u64;
        self.rest_if_unused(now, connection);
    }

    pub(crate) fn failed(&mut self, connection: ConnectionId, error: ConnectError) {
        if let Some(entry) = self.remove(connection) {
            self.outputs.extend(entry.users.into_iter().map(|user| PoolOutput::Failed(user, error)));
        }
    }

    /// Notes that a connection is gone; one that is not in the pool is no news here.
    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.remove(connection) {
            let gone = entry.users.into_iter().map(|user| match entry.phase {
                Phase::Opening { .. } => PoolOutput::Failed(user, ConnectError::Refused),
                Phase::Open { .. } => PoolOutput::Lost(user, connection),
            });
            self.outputs.extend(gone);
        }
    }

    /// Closes what was unused for too long and gives up what does not open.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some((&(since, id), ())) = self.unused.first_key_value() {
            if since + self.idle > now {
                break;
            }
            self.remove(id);
            self.outputs.push_back(PoolOutput::Close(id));
        }
        while let Some(id) = self.late(now) {
            self.outputs.push_back(PoolOutput::Close(id));
            self.failed(id, ConnectError::TimedOut);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let idle = self.unused.first_key_value().map(|((since, _), ())| *since + self.idle);
        let opening = self.by_id.values().filter_map(|entry| match entry.phase {
            Phase::Opening { deadline } => Some(deadline + GRACE),
            Phase::Open { .. } => None,
        });
        opening.chain(idle).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<PoolOutput<W>> {
        self.outputs.pop_front()
    }

    /// Whether a connection of this pool is open.
    pub(crate) fn is_open(&self, connection: ConnectionId) -> bool {
        self.by_id.get(&connection).is_some_and(|entry| matches!(entry.phase, Phase::Open { .. }))
    }

    /// How many connections are open or being opened.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// A connection whose opening the driver should have given up.
    fn late(&self, now: Instant) -> Option<ConnectionId> {
        let late = self.by_id.iter().find(|(_, entry)| match entry.phase {
            Phase::Opening { deadline } => deadline + GRACE <= now,
            Phase::Open { .. } => false,
        });
        late.map(|(id, _)| *id)
    }

    fn rest_if_unused(&mut self, now: Instant, id: ConnectionId) {
        let Some(entry) = self.by_id.get_mut(&id) else { return };
        if !entry.users.is_empty() {
            return;
        }
        if let Phase::Open { unused_since, .. } = &mut entry.phase {
            *unused_since = Some(now);
            self.unused.insert((now, id), ());
        }
    }

    fn close_one_unused(&mut self) -> bool {
        let Some((&(_, id), ())) = self.unused.first_key_value() else { return false };
        self.remove(id);
        self.outputs.push_back(PoolOutput::Close(id));
        true
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Connection<W>> {
        let entry = self.by_id.remove(&id)?;
        let place = (entry.line, entry.remote);
        if self.by_remote.get(&place) == Some(&id) {
            self.by_remote.remove(&place);
        }
        if let Phase::Open { unused_since: Some(since), .. } = entry.phase {
            self.unused.remove(&(since, id));
        }
        Some(entry)
    }
}

/// Marks the serials that the engine gives out, as [`crate::Output::Open`] says.
const OURS: u64 = 1 << 63;
/// What the driver may be late with its own report that a connection did not open.
const GRACE: Duration = Duration::from_millis(250);
