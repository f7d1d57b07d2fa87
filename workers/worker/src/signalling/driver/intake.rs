//! The driver's incoming half: datagrams, connections, what they bring, and what becomes of those that bring nothing.
//!
//! Every read is a bounded batch; a socket with more left over is read again on the next turn, after all others.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Interest, Token, event::Event};
use nix::libc;
use um_engine::{ConnectError, Input};
use um_sip::{ConnectionId, Flow, LineIndex, Transport};

use super::{ACCEPTS, Driver, MAILBOX, REST, Socket, Surroundings, carry_out::connect_error, reception::age};
use crate::{
    clock,
    signalling::{
        connections::Origin,
        sockets,
        stream::{Connection, Received, Standing},
        udp::{Batch, Left},
    },
};

/// Batches of datagrams that one socket gets a turn.
const BATCHES: usize = 8;
/// Reads that one connection gets a turn.
const READS: usize = 16;
/// ICMP errors that one socket can have waiting; the kernel keeps fewer.
const MAX_ERRORS: usize = 65_536;
/// How often it is said that nothing can be accepted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// What a keep-alive is answered with (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

impl<S: Surroundings> Driver<S> {
    /// `since` is when what the poll names became so, at the earliest.
    pub(super) fn on_event(&mut self, now: Instant, since: Instant, event: &Event) {
        if event.token() == MAILBOX {
            return;
        }
        let key = event.token().0;
        if event.is_error() {
            self.on_socket_error(now, key);
        }
        if event.is_writable() {
            self.on_writable(now, key);
        }
        if event.is_readable() {
            self.on_readable(now, since, key);
        }
    }

    fn on_socket_error(&mut self, now: Instant, key: usize) {
        let Some(Socket::Udp { line, local, socket, .. }) = self.sockets.get(key) else { return };
        let (line, local) = (*line, *local);
        let mut unreachable = Vec::new();
        socket.errors(MAX_ERRORS, |remote| unreachable.push(remote));
        for remote in unreachable {
            let flow = Flow { line, transport: Transport::Udp, local, remote, connection: None };
            self.tell_all(&Input::SendFailed { flow });
        }
        self.carry_out(now);
    }

    pub(super) fn on_readable(&mut self, now: Instant, since: Instant, key: usize) {
        match self.sockets.get_mut(key) {
            Some(Socket::Udp { .. }) => self.read_datagrams(now, key),
            Some(Socket::Listener { .. }) => self.accept(now, key),
            Some(Socket::Stream(connection)) if !connection.is_connecting() => {
                self.read_stream(now, since, key)
            }
            Some(Socket::Stream(_)) | None => {}
        }
    }

    fn read_datagrams(&mut self, now: Instant, key: usize) {
        let Some(mut batch) = self.batch.take() else { return };
        for _ in 0..BATCHES {
            let Some(Socket::Udp { line, local, socket, .. }) = self.sockets.get(key) else { break };
            let (line, local) = (*line, *local);
            let (count, left) = socket.recv_batch(&mut batch);
            self.on_datagrams(now, key, (line, local), &batch, count);
            match left {
                Left::Nothing => {
                    self.unread.remove(&key);
                    break;
                }
                Left::Maybe => {
                    self.unread.insert(key, now);
                }
            }
        }
        self.batch = Some(batch);
    }

    fn on_datagrams(
        &mut self,
        now: Instant,
        key: usize,
        (line, local): (LineIndex, SocketAddr),
        batch: &Batch,
        count: usize,
    ) {
        self.traffic.udp_in += count as u64;
        let wall = clock::wall();
        for (place, datagram) in (0..count).filter_map(|index| batch.datagram(index)).enumerate() {
            let age = age(wall, datagram.stamp);
            if place == 0 {
                self.note_overflow(key, datagram.overflow);
                // The oldest of the batch has waited longest.
                self.note_lag(now, age);
            }
            let remote = datagram.source;
            let flow = Flow { line, transport: Transport::Udp, local, remote, connection: None };
            let arrived = now.checked_sub(age).unwrap_or(now);
            self.dispatch(now, arrived, flow, Bytes::copy_from_slice(datagram.bytes));
        }
    }

    /// Counts what the kernel had no room for since it last told.
    fn note_overflow(&mut self, key: usize, told: Option<u32>) {
        if let (Some(Socket::Udp { overflow, .. }), Some(told)) = (self.sockets.get_mut(key), told) {
            self.traffic.overflowed += u64::from(told.wrapping_sub(*overflow));
            *overflow = told;
        }
    }

    fn accept(&mut self, now: Instant, key: usize) {
        for _ in 0..ACCEPTS {
            let Some(Socket::Listener { line, socket }) = self.sockets.get(key) else { return };
            let line = *line;
            match socket.accept() {
                Ok((stream, remote)) => self.on_accepted(now, line, stream, remote),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_exhausted(&error) => return self.rest(now, key, &error),
                // A connection that died in the queue.
                Err(_) => {}
            }
        }
        self.unread.insert(key, now);
    }

    /// Leaves a listener alone for a while: without descriptors it would stay readable and only burn the processor.
    fn rest(&mut self, now: Instant, key: usize, error: &io::Error) {
        if self.complained.is_none_or(|at| now.saturating_duration_since(at) >= COMPLAIN_EVERY) {
            self.complained = Some(now);
            tracing::warn!(%error, "no further connections can be accepted now");
        }
        self.resting.get_or_insert_with(|| (now + REST, BTreeSet::new())).1.insert(key);
    }

    fn on_accepted(
        &mut self,
        now: Instant,
        line: LineIndex,
        stream: mio::net::TcpStream,
        remote: SocketAddr,
    ) {
        let Ok(local) = stream.local_addr() else { return };
        if !self.connections.has_room(line, Origin::Accepted) {
            self.traffic.refused += 1;
            return;
        }
        sockets::tune(&stream);
        self.accepted += 1;
        let id = ConnectionId { shard: self.shard, serial: self.accepted };
        let flow = Flow { line, transport: Transport::Tcp, local, remote, connection: Some(id) };
        let connection = Connection::accepted(now, stream, flow, &self.limits);
        if let Some(key) = self.adopt(connection, id, Origin::Accepted) {
            self.read_stream(now, now, key);
        }
    }

    pub(super) fn adopt(
        &mut self,
        mut connection: Connection,
        id: ConnectionId,
        origin: Origin,
    ) -> Option<usize> {
        let (line, deadline) = (connection.flow().line, connection.deadline());
        let entry = self.sockets.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(connection.source(), Token(key), interest).ok()?;
        entry.insert(Socket::Stream(Box::new(connection)));
        self.connections.insert(id, key, line, origin);
        self.connections.set_deadline(id, deadline);
        Some(key)
    }

    fn read_stream(&mut self, now: Instant, since: Instant, key: usize) {
        let Some(Socket::Stream(connection)) = self.sockets.get_mut(key) else { return };
        let flow = connection.flow();
        let mut batch = Vec::new();
        let standing = connection.receive(now, &mut self.scratch, READS, |received| batch.push(received));
        if standing == Standing::Open(Left::Maybe) {
            self.unread.insert(key, since);
        }
        self.note_lag(now, now.saturating_duration_since(since));
        for received in batch {
            match received {
                Received::Message(bytes) => {
                    self.traffic.tcp_in += 1;
                    self.dispatch(now, since, flow, bytes);
                }
                Received::Ping => self.send_stream(flow, Bytes::from_static(PONG)),
                Received::FramingLost(error) => {
                    tracing::debug!(%error, "a stream lost its framing");
                    self.handle(now, Input::FramingLost { flow, error: Box::new(error) });
                }
            }
        }
        self.settle(flow, standing);
        self.carry_out(now);
    }

    fn on_writable(&mut self, now: Instant, key: usize) {
        let Some(Socket::Stream(connection)) = self.sockets.get_mut(key) else { return };
        if connection.is_connecting() {
            let opening = connection.flow();
            let connected = connection.finish_connect();
            let flow = connection.flow();
            match connected {
                Ok(true) => self.on_connected(now, flow),
                Ok(false) => return,
                Err(error) => return self.on_connect_failed(now, opening, connect_error(&error)),
            }
        }
        let Some(Socket::Stream(connection)) = self.sockets.get_mut(key) else { return };
        let flow = connection.flow();
        let standing = connection.write();
        self.settle(flow, standing);
        self.carry_out(now);
    }

    fn on_connected(&mut self, now: Instant, flow: Flow) {
        let Some(connection) = flow.connection else { return };
        self.connections.set_deadline(connection, None);
        self.handle(now, Input::ConnectionOpened { connection, local: flow.local });
    }

    fn on_connect_failed(&mut self, now: Instant, flow: Flow, error: ConnectError) {
        let Some(connection) = flow.connection else { return };
        self.forget(connection);
        self.handle(now, Input::ConnectionFailed { connection, error });
    }

    /// A connection that did not come up in time, or whose peer keeps us waiting for too long.
    pub(super) fn on_deadline(&mut self, now: Instant, id: ConnectionId) {
        let socket = self.connections.key(id).and_then(|key| self.sockets.get(key));
        match socket {
            Some(Socket::Stream(stream)) if stream.is_connecting() => {
                let flow = stream.flow();
                self.on_connect_failed(now, flow, ConnectError::TimedOut);
            }
            Some(Socket::Stream(stream)) => {
                let flow = stream.flow();
                tracing::debug!(remote = %flow.remote, "a connection is cut off: it kept us waiting");
                self.settle(flow, Standing::Over);
                self.carry_out(now);
            }
            Some(Socket::Udp { .. } | Socket::Listener { .. }) | None => {
                self.forget(id);
            }
        }
    }
}

/// Whether the system is short of something that every connection needs, as against a fault of one connection.
fn is_exhausted(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    matches!(code, Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
