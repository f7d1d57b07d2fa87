//! OPTIONS to targets: from the line that calls go out on, over the same transport. When one is due and
//! what its outcome means is said by `health.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use um_routing::TargetId;
use um_sip::Message;
use um_sip::endpoint::ClientTransaction;
use um_topology::{Id, Line, ProxyList, Station, Topology, Uri};

use super::Engine;
use super::apply::policy;
use super::session::Sender;
use super::way::{Arrival, User, Way};
use crate::health::{Evidence, Policy, ProbeId};
use crate::input::ConnectError;
use crate::leg::headers;
use crate::locate::{Located, Place};
use crate::observation::Observation;

/// A target as it is probed.
#[derive(Clone, Debug)]
pub(super) struct Probed {
    pub(super) policy: Policy,
    pub(super) place: Place,
    /// The line whose socket the probe leaves from.
    pub(super) line: Id,
}

/// A probe under way.
#[derive(Debug)]
pub(super) struct Probe {
    target: TargetId,
    probed: Probed,
    began: Instant,
    way: Way,
    transaction: Option<ClientTransaction>,
}

impl Engine {
    pub(super) fn start_probe(&mut self, now: Instant, target: TargetId, id: ProbeId) {
        let Some(probed) = probed_target(&self.configuration.topology, &target) else {
            return self.health.not_probed(now, id);
        };
        let place = probed.place.clone();
        let located = self.locator.locate(now, &place, User::Probe(id));
        let way = if located == Located::Asked { Way::Asking(place) } else { Way::Idle };
        self.probes.insert(id, Probe { target, probed, began: now, way, transaction: None });
        if located != Located::Asked {
            self.on_probe_located(now, id, located);
        }
    }

    pub(super) fn on_probe_located(&mut self, now: Instant, id: ProbeId, located: Located) {
        let Some(probe) = self.probes.get_mut(&id) else { return };
        probe.way = Way::Idle;
        let Located::At(addresses) = located else { return self.conclude_probe(now, id, None) };
        let Some(remote) = addresses.first().copied() else { return self.conclude_probe(now, id, None) };
        let transport = probe.probed.place.transport;
        let line = self.configuration.bound_towards(&probe.probed.line, transport, remote.ip()).cloned();
        let deadline = probe.began + probe.probed.policy.timeout;
        let Some(line) = line else {
            return self.skip_probe(now, id);
        };
        let way = self.go(now, &line, transport, remote, deadline, User::Probe(id));
        if let Some(probe) = self.probes.get_mut(&id) {
            probe.way = way;
        }
    }

    pub(super) fn on_probe_arrived(&mut self, now: Instant, id: ProbeId, arrival: Arrival) {
        match arrival {
            Arrival::Flow(flow, _) => {
                if self.send_options(now, id, flow).is_none() {
                    self.skip_probe(now, id);
                }
            }
            Arrival::Blocked(error) => {
                if let Some(probe) = self.probes.get_mut(&id) {
                    probe.way = Way::Idle;
                }
                match error {
                    ConnectError::Local => self.skip_probe(now, id),
                    ConnectError::Refused | ConnectError::Unreachable | ConnectError::TimedOut => {
                        self.conclude_probe(now, id, None);
                    }
                }
            }
        }
    }

    fn send_options(&mut self, now: Instant, id: ProbeId, flow: um_sip::Flow) -> Option<()> {
        let identity = self.endpoint.new_identity();
        let probe = self.probes.get_mut(&id)?;
        let from = our_uri(&self.configuration.topology, &probe.probed.line, flow.local);
        let to = target_uri(&probe.probed.place, flow.remote);
        let request = headers::options(&to, &from, identity).ok()?;
        let transaction = self.endpoint.request(now, flow, &request).ok()?;
        self.senders.insert(transaction, Sender::Probe(id));
        self.probes.get_mut(&id)?.transaction = Some(transaction);
        Some(())
    }

    pub(super) fn on_probe_response(&mut self, now: Instant, id: ProbeId, response: &Message) {
        if let Some(status) = response.status().filter(|status| status.is_final()) {
            self.conclude_probe(now, id, Some(status.code()));
        }
    }

    pub(super) fn on_probe_unanswered(&mut self, now: Instant, id: ProbeId) {
        self.conclude_probe(now, id, None);
    }

    /// Gives back what a probe holds. It is not over for health until its time is up, unless it is concluded.
    pub(super) fn end_probe(&mut self, now: Instant, id: ProbeId) {
        let Some(probe) = self.probes.remove(&id) else { return };
        self.leave(now, User::Probe(id), &probe.way);
        if let Some(transaction) = probe.transaction {
            self.senders.remove(&transaction);
            self.endpoint.abandon(now, transaction);
        }
    }

    /// We have no socket or no room for it: that says nothing about the target.
    fn skip_probe(&mut self, now: Instant, id: ProbeId) {
        self.end_probe(now, id);
        self.health.not_probed(now, id);
    }

    fn conclude_probe(&mut self, now: Instant, id: ProbeId, status: Option<u16>) {
        let Some(probe) = self.probes.get(&id) else { return };
        let alive = status.is_some_and(|status| !probe.probed.policy.is_dead(status));
        let evidence = if alive { Evidence::ProbeAnswered } else { Evidence::ProbeFailed };
        let duration = now.saturating_duration_since(probe.began);
        let target = probe.target.clone();
        self.end_probe(now, id);
        self.observe(Observation::Probed { target, status, duration });
        self.health.probed(now, id, evidence);
    }
}

/// Every target that calls may go to: active entries of the lists that lines use, and the connection
/// addresses of stations that are reached without a list.
pub(super) fn probed_targets(topology: &Topology) -> BTreeMap<TargetId, Probed> {
    let mut targets = BTreeMap::new();
    for line in topology.lines().filter(|line| line.effective_active()) {
        let Some(list) = line.proxy_list.as_ref().and_then(|list| topology.proxy_list(list)) else {
            continue;
        };
        for (id, probed) in entries(line, list) {
            targets.entry(id).or_insert(probed);
        }
    }
    for station in topology.stations() {
        if let Some(probed) = station_target(topology, station) {
            targets.insert(TargetId::Station(station.id.clone()), probed);
        }
    }
    targets
}

fn probed_target(topology: &Topology, target: &TargetId) -> Option<Probed> {
    match target {
        TargetId::Entry { list, .. } => {
            let uses = |line: &&std::sync::Arc<Line>| {
                line.effective_active() && line.proxy_list.as_ref() == Some(list)
            };
            let line = topology.lines().find(uses)?;
            entries(line, topology.proxy_list(list)?).find(|(id, _)| id == target).map(|(_, probed)| probed)
        }
        TargetId::Station(station) => station_target(topology, topology.station(station)?),
    }
}

fn entries<'a>(line: &'a Line, list: &'a ProxyList) -> impl Iterator<Item = (TargetId, Probed)> + 'a {
    list.entries.iter().filter(|entry| entry.effective_active()).filter_map(|entry| {
        let place = Place {
            host: entry.address.clone()?,
            port: entry.port,
            transport: entry.transport.or(list.protocol).unwrap_or_else(|| line.effective_protocol()),
        };
        let id = TargetId::Entry { list: list.id.clone(), entry: entry.id.clone() };
        Some((id, Probed { policy: policy(&entry.health), place, line: line.id.clone() }))
    })
}

/// The connection address of a station, if calls go straight there.
fn station_target(topology: &Topology, station: &Station) -> Option<Probed> {
    if !station.effective_active() || topology.target_list(station).is_some() {
        return None;
    }
    let line = topology.contact_line(station)?;
    let address = station.connection_address.as_ref()?;
    let place =
        Place { host: address.host()?.clone(), port: address.port(), transport: line.effective_protocol() };
    Some(Probed { policy: policy(&um_topology::Health::default()), place, line: line.id.clone() })
}

/// Whom the probe comes from: the domain of our line, else its address.
fn our_uri(topology: &Topology, line: &Id, local: SocketAddr) -> Uri {
    let domain = topology.line(line).and_then(|line| line.domain.clone());
    Uri::sip(None, domain.unwrap_or_else(|| local.ip().into()), None)
}

/// Whom the probe is for, without a user.
fn target_uri(place: &Place, remote: SocketAddr) -> Uri {
    let uri = Uri::sip(None, place.host.clone(), Some(place.port.unwrap_or_else(|| remote.port())));
    match place.transport {
        um_topology::Transport::Udp => uri,
        um_topology::Transport::Tcp => uri.with_param("transport", Some("tcp")),
    }
}
