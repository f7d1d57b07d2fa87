//! The spans of a call and of an RPC: made here so that their names and fields have one place ([`crate::catalogue`]).
//!
//! A set-up span lives from the INVITE to its final response, an attempt is its child, the media span is made at hang-up and
//! follows from the set-up. There is none per packet. Callers are never named: their addresses are no span field.

use std::net::SocketAddr;

use tracing::{Span, field, info_span};

use crate::attribute::{CallOutcome, Transport};

/// What is known of a call when its INVITE is admitted.
#[derive(Clone, Copy, Debug)]
pub struct SetUp<'a> {
    /// Our own number of the call.
    pub call: &'a str,
    /// Call-ID of the inbound leg.
    pub call_id: &'a str,
    /// Line that received it.
    pub line: &'a str,
    /// Transport it came over.
    pub transport: Transport,
    /// Where it came from.
    pub peer: SocketAddr,
    /// Topology revision that the call is bound to.
    pub revision: u64,
}

/// What is known of an attempt when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Number of the attempt, from 1.
    pub number: u32,
    /// Line it leaves from.
    pub line: &'a str,
    /// Entry of the proxy list, or the station's own address.
    pub entry: &'a str,
    /// Where it goes.
    pub peer: SocketAddr,
    /// Transport it goes over.
    pub transport: Transport,
}

/// Opens the set-up span; dropping the last clone ends it.
#[must_use]
pub fn set_up(facts: &SetUp<'_>) -> Span {
    info_span!(
        parent: None,
        "INVITE",
        otel.kind = "server",
        sip.method = "INVITE",
        sip.call_id = facts.call_id,
        um.call = facts.call,
        um.line = facts.line,
        um.topology.revision = facts.revision,
        network.transport = facts.transport.as_str(),
        network.peer.address = %facts.peer.ip(),
        network.peer.port = facts.peer.port(),
        um.station = field::Empty,
        um.route.reason = field::Empty,
        sip.status_code = field::Empty,
        outcome = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// Notes where the call was routed and why (one of the routing's reasons).
pub fn routed(set_up: &Span, station: &str, reason: &str) {
    set_up.record("um.station", station);
    set_up.record("um.route.reason", reason);
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
        um.line = facts.line,
        um.entry = facts.entry,
        network.transport = facts.transport.as_str(),
        network.peer.address = %facts.peer.ip(),
        network.peer.port = facts.peer.port(),
        sip.status_code = field::Empty,
        outcome = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// Notes how a set-up or an attempt ended; a call that nothing could carry is an error.
pub fn ended(span: &Span, outcome: CallOutcome, status: u16) {
    span.record("outcome", outcome.as_str());
    span.record("sip.status_code", status);
    if outcome == CallOutcome::Failed {
        span.record("otel.status_code", "ERROR");
    }
}

/// Makes the media span of an answered call at hang-up; it points back to the set-up, which has long ended. Dropping it ends it.
#[must_use]
pub fn media(set_up: &Span, call: &str, seconds: f64, packets: u64, discarded: u64) -> Span {
    let span = info_span!(
        parent: None,
        "call.media",
        otel.kind = "internal",
        um.call = call,
        call.seconds = seconds,
        rtp.packets = packets,
        rtp.packets.discarded = discarded,
    );
    span.follows_from(set_up.id());
    span
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
        let transport = Transport::Udp;
        tracing::subscriber::with_default(Registry::default(), || {
            let call =
                set_up(&SetUp { call: "c1", call_id: "a@b", line: "um", transport, peer, revision: 3 });
            assert_catalogued(&call);
            assert_catalogued(&attempt(
                &call,
                &Attempt { number: 1, line: "um", entry: "um1", peer, transport },
            ));
            assert_catalogued(&media(&call, "c1", 1.0, 50, 0));
            assert_catalogued(&rpc("um.v1.LineService/GetLine"));
        });
    }
}
