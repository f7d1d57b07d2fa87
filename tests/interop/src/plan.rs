//! What a test wants the product to be: one line for callers, one towards the UM servers, a list of them; written as manifests.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

/// What a line speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
}

impl Transport {
    /// Returns its name in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

/// One UM server of the list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id in the list.
    pub id: &'static str,
    /// Where it listens; port 0: the entry has none.
    pub address: SocketAddr,
    /// The name that stands for its IP in the list, if any.
    pub name: Option<&'static str>,
}

/// Port of the line for callers.
pub const CALLERS: u16 = 5060;
/// Port of the line towards UM servers.
pub const UM: u16 = 5062;
/// The pilot, which every call of these tests dials.
pub const PILOT: &str = "6000";

/// The whole topology of a test. Times are manifest durations.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Address of all lines.
    pub worker: Ipv4Addr,
    /// Transport of the line for callers.
    pub inbound: Transport,
    /// Transport of the line towards UM servers.
    pub outbound: Transport,
    /// The list's `protocol`; none: that of the line.
    pub protocol: Option<Transport>,
    /// The UM servers, first choice first.
    pub entries: Vec<Entry>,
    /// The list's `attempt_timeout`.
    pub attempt_timeout: &'static str,
    /// The list's `timeout`.
    pub timeout: &'static str,
    /// The line's `connect_timer`.
    pub connect_timer: &'static str,
    /// Each entry's `options_interval`.
    pub options_interval: &'static str,
    /// Network that both lines admit, in signalling and as a source of media; empty: anybody calls, and media comes from
    /// where the far side said.
    pub allow: &'static str,
    /// Further documents.
    pub more: String,
}

impl Plan {
    /// Returns a plan with the defaults of a new UM line, and probes so rare that only calls judge a server.
    #[must_use]
    pub fn new(worker: Ipv4Addr, inbound: Transport, outbound: Transport, servers: &[SocketAddr]) -> Self {
        let ids = ["um1", "um2", "um3", "um4"];
        let entries = ids
            .iter()
            .zip(servers)
            .map(|(id, address)| Entry { id, address: *address, name: None })
            .collect();
        Self {
            worker,
            inbound,
            outbound,
            protocol: Some(outbound),
            entries,
            attempt_timeout: "2s",
            timeout: "7500ms",
            connect_timer: "2s",
            options_interval: "1h",
            allow: "",
            more: String::new(),
        }
    }

    /// Writes the manifests.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut text = self.list();
        let access = match self.allow {
            "" => String::new(),
            network => format!("access: {{allow: [{network}]}}\n"),
        };
        let _ = write!(
            text,
            "---\nkind: Line\nname: callers\nusage: GENERAL\ndomain: pbx.example.com\n{access}\
             transport: {{protocol: {}, audio: RTP, bind_address: {worker}, receive_port: {CALLERS}}}\n\
             ---\nkind: Line\nname: um\nusage: GENERAL\ndomain: pbx.example.com\nproxy_list: um\n{access}\
             transport: {{protocol: {}, audio: RTP, bind_address: {worker}, receive_port: {UM}, \
             profile: FAST_FAILOVER, connect_timer: {}, retryable_codes: \"480, 500-599\"}}\n",
            self.inbound.name(),
            self.outbound.name(),
            self.connect_timer,
            worker = self.worker,
        );
        let first = self.entries.first().map_or(self.worker, |entry| match entry.address {
            SocketAddr::V4(address) => *address.ip(),
            SocketAddr::V6(_) => self.worker,
        });
        let _ = write!(
            text,
            "---\nkind: Station\nname: voicemail\ntype: UNIFIED_MESSAGING\num_provider: EXCHANGE\n\
             extension: \"{PILOT}\"\nconnection_address: {{user: \"{PILOT}\", host: {first}, port: 5060}}\n\
             contact_line: um\ntransport: {{use_proxy: true}}\n\
             ---\nkind: User\nname: dana\nextension: \"2001\"\num: {{destination: voicemail, address_mode: INTERNAL_EXTENSION}}\n\
             ---\nkind: Settings\ndomains: [pbx.example.com]\nstation_defaults: {{contact_line: um}}\n\
             allowed_redirect_hosts: [127.0.0.0/8]\n{}",
            self.more
        );
        text
    }

    /// Writes the proxy list alone.
    #[must_use]
    pub fn list(&self) -> String {
        let mut text = format!(
            "kind: ProxyList\nname: um\nstrategy: ORDERED\n{}attempt_timeout: {}\ntimeout: {}\n\
             failover_budget: 12s\nentries:\n",
            self.protocol.map_or_else(String::new, |protocol| format!("protocol: {}\n", protocol.name())),
            self.attempt_timeout,
            self.timeout
        );
        for (priority, entry) in (1..).zip(&self.entries) {
            let host = entry.name.map_or_else(|| entry.address.ip().to_string(), ToOwned::to_owned);
            let port = match entry.address.port() {
                0 => String::new(),
                port => format!("port: {port}, "),
            };
            let _ = writeln!(
                text,
                "- {{id: {}, address: {host}, {port}priority: {priority}, health: {{options_interval: {}}}}}",
                entry.id, self.options_interval
            );
        }
        text
    }
}
