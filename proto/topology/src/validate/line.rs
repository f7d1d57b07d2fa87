//! Field rules of a line.

use super::Findings;
use crate::id::Kind;
use crate::line::{Line, LineTransport};
use crate::session::{LineSession, refused_delays_of_um_line};

pub(super) fn check(line: &Line, findings: &mut Findings) {
    transport(line, &line.transport, findings);
    session(line, &line.session, findings);
    findings.count("access.allow", line.access.allow.len(), MAX_NETWORKS);
    findings.count("access.deny", line.access.deny.len(), MAX_NETWORKS);
    let credentials = &line.authentication.outbound_credentials;
    findings.count("authentication.outbound_credentials", credentials.len(), MAX_CREDENTIALS);
    for (index, id) in credentials.iter().enumerate() {
        let field = format!("authentication.outbound_credentials[{index}]");
        findings.reference(&field, Some(id), Kind::Credential);
        if credentials[..index].contains(id) {
            findings.add(field, format!("`{id}` is listed twice"));
        }
    }
    findings.reference("proxy_list", line.proxy_list.as_ref(), Kind::ProxyList);
}

fn transport(line: &Line, transport: &LineTransport, findings: &mut Findings) {
    if transport.bind_address.is_none() {
        findings.add("transport.bind_address", "is required");
    }
    if transport.advertised_address.as_ref().and_then(|host| host.ip()).is_some_and(|ip| ip.is_unspecified())
    {
        findings.add("transport.advertised_address", "a wildcard address cannot be reached");
    }
    findings.number("transport.receive_port", transport.receive_port, 1..=65535);
    findings.duration("transport.connect_timer", transport.connect_timer, 100..=32_000);
    findings.duration("transport.t1", transport.t1, 50..=5_000);
    findings.number("transport.max_packet_retry", transport.max_packet_retry, 0..=10);
    findings.number("transport.max_invite_retry", transport.max_invite_retry, 0..=6);
    findings.duration("transport.reinvite_delay", transport.reinvite_delay, 0..=10_000);
    // T2 has T1 as its lower bound, whichever of the two comes from the profile.
    let timers = line.timers();
    if timers.t2 < timers.t1 {
        let field = if transport.t2.is_some() { "transport.t2" } else { "transport.t1" };
        findings.add(field, format!("T2 ({:?}) is shorter than T1 ({:?})", timers.t2, timers.t1));
    }
    findings.duration("transport.t2", transport.t2, 0..=32_000);
}

fn session(line: &Line, session: &LineSession, findings: &mut Findings) {
    for field in refused_delays_of_um_line(line) {
        findings.add(field, "UM servers need the offer in the INVITE: a line of `usage: UM` must be NORMAL");
    }
    findings.session_timeout(session.session_timeout);
    findings.duration("session.answer_timeout", session.answer_timeout, 5_000..=600_000);
}

/// Most credentials of a line.
const MAX_CREDENTIALS: usize = 16;
/// Most networks of `access.allow` and of `access.deny`.
const MAX_NETWORKS: usize = 256;
