//! Field rules of a station.

use super::Findings;
use crate::id::Kind;
use crate::number::{MAX_EXTENSION, is_extension};
use crate::sip_address::SipAddress;
use crate::station::Station;
use crate::uri::Scheme;

pub(super) fn check(station: &Station, findings: &mut Findings) {
    if station.station_type.is_none() {
        findings.add("type", "is required");
    }
    if station.extension.as_ref().is_some_and(|extension| !is_extension(extension)) {
        findings.add("extension", format!("must be 1 to {MAX_EXTENSION} digits"));
    }
    match &station.connection_address {
        None => findings
            .add("connection_address", "is required: it is the Request-URI and To of every call there"),
        Some(address) => connection(address, findings),
    }
    if let Some(identity) = &station.identification_address {
        address(&identity.address, "identification_address", findings);
        if identity.is_user_only() && identity.address.user().is_none() {
            findings.add("identification_address.user_only", "there is no user to compare");
        }
    }
    findings.session_timeout(station.session.session_timeout);
    findings.duration("session.warm_down", station.session.warm_down, 0..=60_000);
    findings.reference("contact_line", station.contact_line.as_ref(), Kind::Line);
    findings.reference("authentication", station.authentication.as_ref(), Kind::Credential);
    if let Some(prefix) = &station.extension_prefix {
        findings.length("extension_prefix", prefix, MAX_PREFIX);
        if !prefix.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#' | b'+')) {
            findings.add("extension_prefix", "may hold digits, `*`, `#` and `+` only");
        }
    }
}

fn connection(connection: &SipAddress, findings: &mut Findings) {
    address(connection, "connection_address", findings);
    let wildcard = connection.host().and_then(|host| host.ip()).is_some_and(|ip| ip.is_unspecified());
    if wildcard {
        findings.add("connection_address.host", "a wildcard address cannot be reached");
    }
    match connection {
        SipAddress::Uri(uri) if uri.scheme == Scheme::Sips => {
            findings.add("connection_address.uri", "`sips:` needs TLS, which no line speaks");
        }
        SipAddress::Uri(uri) if uri.headers.is_some() => {
            findings.add("connection_address.uri", "a Request-URI has no headers (RFC 3261 §19.1.5)");
        }
        SipAddress::Uri(_) | SipAddress::Parts { .. } => {}
    }
}

fn address(address: &SipAddress, path: &str, findings: &mut Findings) {
    match address {
        SipAddress::Parts { user, port, .. } => {
            let user = user.as_deref().unwrap_or_default();
            findings.length(&format!("{path}.user"), user, MAX_USER);
            if user.chars().any(char::is_control) {
                findings.add(format!("{path}.user"), "control characters are not allowed");
            }
            findings.number(&format!("{path}.port"), *port, 1..=65535);
        }
        SipAddress::Uri(_) => {}
    }
}

const MAX_PREFIX: usize = 16;
const MAX_USER: usize = 128;
