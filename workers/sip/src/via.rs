//! `Via` (RFC 3261 §20.42) with `received` and `rport` (RFC 3581): the way a response goes back.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::{
    error::Fault,
    flow::Transport,
    host::{self, Host, HostPort},
    params::{self, Params},
    scan::{self, Span},
};

/// What a branch of RFC 3261 begins with (§8.1.1.7); without it the sender follows RFC 2543.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Transport token as written; see [`Via::transport`].
    transport: Box<str>,
    /// Where the sender says that it listens.
    pub sent_by: HostPort,
    /// `branch`, `received`, `rport` and whatever else there is.
    pub params: Params,
}

impl Via {
    /// Makes our own: sent from `sent_by`, asking for `rport` (RFC 3581 §3).
    #[must_use]
    pub fn new(transport: Transport, sent_by: HostPort, branch: &str) -> Self {
        let params = Params::new().with("rport", None).with("branch", Some(branch));
        Self { transport: transport.via_token().into(), sent_by, params }
    }

    /// Reads one value of a Via header.
    ///
    /// # Errors
    /// When it is not of SIP/2.0 or its parts do not follow their grammar.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let spans = ViaSpans::scan(value)?;
        Self::of_spans(value, &spans, Params::parse(spans.params.of(value))?)
    }

    /// Reads where a faulty request came from; of its parameters only whether it asks for `rport`.
    pub(crate) fn parse_leniently(value: &[u8]) -> Result<Self, Fault> {
        let spans = ViaSpans::scan_leniently(value)?;
        let params = Params::parse(spans.params.of(value));
        let rport = || if spans.rport { Params::new().with("rport", None) } else { Params::new() };
        Self::of_spans(value, &spans, params.unwrap_or_else(|_| rport()))
    }

    fn of_spans(value: &[u8], spans: &ViaSpans, params: Params) -> Result<Self, Fault> {
        let transport = std::str::from_utf8(spans.transport.of(value)).map_err(|_| Fault::Encoding)?;
        Ok(Self {
            transport: transport.into(),
            sent_by: HostPort { host: Host::parse(spans.host.of(value))?, port: spans.port },
            params,
        })
    }

    /// The transport token as written; any token is valid here (RFC 4475 §3.1.1.10).
    #[must_use]
    pub fn transport_token(&self) -> &str {
        &self.transport
    }

    /// The transport, if it is one that we speak.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        Transport::from_token(&self.transport)
    }

    /// The transaction's branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.raw_value("branch")
    }

    /// Address that the receiver saw the request come from.
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.raw_value("received")?;
        value.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// Port that the receiver saw; `None` if not filled in.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.raw_value("rport")?.parse().ok()
    }

    /// Where a response goes over UDP: to the source address of the request, and to its source port if the
    /// sender asked for that (RFC 3581 §4), else to the port of sent-by (RFC 3261 §18.2.2). `maddr` is not
    /// followed: it would let a stranger choose a third party as the destination.
    #[must_use]
    pub fn reply_address(&self, source: SocketAddr) -> SocketAddr {
        let port = if self.params.contains("rport") {
            source.port()
        } else {
            self.sent_by.port.unwrap_or_else(|| Transport::Udp.default_port())
        };
        SocketAddr::new(source.ip(), port)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}{}", self.transport, self.sent_by, self.params)
    }
}

/// Positions of the parts of one Via value, found without an allocation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ViaSpans {
    pub(crate) transport: Span,
    pub(crate) host: Span,
    pub(crate) port: Option<u16>,
    /// From the first semicolon to the end of the value.
    pub(crate) params: Span,
    pub(crate) branch: Option<Span>,
    /// The `rport` parameter is there, with or without a value.
    pub(crate) rport: bool,
}

impl ViaSpans {
    /// Scans one value; spans are relative to it.
    pub(crate) fn scan(value: &[u8]) -> Result<Self, Fault> {
        let (version, rest) = protocol(value)?;
        if version != b"2.0" {
            return Err(Fault::Protocol);
        }
        let mut spans = Self::scan_sent_by(value, rest)?;
        spans.scan_params(value)?;
        Ok(spans)
    }

    /// Like [`ViaSpans::scan`], for an answer to a faulty request: parameters count as far as they can be read, and
    /// the version may be the fault (RFC 4475 §3.1.2.16).
    pub(crate) fn scan_leniently(value: &[u8]) -> Result<Self, Fault> {
        let (_, rest) = protocol(value)?;
        let mut spans = Self::scan_sent_by(value, rest)?;
        // What is wrong with them is not asked here.
        let _ = spans.scan_params(value);
        Ok(spans)
    }

    /// Reads what follows the protocol; spans are relative to `value`.
    fn scan_sent_by(value: &[u8], rest: &[u8]) -> Result<Self, Fault> {
        let rest = scan::trim_start(rest);
        let blank = rest.iter().position(|byte| scan::is_lws(*byte)).ok_or(Fault::Syntax)?;
        let (transport, rest) = rest.split_at_checked(blank).ok_or(Fault::Syntax)?;
        if transport.is_empty() || !transport.iter().copied().all(scan::is_token) {
            return Err(Fault::Syntax);
        }
        let (sent_by, params) = match memchr::memchr(b';', rest) {
            Some(at) => rest.split_at_checked(at).ok_or(Fault::Syntax)?,
            None => (rest, &[][..]),
        };
        let (host, port) = host::split_port(scan::trim(sent_by))?;
        check_host(host)?;
        Ok(Self {
            transport: Span::within(value, transport),
            host: Span::within(value, host),
            port,
            params: Span::within(value, params),
            ..Self::default()
        })
    }

    fn scan_params(&mut self, whole: &[u8]) -> Result<(), Fault> {
        for param in params::raw_params(self.params.of(whole)) {
            let (name, value) = param?;
            if name.eq_ignore_ascii_case(b"branch") {
                let value = value.filter(|value| params::is_identifier(value)).ok_or(Fault::Syntax)?;
                self.branch = self.branch.or_else(|| Some(Span::within(whole, value)));
            } else if name.eq_ignore_ascii_case(b"rport") {
                self.rport = true;
            }
        }
        Ok(())
    }
}

fn check_host(host: &[u8]) -> Result<(), Fault> {
    if matches!(host, [b'[', ..]) {
        return Host::parse(host).map(|_| ());
    }
    host::host_name(host).map(|_| ()).ok_or(Fault::Host)
}

/// Splits `SIP / version / rest`.
fn protocol(value: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let (name, rest) = scan::split_once(value, b'/').ok_or(Fault::Protocol)?;
    let (version, rest) = scan::split_once(rest, b'/').ok_or(Fault::Protocol)?;
    if !scan::trim(name).eq_ignore_ascii_case(b"SIP") {
        return Err(Fault::Protocol);
    }
    Ok((scan::trim(version), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4475 §3.1.1.1.
    #[test]
    fn reads_white_space_and_folds_everywhere() {
        let via = Via::parse(b"SIP  /    2.0\r\n /UDP\r\n    192.168.255.111   ; branch=\r\n z9hG4bK30239")
            .expect("valid");
        assert_eq!(via.transport(), Some(Transport::Udp));
        assert_eq!(via.branch(), Some("z9hG4bK30239"));
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239");
    }

    #[test]
    fn reads_ipv6_and_unknown_transports() {
        let via = Via::parse(b"SIP/2.0/TLS-SCTP [2001:db8::9:1]:5061;received=[2001:db8::9:255];rport=7")
            .expect("valid");
        assert_eq!(via.transport(), None);
        assert_eq!(via.received(), "2001:db8::9:255".parse().ok());
        assert_eq!(via.rport(), Some(7));
        assert_eq!(via.sent_by.port, Some(5061));
    }

    #[test]
    fn replies_go_to_the_source_whatever_sent_by_says() {
        let source = "192.0.2.7:40000".parse().expect("address");
        let with = |text: &str| Via::parse(text.as_bytes()).expect(text).reply_address(source).to_string();
        assert_eq!(with("SIP/2.0/UDP 10.0.0.1:5070;branch=x"), "192.0.2.7:5070");
        assert_eq!(with("SIP/2.0/UDP 10.0.0.1;branch=x"), "192.0.2.7:5060");
        assert_eq!(with("SIP/2.0/UDP 10.0.0.1:5070;rport;branch=x;maddr=198.51.100.1"), "192.0.2.7:40000");
    }

    #[test]
    fn refuses_what_no_response_could_follow() {
        for text in [
            "",
            "SIP/2.0",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "HTTP/2.0/UDP a",
            "SIP/3.0/UDP a",
            "SIP/2.0/UDP a b;branch=x",
            "SIP/2.0/UDP a:b",
            "SIP/2.0/UDP a;branch",
            "SIP/2.0/UDP a;branch=",
            "SIP/2.0/UDP [::1;branch=x",
        ] {
            assert!(Via::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
