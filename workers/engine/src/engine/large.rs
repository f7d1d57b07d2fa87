//! Requests too large for a datagram (RFC 3261 §18.1.1): above 1 300 bytes one that would go over UDP goes over TCP
//! to the same address, if our line has a socket for that. A peer that takes no connection gets the same request
//! over UDP at once, and is not asked again for a while.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_sip::endpoint::{Body, DialogId, Inside};
use um_sip::{Flow, LineIndex, Method, Transport};

use super::Engine;
use super::errands::Task;
use crate::configuration::LinePhase;
use crate::leg::SDP;

/// Peers that took no connection for a large request, each until when that is believed.
#[derive(Debug, Default)]
pub(super) struct DatagramsOnly {
    until: BTreeMap<SocketAddr, Instant>,
}

impl DatagramsOnly {
    fn note(&mut self, now: Instant, remote: SocketAddr) {
        if self.until.len() >= LIMIT {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() < LIMIT {
            self.until.insert(remote, now + BELIEVED);
        }
    }

    fn holds(&self, now: Instant, remote: SocketAddr) -> bool {
        self.until.get(&remote).is_some_and(|until| *until > now)
    }
}

impl Engine {
    /// The line from which a request of this size goes over TCP, though it was to go over this flow.
    pub(super) fn stream_instead(&self, now: Instant, flow: Flow, size: usize) -> Option<LineIndex> {
        if flow.transport != Transport::Udp || size <= LARGEST || self.datagrams_only.holds(now, flow.remote)
        {
            return None;
        }
        let own = self.configuration.bound(flow.line)?;
        let mut lines = self.configuration.lines.iter();
        let fits = lines.find(|line| {
            line.id == own.id
                && line.transport == um_topology::Transport::Tcp
                && line.local.is_ipv4() == flow.remote.is_ipv4()
                && line.phase == LinePhase::Open
        });
        fits.map(|line| line.index)
    }

    /// What a task of a dialog would put on the wire over a flow.
    pub(super) fn size_of_task(&mut self, dialog: DialogId, flow: Flow, task: &Task) -> usize {
        let with = |answer: &Option<Bytes>| {
            let body = answer.clone().map(|bytes| Body { content_type: SDP.to_owned(), bytes });
            Inside { headers: Vec::new(), body }
        };
        let size = match task {
            Task::Acknowledge(answer) => self.endpoint.size_inside(dialog, flow, &Method::Ack, &with(answer)),
            Task::AcknowledgeProvisional(_, answer) => {
                self.endpoint.size_inside(dialog, flow, &Method::Prack, &with(answer)).map(|size| size + RACK)
            }
            Task::HangUp => self.endpoint.size_inside(dialog, flow, &Method::Bye, &Inside::default()),
            Task::Request(method, inside, _) => self.endpoint.size_inside(dialog, flow, method, inside),
            Task::Deliver(_) => return 0,
        };
        size.unwrap_or(0)
    }

    /// No connection came up for a large request.
    pub(super) fn on_no_stream(&mut self, now: Instant, remote: SocketAddr) {
        self.datagrams_only.note(now, remote);
    }

    /// How long the connection for a large request may take before it goes over UDP after all.
    pub(super) const STREAM_PATIENCE: Duration = Duration::from_millis(500);
}

/// The largest request for a datagram where the path's MTU is not known, bytes.
const LARGEST: usize = 1_300;
/// What the longest RAck adds, bytes.
const RACK: usize = 40;
/// Peers that are remembered.
const LIMIT: usize = 1_024;
/// How long.
const BELIEVED: Duration = Duration::from_secs(60);
