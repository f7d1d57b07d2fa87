//! The media of a call: two pairs of ports, one relay, and what both sides agreed on.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipnet::IpNet;
use um_media::{
    LegPlan, Negotiation, OpenError, OpenRelay, PortPair, RelayCommand, RelayEvent, RelayId, Treatment,
};

use super::Engine;
use super::session::{Held, Leg, Place, Session};
use crate::call::words::{AttemptId, Event, Side};
use crate::configuration::Configuration;
use crate::observation::Observation;
use crate::output::Output;

impl Engine {
    /// Reserves ports and asks for a relay on them; the call hears of it when the sockets are bound.
    pub(super) fn open_relay(&mut self, now: Instant, serial: u64) {
        let (session_id, seed) = (self.draw.next(), self.draw.next());
        let ends = self.sessions.get(serial).and_then(|session| session.media_ends());
        let Some((ends, (inbound, outbound))) = ends.and_then(|ends| Some((ends, self.reserve(now)?))) else {
            return self.tell(serial, Event::RelayFailed);
        };
        self.relays += 1;
        let relay = RelayId { shard: self.config.shard, serial: self.relays };
        let Some(session) = self.sessions.get(serial) else { return };
        session.media = Some(Held {
            relay: relay.serial,
            inbound: Place { ports: inbound, advertised: ends.inbound.1 },
            outbound: Place { ports: outbound, advertised: ends.outbound.1 },
            rest: ends.rest,
        });
        if !session.take_offer(session_id) {
            self.free_ports(now, serial);
            return self.tell(serial, Event::RelayFailed);
        }
        self.sessions.name_relay(relay.serial, serial);
        self.outputs.push_back(Output::Relay(RelayCommand::Open(Box::new(OpenRelay {
            relay,
            inbound: LegPlan { address: ends.inbound.0, ports: inbound },
            outbound: LegPlan { address: ends.outbound.0, ports: outbound },
            treatment: ends.treatment,
            seed,
        }))));
    }

    /// Closes the relay, which may still be opening, and gives the ports back; they rest before they are used again.
    pub(super) fn close_relay(&mut self, now: Instant, serial: u64) {
        if let Some(relay) = self.free_ports(now, serial) {
            let relay = RelayId { shard: self.config.shard, serial: relay };
            self.outputs.push_back(Output::Relay(RelayCommand::Close { relay }));
        }
    }

    pub(super) fn on_relay(&mut self, now: Instant, event: RelayEvent) {
        match event {
            RelayEvent::Opened { relay } => {
                if let Some(serial) = self.holder(relay) {
                    self.tell(serial, Event::RelayOpened);
                }
            }
            RelayEvent::Failed { relay, error } => {
                let holder = self.holder(relay);
                self.sessions.forget_relay(relay.serial);
                if let Some(serial) = holder {
                    self.on_relay_failed(now, serial, error);
                }
            }
            RelayEvent::Closed { relay, counters } => {
                if let Some(serial) = self.sessions.forget_relay(relay.serial) {
                    let call = self.call_key(serial);
                    self.observe(Observation::MediaEnded { call, counters });
                }
            }
        }
    }

    /// Our answer to the caller, from what this attempt agreed to; the relay learns both far ends.
    pub(super) fn answer_caller(&mut self, serial: u64, attempt: AttemptId) -> Option<Bytes> {
        let session = self.sessions.get(serial)?;
        let agreement = session.attempt(attempt)?.agreement.clone()?;
        let answer = session.leg_mut(Side::Inbound)?.negotiation.as_mut()?.answer(&agreement).ok()?;
        let body = answer.body.clone();
        let setup = session.setup.as_mut()?;
        setup.diverged = answer.diverged;
        let inbound_known = setup.answer.replace(answer.body) == Some(body.clone());
        let attempt = session.attempt(attempt)?;
        // To set an address again would open the time for latching again.
        let outbound_known = attempt.told.replace(agreement.clone()) == Some(agreement);
        if !outbound_known {
            self.set_remote(serial, Side::Outbound);
        }
        if !inbound_known {
            self.set_remote(serial, Side::Inbound);
        }
        Some(body)
    }

    /// Tells the relay where one side wants its media.
    pub(super) fn set_remote(&mut self, serial: u64, side: Side) {
        let shard = self.config.shard;
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(held) = session.media else { return };
        let remote = session.talking(side).and_then(|leg| leg.remote(&session.configuration));
        if let Some(remote) = remote.map(Box::new) {
            let relay = RelayId { shard, serial: held.relay };
            self.outputs.push_back(Output::Relay(RelayCommand::SetRemote { relay, leg: side, remote }));
        }
    }

    /// Somebody else may hold a port: other ports are tried a few times.
    fn on_relay_failed(&mut self, now: Instant, serial: u64, error: OpenError) {
        self.free_ports(now, serial);
        let retries = self.config.limits.relay_retries;
        let Some(session) = self.sessions.get(serial) else { return };
        let may_retry = match error {
            OpenError::PortInUse { .. } | OpenError::Duplicate => session.story.relay_retries < retries,
            OpenError::AddressNotAvailable { .. }
            | OpenError::NoMoreSockets
            | OpenError::Full
            | OpenError::System { .. } => false,
        };
        if may_retry {
            session.story.relay_retries += 1;
            self.open_relay(now, serial);
        } else {
            self.tell(serial, Event::RelayFailed);
        }
    }

    fn reserve(&mut self, now: Instant) -> Option<(PortPair, PortPair)> {
        let inbound = self.reserve_pair(now)?;
        if let Some(outbound) = self.reserve_pair(now) {
            return Some((inbound, outbound));
        }
        self.ports.release(now, inbound);
        None
    }

    /// Under load a pair may have to work again before it has rested as long as it should.
    fn reserve_pair(&mut self, now: Instant) -> Option<PortPair> {
        self.ports.reserve(now).or_else(|_| self.ports.reserve_rested(now, SHORT_REST)).ok()
    }

    /// Gives the ports of a call back and names its relay.
    fn free_ports(&mut self, now: Instant, serial: u64) -> Option<u64> {
        let session = self.sessions.get(serial)?;
        let held = session.media.take()?;
        self.ports.release_after(now, held.inbound.ports, held.rest);
        self.ports.release_after(now, held.outbound.ports, held.rest);
        Some(held.relay)
    }

    /// The call that holds a relay now; a call that has closed it holds it no more.
    fn holder(&mut self, relay: RelayId) -> Option<u64> {
        let serial = self.sessions.by_relay(relay.serial).filter(|_| relay.shard == self.config.shard)?;
        let held = self.sessions.get(serial)?.media?;
        (held.relay == relay.serial).then_some(serial)
    }
}

/// Where a relay is bound on each side, and what descriptions show of it.
struct Ends {
    inbound: (IpAddr, IpAddr),
    outbound: (IpAddr, IpAddr),
    treatment: Treatment,
    /// How long its ports rest afterwards.
    rest: Duration,
}

impl Session {
    /// Where the relay of a new call is bound.
    fn media_ends(&self) -> Option<Ends> {
        let search = self.search.as_ref()?;
        let line_in = self.configuration.bound(self.leg(Side::Inbound)?.flow.line)?;
        let line_out = search.media_line(&self.configuration)?;
        let passthrough = search.plan.route.passthrough;
        Some(Ends {
            inbound: (line_in.media_local, line_in.media_advertised),
            outbound: (line_out.media_local, line_out.media_advertised),
            treatment: if passthrough { Treatment::Passthrough } else { Treatment::Terminated },
            rest: search.plan.route.warm_down,
        })
    }

    /// Begins the caller's negotiation on the reserved ports; false if the offer is none after all.
    fn take_offer(&mut self, session_id: u64) -> bool {
        let (Some(held), Some(setup)) = (self.media, &self.setup) else { return false };
        let mut negotiation = Negotiation::new(session_id, held.local(Side::Inbound));
        let usable = setup.offer.as_ref().is_none_or(|offer| negotiation.handle_offer(offer).is_ok());
        if let Some(leg) = self.leg_mut(Side::Inbound) {
            leg.negotiation = Some(negotiation);
        }
        usable
    }
}

impl Leg {
    /// Where its far end wants its media.
    fn remote(&self, configuration: &Configuration) -> Option<um_media::Remote> {
        let line = configuration.topology.line(&self.line);
        let allow: Vec<IpNet> =
            line.map_or(Vec::new(), |line| line.access.allow.iter().map(|net| net.net()).collect());
        self.negotiation.as_ref()?.remote(self.flow.remote.ip(), Arc::from(allow))
    }
}

/// The least that a pair of ports rests: longer than packets stay in a network.
const SHORT_REST: Duration = Duration::from_secs(1);
