//! Datagrams on their way out, collected over a part of a turn and sent by one system call.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use um_engine::Input;
use um_sip::Flow;

use super::{Driver, Socket, Surroundings};
use crate::signalling::udp::Sent;

/// Datagrams that are sent at once.
const MOST: usize = 32;

/// What waits to be sent through one socket.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    socket: Option<usize>,
    flows: Vec<Flow>,
    datagrams: Vec<(SocketAddr, Bytes)>,
}

impl<S: Surroundings> Driver<S> {
    /// Queues a datagram; what has no socket is news for the engine.
    pub(super) fn send_datagram(&mut self, flow: Flow, bytes: Bytes) {
        let Some(key) = self.datagrams.get(&flow.line).copied() else {
            return self.aftermath.push_back(Input::SendFailed { flow });
        };
        if self.outbox.socket != Some(key) || self.outbox.datagrams.len() >= MOST {
            self.send_queued();
        }
        self.outbox.socket = Some(key);
        self.outbox.flows.push(flow);
        self.outbox.datagrams.push((flow.remote, bytes));
    }

    /// Sends what is queued, and all that follows from it.
    pub(super) fn flush(&mut self, now: Instant) {
        loop {
            self.send_queued();
            if self.aftermath.is_empty() {
                return;
            }
            self.carry_out(now);
        }
    }

    fn send_queued(&mut self) {
        let Outbox { socket, flows, datagrams } = &mut self.outbox;
        let socket = socket.take().and_then(|key| self.sockets.get(key));
        let (traffic, aftermath) = (&mut self.traffic, &mut self.aftermath);
        let mut on_sent = |place: usize, sent| match sent {
            Sent::Whole => traffic.udp_out += 1,
            Sent::Lost => traffic.lost += 1,
            Sent::Refused => {
                aftermath.extend(flows.get(place).map(|flow| Input::SendFailed { flow: *flow }));
            }
        };
        match socket {
            Some(Socket::Udp { socket, .. }) => socket.send_batch(datagrams, on_sent),
            Some(Socket::Listener { .. } | Socket::Stream(_)) | None => {
                (0..datagrams.len()).for_each(|place| on_sent(place, Sent::Refused));
            }
        }
        flows.clear();
        datagrams.clear();
    }
}
