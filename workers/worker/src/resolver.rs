//! Names to addresses, off the message path: DNS SRV, A and AAAA as RFC 3263 §4.2 orders them.
//!
//! An engine asks and goes on; the answer comes back through its shard's mailbox within two seconds, also when the
//! resolver is dead. What an answer is remembered for is the engine's business.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, ResolverConfig},
    lookup_ip::LookupIp,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, rdata::SRV},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, Semaphore},
    time::timeout,
};
use um_engine::{Input, Output, QueryId, Resolution, ResolveError};
use um_topology::Transport;

use crate::{
    clock,
    signalling::{Command, Mailbox},
};

/// Longest wait for an answer; the engine waits a little longer.
const PATIENCE: Duration = Duration::from_millis(1_900);
/// Questions that are asked at once; more are answered with a failure.
const MAX_QUESTIONS: usize = 256;
/// Addresses of one answer that are handed on.
const MAX_ADDRESSES: usize = 32;

/// Asks the system's name servers.
#[derive(Clone)]
pub(crate) struct NameResolver {
    resolver: TokioResolver,
    runtime: Handle,
    room: Arc<Semaphore>,
    dice: Arc<Mutex<Dice>>,
}

impl NameResolver {
    /// Reads the system's configuration; `seed` decides the order of SRV records of equal priority. Without one, only
    /// the hosts file is known: a topology of addresses needs no more.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be used.
    pub(crate) fn new(runtime: Handle, seed: u64) -> anyhow::Result<Self> {
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "no name server is known to this system; names cannot be resolved");
            let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
            TokioResolver::builder_with_config(none, TokioRuntimeProvider::default())
        });
        let options = builder.options_mut();
        options.timeout = Duration::from_millis(900);
        options.attempts = 2;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let room = Arc::new(Semaphore::new(MAX_QUESTIONS));
        Ok(Self { resolver: builder.build()?, runtime, room, dice: Arc::new(Mutex::new(Dice(seed | 1))) })
    }

    /// Answers an [`Output::Resolve`] into `mailbox`; ignores every other output.
    pub(crate) fn ask(&self, output: Output, mailbox: &Mailbox) {
        let Output::Resolve { query, host, port, transport } = output else { return };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return answer(mailbox, query, Err(ResolveError::Failed));
        };
        let (this, mailbox) = (self.clone(), mailbox.clone());
        self.runtime.spawn(async move {
            let result = timeout(PATIENCE, this.resolve(&host, port, transport)).await;
            answer(&mailbox, query, result.unwrap_or(Err(ResolveError::TimedOut)));
            drop(permit);
        });
    }

    async fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Transport,
    ) -> Result<Resolution, ResolveError> {
        if let Some(port) = port {
            return self.addresses(host, port).await;
        }
        let service = match transport {
            Transport::Udp => format!("_sip._udp.{host}."),
            Transport::Tcp => format!("_sip._tcp.{host}."),
        };
        // No SRV, or none that leads anywhere: A and AAAA at the default port.
        match self.resolver.srv_lookup(service).await {
            Ok(lookup) => {
                let ttl = lookup.valid_until().saturating_duration_since(clock::now());
                let records = lookup.answers().iter().filter_map(|record| {
                    if let RData::SRV(srv) = &record.data { Some(srv.clone()) } else { None }
                });
                let mut records: Vec<SRV> = records.collect();
                self.dice.lock().await.order(&mut records);
                match self.servers(&records, ttl).await {
                    Ok(found) if !found.addresses.is_empty() => Ok(found),
                    Ok(_) | Err(_) => self.addresses(host, 5060).await,
                }
            }
            Err(_) => self.addresses(host, 5060).await,
        }
    }

    async fn servers(&self, records: &[SRV], mut ttl: Duration) -> Result<Resolution, ResolveError> {
        let mut addresses = Vec::new();
        for record in records {
            let Ok(found) = self.addresses(&record.target.to_ascii(), record.port).await else { continue };
            ttl = ttl.min(found.ttl);
            addresses.extend(found.addresses);
            if addresses.len() >= MAX_ADDRESSES {
                break;
            }
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(Resolution { addresses, ttl })
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Resolution, ResolveError> {
        let found: LookupIp = self.resolver.lookup_ip(host).await.map_err(|error| reason(&error))?;
        let ttl = found.valid_until().saturating_duration_since(clock::now());
        let addresses = found.iter().take(MAX_ADDRESSES).map(|ip: IpAddr| SocketAddr::new(ip, port));
        let addresses: Vec<_> = addresses.collect();
        if addresses.is_empty() { Err(ResolveError::NotFound) } else { Ok(Resolution { addresses, ttl }) }
    }
}

fn answer(mailbox: &Mailbox, query: QueryId, result: Result<Resolution, ResolveError>) {
    mailbox.post(Command::Input(Input::Resolved { query, result }));
}

fn reason(error: &NetError) -> ResolveError {
    if error.is_nx_domain() || error.is_no_records_found() {
        ResolveError::NotFound
    } else if matches!(error, NetError::Timeout) {
        ResolveError::TimedOut
    } else {
        ResolveError::Failed
    }
}

/// Orders SRV records: by priority, within one by weighted lot (RFC 2782).
struct Dice(u64);

impl Dice {
    fn order(&mut self, records: &mut [SRV]) {
        records.sort_by_key(|record| (record.priority, record.weight != 0));
        let mut first = 0;
        while first < records.len() {
            let priority = records[first].priority;
            let end = records.iter().position(|record| record.priority > priority).unwrap_or(records.len());
            let group = &mut records[first..end];
            for at in 0..group.len() {
                let total: u64 = group[at..].iter().map(|record| u64::from(record.weight)).sum();
                let lot = self.roll() % (total + 1);
                let mut running = 0;
                let chosen = group[at..].iter().position(|record| {
                    running += u64::from(record.weight);
                    running >= lot
                });
                group[at..=at + chosen.unwrap_or(0)].rotate_right(1);
            }
            first = end;
        }
    }

    /// xorshift64*: good enough for spreading load, and its state is one number.
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::*;

    fn record(priority: u16, weight: u16) -> SRV {
        SRV::new(priority, weight, 5060, Name::root())
    }

    #[test]
    fn srv_priorities_come_in_order_and_weights_share() {
        let mut dice = Dice(42);
        let mut first = [0_u32; 2];
        for _ in 0..1000 {
            let mut records = vec![record(20, 1), record(10, 10), record(10, 30), record(5, 0)];
            dice.order(&mut records);
            let priorities: Vec<u16> = records.iter().map(|record| record.priority).collect();
            assert_eq!(priorities, [5, 10, 10, 20]);
            first[usize::from(records[1].weight == 30)] += 1;
        }
        assert!(first[1] > 2 * first[0] && first[0] > 100, "{first:?}");
    }
}
