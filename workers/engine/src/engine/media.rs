//! The media of a call: two pairs of ports, one relay, and what both sides agreed on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipnet::IpNet;
use um_media::{
    Leg, LegPlan, LocalMedia, Negotiation, OpenError, OpenRelay, PortPair, RelayCommand, RelayEvent, RelayId,
    Treatment,
};

use super::Engine;
use super::session::{Media, Session};
use crate::call::words::{AttemptId, Event};
use crate::configuration::BoundLine;
use crate::observation::Observation;
use crate::output::Output;

impl Engine {
    /// Reserves ports and asks for a relay on them; the call hears of it when the sockets are bound.
    pub(super) fn open_relay(&mut self, now: Instant, serial: u64) {
        let (session_id, seed) = (self.draw.next(), self.draw.next());
        let Some((inbound, outbound)) = self.reserve(now) else {
            return self.tell(serial, Event::RelayFailed);
        };
        self.relays += 1;
        let (number, shard) = (self.relays, self.config.shard);
        let Some(session) = self.sessions.get(serial) else { return };
        session.media = Media::Held { relay: number, inbound, outbound };
        let open = session.open_relay(RelayId { shard, serial: number }, inbound, outbound, seed);
        let usable = session.take_offer(session_id, inbound);
        match open.filter(|_| usable) {
            Some(open) => {
                self.sessions.name_relay(number, serial);
                self.outputs.push_back(Output::Relay(RelayCommand::Open(Box::new(open))));
            }
            None => {
                self.free_ports(now, serial);
                self.tell(serial, Event::RelayFailed);
            }
        }
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
        let answer = session.inbound.negotiation.as_mut()?.answer(&agreement).ok()?;
        let body = answer.body.clone();
        let inbound_known = session.inbound.answer.replace(answer.body) == Some(body.clone());
        let outbound = session.attempt(attempt)?;
        // To set an address again would open the time for latching again.
        let outbound_known = outbound.told.replace(agreement.clone()) == Some(agreement);
        if !outbound_known {
            self.set_remote(serial, Leg::Outbound);
        }
        if !inbound_known {
            self.set_remote(serial, Leg::Inbound);
        }
        Some(body)
    }

    /// Tells the relay where one side wants its media.
    pub(super) fn set_remote(&mut self, serial: u64, leg: Leg) {
        let shard = self.config.shard;
        let Some(session) = self.sessions.get(serial) else { return };
        let Media::Held { relay, .. } = session.media else { return };
        if let Some(remote) = session.remote(leg) {
            let relay = RelayId { shard, serial: relay };
            let remote = Box::new(remote);
            self.outputs.push_back(Output::Relay(RelayCommand::SetRemote { relay, leg, remote }));
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
        let Media::Held { relay, inbound, outbound } = std::mem::replace(&mut session.media, Media::None)
        else {
            return None;
        };
        self.ports.release(now, inbound);
        self.ports.release(now, outbound);
        Some(relay)
    }

    /// The call that holds a relay now; a call that has closed it holds it no more.
    fn holder(&mut self, relay: RelayId) -> Option<u64> {
        let serial = self.sessions.by_relay(relay.serial).filter(|_| relay.shard == self.config.shard)?;
        match self.sessions.get(serial)?.media {
            Media::Held { relay: held, .. } if held == relay.serial => Some(serial),
            Media::Held { .. } | Media::None => None,
        }
    }
}

impl Session {
    /// The line whose media address the UM side is given: one of the family of the first target, if it is an address.
    pub(super) fn media_line(&self) -> Option<&BoundLine> {
        let route = &self.plan.route;
        let family = route.targets.first().and_then(|target| target.host.ip()).map(|ip| ip.is_ipv4());
        let mut lines = self.configuration.lines.iter().filter(|line| line.id == route.line_out);
        let first = lines.clone().next();
        lines.find(|line| family.is_none_or(|family| line.media_local.is_ipv4() == family)).or(first)
    }

    fn open_relay(
        &self,
        relay: RelayId,
        inbound: PortPair,
        outbound: PortPair,
        seed: u64,
    ) -> Option<OpenRelay> {
        let treatment =
            if self.plan.route.passthrough { Treatment::Passthrough } else { Treatment::Terminated };
        Some(OpenRelay {
            relay,
            inbound: LegPlan { address: self.inbound.line.media_local, ports: inbound },
            outbound: LegPlan { address: self.media_line()?.media_local, ports: outbound },
            treatment,
            seed,
        })
    }

    /// Begins the caller's negotiation on the reserved ports; false if the offer is none after all.
    fn take_offer(&mut self, session_id: u64, ports: PortPair) -> bool {
        let local = LocalMedia::new(self.inbound.line.media_advertised, ports);
        let mut negotiation = Negotiation::new(session_id, local);
        let usable = negotiation.handle_offer(&self.inbound.offer).is_ok();
        self.inbound.negotiation = Some(negotiation);
        usable
    }

    fn remote(&self, leg: Leg) -> Option<um_media::Remote> {
        let (negotiation, signalling, line) = match leg {
            Leg::Inbound => {
                let inbound = &self.inbound;
                (inbound.negotiation.as_ref()?, inbound.flow.remote.ip(), &inbound.line.id)
            }
            Leg::Outbound => {
                let outbound = self.outbound.as_ref()?;
                let line = &self.plan.route.line_out;
                (outbound.negotiation.as_ref()?, outbound.flow?.remote.ip(), line)
            }
        };
        let line = self.configuration.topology.line(line);
        let allow: Vec<IpNet> =
            line.map_or(Vec::new(), |line| line.access.allow.iter().map(|net| net.net()).collect());
        negotiation.remote(signalling, Arc::from(allow))
    }
}

/// The least that a pair of ports rests: longer than packets stay in a network.
const SHORT_REST: Duration = Duration::from_secs(1);
