//! Where UM servers are: the hosts of each UM station's connection address and of all entries of the list of its line.
//!
//! Names are kept as names; who resolves them is the caller of [`UmServers::stations_at`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Topology;
use crate::host::{Host, canonical_ip};
use crate::id::Id;
use crate::station::Station;
use crate::uri::Uri;

/// Stations by the hosts of their UM servers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UmServers {
    by_ip: BTreeMap<IpAddr, BTreeSet<Id>>,
    by_name: BTreeMap<Box<str>, BTreeSet<Id>>,
}

impl UmServers {
    pub(super) fn of(topology: &Topology) -> Self {
        let mut servers = Self::default();
        for station in topology.stations() {
            for (host, _) in topology.um_hosts(station) {
                match host {
                    Host::Ip(ip) => {
                        servers.by_ip.entry(canonical_ip(*ip)).or_default().insert(station.id.clone())
                    }
                    Host::Name(_) => {
                        servers.by_name.entry(host.key().into()).or_default().insert(station.id.clone())
                    }
                };
            }
        }
        servers
    }

    /// Returns the first station, in id order, one of whose UM servers has an address; `resolve` says which addresses a
    /// host name is known to have.
    #[must_use]
    pub fn station_at(&self, ip: IpAddr, resolve: impl Fn(&str) -> Vec<IpAddr>) -> Option<&Id> {
        let ip = canonical_ip(ip);
        let by_ip = self.by_ip.get(&ip).and_then(BTreeSet::first);
        let named = |name: &str| resolve(name).into_iter().any(|known| canonical_ip(known) == ip);
        let by_name = self.by_name.iter().filter(|(name, _)| named(name)).filter_map(|(_, ids)| ids.first());
        by_ip.into_iter().chain(by_name).min()
    }

    /// Returns every host name of a UM server, in order; a worker keeps these resolved.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }

    /// Returns the stations that have a UM server at a host, in id order.
    pub fn stations_of(&self, host: &Host) -> impl Iterator<Item = &Id> {
        let ids = match host {
            Host::Ip(ip) => self.by_ip.get(&canonical_ip(*ip)),
            Host::Name(_) => self.by_name.get(&*host.key()),
        };
        ids.into_iter().flatten()
    }
}

impl Topology {
    /// Returns where UM servers are.
    #[must_use]
    pub fn um_servers(&self) -> &UmServers {
        &self.um_servers
    }

    /// Returns the hosts and ports of a station's UM servers: its connection address, and every entry of the list of its
    /// line, inactive ones too.
    pub fn um_hosts<'a>(&'a self, station: &'a Station) -> impl Iterator<Item = (&'a Host, Option<u16>)> {
        let own =
            station.connection_address.as_ref().and_then(|address| Some((address.host()?, address.port())));
        let list = self.contact_line(station).and_then(|line| self.proxy_list(line.proxy_list.as_ref()?));
        let entries = list.into_iter().flat_map(|list| &list.entries);
        own.into_iter().chain(entries.filter_map(|entry| Some((entry.address.as_ref()?, entry.port))))
    }

    /// Says whether one of a station's UM servers has an address; `resolve` as in [`UmServers::station_at`].
    #[must_use]
    pub fn is_um_server_of(
        &self,
        station: &Station,
        ip: IpAddr,
        resolve: impl Fn(&str) -> Vec<IpAddr>,
    ) -> bool {
        let ip = canonical_ip(ip);
        self.um_hosts(station).any(|(host, _)| match host {
            Host::Ip(own) => canonical_ip(*own) == ip,
            Host::Name(_) => resolve(&host.key()).into_iter().any(|known| canonical_ip(known) == ip),
        })
    }

    /// Says whether host and port of a URI are those of one of a station's UM servers.
    #[must_use]
    pub fn is_target_of(&self, station: &Station, uri: &Uri) -> bool {
        let Some(host) = &uri.host else { return false };
        let port = uri.effective_port();
        self.um_hosts(station).any(|(own, own_port)| own.same(host) && own_port.unwrap_or(5060) == port)
    }
}
