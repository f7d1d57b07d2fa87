//! The relays of one media thread: found by slot for packets, by name for orders.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use mio::{Interest, Registry, Token, net::UdpSocket};
use slab::Slab;
use um_media::{Component, Leg, LegPlan, OpenError, OpenRelay, Relay, RelayCounters, RelayId};

use super::sockets;

/// The open relays, and the sockets of closed ones.
#[derive(Debug)]
pub(super) struct Table {
    registry: Registry,
    relays: Slab<OpenedRelay>,
    slots: BTreeMap<RelayId, usize>,
    most: usize,
    /// What each watched socket is for; the place is its token.
    owners: Slab<Owner>,
    /// Sockets of closed relays. To bind, watch and close four of them costs more than all else that a call asks of this
    /// thread, and the pool of ports gives the same ports again and again.
    parked: BTreeMap<SocketAddr, Parked>,
}

/// A relay and its four sockets.
#[derive(Debug)]
pub(super) struct OpenedRelay {
    pub(super) relay: Relay,
    inbound: LegSockets,
    outbound: LegSockets,
}

#[derive(Debug)]
struct LegSockets {
    rtp: Watched,
    rtcp: Watched,
}

/// A bound socket that the poll watches.
#[derive(Debug)]
struct Watched {
    socket: UdpSocket,
    /// Its place among the owners.
    place: usize,
    local: SocketAddr,
}

/// What a watched socket is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    /// A port of an open relay.
    Relay(Port),
    /// None: it waits for the next relay on its port.
    Parked(SocketAddr),
}

/// A socket without a relay, and how many datagrams came to it meanwhile.
#[derive(Debug)]
struct Parked {
    watched: Watched,
    strays: u32,
}

/// One of the four sockets of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) slot: usize,
    pub(super) leg: Leg,
    pub(super) component: Component,
}

impl OpenedRelay {
    /// Returns the socket of a leg's component.
    pub(super) fn socket(&self, leg: Leg, component: Component) -> &UdpSocket {
        let leg = match leg {
            Leg::Inbound => &self.inbound,
            Leg::Outbound => &self.outbound,
        };
        match component {
            Component::Rtp => &leg.rtp.socket,
            Component::Rtcp => &leg.rtcp.socket,
        }
    }
}

impl Table {
    /// Creates a table of at most `most` relays, whose sockets are watched through `registry`.
    pub(super) fn new(registry: Registry, most: usize) -> Self {
        Self {
            registry,
            relays: Slab::new(),
            slots: BTreeMap::new(),
            most,
            owners: Slab::new(),
            parked: BTreeMap::new(),
        }
    }

    /// Binds the ports of a relay and watches them.
    ///
    /// # Errors
    /// When a port, the address or a descriptor cannot be had; nothing stays taken then.
    pub(super) fn open(&mut self, now: Instant, open: &OpenRelay) -> Result<(), OpenError> {
        if self.slots.contains_key(&open.relay) {
            return Err(OpenError::Duplicate);
        }
        if self.relays.len() >= self.most {
            return Err(OpenError::Full);
        }
        let inbound = self.open_leg(&open.inbound)?;
        let outbound = match self.open_leg(&open.outbound) {
            Ok(outbound) => outbound,
            Err(error) => {
                self.unbind(&inbound.rtp);
                self.unbind(&inbound.rtcp);
                return Err(error);
            }
        };
        let relay = Relay::new(now, open.treatment, open.seed);
        let slot = self.relays.insert(OpenedRelay { relay, inbound, outbound });
        self.slots.insert(open.relay, slot);
        if let Some(opened) = self.relays.get(slot) {
            for (leg, sockets) in [(Leg::Inbound, &opened.inbound), (Leg::Outbound, &opened.outbound)] {
                for (component, watched) in [(Component::Rtp, &sockets.rtp), (Component::Rtcp, &sockets.rtcp)]
                {
                    if let Some(owner) = self.owners.get_mut(watched.place) {
                        *owner = Owner::Relay(Port { slot, leg, component });
                    }
                }
            }
        }
        Ok(())
    }

    /// Closes a relay; returns what it counted, `None` when it is not open.
    pub(super) fn close(&mut self, relay: RelayId) -> Option<RelayCounters> {
        let slot = self.slots.remove(&relay)?;
        let closed = self.relays.try_remove(slot)?;
        self.park_leg(closed.inbound);
        self.park_leg(closed.outbound);
        Some(closed.relay.counters())
    }

    /// Whether any relay is open.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Says what the socket that the poll named is for; `None` for one that is closed.
    pub(super) fn owner(&self, Token(place): Token) -> Option<Owner> {
        self.owners.get(place).copied()
    }

    /// Returns the relay at a slot, for a packet.
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut OpenedRelay> {
        self.relays.get_mut(slot)
    }

    /// Returns the relay of a name and its slot, for an order.
    pub(super) fn find_mut(&mut self, relay: RelayId) -> Option<(usize, &mut OpenedRelay)> {
        let slot = *self.slots.get(&relay)?;
        Some((slot, self.relays.get_mut(slot)?))
    }

    /// Throws away what came to a parked socket, at most `most` datagrams. One that is still sent to long after its call is
    /// closed: then the system tells the sender that nobody listens. Returns how many were thrown away.
    pub(super) fn discard(&mut self, local: SocketAddr, most: u32) -> u32 {
        let Some(parked) = self.parked.get_mut(&local) else { return 0 };
        let mut discarded = 0;
        while discarded < most && parked.watched.socket.recv(&mut [0]).is_ok() {
            discarded += 1;
        }
        parked.strays = parked.strays.saturating_add(discarded);
        if parked.strays >= STRAYS
            && let Some(closed) = self.parked.remove(&local)
        {
            self.unbind(&closed.watched);
        }
        discarded
    }

    fn open_leg(&mut self, plan: &LegPlan) -> Result<LegSockets, OpenError> {
        let rtp = self.open_port(plan.address, plan.ports.rtp())?;
        match self.open_port(plan.address, plan.ports.rtcp()) {
            Ok(rtcp) => Ok(LegSockets { rtp, rtcp }),
            Err(error) => {
                self.unbind(&rtp);
                Err(error)
            }
        }
    }

    fn open_port(&mut self, address: IpAddr, port: u16) -> Result<Watched, OpenError> {
        let local = SocketAddr::new(address, port);
        if let Some(parked) = self.parked.remove(&local) {
            return Ok(parked.watched);
        }
        self.bind(local).or_else(|error| {
            let error = refusal(&error, address, port);
            // What is parked is only a convenience: it goes first.
            if error == OpenError::NoMoreSockets && self.unpark_all() {
                return self.bind(local).map_err(|error| refusal(&error, address, port));
            }
            Err(error)
        })
    }

    fn bind(&mut self, local: SocketAddr) -> io::Result<Watched> {
        let mut socket = sockets::bind(local.ip(), local.port())?;
        let entry = self.owners.vacant_entry();
        let place = entry.key();
        self.registry.register(&mut socket, Token(place), Interest::READABLE)?;
        entry.insert(Owner::Parked(local));
        Ok(Watched { socket, place, local })
    }

    fn park_leg(&mut self, leg: LegSockets) {
        self.park(leg.rtp);
        self.park(leg.rtcp);
    }

    fn park(&mut self, watched: Watched) {
        if self.parked.len() >= MOST_PARKED {
            return self.unbind(&watched);
        }
        let local = watched.local;
        if let Some(owner) = self.owners.get_mut(watched.place) {
            *owner = Owner::Parked(local);
        }
        self.parked.insert(local, Parked { watched, strays: 0 });
    }

    /// Closes every parked socket; returns whether there was one.
    fn unpark_all(&mut self) -> bool {
        let parked = std::mem::take(&mut self.parked);
        for parked in parked.values() {
            self.unbind(&parked.watched);
        }
        !parked.is_empty()
    }

    /// Forgets a socket that is about to be closed, which takes it out of the poll as well.
    fn unbind(&mut self, watched: &Watched) {
        self.owners.try_remove(watched.place);
    }
}

/// Names why a port could not be had.
fn refusal(error: &io::Error, address: IpAddr, port: u16) -> OpenError {
    use nix::errno::Errno;
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EADDRINUSE) => OpenError::PortInUse { port },
        Some(Errno::EADDRNOTAVAIL) => OpenError::AddressNotAvailable { address },
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => OpenError::NoMoreSockets,
        Some(_) | None => OpenError::System { code: error.raw_os_error().unwrap_or(0) },
    }
}

/// Sockets that are kept without a relay: those of the ports that one media thread is likely to see again.
const MOST_PARKED: usize = 16_384;

/// Datagrams to a port without a relay until it is closed: what a peer sends on in the second after its BYE is fewer.
const STRAYS: u32 = 256;
