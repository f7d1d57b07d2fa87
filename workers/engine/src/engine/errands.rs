//! What has to be sent although the call has moved on or is over: the ACK and the BYE of a dialog, and a
//! response whose connection is gone. Each finds its own way (RFC 3261 §12.2.1.1) and ends with its send;
//! what is answered or repeated after it is the endpoint's business.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use um_sip::endpoint::{DialogId, Inside};
use um_sip::{Flow, Method, Transport, Uri};
use um_topology::Host;

use super::Engine;
use super::session::Sender;
use super::way::{Arrival, User, Way, topology_transport};
use crate::locate::{Located, Place};
use crate::observation::Observation;
use crate::output::Output;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The ACK of a 2xx.
    Acknowledge,
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

#[derive(Debug)]
struct Errand {
    task: Task,
    dialog: Option<DialogId>,
    /// The flow that served last; taken if no better way is found.
    known: Flow,
    /// How to go, from the URI or as before.
    transport: Transport,
    way: Way,
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
                self.on_not_sent(sender);
            }
            return;
        };
        let errand = Errand {
            task,
            dialog: Some(dialog),
            known,
            transport: transport(&next_hop, known),
            way: Way::Idle,
        };
        match place(&next_hop, errand.transport) {
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
            transport: flow.transport,
            way: Way::Idle,
        };
        self.set_out(now, errand, &place);
    }

    fn set_out(&mut self, now: Instant, mut errand: Errand, place: &Place) {
        if self.errands.waiting.len() >= self.errands.limit {
            self.observe(Observation::Dropped { reason: "errands_full", count: 1 });
            return self.give_up(&errand);
        }
        self.errands.last += 1;
        let id = self.errands.last;
        let located = self.locator.locate(now, place, User::Errand(id));
        if located == Located::Asked {
            errand.way = Way::Asking(place.clone());
        }
        self.errands.waiting.insert(id, errand);
        if located != Located::Asked {
            self.on_errand_located(now, id, located);
        }
    }

    pub(super) fn on_errand_located(&mut self, now: Instant, id: u64, located: Located) {
        let Some(errand) = self.errands.waiting.get_mut(&id) else { return };
        errand.way = Way::Idle;
        let (known, transport) = (errand.known, errand.transport);
        let remote = match located {
            Located::At(addresses) => addresses.first().copied(),
            Located::Nowhere(_) | Located::Asked => None,
        };
        let Some(remote) = remote else { return self.end_errand(now, id, known) };
        match transport {
            Transport::Udp => {
                let flow = Flow { remote, transport: Transport::Udp, connection: None, ..known };
                self.end_errand(now, id, flow);
            }
            // The connection that served last leads there and is ours: it needs no other.
            Transport::Tcp if known.remote == remote && self.is_ours(known) => {
                self.end_errand(now, id, known)
            }
            Transport::Tcp => {
                if let Some(errand) = self.errands.waiting.get_mut(&id) {
                    errand.way = Way::Holding(known.line, remote);
                }
                self.connections.acquire(known.line, remote, now + Self::ERRAND_CONNECT, User::Errand(id));
            }
        }
    }

    pub(super) fn on_errand_arrived(&mut self, now: Instant, id: u64, arrival: Arrival) {
        let Some(errand) = self.errands.waiting.get(&id) else { return };
        match arrival {
            Arrival::Flow(flow, _) => self.end_errand(now, id, flow),
            Arrival::Blocked(_) => {
                let known = errand.known;
                self.end_errand(now, id, known);
            }
        }
    }

    /// A request inside a dialog could not be sent.
    fn on_not_sent(&mut self, sender: Sender) {
        match sender {
            Sender::Notice(number) => self.unsubscribe(number),
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
            return self.give_up(errand);
        }
        match (&errand.task, errand.dialog) {
            (Task::Acknowledge, Some(dialog)) => {
                // NotAllowed: a BYE was quicker and has sent it.
                let _ = self.endpoint.ack(dialog, flow, &Inside::default());
            }
            (Task::HangUp, Some(dialog)) => {
                if self.endpoint.bye(now, dialog, flow, Vec::new()).is_err() {
                    self.endpoint.forget(dialog);
                }
            }
            (Task::Request(method, inside, sender), Some(dialog)) => {
                match self.endpoint.request_inside(now, dialog, flow, method, inside) {
                    Ok(transaction) => {
                        self.senders.insert(transaction, *sender);
                    }
                    Err(_) => self.on_not_sent(*sender),
                }
            }
            (Task::Deliver(bytes), _) => self.outputs.push_back(Output::Send { flow, bytes: bytes.clone() }),
            (Task::Acknowledge | Task::HangUp | Task::Request(..), None) => {}
        }
    }

    /// There is no way to the peer at all.
    fn give_up(&mut self, errand: &Errand) {
        self.observe(Observation::Dropped { reason: "no_way_to_peer", count: 1 });
        match (&errand.task, errand.dialog) {
            (Task::HangUp, Some(dialog)) => self.endpoint.forget(dialog),
            (Task::Request(_, _, sender), _) => self.on_not_sent(*sender),
            (Task::HangUp | Task::Acknowledge | Task::Deliver(_), _) => {}
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
