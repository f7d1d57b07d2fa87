//! The spans of a call and of an RPC: made here so that their names and fields have one place ([`crate::catalogue`]).
//!
//! A set-up span lives from the INVITE to its final response; an attempt is its child; the media span lives from the answer to
//! the hang-up and follows from the set-up. There is none per packet. Callers are never named: their addresses are no field.
//! Where nothing is pushed the spans are disabled and cost next to nothing; they are never shown as log lines.

use std::fmt::Display;
use std::net::SocketAddr;

use tracing::{Span, field, info_span};

use crate::attribute::{CallOutcome, Transport};

/// What is known of a call when its INVITE comes.
#[derive(Clone, Copy, Debug)]
pub struct SetUp<'a> {
    /// Line that it came in on.
    pub line: &'a str,
    /// Call-ID of the inbound leg.
    pub call_id: &'a str,
    /// Who sent the INVITE: the PBX, not the person who calls.
    pub peer: SocketAddr,
    /// Transport it came over.
    pub transport: Transport,
    /// Revision of the topology that the call keeps.
    pub revision: i64,
}

/// What is known of an attempt when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Number of the attempt, from 1.
    pub number: u32,
    /// Proxy list of its target; empty for a station that is reached by its own address.
    pub proxy_list: &'a str,
    /// Entry of the list, or the station.
    pub entry: &'a str,
    /// Where it goes.
    pub peer: SocketAddr,
    /// Transport it goes over.
    pub transport: Transport,
}

/// What is known of a call when it is over.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// Call-ID of the inbound leg.
    pub call_id: &'a str,
    /// Station that it was routed to.
    pub station: &'a str,
    /// How many attempts were made.
    pub attempts: u32,
    /// Why it ended as it did: one of the engine's reasons.
    pub reason: &'a str,
}

/// Opens the set-up span; dropping the last clone ends it.
#[must_use]
pub fn set_up(call: &dyn Display, facts: &SetUp<'_>) -> Span {
    info_span!(
        parent: None,
        "INVITE",
        otel.kind = "server",
        sip.method = "INVITE",
        um.call = %call,
        um.line = facts.line,
        um.topology.revision = facts.revision,
        network.transport = facts.transport.as_str(),
        network.peer.address = %facts.peer.ip(),
        network.peer.port = facts.peer.port(),
        sip.call_id = facts.call_id,
        um.station = field::Empty,
        um.attempts = field::Empty,
        um.reason = field::Empty,
        sip.status_code = field::Empty,
        outcome = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// Notes what is known when the call is over: on the media span, or on the set-up of a call that was not answered.
pub fn settled(span: &Span, facts: &Settled<'_>) {
    span.record("sip.call_id", facts.call_id);
    span.record("um.station", facts.station);
    span.record("um.attempts", facts.attempts);
    span.record("um.reason", facts.reason);
}

/// Opens the span of an attempt under its set-up.
#[must_use]
pub fn attempt(set_up: &Span, facts: &Attempt<'_>) -> Span {
    info_span!(
        parent: set_up,
        "INVITE attempt",
        otel.kind = "client",
        sip.method = "INVITE",
        um.attempt = facts.number,
        um.proxy_list = facts.proxy_list,
        um.entry = facts.entry,
        network.transport = facts.transport.as_str(),
        network.peer.address = %facts.peer.ip(),
        network.peer.port = facts.peer.port(),
        sip.status_code = field::Empty,
        outcome = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// Notes how a set-up or an attempt ended; one that nothing could carry is an error.
pub fn ended(span: &Span, outcome: CallOutcome, status: u16) {
    span.record("outcome", outcome.as_str());
    span.record("sip.status_code", status);
    if outcome == CallOutcome::Failed {
        span.record("otel.status_code", "ERROR");
    }
}

/// Opens the media span at the answer, while the set-up still lives; it points back to it.
#[must_use]
pub fn media(set_up: &Span, call: &dyn Display) -> Span {
    let span = info_span!(
        parent: None,
        "call.media",
        otel.kind = "internal",
        um.call = %call,
        sip.call_id = field::Empty,
        um.station = field::Empty,
        um.attempts = field::Empty,
        um.reason = field::Empty,
        rtp.packets = field::Empty,
        rtp.packets.discarded = field::Empty,
    );
    span.follows_from(set_up.id());
    span
}

/// Notes what the relay counted, both legs together.
pub fn relayed(media: &Span, packets: u64, discarded: u64) {
    media.record("rtp.packets", packets);
    media.record("rtp.packets.discarded", discarded);
}

/// Opens the span of an RPC; `method` is the full name of a served method.
#[must_use]
pub fn rpc(method: &str) -> Span {
    info_span!(
        "rpc",
        otel.kind = "server",
        otel.name = method,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.status_code = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// Notes the name of the gRPC code; `fault` is whether it is ours rather than the caller's.
pub fn answered(rpc: &Span, status: &str, fault: bool) {
    rpc.record("rpc.status_code", status);
    if fault {
        rpc.record("otel.status_code", "ERROR");
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::Registry;

    use super::*;
    use crate::catalogue::SPANS;

    fn assert_catalogued(span: &Span) {
        let made = span.metadata().expect("the registry enables every span");
        let row = SPANS.iter().find(|row| row.name == made.name()).expect("a row of that name");
        assert_eq!(
            made.fields().iter().map(|field| field.name()).collect::<Vec<_>>(),
            row.fields,
            "{}",
            row.name
        );
    }

    #[test]
    fn spans_carry_exactly_the_fields_of_the_catalogue() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 5060));
        let facts = Attempt { number: 1, proxy_list: "um", entry: "um1", peer, transport: Transport::Udp };
        tracing::subscriber::with_default(Registry::default(), || {
            let transport = Transport::Udp;
            let begun = SetUp { line: "um", call_id: "a@b", peer, transport, revision: 7 };
            let call = set_up(&"c1", &begun);
            assert_catalogued(&call);
            assert_catalogued(&attempt(&call, &facts));
            assert_catalogued(&media(&call, &"c1"));
            assert_catalogued(&rpc("um.v1.LineService/GetLine"));
        });
    }
}
