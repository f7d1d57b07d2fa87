//! IP networks of access lists and the host patterns of `allowed_redirect_hosts`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::host::{Host, HostError, canonical_ip};

/// An IP network in CIDR form, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    net: IpNet,
    /// Written without a prefix length.
    bare: bool,
}

impl Network {
    /// Says whether the network holds an address; an IPv4-mapped address counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.net.contains(&canonical_ip(ip))
    }

    /// Returns the network in the form of the `ipnet` crate.
    #[must_use]
    pub const fn net(&self) -> IpNet {
        self.net
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self { net: IpNet::from(ip), bare: true });
        }
        let error = |_| NetworkError { text: text.chars().take(64).collect() };
        text.parse().map(|net| Self { net, bare: false }).map_err(error)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bare { write!(f, "{}", self.net.addr()) } else { write!(f, "{}", self.net) }
    }
}

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither an IP address nor a network in CIDR form")]
pub struct NetworkError {
    text: String,
}

/// One item of `allowed_redirect_hosts`: which hosts a 302 may point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this host; names compare without case.
    Host(Host),
    /// Every name below this domain, written `*.example.com`.
    Below(Host),
    /// Every address of a network.
    Network(Network),
}

impl HostPattern {
    /// Says whether a Contact's host is admitted. A name is never resolved for this.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Host(allowed), _) => allowed.same(host),
            (Self::Below(domain), Host::Name(_)) => is_below(&host.key(), &domain.key()),
            (Self::Network(network), Host::Ip(ip)) => network.contains(*ip),
            (Self::Below(_), Host::Ip(_)) | (Self::Network(_), Host::Name(_)) => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Some(domain) = text.strip_prefix("*.") {
            return match domain.parse()? {
                name @ Host::Name(_) => Ok(Self::Below(name)),
                Host::Ip(_) => text.parse().map(Self::Host),
            };
        }
        match text.parse::<Network>() {
            Ok(network) => Ok(Self::Network(network)),
            Err(_) => text.parse().map(Self::Host),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(f, "{host}"),
            Self::Below(domain) => write!(f, "*.{domain}"),
            Self::Network(network) => write!(f, "{network}"),
        }
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_prints_as_written_and_holds_mapped_addresses() {
        for text in ["10.0.0.0/8", "10.0.0.5", "2001:db8::/32", "10.1.2.3/8"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        let net: Network = "10.0.0.0/8".parse().unwrap();
        assert!(
            net.contains("10.9.9.9".parse().unwrap()) && net.contains("::ffff:10.0.0.1".parse().unwrap())
        );
        assert!(!net.contains("11.0.0.1".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err() && "um".parse::<Network>().is_err());
    }

    #[test]
    fn a_pattern_admits_a_host_a_domain_or_a_network() {
        let host = |text: &str| text.parse::<Host>().unwrap();
        let pattern = |text: &str| text.parse::<HostPattern>().unwrap();
        assert!(pattern("mbx.example.com").matches(&host("MBX.example.com")));
        assert!(pattern("*.example.com").matches(&host("mbx7.example.com")));
        assert!(!pattern("*.example.com").matches(&host("example.com")));
        assert!(!pattern("*.example.com").matches(&host("badexample.com")));
        assert!(pattern("10.0.0.0/8").matches(&host("10.1.1.1")));
        assert!(
            pattern("10.0.0.1").matches(&host("10.0.0.1")) && !pattern("10.0.0.1").matches(&host("10.0.0.2"))
        );
        assert!("a b".parse::<HostPattern>().is_err() && "*.10.0.0.1".parse::<HostPattern>().is_err());
    }
}
