//! A line: a SIP listener and the rules for sending from it.
//!
//! Fields hold what the operator wrote; an unset one has the default that its `effective_` method returns.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::RetryableCodes;
use crate::host::{Host, canonical_ip};
use crate::id::Id;
use crate::meta::Meta;
use crate::network::Network;
use crate::session::{FaxProtocol, LineSession, TransferMode};

/// A SIP listener plus the rules for sending from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The id, `lines/{id}`.
    pub id: Id,
    /// Describing fields.
    pub meta: Option<Box<Meta>>,
    /// Whether new calls are taken; false drains: 503 with `Retry-After`, running calls end by themselves. Unset: true.
    pub active: Option<bool>,
    /// Which traffic may use the line. Unset: GENERAL.
    pub usage: Option<Usage>,
    /// Host part of our From on this line (RFC 3261 §8.1.1.3). Unset: the first of the settings' domains, else the
    /// advertised address.
    pub domain: Option<Host>,
    /// How many calls the line carries.
    pub limits: Limits,
    /// Listener and timers.
    pub transport: LineTransport,
    /// Which sources may call in.
    pub access: Access,
    /// The UM servers behind this line.
    pub proxy_list: Option<Id>,
    /// Who we are to peers of this line that challenge us.
    pub authentication: Authentication,
    /// What holds during a call.
    pub session: LineSession,
    /// What becomes of a REFER from a peer of this line (RFC 3515). Unset: LOCAL.
    pub transfer_mode: Option<TransferMode>,
    /// What a fax re-INVITE on this line may negotiate. Unset: T38.
    pub fax_protocol: Option<FaxProtocol>,
}

impl Line {
    /// Makes a line with nothing but an id and the address that every line needs.
    #[must_use]
    pub fn new(id: impl Into<Id>, bind_address: BindAddress) -> Self {
        Self {
            id: id.into(),
            meta: None,
            active: None,
            usage: None,
            domain: None,
            limits: Limits::default(),
            transport: LineTransport { bind_address: Some(bind_address), ..LineTransport::default() },
            access: Access::default(),
            proxy_list: None,
            authentication: Authentication::default(),
            session: LineSession::default(),
            transfer_mode: None,
            fax_protocol: None,
        }
    }

    /// Says whether the line takes new calls.
    #[must_use]
    pub fn effective_active(&self) -> bool {
        self.active.unwrap_or(true)
    }

    /// Returns which traffic may use the line.
    #[must_use]
    pub fn effective_usage(&self) -> Usage {
        self.usage.unwrap_or(Usage::General)
    }

    /// Returns the transport of the listener and, unless a target says otherwise, of what is sent.
    #[must_use]
    pub fn effective_protocol(&self) -> Transport {
        self.transport.protocol.unwrap_or(Transport::Udp)
    }

    /// Returns the media protection of offers on this line.
    #[must_use]
    pub fn effective_audio(&self) -> Audio {
        self.transport.audio.unwrap_or(Audio::Rtp)
    }

    /// Returns the port of the listener, of Via and of Contact.
    #[must_use]
    pub fn effective_receive_port(&self) -> u16 {
        self.transport.receive_port.unwrap_or(5060)
    }

    /// Returns the timer profile: FAST_FAILOVER where UM servers are reached, STANDARD elsewhere.
    #[must_use]
    pub fn effective_profile(&self) -> TimerProfile {
        let towards_um = self.proxy_list.is_some() || self.effective_usage() == Usage::Um;
        let profile = if towards_um { TimerProfile::FastFailover } else { TimerProfile::Standard };
        self.transport.profile.unwrap_or(profile)
    }
}

/// Which traffic may use a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// Any traffic.
    General,
    /// In from UM servers only, out to UM stations only.
    Um,
}

/// A transport protocol of SIP (RFC 3261 §18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
}

impl Transport {
    /// Returns the token of a `transport` URI parameter, `udp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Media protection of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audio {
    /// `RTP/AVP` (RFC 3551).
    Rtp,
}

/// Who we are to peers of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// What answers a challenge (RFC 3261 §22.2), at most 16; the realm decides between them, then the order.
    pub outbound_credentials: Vec<Id>,
}

/// How many calls a line carries. A limit that is unset does not limit; each one that is set holds by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls in both directions together.
    pub max_calls: Option<u32>,
    /// Inbound calls; at the limit 503 with `Retry-After: 5`.
    pub max_calls_in: Option<u32>,
    /// Outbound calls; at the limit the line is skipped.
    pub max_calls_out: Option<u32>,
    /// New inbound calls per second.
    pub max_cps: Option<u32>,
}

/// Listener, retransmission and failover settings of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineTransport {
    /// Protocol of the listener. Unset: UDP.
    pub protocol: Option<Transport>,
    /// Media protection. Unset: RTP.
    pub audio: Option<Audio>,
    /// Local address of listener, Via, Contact and media. Required.
    pub bind_address: Option<BindAddress>,
    /// Address that others see in Via, Contact and SDP. Unset: the worker's `--advertise`, else the bound address.
    pub advertised_address: Option<Host>,
    /// Port of the listener and of Contact, 1–65535. Unset: 5060.
    pub receive_port: Option<u16>,
    /// Longest time for a TCP connect, 100 ms–32 s; unused on UDP. Unset: by profile.
    pub connect_timer: Option<Duration>,
    /// T1 of RFC 3261 §17.1.1.1, 50 ms–5 s. Unset: by profile.
    pub t1: Option<Duration>,
    /// T2 of RFC 3261 §17.1.2.2, from T1 to 32 s. Unset: by profile.
    pub t2: Option<Duration>,
    /// Most retransmissions by Timer E and Timer G, 0–10. Unset: by profile.
    pub max_packet_retry: Option<u32>,
    /// Most INVITE retransmissions by Timer A, 0–6. Unset: by profile.
    pub max_invite_retry: Option<u32>,
    /// Smallest gap between the ACK of an INVITE transaction and a re-INVITE of ours in the same dialog, 0–10 s, so that
    /// no re-INVITE overtakes an ACK; the back-off after a 491 (RFC 3261 §14.1) comes on top. Unset: 750 ms.
    pub reinvite_delay: Option<Duration>,
    /// Final responses after which the next target is tried. Unset: `480, 500-599`.
    pub retryable_codes: Option<RetryableCodes>,
    /// Source of the timers that are not set by themselves. Unset: FAST_FAILOVER with a proxy list or `usage: UM`, else
    /// STANDARD.
    pub profile: Option<TimerProfile>,
}

/// A named set of timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerProfile {
    /// The defaults of RFC 3261: an attempt without an answer lasts 32 s.
    Standard,
    /// Fewer retransmissions: an attempt without an answer lasts 7.5 s.
    FastFailover,
}

/// Where a line listens, resolved by each worker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindAddress {
    /// The first address of a network interface, by its name.
    Interface(Box<str>),
    /// This very address; a wildcard needs an advertised address.
    Ip(IpAddr),
    /// The worker's address inside this network.
    Cidr(IpNet),
}

impl FromStr for BindAddress {
    type Err = BindAddressError;

    fn from_str(text: &str) -> Result<Self, BindAddressError> {
        let error = || BindAddressError { text: text.chars().take(64).collect() };
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(canonical_ip(ip)));
        }
        if text.contains('/') {
            return text.parse().map(Self::Cidr).map_err(|_| error());
        }
        // A Linux interface name: at most 15 bytes, no blank and no slash.
        let name = (1..=15).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'@'));
        let digits_and_dots = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if name && !digits_and_dots { Ok(Self::Interface(Box::from(text))) } else { Err(error()) }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => f.write_str(name),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Cidr(net) => write!(f, "{net}"),
        }
    }
}

/// A text that says no place to listen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither an interface name, an IP address nor a network in CIDR form")]
pub struct BindAddressError {
    text: String,
}

/// Which sources may call in: `deny` is read first, then `allow`, which when given admits only what it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Networks that are admitted; empty: all, but on `usage: UM` only addresses of UM servers.
    pub allow: Vec<Network>,
    /// Networks that are never admitted.
    pub deny: Vec<Network>,
}

impl Access {
    /// Says whether `deny` names an address.
    #[must_use]
    pub fn denies(&self, ip: IpAddr) -> bool {
        self.deny.iter().any(|network| network.contains(ip))
    }

    /// Says whether `allow` names an address; an empty `allow` names none.
    #[must_use]
    pub fn allows(&self, ip: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_address_is_an_interface_an_ip_or_a_network() {
        let parse = |text: &str| text.parse::<BindAddress>().unwrap();
        assert_eq!(parse("eth0"), BindAddress::Interface("eth0".into()));
        assert_eq!(parse("127.0.0.1"), BindAddress::Ip("127.0.0.1".parse().unwrap()));
        assert_eq!(parse("10.0.0.0/8"), BindAddress::Cidr("10.0.0.0/8".parse().unwrap()));
        for text in ["", "300.0.0.1", "10.0.0.0/40", "an interface", "averyverylongname"] {
            assert!(text.parse::<BindAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn lines_towards_um_servers_default_to_the_fast_profile() {
        let mut line = Line::new("a", "lo".parse().unwrap());
        assert_eq!(line.effective_profile(), TimerProfile::Standard);
        line.proxy_list = Some("um".into());
        assert_eq!(line.effective_profile(), TimerProfile::FastFailover);
        line.proxy_list = None;
        line.usage = Some(Usage::Um);
        assert_eq!(line.effective_profile(), TimerProfile::FastFailover);
        line.transport.profile = Some(TimerProfile::Standard);
        assert_eq!(line.effective_profile(), TimerProfile::Standard);
    }
}
