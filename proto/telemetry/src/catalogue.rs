//! Every instrument, with its unit, attributes and buckets, and every span name and field, in one place.
//!
//! Code, `docs/telemetry.md` and whatever reads the metrics are checked against [`ALL`]. A name enters here in the change that
//! produces it. Names follow OpenTelemetry: dotted, lower case, unit apart, no `_total`; the Prometheus form is made from them.

/// How an instrument adds up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Only grows.
    Counter,
    /// Goes up and down by differences.
    UpDown,
    /// Holds the last value.
    Gauge,
    /// Distribution over buckets with these upper limits, in the instrument's unit.
    Histogram(&'static [f64]),
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instrument {
    /// OpenTelemetry name.
    pub name: &'static str,
    /// How it adds up.
    pub shape: Shape,
    /// UCUM unit: `s`, `By`, or an annotation such as `{call}` that leaves no trace in the Prometheus name.
    pub unit: &'static str,
    /// What an operator reads in the exposition's HELP line.
    pub description: &'static str,
    /// Attribute keys; no others are ever recorded.
    pub attributes: &'static [&'static str],
}

/// SIP and set-up times: 10 ms to 32 s (64·T1).
const SIP_TIMES: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// Call durations: 1 s to an hour.
const CALL_TIMES: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
/// Store and RPC times: 1 ms to 10 s.
const REQUEST_TIMES: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

macro_rules! catalogue {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $shape:expr, $unit:literal, [$($attribute:literal),*], $description:literal;)*) => {
        $($(#[$doc])* pub const $id: Instrument = Instrument {
            name: $name, shape: $shape, unit: $unit, description: $description, attributes: &[$($attribute),*],
        };)*
        /// Every instrument, in the order of this file.
        pub const ALL: &[Instrument] = &[$($id),*];
    };
}

catalogue! {
    /// Control: one RPC from its first byte to its status.
    RPC_SERVER_DURATION = "rpc.server.call.duration", Shape::Histogram(REQUEST_TIMES), "s",
        ["rpc.system.name", "rpc.method", "rpc.status_code"], "Duration of RPCs served";
    /// Control: streams that follow changes.
    WATCH_SUBSCRIBERS = "um.control.watch.subscribers", Shape::UpDown, "{stream}", ["kind"],
        "Open streams that follow changes";
    /// Control: subscriptions that had to start over from a snapshot.
    WATCH_RESYNCS = "um.control.watch.resyncs", Shape::Counter, "{resync}", ["reason"],
        "Subscriptions that started over from a snapshot";
    /// Both: the revision in force.
    CONFIG_REVISION = "um.config.revision", Shape::Gauge, "{revision}", ["role"], "Topology revision in force";
    /// Control: from commit until the last connected worker acknowledged.
    CONFIG_CONVERGENCE = "um.config.convergence.duration", Shape::Histogram(REQUEST_TIMES), "s", [],
        "Time from commit to the last worker's acknowledgement";
    /// Control: resources that a worker refused.
    CONFIG_NACKS = "um.config.nacks", Shape::Counter, "{resource}", ["kind", "reason"],
        "Resources that a worker refused";
    /// Control: one request to the store.
    STORE_REQUEST_DURATION = "um.store.request.duration", Shape::Histogram(REQUEST_TIMES), "s",
        ["op", "outcome", "backend"], "Duration of store requests";
    /// Control: transactions whose comparison failed.
    STORE_CONFLICTS = "um.store.txn.conflicts", Shape::Counter, "{transaction}", ["backend"],
        "Store transactions that lost a race";
    /// Control: watches that were opened again.
    STORE_RECONNECTS = "um.store.watch.reconnects", Shape::Counter, "{reconnect}", ["backend"],
        "Store watches opened again";
    /// Control: time since the cache last agreed with the store.
    STORE_CACHE_AGE = "um.store.cache.age", Shape::Gauge, "s", ["backend"],
        "Time since the cache last agreed with the store";
    /// Control: size of the store's data.
    STORE_SIZE = "um.store.db.size", Shape::Gauge, "By", ["backend"], "Size of the store's data";

    /// Worker: messages through the sockets.
    SIP_MESSAGES = "sip.messages", Shape::Counter, "{message}", ["direction", "network.transport"],
        "SIP messages received and sent";
    /// Worker: messages sent or absorbed again.
    SIP_RETRANSMISSIONS = "sip.retransmissions", Shape::Counter, "{message}", ["direction"],
        "SIP messages sent again or received again";
    /// Worker: what could not be read.
    SIP_PARSE_ERRORS = "sip.parse.errors", Shape::Counter, "{message}", ["reason"], "Input that is not SIP";
    /// Worker: new requests refused unread in an overload.
    SIP_SHED = "sip.requests.shed", Shape::Counter, "{request}", ["sip.method", "reason"],
        "New calls and registrations refused unread with 503";
    /// Worker: how far signalling is behind.
    SIGNALLING_LAG = "um.signalling.lag", Shape::Gauge, "s", [],
        "Longest wait of a message for its turn in the last second";
    /// Worker: 1 while new calls are refused because of lag.
    SHEDDING = "um.worker.shedding", Shape::Gauge, "{worker}", [], "1 while new calls are refused for want of time";
    /// Worker: transactions that hold state.
    SIP_TRANSACTIONS = "sip.transactions.active", Shape::Gauge, "{transaction}", [], "SIP transactions that hold state";

    /// Worker: calls by state.
    CALLS_ACTIVE = "um.calls.active", Shape::UpDown, "{call}", ["um.line", "state"], "Calls up or being set up";
    /// Worker: attempts by how they ended; the line is the one that they left from.
    CALLS_ATTEMPTS = "um.calls.attempts", Shape::Counter, "{attempt}", ["um.line", "outcome", "sip.status_code"],
        "INVITEs sent to targets, by how they ended";
    /// Worker: session request delay (RFC 6076 §4.3).
    CALLS_SETUP = "um.calls.setup.duration", Shape::Histogram(SIP_TIMES), "s", ["um.line", "outcome"],
        "Time from INVITE to the response that tells its fate";
    /// Worker: session duration time (RFC 6076 §4.5).
    CALLS_DURATION = "um.calls.duration", Shape::Histogram(CALL_TIMES), "s", ["um.line", "outcome"],
        "Time from answer to hang-up";
    /// Worker: moves to the next target.
    CALLS_FAILOVERS = "um.calls.failovers", Shape::Counter, "{failover}", ["um.proxy_list", "reason"],
        "Moves of a call to the next target";
    /// Worker: calls refused before an attempt.
    CALLS_REJECTED = "um.calls.rejected", Shape::Counter, "{call}", ["um.line", "reason"],
        "Calls refused without an attempt";

    /// Worker: 1 for the current state of a target, 0 for the others.
    TARGET_STATE = "um.target.state", Shape::Gauge, "{target}", ["um.proxy_list", "um.entry", "state"],
        "1 for the current state of the target";
    /// Worker: attempts by target.
    TARGET_ATTEMPTS = "um.target.attempts", Shape::Counter, "{attempt}", ["um.proxy_list", "um.entry", "outcome"],
        "Attempts by target and how they ended";
    /// Worker: calls on a target.
    TARGET_CALLS = "um.target.calls.active", Shape::UpDown, "{call}", ["um.proxy_list", "um.entry"],
        "Calls and attempts that a target carries";
    /// Worker: OPTIONS probes.
    TARGET_PROBES = "um.target.probe.duration", Shape::Histogram(SIP_TIMES), "s",
        ["um.proxy_list", "um.entry", "outcome"], "OPTIONS probes until their outcome";

    /// Worker: packets relayed.
    RTP_PACKETS = "rtp.packets", Shape::Counter, "{packet}", ["direction", "um.line"], "RTP packets relayed";
    /// Worker: packets not relayed.
    RTP_DISCARDED = "rtp.packets.discarded", Shape::Counter, "{packet}", ["direction", "um.line"],
        "RTP packets received and not relayed";
    /// Worker: media ports in use.
    RTP_PORTS_USED = "rtp.ports.used", Shape::Gauge, "{port}", ["network"], "Media ports that calls hold";
    /// Worker: media ports there are.
    RTP_PORTS_LIMIT = "rtp.ports.limit", Shape::Gauge, "{port}", ["network"], "Media ports there are";
    /// Worker: 1 while it takes no new calls.
    DRAINING = "um.worker.draining", Shape::Gauge, "{worker}", [], "1 while the worker takes no new calls";
}

/// A span's name and the fields it may carry, in the order of `spans.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanRow {
    /// Name as it is exported.
    pub name: &'static str,
    /// Fields; no others are ever recorded.
    pub fields: &'static [&'static str],
}

/// Every span.
pub const SPANS: &[SpanRow] = &[
    SpanRow {
        name: "INVITE",
        fields: &[
            "otel.kind",
            "sip.method",
            "um.call",
            "um.line",
            "um.topology.revision",
            "network.transport",
            "network.peer.address",
            "network.peer.port",
            "sip.call_id",
            "um.station",
            "um.attempts",
            "um.reason",
            "sip.status_code",
            "outcome",
            "otel.status_code",
        ],
    },
    SpanRow {
        name: "INVITE attempt",
        fields: &[
            "otel.kind",
            "sip.method",
            "um.attempt",
            "um.proxy_list",
            "um.entry",
            "network.transport",
            "network.peer.address",
            "network.peer.port",
            "sip.status_code",
            "outcome",
            "otel.status_code",
        ],
    },
    SpanRow {
        name: "call.media",
        fields: &[
            "otel.kind",
            "um.call",
            "sip.call_id",
            "um.station",
            "um.attempts",
            "um.reason",
            "rtp.packets",
            "rtp.packets.discarded",
        ],
    },
    SpanRow {
        name: "rpc",
        fields: &[
            "otel.kind",
            "otel.name",
            "rpc.system.name",
            "rpc.method",
            "rpc.status_code",
            "otel.status_code",
        ],
    },
];
