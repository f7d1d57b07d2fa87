//! Asks name servers for records, off the message path. What the records mean, in which order addresses are tried and
//! how long an answer holds is the business of the engine, which keeps the only cache.
//!
//! An engine asks and goes on; the answer comes back through its shard's mailbox within two seconds, also when the
//! resolver is dead.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{self, RData, RecordType},
};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};
use um_engine::{Input, Output, Pointer, QueryId, Record, RecordKind, Resolution, ResolveError, Service};

use crate::signalling::{Command, Mailbox};

/// Longest wait for an answer; the engine waits a little longer.
const PATIENCE: Duration = Duration::from_millis(1_900);
/// How long one name server may take before it is asked again.
const SERVER_PATIENCE: Duration = Duration::from_millis(900);
/// Questions that are asked at once; more are answered with a failure.
const MAX_QUESTIONS: usize = 256;
/// Records of one answer that are handed on.
const MAX_RECORDS: usize = 64;

/// Asks name servers.
#[derive(Clone)]
pub(crate) struct NameResolver {
    resolver: TokioResolver,
    runtime: Handle,
    room: Arc<Semaphore>,
}

impl NameResolver {
    /// Takes `servers`, or without any those of the system. Without those too only the hosts file is known: a topology
    /// of addresses needs no more.
    ///
    /// # Errors
    ///
    /// When the configuration cannot be used.
    pub(crate) fn new(runtime: Handle, servers: &[SocketAddr]) -> anyhow::Result<Self> {
        let with = |config| TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().unwrap_or_else(|error| {
                tracing::warn!(%error, "no name server is known to this system; names cannot be resolved");
                with(ResolverConfig::from_parts(None, Vec::new(), Vec::new()))
            })
        } else {
            with(ResolverConfig::from_name_servers(servers.iter().map(server).collect()))
        };
        let options = builder.options_mut();
        options.timeout = SERVER_PATIENCE;
        options.attempts = 2;
        options.cache_size = 0;
        Ok(Self { resolver: builder.build()?, runtime, room: Arc::new(Semaphore::new(MAX_QUESTIONS)) })
    }

    /// Answers an [`Output::Resolve`] into `mailbox`; ignores every other output.
    pub(crate) fn ask(&self, output: Output, mailbox: &Mailbox) {
        let Output::Resolve { query, name, kind } = output else { return };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return answer(mailbox, query, Err(ResolveError::Failed));
        };
        let (this, mailbox) = (self.clone(), mailbox.clone());
        self.runtime.spawn(async move {
            let result = timeout(PATIENCE, this.records(name, kind)).await;
            answer(&mailbox, query, result.unwrap_or(Err(ResolveError::TimedOut)));
            drop(permit);
        });
    }

    async fn records(&self, mut name: String, kind: RecordKind) -> Result<Resolution, ResolveError> {
        // A host may be one of the system's search domains; the name of a service is whole.
        let (of, whole) = match kind {
            RecordKind::A => (RecordType::A, false),
            RecordKind::Aaaa => (RecordType::AAAA, false),
            RecordKind::Srv => (RecordType::SRV, true),
            RecordKind::Naptr => (RecordType::NAPTR, true),
        };
        if whole {
            name.push('.');
        }
        let lookup = self.resolver.lookup(name, of).await.map_err(|error| reason(&error))?;
        // The aliases on the way limit the answer too.
        let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
        let records = lookup.answers().iter().filter_map(|record| read(record, kind)).take(MAX_RECORDS);
        let records: Vec<Record> = records.collect();
        if records.is_empty() {
            return Err(ResolveError::NotFound);
        }
        Ok(Resolution { records, ttl: Duration::from_secs(ttl.into()) })
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

fn answer(mailbox: &Mailbox, query: QueryId, result: Result<Resolution, ResolveError>) {
    mailbox.post(Command::Input(Input::Resolved { query, result }));
}

fn read(record: &rr::Record, kind: RecordKind) -> Option<Record> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
    match (kind, &record.data) {
        (RecordKind::A, RData::A(address)) => Some(Record::Address(IpAddr::V4(address.0))),
        (RecordKind::Aaaa, RData::AAAA(address)) => Some(Record::Address(IpAddr::V6(address.0))),
        (RecordKind::Srv, RData::SRV(service)) => Some(Record::Service(Service {
            priority: service.priority,
            weight: service.weight,
            port: service.port,
            target: service.target.to_ascii().into(),
        })),
        (RecordKind::Naptr, RData::NAPTR(pointer)) => Some(Record::Pointer(Pointer {
            order: pointer.order,
            preference: pointer.preference,
            flags: text(&pointer.flags),
            services: text(&pointer.services),
            replacement: pointer.replacement.to_ascii().into(),
        })),
        (RecordKind::A | RecordKind::Aaaa | RecordKind::Srv | RecordKind::Naptr, _) => None,
    }
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

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::{
        Name,
        rdata::{A, NAPTR, SRV},
    };

    use super::*;

    fn record(data: RData) -> rr::Record {
        rr::Record::from_rdata(Name::root(), 60, data)
    }

    #[test]
    fn only_records_of_the_kind_asked_for_are_read() {
        let name = || Name::from_ascii("a.example.com.").unwrap();
        let service = record(RData::SRV(SRV::new(1, 2, 5070, name())));
        let Some(Record::Service(read_service)) = read(&service, RecordKind::Srv) else { panic!("no SRV") };
        assert_eq!((read_service.priority, read_service.weight, read_service.port), (1, 2, 5070));
        assert_eq!(&*read_service.target, "a.example.com.");
        assert_eq!(read(&service, RecordKind::A), None);
        let pointer = NAPTR::new(10, 20, (*b"s").into(), (*b"SIP+D2T").into(), Box::default(), name());
        let Some(Record::Pointer(pointer)) = read(&record(RData::NAPTR(pointer)), RecordKind::Naptr) else {
            panic!("no NAPTR")
        };
        assert_eq!((&*pointer.flags, &*pointer.services), ("s", "SIP+D2T"));
        let address = record(RData::A(A::new(127, 0, 0, 5)));
        assert_eq!(read(&address, RecordKind::A), Some(Record::Address([127, 0, 0, 5].into())));
    }
}
