//! The topology of the simulated worker: a line for callers, a line for UM servers, their list, a station, a user.

use std::sync::Arc;

use um_engine::{Advertised, BoundLine, Configuration, EngineConfig, EngineLimits, LinePhase};
use um_sip::LineIndex;
use um_topology::{
    AddressMode, Change, Entry, Host, Id, Line, ProxyList, Resource, SipAddress, Station, Topology,
    Transport, UmProvider, User, UserUm,
};

use crate::scenario::Scenario;
use crate::wire;

/// What the operator has configured, and what the worker has made of it.
#[derive(Clone, Debug)]
pub struct Site {
    scenario: Scenario,
    topology: Topology,
    revision: i64,
    /// Entries of the list, in order.
    pub entries: Vec<usize>,
    /// The line of the callers; `None` when it is closed.
    pub pbx: Option<(LineIndex, LinePhase)>,
    last_index: u32,
}

impl Site {
    /// The site at the start of a run.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let pbx = Some((LineIndex(0), LinePhase::Open));
        let mut site = Self {
            scenario: scenario.clone(),
            topology: Topology::new(),
            revision: 0,
            entries: scenario.entries.clone(),
            pbx,
            last_index: UM_LINE.0,
        };
        site.write(true);
        site
    }

    /// Sets the entries of the list.
    pub fn list(&mut self, entries: Vec<usize>) {
        self.entries = entries;
        self.write(true);
    }

    /// Takes every entry out of use.
    pub fn retire(&mut self) {
        self.write(false);
    }

    /// Deactivates the line of the callers.
    pub fn drain_line(&mut self) {
        self.pbx = self.pbx.map(|(index, _)| (index, LinePhase::Draining));
    }

    /// Activates it again; one that was closed gets a new number.
    pub fn open_line(&mut self) {
        let index = self.pbx.map_or_else(
            || {
                self.last_index += 1;
                LineIndex(self.last_index)
            },
            |(index, _)| index,
        );
        self.pbx = Some((index, LinePhase::Open));
    }

    /// Closes the sockets of the line if it drains.
    pub fn close_line(&mut self, line: LineIndex) {
        self.pbx = self.pbx.filter(|(index, phase)| *index != line || *phase == LinePhase::Open);
    }

    /// What every shard is told.
    #[must_use]
    pub fn configuration(&self) -> Arc<Configuration> {
        let bound = |index, id: &str, transport, local: std::net::SocketAddr, phase| BoundLine {
            index,
            id: Id::new(id),
            transport,
            local,
            advertised: Advertised { host: local.ip().to_string(), port: local.port() },
            media_local: local.ip(),
            media_advertised: local.ip(),
            phase,
        };
        let transport = transport(self.caller_transport());
        let pbx = self.pbx.map(|(index, phase)| bound(index, "pbx", transport, wire::pbx_line(), phase));
        let um = self.um_transport();
        let um = bound(UM_LINE, "um", um, wire::um_line(), LinePhase::Open);
        let mut lines: Vec<BoundLine> = pbx.into_iter().chain([um]).collect();
        lines.sort_by_key(|line| line.index);
        Arc::new(Configuration { topology: self.topology.clone(), lines })
    }

    /// What a shard is born with.
    #[must_use]
    pub fn engine(&self, shard: u16) -> EngineConfig {
        let first = 20_000 + 1_000 * shard;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.scenario.seed.to_be_bytes());
        seed[8] = u8::try_from(shard).expect("few shards");
        EngineConfig {
            shard,
            shards: self.scenario.shards,
            seed,
            limits: EngineLimits { calls: 100, ..EngineLimits::default() },
            media_ports: (first, first + 199),
        }
    }

    /// The number of a server in the name of a target.
    #[must_use]
    pub fn server_of(target: &um_engine::TargetId) -> Option<usize> {
        match target {
            um_engine::TargetId::Entry { entry, .. } => {
                entry.as_str().strip_prefix("um")?.parse::<usize>().ok()?.checked_sub(1)
            }
            um_engine::TargetId::Station(_) => None,
        }
    }

    fn caller_transport(&self) -> um_sip::Transport {
        self.scenario.calls.first().map_or(um_sip::Transport::Udp, |call| call.transport)
    }

    fn um_transport(&self) -> Transport {
        transport(self.scenario.um_transport)
    }

    /// Writes the resources anew.
    fn write(&mut self, active: bool) {
        let mut pbx = Line::new("pbx", "127.0.0.1".parse().expect("an address"));
        pbx.transport.protocol = Some(transport(self.caller_transport()));
        pbx.domain = Some("pbx.example.com".parse().expect("a name"));
        let mut um = Line::new("um", "127.0.0.1".parse().expect("an address"));
        um.transport.protocol = Some(self.um_transport());
        um.transport.receive_port = Some(wire::um_line().port());
        um.transport.profile = Some(um_topology::TimerProfile::FastFailover);
        um.domain = Some("pbx.example.com".parse().expect("a name"));
        um.proxy_list = Some(Id::new("um"));
        let mut list = ProxyList::new("um", self.write_entries(active));
        list.strategy = Some(self.scenario.strategy);
        let pilot = SipAddress::parts(Some("6000"), "um.example.com".parse().expect("a name"), None);
        let mut station = Station::new("voicemail", pilot);
        station.extension = Some("6000".into());
        station.contact_line = Some(Id::new("um"));
        let provider = if self.scenario.generic { UmProvider::Generic } else { UmProvider::Exchange };
        station.um_provider = Some(provider);
        let mut user = User::new("dana", "2001");
        user.um = UserUm {
            destination: Some(Id::new("voicemail")),
            address_mode: Some(AddressMode::InternalExtension),
            address: None,
        };
        let resources = [
            Resource::ProxyList(list.into()),
            Resource::Line(pbx.into()),
            Resource::Line(um.into()),
            Resource::Station(station.into()),
            Resource::User(user.into()),
        ];
        let changes: Vec<Change> = resources.into_iter().map(Change::Put).collect();
        self.revision += 1;
        self.topology = self.topology.apply(self.revision, &changes).expect("the topology is valid");
    }

    fn write_entries(&self, active: bool) -> Vec<Entry> {
        let entries = (1..).zip(&self.entries).map(|(rank, server)| {
            let address = wire::server_address(*server);
            let host = if self.scenario.names {
                wire::server_name(*server).parse().expect("a name")
            } else {
                Host::Ip(address.ip())
            };
            let mut entry = Entry::new(Id::new(&format!("um{}", server + 1)), host, Some(address.port()));
            entry.active = Some(active);
            entry.priority = self.scenario.ranked.then_some(rank);
            entry
        });
        entries.collect()
    }
}

fn transport(transport: um_sip::Transport) -> Transport {
    match transport {
        um_sip::Transport::Udp => Transport::Udp,
        um_sip::Transport::Tcp => Transport::Tcp,
    }
}

/// The number of the line of UM servers.
pub const UM_LINE: LineIndex = LineIndex(1);
