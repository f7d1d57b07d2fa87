//! A call with everything around its machine: a leg on each side, the search for another one, media, and
//! its story for the record. And all of them, found by number, transaction, dialog, relay and deadline.
//!
//! A leg is the same thing on either side, whether it is the UAS or the UAC of its dialog. What only the set-up
//! or a search needs stands apart and goes when that is over: an established call is held for a long time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_media::sdp::Agreement;
use um_media::{LocalMedia, Negotiation, PortPair};
use um_routing::{Explanation, Peer, TargetId};
use um_sip::endpoint::{ClientTransaction, DialogId, Extra, Identity, ServerTransaction};
use um_sip::session_timer::{SessionTimer, Wish};
use um_sip::{Flow, LineIndex};
use um_topology::{Id, MediaTiming};

use super::session_timers::SessionTimers;
use super::talk::Talk;
use super::transfer::Transfer;
use super::way::{User, Way};
use crate::call::exchange::opening::Opening;
use crate::call::words::{AttemptId, Carrier, Side};
use crate::call::{Call, Plan};
use crate::configuration::{BoundLine, Configuration};

/// One call.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) call: Call,
    /// The topology and lines of its birth.
    pub(super) configuration: Arc<Configuration>,
    /// The caller's INVITE, until it is answered.
    pub(super) setup: Option<Box<Setup>>,
    /// The attempts to find a party for one side, while there are any.
    pub(super) search: Option<Box<Search>>,
    /// The last transfer.
    pub(super) transfer: Option<Box<Transfer>>,
    /// The offers and answers between its legs, once both are there.
    pub(super) talk: Option<Box<Talk>>,
    /// The party that is bridged on each side; the caller's from the beginning.
    inbound: Option<Leg>,
    outbound: Option<Leg>,
    /// `None` before ports are reserved and after they are given back.
    pub(super) media: Option<Held>,
    pub(super) story: Story,
    /// The deadline under which it is filed.
    due: Option<Instant>,
}

/// One dialog of a call, and what it holds.
#[derive(Debug)]
pub(super) struct Leg {
    /// `None` before the first response that makes it.
    pub(super) dialog: Option<DialogId>,
    /// The flow that served last.
    pub(super) flow: Flow,
    /// The line it is on.
    pub(super) line: Id,
    /// `None` before there are media ports.
    pub(super) negotiation: Option<Negotiation>,
    /// What it counts against, if we placed it.
    pub(super) placed: Option<Placed>,
    pub(super) peer: Peer,
    /// Whether a REFER came in its dialog.
    pub(super) has_referred: bool,
}

/// What a leg that we placed counts against until it ends.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) target: TargetId,
    /// The connection that it keeps open, and as whom.
    pub(super) holds: (User, Way),
}

/// What answering the caller's INVITE needs.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) transaction: ServerTransaction,
    /// The caller's offer, if he made one.
    pub(super) offer: Option<Bytes>,
    /// User part of our Contact: what the caller dialled.
    pub(super) contact_user: Option<String>,
    /// The answer to the offer, once an attempt has given one.
    pub(super) answer: Option<Bytes>,
    /// What the INVITE says of the session.
    pub(super) wish: Wish,
    /// Which response carries which description.
    pub(super) opening: Opening,
    /// Whether that answer promises what the attempt does not speak.
    pub(super) diverged: bool,
}

/// What finding a party for a side needs.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) side: Side,
    pub(super) plan: Arc<Plan>,
    /// The attempt under way.
    pub(super) attempt: Option<Attempt>,
    /// What the last INVITE was sent with; a redirection counts on from it.
    pub(super) identity: Option<Identity>,
    /// The id of the session in our offer; a redirection repeats it.
    pub(super) description: u64,
    /// Max-Forwards of what we send.
    pub(super) max_forwards: u8,
    /// What an INVITE says besides what the plan has.
    pub(super) headers: Vec<Extra>,
    /// The target that the call counts against now.
    pub(super) counted: Option<usize>,
    /// How targets are reached whose records chose it (RFC 3263 §4.1).
    pub(super) detours: BTreeMap<usize, um_topology::Transport>,
}

/// One attempt; the leg that it becomes if it is answered.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    pub(super) target: usize,
    pub(super) started: Instant,
    pub(super) way: Way,
    pub(super) carrier: Carrier,
    pub(super) uri: um_topology::Uri,
    pub(super) remote: Option<SocketAddr>,
    /// What a request that is too large for it goes over after all, if no connection comes up.
    pub(super) datagrams: Option<Flow>,
    /// Whether the records of its name say how it is to be reached.
    pub(super) transport_free: bool,
    pub(super) transaction: Option<ClientTransaction>,
    /// `None` before the INVITE is sent.
    pub(super) leg: Option<Leg>,
    pub(super) agreement: Option<Agreement>,
    /// What the relay was told of it.
    pub(super) told: Option<Agreement>,
    /// The session timer of its dialog.
    pub(super) timer: Option<Box<SessionTimer>>,
    /// Who offers.
    pub(super) timing: MediaTiming,
    /// Our answer to the server's offer, until it is sent in ACK or PRACK.
    pub(super) closing: Option<Bytes>,
    /// The early dialog that spoke last; the negotiation of the leg is its.
    pub(super) early: Option<DialogId>,
    /// The other early dialogs of a forked INVITE.
    pub(super) forks: BTreeMap<DialogId, Fork>,
}

/// What an early dialog agreed on while another one speaks.
#[derive(Debug)]
pub(super) struct Fork {
    pub(super) negotiation: Negotiation,
    pub(super) agreement: Option<Agreement>,
}

/// The relay of a call: it opens or is open, and its ports are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) relay: u64,
    pub(super) inbound: Place,
    pub(super) outbound: Place,
    /// How long the ports rest when they are given back.
    pub(super) rest: Duration,
}

/// Where one side of a relay receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ports: PortPair,
    /// What descriptions show.
    pub(super) advertised: IpAddr,
}

/// What the record of the call will say.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) call_id: Arc<str>,
    pub(super) line_in: Id,
    pub(super) line_out: Id,
    /// `None` for a call that a route row sends on.
    pub(super) station: Option<Id>,
    pub(super) user: Option<Id>,
    pub(super) started: Instant,
    pub(super) attempts: u16,
    pub(super) answered: Option<Instant>,
    pub(super) answered_by: Option<TargetId>,
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
    /// The subscription of a peer that referred.
    Notice(u64),
    /// The offers of a call on one side.
    Exchange(u64, Side),
    /// A peer whose request was passed on.
    PassedOn(ServerTransaction),
    /// The session timer of a dialog, which refreshes.
    Refresh(DialogId),
    /// The session timer of a dialog, which asks whether the peer is there.
    Pulse(DialogId),
}

/// All calls of a shard.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    calls: BTreeMap<u64, Box<Session>>,
    servers: BTreeMap<ServerTransaction, u64>,
    dialogs: BTreeMap<DialogId, (u64, Side)>,
    /// Of referrers whose side another leg has taken.
    parting: BTreeMap<DialogId, u64>,
    relays: BTreeMap<u64, u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// Of the dialogs that are bridged.
    pub(super) timers: SessionTimers,
    last: u64,
}

impl Session {
    /// A call that has just come in.
    pub(super) fn new(
        now: Instant,
        configuration: Arc<Configuration>,
        caller: Leg,
        setup: Setup,
        search: Search,
        story: Story,
    ) -> Box<Self> {
        Box::new(Self {
            call: Call::new(now, Arc::clone(&search.plan)),
            configuration,
            setup: Some(Box::new(setup)),
            search: Some(Box::new(search)),
            transfer: None,
            talk: None,
            inbound: Some(caller),
            outbound: None,
            media: None,
            story,
            due: None,
        })
    }

    /// The leg that is bridged on a side.
    pub(super) fn leg(&self, side: Side) -> Option<&Leg> {
        match side {
            Side::Inbound => self.inbound.as_ref(),
            Side::Outbound => self.outbound.as_ref(),
        }
    }

    pub(super) fn leg_mut(&mut self, side: Side) -> Option<&mut Leg> {
        self.place(side).as_mut()
    }

    /// Puts a leg on a side, or none; returns the one before.
    pub(super) fn bridge(&mut self, side: Side, leg: Option<Leg>) -> Option<Leg> {
        std::mem::replace(self.place(side), leg)
    }

    /// The leg whose media are meant on a side: the bridged one, else that of the attempt to have one there.
    pub(super) fn talking(&self, side: Side) -> Option<&Leg> {
        let sought = self.search.as_ref().filter(|search| search.side == side);
        self.leg(side).or_else(|| sought?.attempt.as_ref()?.leg.as_ref())
    }

    /// The attempt, if it is the present one.
    pub(super) fn attempt(&mut self, attempt: AttemptId) -> Option<&mut Attempt> {
        self.search.as_mut()?.attempt.as_mut().filter(|present| present.id == attempt)
    }

    const fn place(&mut self, side: Side) -> &mut Option<Leg> {
        match side {
            Side::Inbound => &mut self.inbound,
            Side::Outbound => &mut self.outbound,
        }
    }
}

impl Leg {
    pub(super) const fn new(flow: Flow, line: Id, peer: Peer) -> Self {
        Self { dialog: None, flow, line, negotiation: None, placed: None, peer, has_referred: false }
    }
}

impl Held {
    /// What one side is told of where we receive.
    pub(super) fn local(&self, side: Side) -> LocalMedia {
        let place = match side {
            Side::Inbound => self.inbound,
            Side::Outbound => self.outbound,
        };
        LocalMedia::new(place.advertised, place.ports)
    }
}

impl Search {
    pub(super) fn new(side: Side, plan: Arc<Plan>, max_forwards: u8) -> Self {
        let (attempt, identity, headers) = (None, None, Vec::new());
        let detours = BTreeMap::new();
        Self { side, plan, attempt, identity, description: 0, max_forwards, headers, counted: None, detours }
    }

    /// The lines whose sockets it may need.
    pub(super) fn lines(&self, configuration: &Configuration) -> Vec<LineIndex> {
        let line_out = &self.plan.route.line_out;
        let bound = configuration.lines.iter().filter(|line| line.id == *line_out);
        bound.map(|line| line.index).collect()
    }

    /// The line whose media address the called side is given: one of the family of the first target, if it is an address.
    pub(super) fn media_line<'a>(&self, configuration: &'a Configuration) -> Option<&'a BoundLine> {
        let route = &self.plan.route;
        let family = route.targets.first().and_then(|target| target.host.ip()).map(|ip| ip.is_ipv4());
        let mut lines = configuration.lines.iter().filter(|line| line.id == route.line_out);
        let first = lines.clone().next();
        lines.find(|line| family.is_none_or(|family| line.media_local.is_ipv4() == family)).or(first)
    }

    /// The target that the call counts against now.
    pub(super) fn counted_target(&self) -> Option<&TargetId> {
        self.plan.route.targets.get(self.counted?).map(|target| &target.id)
    }
}

impl Sessions {
    pub(super) fn insert(&mut self, session: Box<Session>) -> u64 {
        self.last += 1;
        if let Some(setup) = &session.setup {
            self.servers.insert(setup.transaction, self.last);
        }
        self.calls.insert(self.last, session);
        self.last
    }

    /// Takes a call out, and every way to find it.
    pub(super) fn remove(&mut self, serial: u64) -> Option<Box<Session>> {
        let session = self.calls.remove(&serial)?;
        if let Some(setup) = &session.setup {
            self.servers.remove(&setup.transaction);
        }
        for dialog in [&session.inbound, &session.outbound].into_iter().flatten().filter_map(|leg| leg.dialog)
        {
            self.dialogs.remove(&dialog);
            self.timers.remove(dialog);
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

    /// Says whose call a request within it waits in.
    pub(super) fn name_server(&mut self, transaction: ServerTransaction, serial: u64) {
        self.servers.insert(transaction, serial);
    }

    pub(super) fn forget_server(&mut self, transaction: ServerTransaction) {
        self.servers.remove(&transaction);
    }

    /// Takes note of the flow that served a leg last.
    pub(super) fn note_flow(&mut self, serial: u64, side: Side, flow: Flow) {
        if let Some(leg) = self.get(serial).and_then(|session| session.leg_mut(side)) {
            leg.flow = flow;
        }
    }

    pub(super) fn by_dialog(&self, dialog: DialogId) -> Option<(u64, Side)> {
        self.dialogs.get(&dialog).copied()
    }

    /// Says where a dialog is bridged, from now on.
    pub(super) fn name_dialog(&mut self, dialog: DialogId, serial: u64, side: Side) {
        self.dialogs.insert(dialog, (serial, side));
    }

    /// Says that a dialog is bridged no more, but not hung up.
    pub(super) fn name_parting(&mut self, dialog: DialogId, serial: u64) {
        self.dialogs.remove(&dialog);
        self.timers.remove(dialog);
        self.parting.insert(dialog, serial);
    }

    pub(super) fn by_parting(&self, dialog: DialogId) -> Option<u64> {
        self.parting.get(&dialog).copied()
    }

    /// The leg of a dialog has left its call.
    pub(super) fn forget_dialog(&mut self, dialog: DialogId) {
        self.dialogs.remove(&dialog);
        self.timers.remove(dialog);
        self.parting.remove(&dialog);
    }

    /// The caller's INVITE is answered: what it needed goes.
    pub(super) fn end_setup(&mut self, serial: u64) {
        if let Some(setup) = self.calls.get_mut(&serial).and_then(|session| session.setup.take()) {
            self.servers.remove(&setup.transaction);
        }
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
        let talk = session.talk.as_ref().and_then(|talk| talk.poll_timeout());
        let due = session.call.poll_timeout().into_iter().chain(talk).min();
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
