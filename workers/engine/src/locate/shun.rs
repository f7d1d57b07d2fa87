//! Addresses that lately gave no answer: within their name they are tried last, so that one dead host of a
//! name costs one call its patience and not every call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Answered, Located};

/// Those addresses, each until when.
#[derive(Debug, Default)]
pub(super) struct Shunned {
    until: BTreeMap<SocketAddr, Instant>,
}

impl Shunned {
    pub(super) fn note(&mut self, now: Instant, address: SocketAddr, answered: Answered) {
        match answered {
            Answered::Yes => {
                self.until.remove(&address);
            }
            Answered::No => {
                if self.until.len() >= LIMIT {
                    self.until.retain(|_, until| *until > now);
                }
                if self.until.len() < LIMIT {
                    self.until.insert(address, now + SHUN_FOR);
                }
            }
        }
    }

    /// Puts the shunned addresses of an answer behind the others; among themselves both keep their order.
    pub(super) fn order(&self, now: Instant, located: Located) -> Located {
        match located {
            Located::At { transport, addresses }
                if addresses.len() > 1 && addresses.iter().any(|address| self.holds(now, address)) =>
            {
                let mut ordered = addresses.to_vec();
                ordered.sort_by_key(|address| self.holds(now, address));
                Located::At { transport, addresses: ordered.into() }
            }
            Located::At { .. } | Located::Nowhere(_) | Located::Asked => located,
        }
    }

    fn holds(&self, now: Instant, address: &SocketAddr) -> bool {
        self.until.get(address).is_some_and(|until| *until > now)
    }
}

/// Addresses that are remembered.
const LIMIT: usize = 1_024;
/// How long; the probes of a name renew it.
const SHUN_FOR: Duration = Duration::from_secs(30);
