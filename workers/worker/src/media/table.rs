//! The relays of one media thread: found by slot for packets, by name for orders.

use std::{collections::BTreeMap, io, net::IpAddr, time::Instant};

use mio::{Interest, Registry, Token, net::UdpSocket};
use slab::Slab;
use um_media::{Component, Leg, LegPlan, OpenError, OpenRelay, Relay, RelayCounters, RelayId};

use super::sockets;

/// The open relays.
#[derive(Debug)]
pub(super) struct Table {
    registry: Registry,
    relays: Slab<OpenedRelay>,
    slots: BTreeMap<RelayId, usize>,
    most: usize,
}

/// A relay and its four sockets; closing them needs no more than dropping it.
#[derive(Debug)]
pub(super) struct OpenedRelay {
    pub(super) relay: Relay,
    inbound: LegSockets,
    outbound: LegSockets,
}

#[derive(Debug)]
struct LegSockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

/// One of the four sockets of a relay, as the poll names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) slot: usize,
    pub(super) leg: Leg,
    pub(super) component: Component,
}

impl Port {
    pub(super) fn from_token(Token(token): Token) -> Self {
        let leg = if token & 2 == 0 { Leg::Inbound } else { Leg::Outbound };
        let component = if token & 1 == 0 { Component::Rtp } else { Component::Rtcp };
        Self { slot: token >> 2, leg, component }
    }

    fn token(self) -> Token {
        let leg = match self.leg {
            Leg::Inbound => 0,
            Leg::Outbound => 2,
        };
        let component = match self.component {
            Component::Rtp => 0,
            Component::Rtcp => 1,
        };
        Token(self.slot << 2 | leg | component)
    }
}

impl OpenedRelay {
    /// Returns the socket of a leg's component.
    pub(super) fn socket(&self, leg: Leg, component: Component) -> &UdpSocket {
        let leg = match leg {
            Leg::Inbound => &self.inbound,
            Leg::Outbound => &self.outbound,
        };
        match component {
            Component::Rtp => &leg.rtp,
            Component::Rtcp => &leg.rtcp,
        }
    }
}

impl Table {
    /// Creates a table of at most `most` relays, whose sockets are watched through `registry`.
    pub(super) fn new(registry: Registry, most: usize) -> Self {
        Self { registry, relays: Slab::new(), slots: BTreeMap::new(), most }
    }

    /// Binds the ports of a relay and watches them.
    ///
    /// # Errors
    /// When a port, the address or a descriptor cannot be had; nothing stays bound then.
    pub(super) fn open(&mut self, now: Instant, open: &OpenRelay) -> Result<(), OpenError> {
        if self.slots.contains_key(&open.relay) {
            return Err(OpenError::Duplicate);
        }
        if self.relays.len() >= self.most {
            return Err(OpenError::Full);
        }
        let entry = self.relays.vacant_entry();
        let slot = entry.key();
        let leg = |leg, plan: &LegPlan| -> Result<LegSockets, OpenError> {
            let watched = |component, port| -> Result<UdpSocket, OpenError> {
                let opened = sockets::bind(plan.address, port).and_then(|mut socket| {
                    let token = Port { slot, leg, component }.token();
                    self.registry.register(&mut socket, token, Interest::READABLE)?;
                    Ok(socket)
                });
                opened.map_err(|error| refusal(&error, plan.address, port))
            };
            Ok(LegSockets {
                rtp: watched(Component::Rtp, plan.ports.rtp())?,
                rtcp: watched(Component::Rtcp, plan.ports.rtcp())?,
            })
        };
        let (inbound, outbound) = (leg(Leg::Inbound, &open.inbound)?, leg(Leg::Outbound, &open.outbound)?);
        entry.insert(OpenedRelay { relay: Relay::new(now, open.treatment, open.seed), inbound, outbound });
        self.slots.insert(open.relay, slot);
        Ok(())
    }

    /// Closes a relay; returns what it counted, `None` when it is not open.
    pub(super) fn close(&mut self, relay: RelayId) -> Option<RelayCounters> {
        let slot = self.slots.remove(&relay)?;
        // Closing a socket takes it out of the poll as well.
        self.relays.try_remove(slot).map(|closed| closed.relay.counters())
    }

    /// Returns the relay at a slot, for a packet.
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut OpenedRelay> {
        self.relays.get_mut(slot)
    }

    /// Returns the relay of a name, for an order.
    pub(super) fn find_mut(&mut self, relay: RelayId) -> Option<&mut OpenedRelay> {
        let slot = self.slots.get(&relay)?;
        self.relays.get_mut(*slot)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_one_port() {
        for slot in [0, 1, 70_000] {
            for leg in Leg::ALL {
                for component in Component::ALL {
                    let port = Port { slot, leg, component };
                    assert_eq!(Port::from_token(port.token()), port);
                }
            }
        }
    }
}
