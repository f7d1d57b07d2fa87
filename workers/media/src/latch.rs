//! Latching: learns where a far end's packets truly come from, in a short time and from allowed sources only, then locks.
//!
//! We send where the SDP says. Within [`WINDOW`] of an offer or answer that set a new address, the first packet whose source IP is the
//! SDP's, the signalling peer's or in `access.allow` moves our sending to its source. From then on only that source is taken.
//! One latch per leg and component: RTCP finds its way by its own packets.
//!
//! ```text
//!   set_remote ──▶ Open ── first allowed packet ──▶ Locked(source)
//!                   │ window over                      │ new address
//!                   └──▶ only the SDP's IP, exact port  └──▶ Open
//! ```

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;

/// Where one component of a leg sends to and takes from.
#[derive(Debug, Clone)]
pub struct Latch {
    negotiated: SocketAddr,
    signalling: IpAddr,
    allow: Arc<[IpNet]>,
    opened_at: Instant,
    locked: Option<SocketAddr>,
}

/// What a packet's source means to the latch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The source is the one we take from.
    Known,
    /// The source was just accepted; our sending goes there from now on.
    Latched,
    /// The packet is to be dropped.
    Foreign,
}

impl Latch {
    /// Opens a latch for an address that an offer or answer set at `now`.
    pub fn open(now: Instant, negotiated: SocketAddr, signalling: IpAddr, allow: Arc<[IpNet]>) -> Self {
        let (negotiated, signalling) = (canonical(negotiated), signalling.to_canonical());
        Self { negotiated, signalling, allow, opened_at: now, locked: None }
    }

    /// Takes a further offer or answer. The same address as before keeps a source that was learnt; anything else starts anew.
    pub fn renegotiate(
        &mut self,
        now: Instant,
        negotiated: SocketAddr,
        signalling: IpAddr,
        allow: Arc<[IpNet]>,
    ) {
        let locked = self.locked.filter(|_| self.negotiated == canonical(negotiated));
        *self = Self { locked, ..Self::open(now, negotiated, signalling, allow) };
    }

    /// Judges the source of a packet that is valid otherwise.
    pub fn accept(&mut self, now: Instant, source: SocketAddr) -> Verdict {
        let source = canonical(source);
        if let Some(locked) = self.locked {
            return if source == locked { Verdict::Known } else { Verdict::Foreign };
        }
        let open = now.saturating_duration_since(self.opened_at) < WINDOW;
        if source != self.negotiated && !(open && self.allows(source.ip())) {
            return Verdict::Foreign;
        }
        self.locked = Some(source);
        if source == self.negotiated { Verdict::Known } else { Verdict::Latched }
    }

    /// Returns where to send; `None` while the far end has told no address (all zeros, port 0).
    pub fn destination(&self) -> Option<SocketAddr> {
        let destination = self.locked.unwrap_or(self.negotiated);
        (!destination.ip().is_unspecified() && destination.port() != 0).then_some(destination)
    }

    fn allows(&self, source: IpAddr) -> bool {
        source == self.negotiated.ip()
            || source == self.signalling
            || self.allow.iter().any(|network| network.contains(&source))
    }
}

/// Makes an IPv4 address seen through an IPv6 socket comparable, and drops flow label and scope.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// How long after an offer or answer a source may be learnt.
pub const WINDOW: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
