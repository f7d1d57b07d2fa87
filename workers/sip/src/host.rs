//! Host and port as they stand in URIs and Via (RFC 3261 §25.1 `hostport`, RFC 5118 for IPv6 references).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::{error::Fault, scan};

/// A host: a name or an address. Names are compared without case.
#[derive(Clone, Debug, Eq)]
pub enum Host {
    /// A domain name, as it was written.
    Name(HostName),
    /// An address; IPv6 stands in brackets on the wire.
    Ip(IpAddr),
}

/// A domain name; made only by reading one, so it holds letters, digits, `-`, `.` and `_` and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(Box<str>);

impl HostName {
    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Host {
    /// Reads a name, an IPv4 address or a bracketed IPv6 address.
    ///
    /// # Errors
    /// [`Fault::Host`] when it is none of them.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        if let [b'[', inner @ .., b']'] = text {
            let inner = std::str::from_utf8(inner).map_err(|_| Fault::Host)?;
            // The grammar of RFC 3261 could write three colons where two are meant (RFC 5118 §4.10).
            let address = inner.parse::<Ipv6Addr>().or_else(|_| inner.replacen(":::", "::", 1).parse());
            return address.map(Self::from).map_err(|_| Fault::Host);
        }
        let name = host_name(text).ok_or(Fault::Host)?;
        if text.first().is_some_and(u8::is_ascii_digit)
            && let Ok(address) = name.parse::<Ipv4Addr>()
        {
            return Ok(Self::from(address));
        }
        Ok(Self::Name(HostName(name.into())))
    }

    /// Makes a host of configured text: a name, or an address with or without brackets.
    ///
    /// # Errors
    /// [`Fault::Host`] when it is neither.
    pub fn from_config(text: &str) -> Result<Self, Fault> {
        text.parse::<IpAddr>().map_or_else(|_| Self::parse(text.as_bytes()), |address| Ok(Self::Ip(address)))
    }

    /// The address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Ip(address) => Some(*address),
        }
    }
}

/// Checks a domain name: letters, digits, `-`, `.`, and the `_` that private names use.
pub(crate) fn host_name(text: &[u8]) -> Option<&str> {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if text.is_empty() || text.len() > 255 || !text.iter().all(valid) || text.first() == Some(&b'.') {
        return None;
    }
    std::str::from_utf8(text).ok()
}

/// Splits `host[:port]`, white space allowed around the colon; the host is not looked at yet.
///
/// # Errors
/// When a bracket is not closed or the port is not a number from 1 to 65535.
pub(crate) fn split_port(text: &[u8]) -> Result<(&[u8], Option<u16>), Fault> {
    let host_end = match text {
        [b'[', ..] => memchr::memchr(b']', text).ok_or(Fault::Host)? + 1,
        _ => memchr::memchr(b':', text).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(host_end).ok_or(Fault::Host)?;
    let port = match scan::trim(rest) {
        [] => None,
        [b':', port @ ..] => {
            Some(scan::number::<u16>(scan::trim_start(port)).filter(|port| *port > 0).ok_or(Fault::Number)?)
        }
        _ => return Err(Fault::Host),
    };
    Ok((scan::trim_end(host), port))
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.0.eq_ignore_ascii_case(&b.0),
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Name(_), Self::Ip(_)) | (Self::Ip(_), Self::Name(_)) => false,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<Ipv4Addr> for Host {
    fn from(address: Ipv4Addr) -> Self {
        Self::Ip(address.into())
    }
}

impl From<Ipv6Addr> for Host {
    fn from(address: Ipv6Addr) -> Self {
        Self::Ip(address.into())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name.as_str()),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A host with the port written behind it, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, only if one is written.
    pub port: Option<u16>,
}

impl HostPort {
    /// Reads `host[:port]`.
    ///
    /// # Errors
    /// When the host or the port is not valid.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let (host, port) = split_port(text)?;
        Ok(Self { host: Host::parse(host)?, port })
    }

    /// Makes one of a host and a port.
    #[must_use]
    pub fn new(host: Host, port: Option<u16>) -> Self {
        Self { host, port }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().into(), port: Some(address.port()) }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_both_kinds_of_address() {
        for (text, written) in [
            ("example.com", "example.com"),
            ("192.0.2.1:5061", "192.0.2.1:5061"),
            ("[2001:DB8::10]:9050", "[2001:db8::10]:9050"),
            ("[::1]", "[::1]"),
            ("[2001:db8:::192.0.2.1]", "[2001:db8::c000:201]"),
            ("host : 5060", "host:5060"),
        ] {
            assert_eq!(HostPort::parse(text.as_bytes()).expect(text).to_string(), written);
        }
    }

    /// RFC 5118 §4.2: IPv6 without brackets is not a host.
    #[test]
    fn refuses_what_is_not_a_host() {
        for text in [
            "",
            "2001:db8::10",
            "[2001:db8::10",
            "[example.com]",
            "a b",
            "a:0",
            "a:65536",
            "a:x",
            ".a",
            "a@b",
        ] {
            assert!(HostPort::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn names_have_no_case() {
        assert_eq!(Host::parse(b"UM.Example.COM"), Host::parse(b"um.example.com"));
    }
}
