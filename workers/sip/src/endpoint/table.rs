//! All transactions of an endpoint: found by handle, by what a message says, by the flow they use, and by the deadline
//! that comes next. Nothing here is ever scanned.
//!
//! | index | keyed by |
//! |---|---|
//! | `servers`, `clients` | handle |
//! | `server_keys` | branch, sent-by, method (RFC 3261 §17.2.3) |
//! | `client_keys` | our branch, method (§17.1.3) |
//! | `merge_keys` | Call-ID, From tag, CSeq of requests without To tag (§8.2.2.2) |
//! | `deadlines` | instant, handle |
//! | `paths` | connection, or remote address of a request that waits for its final response; handle |

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Instant};

use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::{
    ClientTransaction, ServerTransaction,
    entry::{ClientEntry, ServerEntry},
};
use crate::flow::{ConnectionId, Flow, LineIndex};

/// A transaction of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Server(ServerTransaction),
    Client(ClientTransaction),
}

/// What can fail under a transaction: its connection, or the way to its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    Connection(ConnectionId),
    Peer(LineIndex, SocketAddr),
}

impl From<&Flow> for Path {
    fn from(flow: &Flow) -> Self {
        match flow.connection {
            Some(connection) => Self::Connection(connection),
            None => Self::Peer(flow.line, flow.remote),
        }
    }
}

/// An entry that knows its deadline and remembers the one it is filed under.
pub(super) trait Due {
    fn due(&self) -> Option<Instant>;
    fn scheduled(&mut self) -> &mut Option<Instant>;
}

/// The transactions; each in a place of its own, so that the room of those that are over is given back.
#[derive(Debug)]
pub(super) struct Table {
    servers: HashMap<ServerTransaction, Box<ServerEntry>, FixedState>,
    clients: HashMap<ClientTransaction, Box<ClientEntry>, FixedState>,
    server_keys: HashMap<Arc<[u8]>, ServerTransaction, FixedState>,
    client_keys: HashMap<Arc<[u8]>, ClientTransaction, FixedState>,
    merge_keys: HashMap<Arc<[u8]>, ServerTransaction, FixedState>,
    deadlines: BTreeSet<(Instant, Owner)>,
    paths: BTreeSet<(Path, Owner)>,
    next: u64,
    limit: usize,
}

impl Table {
    pub(super) fn new(seed: u64, limit: usize) -> Self {
        let state = FixedState::with_seed(seed);
        Self {
            servers: HashMap::with_hasher(state.clone()),
            clients: HashMap::with_hasher(state.clone()),
            server_keys: HashMap::with_hasher(state.clone()),
            client_keys: HashMap::with_hasher(state.clone()),
            merge_keys: HashMap::with_hasher(state),
            deadlines: BTreeSet::new(),
            paths: BTreeSet::new(),
            next: 0,
            limit,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    /// Returns how many rows all indexes have together: none may outlive its transaction.
    #[cfg(test)]
    pub(super) fn rows(&self) -> usize {
        let maps = [self.server_keys.len(), self.client_keys.len(), self.merge_keys.len()];
        self.len() + maps.iter().sum::<usize>() + self.deadlines.len() + self.paths.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    pub(super) fn insert_server(&mut self, entry: ServerEntry) -> ServerTransaction {
        self.next += 1;
        let id = ServerTransaction(self.next);
        self.server_keys.insert(Arc::clone(&entry.key), id);
        if let Some(key) = &entry.merge_key {
            self.merge_keys.insert(Arc::clone(key), id);
        }
        self.servers.insert(id, Box::new(entry));
        self.file_server(id);
        id
    }

    pub(super) fn insert_client(&mut self, entry: ClientEntry) -> ClientTransaction {
        self.next += 1;
        let id = ClientTransaction(self.next);
        self.client_keys.insert(Arc::clone(&entry.key), id);
        self.clients.insert(id, Box::new(entry));
        self.file_client(id);
        id
    }

    pub(super) fn find_server(&self, key: &[u8]) -> Option<ServerTransaction> {
        self.server_keys.get(key).copied()
    }

    pub(super) fn find_client(&self, key: &[u8]) -> Option<ClientTransaction> {
        self.client_keys.get(key).copied()
    }

    pub(super) fn find_merged(&self, key: &[u8]) -> Option<ServerTransaction> {
        self.merge_keys.get(key).copied()
    }

    pub(super) fn server(&mut self, id: ServerTransaction) -> Option<&mut ServerEntry> {
        self.servers.get_mut(&id).map(Box::as_mut)
    }

    pub(super) fn client(&mut self, id: ClientTransaction) -> Option<&mut ClientEntry> {
        self.clients.get_mut(&id).map(Box::as_mut)
    }

    /// Files the transaction under its present deadline and path; to be called after every change to it. An unreachable
    /// peer is no news for a response: the next repetition may arrive.
    pub(super) fn file_server(&mut self, id: ServerTransaction) {
        if let Some(entry) = self.servers.get_mut(&id) {
            let owner = Owner::Server(id);
            file(&mut self.deadlines, owner, &mut **entry);
            let path = entry.flow.connection.map(Path::Connection);
            list(&mut self.paths, owner, &mut entry.path, path);
        }
    }

    /// Like [`Self::file_server`].
    pub(super) fn file_client(&mut self, id: ClientTransaction) {
        if let Some(entry) = self.clients.get_mut(&id) {
            let owner = Owner::Client(id);
            file(&mut self.deadlines, owner, &mut **entry);
            let path = match Path::from(&entry.flow) {
                path @ Path::Connection(_) => Some(path),
                path @ Path::Peer(..) => Some(path).filter(|_| entry.waits()),
            };
            list(&mut self.paths, owner, &mut entry.path, path);
        }
    }

    pub(super) fn remove_server(&mut self, id: ServerTransaction) -> Option<Box<ServerEntry>> {
        let entry = self.servers.remove(&id)?;
        let owner = Owner::Server(id);
        self.server_keys.remove(&entry.key);
        if let Some(key) = &entry.merge_key {
            self.merge_keys.remove(key);
        }
        if let Some(path) = entry.path {
            self.paths.remove(&(path, owner));
        }
        if let Some(at) = entry.due {
            self.deadlines.remove(&(at, owner));
        }
        Some(entry)
    }

    pub(super) fn remove_client(&mut self, id: ClientTransaction) -> Option<Box<ClientEntry>> {
        let entry = self.clients.remove(&id)?;
        let owner = Owner::Client(id);
        self.client_keys.remove(&entry.key);
        if let Some(path) = entry.path {
            self.paths.remove(&(path, owner));
        }
        if let Some(at) = entry.due {
            self.deadlines.remove(&(at, owner));
        }
        Some(entry)
    }

    /// Lets the responses of a transaction take another way.
    pub(super) fn reroute_server(&mut self, id: ServerTransaction, flow: Flow) {
        if let Some(entry) = self.servers.get_mut(&id) {
            entry.flow = flow;
        }
        self.file_server(id);
    }

    /// Lets what a client transaction still sends take another way.
    pub(super) fn reroute_client(&mut self, id: ClientTransaction, flow: Flow) {
        if let Some(entry) = self.clients.get_mut(&id) {
            entry.flow = flow;
        }
        self.file_client(id);
    }

    /// Returns the transactions that use a path.
    pub(super) fn on_path(&self, path: Path) -> Vec<Owner> {
        let first = (path, Owner::Server(ServerTransaction(0)));
        let last = (path, Owner::Client(ClientTransaction(u64::MAX)));
        self.paths.range(first..=last).map(|(_, owner)| *owner).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Returns a transaction whose deadline has come; it stays filed until it is filed anew.
    pub(super) fn first_due(&self, now: Instant) -> Option<Owner> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, owner)| *owner)
    }
}

fn file(deadlines: &mut BTreeSet<(Instant, Owner)>, owner: Owner, entry: &mut impl Due) {
    let due = entry.due();
    let scheduled = entry.scheduled();
    if *scheduled == due {
        return;
    }
    if let Some(at) = scheduled.take() {
        deadlines.remove(&(at, owner));
    }
    if let Some(at) = due {
        deadlines.insert((at, owner));
    }
    *scheduled = due;
}

fn list(paths: &mut BTreeSet<(Path, Owner)>, owner: Owner, listed: &mut Option<Path>, path: Option<Path>) {
    if *listed == path {
        return;
    }
    if let Some(old) = listed.take() {
        paths.remove(&(old, owner));
    }
    if let Some(new) = path {
        paths.insert((new, owner));
    }
    *listed = path;
}
