//! What has to be sent although the call has moved on or is over: the ACK and the BYE of a dialog, and a
//! response whose connection is gone. Each finds its own way (RFC 3261 §12.2.1.1) and ends with its send;
//! what is answered or repeated after it is the endpoint's business.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_sip::endpoint::{Body, DialogId, Inside, Reliable};
use um_sip::session_timer::Failure;
use um_sip::{Flow, Method, Transport, Uri};
use um_topology::Host;

use super::Engine;
use super::session::Sender;
use super::way::{Arrival, User, Way, families, topology_transport};
use crate::configuration::BoundLine;
use crate::leg::SDP;
use crate::locate::{Families, Located, Means, Place};
use crate::observation::Observation;
use crate::output::Output;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The ACK of a 2xx, with the answer if the 2xx had the offer.
    Acknowledge(Option<Bytes>),
    /// The PRACK of a reliable provisional response, with the answer if that had the offer.
    AcknowledgeProvisional(Reliable, Option<Bytes>),
    /// The BYE; an ACK that is still owed goes with it.
    HangUp,
    /// Another request inside the dialog; whoever it is for hears of its response, or that there is none.
    Request(Method, Box<Inside>, Sender),
    /// These bytes.
    Deliver(Bytes),
}

/// Those that wait for their way.
#[derive(Debug)]
pub(super) struct Errands {
    waiting: BTreeMap<u64, Errand>,
    limit: usize,
    last: u64,
}

/// How the transport of a next hop is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// The URI names it, or a port: it is that one, or as before.
    Named,
    /// Its records may name another than before.
    Open,
}

#[derive(Debug)]
struct Errand {
    task: Task,
    dialog: Option<DialogId>,
    /// The flow that served last; taken if no better way is found.
    known: Flow,
    /// Whether the URI says how to go.
    choice: Choice,
    way: Way,
    /// What a request that is too large for it goes over after all, if no connection comes up.
    datagrams: Option<Flow>,
}

impl Errands {
    pub(super) const fn new(limit: usize) -> Self {
        Self { waiting: BTreeMap::new(), limit, last: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Engine {
    /// Sends ACK or BYE in a dialog. `known` is a flow that has served it.
    pub(super) fn run_errand(&mut self, now: Instant, dialog: DialogId, known: Flow, task: Task) {
        let Some(next_hop) = self.endpoint.dialog(dialog).map(|dialog| dialog.next_hop().clone()) else {
            if let Task::Request(_, _, sender) = task {
                self.on_not_sent(now, sender);
            }
            return;
        };
        let named = next_hop.port().is_some() || next_hop.transport().is_some();
        let choice = if named { Choice::Named } else { Choice::Open };
        let errand = Errand { task, dialog: Some(dialog), known, choice, way: Way::Idle, datagrams: None };
        match place(&next_hop, transport(&next_hop, known)) {
            Some(place) => self.set_out(now, errand, &place),
            None => self.finish(now, &errand, known),
        }
    }

    /// Sends a response to where a request came from, over a new connection.
    pub(super) fn deliver(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        let place = Place {
            host: Host::Ip(flow.remote.ip()),
            port: Some(flow.remote.port()),
            transport: topology_transport(flow.transport),
        };
        let errand = Errand {
            task: Task::Deliver(bytes),
            dialog: None,
            known: flow,
            choice: Choice::Named,
            way: Way::Idle,
            datagrams: None,
        };
        self.set_out(now, errand, &place);
    }

    fn set_out(&mut self, now: Instant, mut errand: Errand, place: &Place) {
        if self.errands.waiting.len() >= self.errands.limit {
            self.observe(Observation::Dropped { reason: "errands_full", count: 1 });
            return self.give_up(now, &errand);
        }
        self.errands.last += 1;
        let id = self.errands.last;
        let means = self.errand_means(&errand, place, id);
        let located = self.locator.locate(now, place, means, User::Errand(id));
        if located == Located::Asked {
            errand.way = Way::Asking;
        }
        self.errands.waiting.insert(id, errand);
        if located != Located::Asked {
            self.on_errand_located(now, id, located);
        }
    }

    /// What an errand may choose from. A URI that names neither port nor transport leaves that to NAPTR (RFC 3263 §4.1).
    fn errand_means(&self, errand: &Errand, place: &Place, id: u64) -> Means {
        let families = self
            .configuration
            .bound(errand.known.line)
            .map_or(Families::BOTH, |bound| families(&self.configuration, &bound.id));
        let alternative = match (errand.choice, place.transport) {
            (Choice::Open, um_topology::Transport::Udp) => Some(um_topology::Transport::Tcp),
            (Choice::Open, um_topology::Transport::Tcp) => Some(um_topology::Transport::Udp),
            (Choice::Named, _) => None,
        };
        // A TCP line has no socket for datagrams.
        let alternative = alternative.filter(|other| self.line_towards(errand.known, *other, None).is_some());
        Means { families, alternative, lot: id }
    }

    pub(super) fn on_errand_located(&mut self, now: Instant, id: u64, located: Located) {
        let Some(errand) = self.errands.waiting.get_mut(&id) else { return };
        errand.way = Way::Idle;
        let known = errand.known;
        let (transport, remote) = match located {
            Located::At { transport, addresses } => (transport, addresses.first().copied()),
            Located::Nowhere(_) | Located::Asked => (topology_transport(known.transport), None),
        };
        let Some(remote) = remote else { return self.end_errand(now, id, known) };
        let line = self.line_towards(known, transport, Some(remote.ip()));
        let (line, local) = line.map_or((known.line, known.local), |bound| (bound.index, bound.local));
        match transport {
            um_topology::Transport::Udp => {
                let flow = Flow { line, local, remote, transport: Transport::Udp, connection: None };
                self.send_or_detour(now, id, flow);
            }
            // The connection that served last leads there and is ours: it needs no other.
            um_topology::Transport::Tcp if known.remote == remote && self.is_ours(known) => {
                self.end_errand(now, id, known)
            }
            um_topology::Transport::Tcp => {
                if let Some(errand) = self.errands.waiting.get_mut(&id) {
                    errand.way = Way::Holding(line, remote);
                }
                self.connections.acquire(line, remote, now + Self::ERRAND_CONNECT, User::Errand(id));
            }
        }
    }

    /// RFC 3261 §18.1.1: what is too large for a datagram goes over TCP to the same address.
    fn send_or_detour(&mut self, now: Instant, id: u64, flow: Flow) {
        let Some(mut errand) = self.errands.waiting.remove(&id) else { return };
        let size = errand.dialog.map_or(0, |dialog| self.size_of_task(dialog, flow, &errand.task));
        let Some(line) = self.stream_instead(now, flow, size) else { return self.finish(now, &errand, flow) };
        errand.way = Way::Holding(line, flow.remote);
        errand.datagrams = Some(flow);
        self.errands.waiting.insert(id, errand);
        self.connections.acquire(line, flow.remote, now + Self::STREAM_PATIENCE, User::Errand(id));
    }

    /// The socket of the line of `known` from which a peer is reached: that of `known` itself if it serves, since a
    /// draining line still carries its own.
    fn line_towards(
        &self,
        known: Flow,
        transport: um_topology::Transport,
        remote: Option<IpAddr>,
    ) -> Option<&BoundLine> {
        let own = self.configuration.bound(known.line)?;
        let remote = remote.unwrap_or_else(|| own.local.ip());
        let serves = own.transport == transport && own.local.is_ipv4() == remote.is_ipv4();
        if serves { Some(own) } else { self.configuration.bound_towards(&own.id, transport, remote) }
    }

    pub(super) fn on_errand_arrived(&mut self, now: Instant, id: u64, arrival: Arrival) {
        let Some(errand) = self.errands.waiting.get(&id) else { return };
        match arrival {
            Arrival::Flow(flow, _) => self.end_errand(now, id, flow),
            Arrival::Blocked(_) => {
                let (known, datagrams) = (errand.known, errand.datagrams);
                if let Some(flow) = datagrams {
                    self.on_no_stream(now, flow.remote);
                }
                self.end_errand(now, id, datagrams.unwrap_or(known));
            }
        }
    }

    /// A request inside a dialog could not be sent.
    fn on_not_sent(&mut self, now: Instant, sender: Sender) {
        match sender {
            Sender::Notice(number) => self.unsubscribe(number),
            Sender::Exchange(serial, side) => self.on_offer_not_sent(now, serial, side),
            Sender::PassedOn(transaction) => self.on_not_passed_on(now, transaction),
            // The next time may be better; if not, the session ends when its time is up.
            Sender::Refresh(dialog) => self.on_refresh_lost(now, dialog, Failure::Later(ERRAND_RETRY)),
            Sender::Pulse(dialog) => self.on_pulse(now, dialog, Ok(())),
            Sender::Attempt(..) | Sender::Probe(_) => {}
        }
    }

    fn is_ours(&self, flow: Flow) -> bool {
        flow.connection.is_some_and(|connection| self.connections.is_open(connection))
    }

    fn end_errand(&mut self, now: Instant, id: u64, flow: Flow) {
        let Some(errand) = self.errands.waiting.remove(&id) else { return };
        self.finish(now, &errand, flow);
        self.leave(now, User::Errand(id), &errand.way);
    }

    fn finish(&mut self, now: Instant, errand: &Errand, flow: Flow) {
        if flow.transport == Transport::Tcp && flow.connection.is_none() {
            return self.give_up(now, errand);
        }
        match (&errand.task, errand.dialog) {
            (Task::Acknowledge(answer), Some(dialog)) => {
                let body = answer.clone().map(|bytes| Body { content_type: SDP.to_owned(), bytes });
                // NotAllowed: a BYE was quicker and has sent it.
                let _ = self.endpoint.ack(dialog, flow, &Inside { headers: Vec::new(), body });
            }
            (Task::AcknowledgeProvisional(reliable, answer), Some(dialog)) => {
                let body = answer.clone().map(|bytes| Body { content_type: SDP.to_owned(), bytes });
                let inside = Inside { headers: Vec::new(), body };
                // Gone: the attempt was given up. Its response is of no interest: the server repeats what it misses.
                let _ = self.endpoint.prack(now, dialog, flow, reliable, &inside);
            }
            (Task::HangUp, Some(dialog)) => {
                if self.endpoint.bye(now, dialog, flow, Vec::new()).is_err() {
                    self.endpoint.forget(dialog);
                }
            }
            (Task::Request(method, inside, sender), Some(dialog)) => {
                let session = self.refreshing(dialog, method);
                let with_session;
                let inside = if session.is_empty() {
                    inside
                } else {
                    let headers = inside.headers.iter().cloned().chain(session).collect();
                    with_session = Inside { headers, body: inside.body.clone() };
                    &with_session
                };
                match self.endpoint.request_inside(now, dialog, flow, method, inside) {
                    Ok(transaction) => {
                        self.senders.insert(transaction, *sender);
                        if let Sender::Exchange(serial, side) = *sender {
                            self.on_offer_sent(serial, side, transaction);
                        }
                    }
                    Err(_) => self.on_not_sent(now, *sender),
                }
            }
            (Task::Deliver(bytes), _) => self.outputs.push_back(Output::Send { flow, bytes: bytes.clone() }),
            (
                Task::Acknowledge(_) | Task::AcknowledgeProvisional(..) | Task::HangUp | Task::Request(..),
                None,
            ) => {}
        }
    }

    /// There is no way to the peer at all.
    fn give_up(&mut self, now: Instant, errand: &Errand) {
        self.observe(Observation::Dropped { reason: "no_way_to_peer", count: 1 });
        match (&errand.task, errand.dialog) {
            (Task::HangUp, Some(dialog)) => self.endpoint.forget(dialog),
            (Task::Request(_, _, sender), _) => self.on_not_sent(now, *sender),
            (
                Task::HangUp | Task::Acknowledge(_) | Task::AcknowledgeProvisional(..) | Task::Deliver(_),
                _,
            ) => {}
        }
    }
}

/// The transport that a URI asks for; without one, or where our line has no socket for it, as before.
fn transport(uri: &Uri, known: Flow) -> Transport {
    match uri.transport().and_then(Transport::from_token) {
        Some(Transport::Tcp) => Transport::Tcp,
        Some(Transport::Udp) | None => known.transport,
    }
}

fn place(uri: &Uri, transport: Transport) -> Option<Place> {
    let host = uri.host()?.to_string().parse().ok()?;
    Some(Place { host, port: uri.port(), transport: topology_transport(transport) })
}

/// When a refresh for which there was no way is tried again.
const ERRAND_RETRY: Duration = Duration::from_secs(2);
