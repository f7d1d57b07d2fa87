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
use super::way::{Arrival, User, Way, families};
use crate::health::{Evidence, Policy, ProbeId};
use crate::input::ConnectError;
use crate::leg::headers;
use crate::locate::{Answered, Located, Means, Place};
use crate::observation::Observation;

/// A target as it is probed.
#[derive(Clone, Debug)]
pub(super) struct Probed {
    pub(super) policy: Policy,
    pub(super) place: Place,
    /// The line whose socket the probe leaves from.
    pub(super) line: Id,
}

/// A probe under way: one OPTIONS to each of the first addresses that a call would try. One that answers
/// proves the target alive; it is dead when none does.
#[derive(Debug)]
pub(super) struct Probe {
    target: TargetId,
    probed: Probed,
    began: Instant,
    /// How the addresses are found.
    way: Way,
    tries: Vec<Try>,
    /// The last final response that proved nothing.
    status: Option<u16>,
    /// Health knows; what the other addresses do is still awaited, so that calls try the dead ones last.
    concluded: bool,
}

/// The probe of one address.
#[derive(Debug)]
struct Try {
    remote: SocketAddr,
    way: Way,
    transaction: Option<ClientTransaction>,
    end: End,
}

/// How the probe of an address ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It has not.
    None,
    /// We have no socket or no room for it: that says nothing about the target.
    Skipped,
    Alive,
    Dead,
}

impl Engine {
    pub(super) fn start_probe(&mut self, now: Instant, target: TargetId, id: ProbeId) {
        let topology = &self.configuration.topology;
        let Some(probed) = probed_target(topology, &target) else {
            return self.health.not_probed(now, id);
        };
        let place = probed.place.clone();
        let free = place.transport == um_topology::Transport::Udp && is_transport_free(topology, &target);
        let means = Means {
            families: families(&self.configuration, &probed.line),
            alternative: free.then_some(um_topology::Transport::Tcp),
            lot: id.0,
        };
        let located = self.locator.locate(now, &place, means, User::Probe(id, 0));
        let way = if located == Located::Asked { Way::Asking } else { Way::Idle };
        let probe =
            Probe { target, probed, began: now, way, tries: Vec::new(), status: None, concluded: false };
        self.end_lingering(now, &probe.target);
        self.probes.insert(id, probe);
        if located != Located::Asked {
            self.on_probe_located(now, id, located);
        }
    }

    pub(super) fn on_probe_located(&mut self, now: Instant, id: ProbeId, located: Located) {
        let Some(probe) = self.probes.get_mut(&id) else { return };
        probe.way = Way::Idle;
        let Located::At { transport, addresses } = located else { return self.conclude_probe(now, id, None) };
        probe.tries = addresses.iter().take(TRIES_MAX).map(|remote| Try::new(*remote)).collect();
        let deadline = probe.began + probe.probed.policy.timeout;
        let line_id = probe.probed.line.clone();
        for (index, remote) in (0_u8..).zip(addresses.iter().take(TRIES_MAX).copied()) {
            let user = User::Probe(id, index);
            match self.configuration.bound_towards(&line_id, transport, remote.ip()).cloned() {
                Some(line) => {
                    let way = self.go(now, &line, transport, remote, deadline, user);
                    if let Some(one) = self.try_of(id, index) {
                        one.way = way;
                    }
                }
                None => self.end_try(now, id, index, End::Skipped),
            }
        }
    }

    pub(super) fn on_probe_arrived(&mut self, now: Instant, (id, index): (ProbeId, u8), arrival: Arrival) {
        match arrival {
            Arrival::Flow(flow, _) => {
                if self.send_options(now, id, index, flow).is_none() {
                    self.end_try(now, id, index, End::Skipped);
                }
            }
            Arrival::Blocked(error) => {
                if let Some(one) = self.try_of(id, index) {
                    one.way = Way::Idle;
                }
                let end = match error {
                    ConnectError::Local => End::Skipped,
                    ConnectError::Refused | ConnectError::Unreachable | ConnectError::TimedOut => End::Dead,
                };
                self.end_try(now, id, index, end);
            }
        }
    }

    fn send_options(&mut self, now: Instant, id: ProbeId, index: u8, flow: um_sip::Flow) -> Option<()> {
        let identity = self.endpoint.new_identity();
        let probe = self.probes.get_mut(&id)?;
        let from = our_uri(&self.configuration.topology, &probe.probed.line, flow.local);
        let to = target_uri(&probe.probed.place, flow.remote);
        let request = headers::options(&to, &from, identity).ok()?;
        let transaction = self.endpoint.request(now, flow, &request).ok()?;
        self.senders.insert(transaction, Sender::Probe(id));
        self.try_of(id, index)?.transaction = Some(transaction);
        Some(())
    }

    pub(super) fn on_probe_response(
        &mut self,
        now: Instant,
        id: ProbeId,
        transaction: ClientTransaction,
        response: &Message,
    ) {
        let Some(status) = response.status().filter(|status| status.is_final()) else { return };
        let Some(probe) = self.probes.get_mut(&id) else { return };
        let Some(index) = probe.index_of(transaction) else { return };
        let end = if probe.probed.policy.is_dead(status.code()) { End::Dead } else { End::Alive };
        if !probe.concluded {
            probe.status = Some(status.code());
        }
        self.end_try(now, id, index, end);
    }

    pub(super) fn on_probe_unanswered(&mut self, now: Instant, id: ProbeId, transaction: ClientTransaction) {
        let index = self.probes.get(&id).and_then(|probe| probe.index_of(transaction));
        if let Some(index) = index {
            self.end_try(now, id, index, End::Dead);
        }
    }

    /// Notes how the probe of an address ended. The first that lives, or the last of all, concludes the probe.
    fn end_try(&mut self, now: Instant, id: ProbeId, index: u8, end: End) {
        let Some(one) = self.try_of(id, index) else { return };
        one.end = end;
        let remote = one.remote;
        match end {
            End::Alive => self.locator.note(now, remote, Answered::Yes),
            End::Dead => self.locator.note(now, remote, Answered::No),
            End::None | End::Skipped => {}
        }
        let Some(probe) = self.probes.get(&id) else { return };
        let over = probe.tries.iter().all(|one| one.end != End::None);
        let status = probe.status;
        match (probe.concluded, end) {
            (true, _) if over => self.end_probe(now, id),
            (true, _) => {}
            (false, End::Alive) => self.conclude_probe(now, id, status),
            (false, _) if !over => {}
            (false, _) if probe.tries.iter().all(|one| one.end == End::Skipped) => self.skip_probe(now, id),
            (false, End::None | End::Skipped | End::Dead) => self.conclude_probe(now, id, status),
        }
    }

    /// Ends what is left of the probe before; an address that has not answered by now is dead.
    fn end_lingering(&mut self, now: Instant, target: &TargetId) {
        let old: Vec<ProbeId> = self
            .probes
            .iter()
            .filter(|(_, probe)| probe.concluded && probe.target == *target)
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            let tries = self.probes.get(&id).map_or(&[][..], |probe| &probe.tries);
            let silent = tries.iter().filter(|one| one.end == End::None);
            let silent: Vec<SocketAddr> = silent.map(|one| one.remote).collect();
            for remote in silent {
                self.locator.note(now, remote, Answered::No);
            }
            self.end_probe(now, id);
        }
    }

    /// Gives back what a probe holds. It is not over for health until its time is up, unless it is concluded.
    pub(super) fn end_probe(&mut self, now: Instant, id: ProbeId) {
        let Some(probe) = self.probes.remove(&id) else { return };
        self.leave(now, User::Probe(id, 0), &probe.way);
        for (index, one) in (0_u8..).zip(probe.tries) {
            self.leave(now, User::Probe(id, index), &one.way);
            if let Some(transaction) = one.transaction {
                self.senders.remove(&transaction);
                self.endpoint.abandon(now, transaction);
            }
        }
    }

    fn try_of(&mut self, id: ProbeId, index: u8) -> Option<&mut Try> {
        self.probes.get_mut(&id)?.tries.get_mut(usize::from(index))
    }

    /// We have no socket or no room for it: that says nothing about the target.
    fn skip_probe(&mut self, now: Instant, id: ProbeId) {
        self.end_probe(now, id);
        self.health.not_probed(now, id);
    }

    /// Tells health what was found.
    fn conclude_probe(&mut self, now: Instant, id: ProbeId, status: Option<u16>) {
        let Some(probe) = self.probes.get_mut(&id) else { return };
        probe.concluded = true;
        let alive = status.is_some_and(|status| !probe.probed.policy.is_dead(status));
        let evidence = if alive { Evidence::ProbeAnswered } else { Evidence::ProbeFailed };
        let duration = now.saturating_duration_since(probe.began);
        let target = probe.target.clone();
        if probe.tries.iter().all(|one| one.end != End::None) {
            self.end_probe(now, id);
        }
        self.observe(Observation::Probed { target, status, duration });
        self.health.probed(now, id, evidence);
    }
}

impl Probe {
    fn index_of(&self, transaction: ClientTransaction) -> Option<u8> {
        (0_u8..)
            .zip(&self.tries)
            .find(|(_, one)| one.transaction == Some(transaction))
            .map(|(index, _)| index)
    }
}

impl Try {
    const fn new(remote: SocketAddr) -> Self {
        Self { remote, way: Way::Idle, transaction: None, end: End::None }
    }
}

/// Whether neither the entry, its list nor its address says how a target is to be reached.
pub(super) fn is_transport_free(topology: &Topology, target: &TargetId) -> bool {
    match target {
        TargetId::Entry { list, entry } => topology.proxy_list(list).is_some_and(|list| {
            let entry = list.entries.iter().find(|other| other.id == *entry);
            entry.is_some_and(|entry| entry.transport.or(list.protocol).is_none())
        }),
        TargetId::Station(station) => topology
            .station(station)
            .and_then(|station| station.connection_address.as_ref())
            .is_some_and(|address| address.uri().param("transport").is_none()),
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

/// Addresses of one name that a probe goes to.
const TRIES_MAX: usize = 4;
