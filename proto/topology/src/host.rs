//! A host as operators and SIP URIs write it: an IP address or a DNS name (RFC 3261 §25.1 `host`).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IP address or a DNS name. Names keep their spelling; use [`Host::key`] to compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An IP literal.
    Ip(IpAddr),
    /// A DNS name, as written.
    Name(Box<str>),
}

impl Host {
    /// Returns the address if the host is an IP literal.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }

    /// Returns the form under which equal hosts are equal: names in lower case without a final dot.
    #[must_use]
    pub fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Ip(ip) => Cow::Owned(ip.to_string()),
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                if name.bytes().any(|b| b.is_ascii_uppercase()) {
                    Cow::Owned(name.to_ascii_lowercase())
                } else {
                    Cow::Borrowed(name)
                }
            }
        }
    }

    /// Says whether two hosts are the same, whatever the case of their letters.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Name(_), Self::Name(_)) => self.key() == other.key(),
            (Self::Ip(_), Self::Name(_)) | (Self::Name(_), Self::Ip(_)) => false,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl FromStr for Host {
    type Err = HostError;

    /// Accepts an IPv6 address with and without brackets.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let error = || HostError { text: text.chars().take(64).collect() };
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(error)?;
            return inner.parse::<Ipv6Addr>().map(|ip| Self::Ip(ip.into())).map_err(|_| error());
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        if is_dns_name(text) { Ok(Self::Name(Box::from(text))) } else { Err(error()) }
    }
}

/// Displays as in a URI: an IPv6 address stands in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A text that is neither an IP address nor a DNS name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither an IP address nor a host name")]
pub struct HostError {
    text: String,
}

/// Says whether a text is a DNS name: labels of letters, digits, `-` and `_`, at most 253 bytes. A last label of digits
/// only would read as a broken IPv4 address and is refused (RFC 3261 §25.1 `toplabel`).
fn is_dns_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (1..=253).contains(&text.len()) && text.split('.').all(label) && !last_is_number
}

/// Turns an IPv4-mapped IPv6 address into the IPv4 address that it means, so that a dual-stack socket's view of a peer
/// equals the configured one.
#[must_use]
pub fn canonical_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, |v4: Ipv4Addr| v4.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ip_literals_and_names_are_told_apart() {
        assert_eq!("10.0.0.1".parse::<Host>().unwrap().ip(), Some("10.0.0.1".parse().unwrap()));
        assert_eq!("[2001:db8::1]".parse::<Host>().unwrap().to_string(), "[2001:db8::1]");
        assert_eq!("2001:db8::1".parse::<Host>().unwrap().to_string(), "[2001:db8::1]");
        assert_eq!("UM1.example.com".parse::<Host>().unwrap().to_string(), "UM1.example.com");
        assert_eq!("localhost".parse::<Host>().unwrap().ip(), None);
    }

    #[test]
    fn broken_hosts_are_rejected() {
        for text in ["", "a b", "300.1.1.1", "1.2.3", "-a.com", "a..b", "[::1", "a,b", "um:5060", "[um]"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
        assert!("a".repeat(64).parse::<Host>().is_err());
    }

    #[test]
    fn names_compare_without_case_and_final_dot() {
        let (a, b): (Host, Host) = ("UM1.Example.com.".parse().unwrap(), "um1.example.com".parse().unwrap());
        assert!(a.same(&b) && a != b);
    }

    #[test]
    fn a_mapped_ipv4_address_is_the_ipv4_address() {
        assert_eq!(canonical_ip("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
