//! A proxy list: ordered targets and how they share load.

use std::time::Duration;

use crate::RetryableCodes;
use crate::codes::CodeSet;
use crate::host::Host;
use crate::id::Id;
use crate::line::Transport;
use crate::meta::Meta;

/// An ordered list of UM servers with a strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyList {
    /// The id, `proxyLists/{id}`.
    pub id: Id,
    /// Describing fields.
    pub meta: Option<Box<Meta>>,
    /// How entries of equal priority share load. Unset: ORDERED.
    pub strategy: Option<Strategy>,
    /// What HASH hashes. Unset: CALL_ID.
    pub hash_on: Option<HashOn>,
    /// Transport towards entries that name none. Unset: that of the line.
    pub protocol: Option<Transport>,
    /// Longest wait with nothing but 100, 500 ms–180 s. Unset: 7.5 s.
    pub timeout: Option<Duration>,
    /// Time for all attempts of a call, 500 ms–180 s; a ringing attempt is not cut. Unset: 12 s.
    pub failover_budget: Option<Duration>,
    /// Longest silence while another target is left, 100 ms–32 s. Unset: 2 s.
    pub attempt_timeout: Option<Duration>,
    /// The targets, at most 32.
    pub entries: Vec<Entry>,
}

impl ProxyList {
    /// Makes a list of entries with nothing else set.
    #[must_use]
    pub fn new(id: impl Into<Id>, entries: Vec<Entry>) -> Self {
        Self {
            id: id.into(),
            meta: None,
            strategy: None,
            hash_on: None,
            protocol: None,
            timeout: None,
            failover_budget: None,
            attempt_timeout: None,
            entries,
        }
    }

    /// Returns how entries of equal priority share load.
    #[must_use]
    pub fn effective_strategy(&self) -> Strategy {
        self.strategy.unwrap_or(Strategy::Ordered)
    }

    /// Returns what HASH hashes.
    #[must_use]
    pub fn effective_hash_on(&self) -> HashOn {
        self.hash_on.unwrap_or(HashOn::CallId)
    }

    /// Returns the longest wait with nothing but 100.
    #[must_use]
    pub fn effective_timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// Returns the time for all attempts of a call.
    #[must_use]
    pub fn effective_failover_budget(&self) -> Duration {
        self.failover_budget.unwrap_or(DEFAULT_FAILOVER_BUDGET)
    }

    /// Returns the longest silence while another target is left.
    #[must_use]
    pub fn effective_attempt_timeout(&self) -> Duration {
        self.attempt_timeout.unwrap_or(DEFAULT_ATTEMPT_TIMEOUT)
    }
}

/// How entries of equal priority share load; priorities themselves are the failover order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// In the order of the list.
    Ordered,
    /// Each call begins one entry further.
    RoundRobin,
    /// Calls in proportion to the weights.
    Weighted,
    /// The entry with the fewest calls first.
    LeastCalls,
    /// The same entry for the same call, caller or mailbox.
    Hash,
}

/// What strategy HASH hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashOn {
    /// The inbound Call-ID.
    CallId,
    /// The caller.
    From,
    /// The mailbox; a call without one hashes its caller.
    Mailbox,
}

/// One UM server of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The id, unique within the list.
    pub id: Id,
    /// IP address or host name.
    pub address: Option<Host>,
    /// The port, 1–65535. Unset: SRV, then 5060 (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// Transport. Unset: the list's, else the line's.
    pub transport: Option<Transport>,
    /// Failover order, 0–65535, low first. Unset: 1.
    pub priority: Option<u32>,
    /// Share under WEIGHTED, 0–65535; 0 takes calls only when no other of its priority can. Unset: 100.
    pub weight: Option<u32>,
    /// Most calls at a time; at the limit calls overflow to the next entry. Unset: no limit.
    pub max_calls: Option<u32>,
    /// Whether new calls are sent there; false drains. Unset: true.
    pub active: Option<bool>,
    /// How its life is watched.
    pub health: Health,
}

impl Entry {
    /// Makes an entry with nothing but an id and an address.
    #[must_use]
    pub fn new(id: impl Into<Id>, address: Host, port: Option<u16>) -> Self {
        Self {
            id: id.into(),
            address: Some(address),
            port,
            transport: None,
            priority: None,
            weight: None,
            max_calls: None,
            active: None,
            health: Health::default(),
        }
    }

    /// Returns the failover order, low first.
    #[must_use]
    pub fn effective_priority(&self) -> u32 {
        self.priority.unwrap_or(1)
    }

    /// Returns the share under WEIGHTED.
    #[must_use]
    pub fn effective_weight(&self) -> u32 {
        self.weight.unwrap_or(100)
    }

    /// Says whether new calls are sent there.
    #[must_use]
    pub fn effective_active(&self) -> bool {
        self.active.unwrap_or(true)
    }
}

/// How the life of a target is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Time between OPTIONS probes, 1 s–1 h. Unset: 10 s.
    pub options_interval: Option<Duration>,
    /// Longest wait for an answer to a probe, 100 ms–32 s and not above the interval. Unset: 2 s.
    pub options_timeout: Option<Duration>,
    /// Failed probes in a row until DOWN, 1–10. Unset: 3.
    pub fall: Option<u32>,
    /// Good probes in a row until UP, 1–10. Unset: 2.
    pub rise: Option<u32>,
    /// Responses that do not prove life. Unset: `408, 500-599`.
    pub dead_codes: Option<RetryableCodes>,
    /// Failed calls (no connection, no answer) in a row until SUSPECT, 1–10. Unset: 1.
    pub passive_fall: Option<u32>,
}

impl Health {
    /// Returns the time between OPTIONS probes.
    #[must_use]
    pub fn effective_options_interval(&self) -> Duration {
        self.options_interval.unwrap_or(DEFAULT_OPTIONS_INTERVAL)
    }

    /// Returns the longest wait for an answer to a probe.
    #[must_use]
    pub fn effective_options_timeout(&self) -> Duration {
        self.options_timeout.unwrap_or(DEFAULT_OPTIONS_TIMEOUT)
    }

    /// Returns how many failed probes in a row make DOWN.
    #[must_use]
    pub fn effective_fall(&self) -> u32 {
        self.fall.unwrap_or(3)
    }

    /// Returns how many good probes in a row make UP.
    #[must_use]
    pub fn effective_rise(&self) -> u32 {
        self.rise.unwrap_or(2)
    }

    /// Returns the responses that do not prove life.
    #[must_use]
    pub fn effective_dead_codes(&self) -> CodeSet {
        match &self.dead_codes {
            Some(codes) => codes.value().clone(),
            None => CodeSet::default_dead(),
        }
    }

    /// Returns how many failed calls in a row make SUSPECT.
    #[must_use]
    pub fn effective_passive_fall(&self) -> u32 {
        self.passive_fall.unwrap_or(1)
    }
}

/// Most entries of a list.
pub const MAX_ENTRIES: usize = 32;
/// `timeout` of a list that sets none, and of a station that is reached without a list.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(7500);
/// `failover_budget` of a list that sets none, and of a station that is reached without a list.
pub const DEFAULT_FAILOVER_BUDGET: Duration = Duration::from_secs(12);
/// `attempt_timeout` of a list that sets none, and of a station that is reached without a list.
pub const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_OPTIONS_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_OPTIONS_TIMEOUT: Duration = Duration::from_secs(2);
