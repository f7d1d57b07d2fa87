//! A call with everything around its machine: legs, media, its place in the topology of its birth, its
//! story for the record. And all of them, found by number, transaction, dialog, relay and deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use um_media::sdp::Agreement;
use um_media::{Leg, Negotiation, PortPair};
use um_routing::{Explanation, TargetId};
use um_sip::endpoint::{ClientTransaction, DialogId, Identity, ServerTransaction};
use um_sip::{Flow, LineIndex};

use super::way::Way;
use crate::call::words::{AttemptId, Carrier};
use crate::call::{Call, Plan};
use crate::configuration::{BoundLine, Configuration};

/// One call.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) call: Call,
    /// The topology and lines of its birth.
    pub(super) configuration: Arc<Configuration>,
    pub(super) plan: Arc<Plan>,
    pub(super) inbound: Inbound,
    /// The attempt under way, or the one that was answered.
    pub(super) outbound: Option<Outbound>,
    /// What the last INVITE was sent with; a redirection counts on from it.
    pub(super) identity: Option<Identity>,
    /// The id of the session in our offer to the server; a redirection repeats it.
    pub(super) description: u64,
    pub(super) media: Media,
    pub(super) story: Story,
    /// The deadline under which it is filed.
    due: Option<Instant>,
}

/// The caller's leg.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) line: BoundLine,
    pub(super) flow: Flow,
    pub(super) transaction: ServerTransaction,
    pub(super) dialog: Option<DialogId>,
    pub(super) negotiation: Option<Negotiation>,
    /// The caller's offer, until the ports for its answer are reserved.
    pub(super) offer: Bytes,
    /// User part of our Contact: what the caller dialled.
    pub(super) contact_user: Option<String>,
    /// Max-Forwards of what we send on.
    pub(super) max_forwards: u8,
    /// The answer to the offer, once an attempt has given one.
    pub(super) answer: Option<Bytes>,
}

/// One attempt, and if it is answered the leg towards the UM server.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) attempt: AttemptId,
    pub(super) target: usize,
    pub(super) started: Instant,
    pub(super) way: Way,
    pub(super) carrier: Carrier,
    pub(super) uri: um_topology::Uri,
    pub(super) remote: Option<SocketAddr>,
    pub(super) flow: Option<Flow>,
    pub(super) transaction: Option<ClientTransaction>,
    pub(super) dialog: Option<DialogId>,
    pub(super) negotiation: Option<Negotiation>,
    pub(super) agreement: Option<Agreement>,
    /// What the relay was told of it.
    pub(super) told: Option<Agreement>,
}

/// The relay of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// No ports are held.
    None,
    /// Ports are held; the relay opens or is open.
    Held { relay: u64, inbound: PortPair, outbound: PortPair },
}

/// What the record of the call will say.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) call_id: Arc<str>,
    pub(super) started: Instant,
    pub(super) attempts: u16,
    pub(super) answered: Option<Instant>,
    pub(super) answered_by: Option<TargetId>,
    /// The target of the attempt before.
    pub(super) last_target: Option<usize>,
    pub(super) explanation: Option<Arc<Explanation>>,
    pub(super) relay_retries: u8,
}

/// Who sent a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// An attempt of a call.
    Attempt(u64, AttemptId),
    /// A probe of a target.
    Probe(crate::health::ProbeId),
}

/// All calls of a shard.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    calls: BTreeMap<u64, Box<Session>>,
    servers: BTreeMap<ServerTransaction, u64>,
    dialogs: BTreeMap<DialogId, (u64, Leg)>,
    relays: BTreeMap<u64, u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    last: u64,
}

impl Session {
    pub(super) fn new(
        now: Instant,
        configuration: Arc<Configuration>,
        plan: Arc<Plan>,
        inbound: Inbound,
        story: Story,
    ) -> Box<Self> {
        Box::new(Self {
            call: Call::new(now, Arc::clone(&plan)),
            configuration,
            plan,
            inbound,
            outbound: None,
            identity: None,
            description: 0,
            media: Media::None,
            story,
            due: None,
        })
    }

    /// The attempt, if it is the present one.
    pub(super) fn attempt(&mut self, attempt: AttemptId) -> Option<&mut Outbound> {
        self.outbound.as_mut().filter(|outbound| outbound.attempt == attempt)
    }

    /// The lines whose sockets it may still need.
    pub(super) fn lines(&self) -> Vec<LineIndex> {
        let line_out = &self.plan.route.line_out;
        let out = self.configuration.lines.iter().filter(|line| line.id == *line_out).map(|line| line.index);
        let mut lines: Vec<LineIndex> = out.chain([self.inbound.line.index]).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }
}

impl Sessions {
    pub(super) fn insert(&mut self, session: Box<Session>) -> u64 {
        self.last += 1;
        self.servers.insert(session.inbound.transaction, self.last);
        self.calls.insert(self.last, session);
        self.last
    }

    /// Takes a call out, and every way to find it.
    pub(super) fn remove(&mut self, serial: u64) -> Option<Box<Session>> {
        let session = self.calls.remove(&serial)?;
        self.servers.remove(&session.inbound.transaction);
        let legs = [session.inbound.dialog, session.outbound.as_ref().and_then(|outbound| outbound.dialog)];
        for dialog in legs.into_iter().flatten() {
            self.dialogs.remove(&dialog);
        }
        if let Some(due) = session.due {
            self.deadlines.remove(&(due, serial));
        }
        Some(session)
    }

    pub(super) fn get(&mut self, serial: u64) -> Option<&mut Session> {
        self.calls.get_mut(&serial).map(Box::as_mut)
    }

    pub(super) fn by_server(&self, transaction: ServerTransaction) -> Option<u64> {
        self.servers.get(&transaction).copied()
    }

    pub(super) fn by_dialog(&self, dialog: DialogId) -> Option<(u64, Leg)> {
        self.dialogs.get(&dialog).copied()
    }

    pub(super) fn name_dialog(&mut self, dialog: DialogId, serial: u64, leg: Leg) {
        self.dialogs.insert(dialog, (serial, leg));
    }

    pub(super) fn name_relay(&mut self, relay: u64, serial: u64) {
        self.relays.insert(relay, serial);
    }

    /// The call of a relay; it stays known until the relay is closed, longer than the call.
    pub(super) fn by_relay(&self, relay: u64) -> Option<u64> {
        self.relays.get(&relay).copied()
    }

    pub(super) fn forget_relay(&mut self, relay: u64) -> Option<u64> {
        self.relays.remove(&relay)
    }

    /// Files a call under its present deadline; to be called after every change to it.
    pub(super) fn file(&mut self, serial: u64) {
        let Some(session) = self.calls.get_mut(&serial) else { return };
        let due = session.call.poll_timeout();
        if session.due == due {
            return;
        }
        if let Some(old) = session.due.take() {
            self.deadlines.remove(&(old, serial));
        }
        if let Some(at) = due {
            self.deadlines.insert((at, serial));
        }
        session.due = due;
    }

    /// A call whose deadline has come.
    pub(super) fn first_due(&self, now: Instant) -> Option<u64> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, serial)| *serial)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// How many relays are open or not yet reported closed.
    pub(super) fn relays(&self) -> usize {
        self.relays.len()
    }

    pub(super) fn serials(&self) -> Vec<u64> {
        self.calls.keys().copied().collect()
    }
}
