//! From a place to addresses over what the cache knows: NAPTR, SRV, AAAA and A (RFC 3263 §4.1, §4.2). A
//! search keeps no state: it is made again whenever an answer has come, until nothing is missing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use um_topology::Transport;

use super::order::{self, Lots};
use super::records::{Cache, Known, Question, Settle};
use super::{DEFAULT_PORT, Families, Located, Means, Place};
use crate::input::{Pointer, Record, RecordKind, ResolveError, Service};

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is over.
    Done(Located),
    /// It goes on when the first of these questions is answered; never empty.
    Missing(Vec<Question>),
}

/// One search at one moment.
pub(super) struct Search<'a, W> {
    cache: &'a Cache<W>,
    now: Instant,
    settle: Settle,
    /// Every question that the search looked at.
    pub(super) looked_at: Vec<Question>,
    missing: Vec<Question>,
    error: ResolveError,
}

impl<'a, W> Search<'a, W> {
    pub(super) const fn new(cache: &'a Cache<W>, now: Instant, settle: Settle) -> Self {
        Self { cache, now, settle, looked_at: Vec::new(), missing: Vec::new(), error: ResolveError::NotFound }
    }

    pub(super) fn run(&mut self, place: &Place, means: &Means) -> Outcome {
        let host = place.host.key();
        if let Some(port) = place.port {
            return self.of_host(&host, port, place.transport, means.families);
        }
        for (transport, name) in self.services_to_ask(&host, place, means) {
            if !self.missing.is_empty() {
                break;
            }
            match self.of_service(&name, means) {
                Found::Addresses(addresses) => return self.found(transport, addresses),
                // RFC 2782: a target of "." says that the service is not there at all.
                Found::Refused => return Outcome::Done(Located::Nowhere(ResolveError::NotFound)),
                Found::Nothing => {}
            }
        }
        if self.missing.is_empty() {
            return self.of_host(&host, DEFAULT_PORT, place.transport, means.families);
        }
        Outcome::Missing(std::mem::take(&mut self.missing))
    }

    /// The SRV names to try in turn, each with its transport: the one that NAPTR points to, else our own.
    fn services_to_ask(&mut self, host: &str, place: &Place, means: &Means) -> Vec<(Transport, String)> {
        let own = |transport: Transport| match transport {
            Transport::Udp => (transport, format!("_sip._udp.{host}")),
            Transport::Tcp => (transport, format!("_sip._tcp.{host}")),
        };
        let Some(alternative) = means.alternative else { return vec![own(place.transport)] };
        let records = self.look(host, RecordKind::Naptr);
        let pointers: Vec<Pointer> = records.iter().filter_map(Record::as_pointer).cloned().collect();
        match order::pointer(&pointers, &[place.transport, alternative]) {
            Some((transport, name)) => vec![(transport, name.to_owned())],
            None => vec![own(place.transport), own(alternative)],
        }
    }

    fn of_service(&mut self, name: &str, means: &Means) -> Found {
        let records = self.look(name, RecordKind::Srv);
        let services: Vec<Service> = records.iter().filter_map(Record::as_service).cloned().collect();
        if let [only] = &*services
            && only.target.trim_matches('.').is_empty()
        {
            return Found::Refused;
        }
        let mut addresses = Vec::new();
        for service in order::services(&services, Lots::new(means.lot)).iter().take(MAX_TARGETS) {
            let found = self.addresses(&service.target, means.families);
            addresses.extend(found.into_iter().map(|ip| SocketAddr::new(ip, service.port)));
        }
        if addresses.is_empty() { Found::Nothing } else { Found::Addresses(addresses) }
    }

    fn of_host(&mut self, host: &str, port: u16, transport: Transport, families: Families) -> Outcome {
        let addresses = self.addresses(host, families);
        let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        self.found(transport, addresses)
    }

    fn found(&mut self, transport: Transport, mut addresses: Vec<SocketAddr>) -> Outcome {
        if !self.missing.is_empty() {
            return Outcome::Missing(std::mem::take(&mut self.missing));
        }
        let mut seen = Vec::new();
        addresses.retain(|address| {
            !seen.contains(address) && seen.len() < MAX_ADDRESSES && {
                seen.push(*address);
                true
            }
        });
        Outcome::Done(match addresses.is_empty() {
            true => Located::Nowhere(self.error),
            false => Located::At { transport, addresses: addresses.into() },
        })
    }

    /// The addresses of a host in the families that we can send from, IPv6 first.
    fn addresses(&mut self, host: &str, families: Families) -> Vec<IpAddr> {
        let mut found = Vec::new();
        for (wanted, kind) in [(families.v6, RecordKind::Aaaa), (families.v4, RecordKind::A)] {
            if wanted {
                found.extend(self.look(host, kind).iter().filter_map(Record::as_address));
            }
        }
        found
    }

    fn look(&mut self, name: &str, kind: RecordKind) -> Arc<[Record]> {
        let question = Question::new(name, kind);
        let known = self.cache.known(self.now, &question, self.settle);
        self.looked_at.push(question.clone());
        match known {
            Known::Records(records) => return records,
            Known::Failed(error) => self.error = error,
            Known::Awaited => self.missing.push(question),
        }
        Arc::from([])
    }
}

/// What SRV said.
enum Found {
    Addresses(Vec<SocketAddr>),
    Nothing,
    Refused,
}

/// Every address that the cache has of a host name, found by any record, however old; nothing is asked.
pub(super) fn everything<W>(cache: &Cache<W>, host: &str) -> Vec<IpAddr> {
    let records = |name: &str, kind| cache.last_known(&Question::new(name, kind)).cloned();
    let mut names: Vec<String> = vec![format!("_sip._udp.{host}"), format!("_sip._tcp.{host}")];
    if let Some(found) = records(host, RecordKind::Naptr) {
        names.extend(
            found.iter().filter_map(Record::as_pointer).map(|pointer| pointer.replacement.to_string()),
        );
    }
    let mut hosts: Vec<String> = vec![host.to_owned()];
    for name in names {
        let found = records(&name, RecordKind::Srv);
        let services = found.iter().flat_map(|found| found.iter().filter_map(Record::as_service));
        hosts.extend(services.map(|service| service.target.to_string()));
    }
    let mut addresses: Vec<IpAddr> = Vec::new();
    for host in hosts {
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            let found = records(&host, kind);
            addresses.extend(found.iter().flat_map(|found| found.iter().filter_map(Record::as_address)));
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// Targets of one SRV answer whose addresses are asked for.
const MAX_TARGETS: usize = 16;
/// Addresses of one place.
const MAX_ADDRESSES: usize = 32;
