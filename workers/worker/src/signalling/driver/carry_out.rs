//! The driver's outgoing half: what an engine asks for, and what the sockets make of it.
//!
//! A send that fails is news for the engine, but it comes in the middle of the engine's outputs. So it is kept as
//! aftermath and handed over when the outputs are through; the depth of the stack does not grow with failures.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

use bytes::Bytes;
use um_engine::{ConnectError, Input, Output};
use um_sip::{ConnectionId, Flow, LineIndex, Transport};

use super::{Driver, Socket, Surroundings};
use crate::signalling::{
    connections::Origin,
    mailbox::Command,
    sockets,
    stream::{Connection, Standing},
};

impl<S: Surroundings> Driver<S> {
    /// Carries out everything that the engine wants done, and all that follows from it.
    pub(super) fn carry_out(&mut self, now: Instant) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                self.perform(now, output);
            }
            let Some(input) = self.aftermath.pop_front() else { return };
            self.engine.handle_input(now, input);
        }
    }

    fn perform(&mut self, now: Instant, output: Output) {
        match output {
            Output::Send { flow, bytes } if flow.connection.is_some() => self.send_stream(flow, bytes),
            Output::Send { flow, bytes } => self.send_datagram(flow, bytes),
            Output::Open { connection, line, remote, deadline } => {
                self.open(connection, line, remote, deadline)
            }
            Output::Close { connection } => self.close(now, connection),
            Output::Resolve { .. } => self.surroundings.resolve(output),
            Output::Relay(command) => {
                self.note_order(now, &command);
                self.surroundings.relay(command);
            }
            Output::Gossip(gossip) => self.tell_others(&Input::Gossip(gossip)),
            Output::Observe(observation) => self.surroundings.observe(observation),
            Output::LineIdle { line } => self.surroundings.line_idle(line),
        }
    }

    /// Sends on a connection, ours or another shard's.
    pub(super) fn send_stream(&mut self, flow: Flow, bytes: Bytes) {
        let Some(connection) = flow.connection else { return };
        if connection.shard != self.shard {
            if let Some(peer) = self.peers.get(usize::from(connection.shard)) {
                peer.post(Command::Send { flow, bytes });
            }
            return;
        }
        let key = self.connections.key(connection);
        match key.and_then(|key| self.sockets.get_mut(key)) {
            Some(Socket::Stream(stream)) => {
                self.traffic.tcp_out += 1;
                let standing = stream.send(bytes);
                self.settle(flow, standing);
            }
            Some(Socket::Udp { .. } | Socket::Listener { .. }) | None => {
                self.tell_all(&Input::ConnectionClosed { connection });
            }
        }
    }

    fn open(&mut self, connection: ConnectionId, line: LineIndex, remote: SocketAddr, deadline: Instant) {
        let local = self.bound.get(&line).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip);
        let stream = if self.connections.has_room(line, Origin::Opened) {
            sockets::connect_tcp(local, remote)
        } else {
            Err(io::Error::from(io::ErrorKind::QuotaExceeded))
        };
        let local = SocketAddr::new(local, 0);
        let flow = Flow { line, transport: Transport::Tcp, local, remote, connection: Some(connection) };
        let adopted = stream.and_then(|stream| {
            self.adopt(Connection::opening(deadline, stream, flow, &self.limits), connection, Origin::Opened)
                .ok_or_else(|| io::Error::other("the poll takes no more sockets"))
        });
        if let Err(error) = adopted {
            let error = connect_error(&error);
            self.aftermath.push_back(Input::ConnectionFailed { connection, error });
        }
    }

    /// Closes a connection, ours or another shard's, once what is queued on it is written.
    pub(super) fn close(&mut self, now: Instant, connection: ConnectionId) {
        if connection.shard != self.shard {
            if let Some(peer) = self.peers.get(usize::from(connection.shard)) {
                peer.post(Command::Close(connection));
            }
            return;
        }
        let key = self.connections.key(connection);
        if let Some(Socket::Stream(stream)) = key.and_then(|key| self.sockets.get_mut(key)) {
            let flow = stream.flow();
            let standing = stream.close(now);
            self.settle(flow, standing);
        }
    }

    /// Takes note of how a connection stands; one that is over is forgotten, and every shard hears of it.
    pub(super) fn settle(&mut self, flow: Flow, standing: Standing) {
        let Some(connection) = flow.connection else { return };
        match standing {
            Standing::Over => {
                if self.forget(connection) {
                    self.tell_all(&Input::ConnectionClosed { connection });
                }
            }
            Standing::Open(_) => {
                let key = self.connections.key(connection);
                if let Some(Socket::Stream(stream)) = key.and_then(|key| self.sockets.get(key)) {
                    self.connections.set_deadline(connection, stream.deadline());
                }
            }
        }
    }

    /// Drops a connection's socket; `false` when it was gone already.
    pub(super) fn forget(&mut self, connection: ConnectionId) -> bool {
        let Some(key) = self.connections.remove(connection) else { return false };
        self.sockets.try_remove(key).is_some()
    }

    /// Tells every shard, ours included, what concerns them all.
    pub(super) fn tell_all(&mut self, input: &Input) {
        self.tell_others(input);
        self.aftermath.push_back(input.clone());
    }

    fn tell_others(&self, input: &Input) {
        for (number, peer) in self.peers.iter().enumerate() {
            if number != usize::from(self.shard) {
                peer.post(Command::Input(input.clone()));
            }
        }
    }
}

/// Says in the engine's words why a connection did not come up.
pub(super) fn connect_error(error: &io::Error) -> ConnectError {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset) {
        ConnectError::Refused
    } else if matches!(kind, io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) {
        ConnectError::Unreachable
    } else if kind == io::ErrorKind::TimedOut {
        ConnectError::TimedOut
    } else {
        ConnectError::Local
    }
}
