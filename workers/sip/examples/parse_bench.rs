//! Prints what reading one INVITE of 1.2 kB costs, beside `rsip` in the same run.
//!
//! `cargo run --release -p um-sip --example parse_bench`. Each figure is the best of many rounds, because the
//! machine may be shared; the ratio of two figures of one run says more than either.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use um_sip::{HeaderName, Limits, Message, NameAddr, ResponseBuilder, StatusCode, shard};

const INVITE: &str = include_str!("../tests/samples/invite.sip");

const ROUNDS: u32 = 60;
const CALLS: u32 = 10_000;

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Keeps the compiler from leaving out what is measured.
fn keep<T>(value: T) {
    let _ = black_box(value);
}

/// Best and middle time of one call over all rounds.
fn measure(mut act: impl FnMut()) -> (Duration, Duration) {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = now();
            for _ in 0..CALLS {
                act();
            }
            start.elapsed() / CALLS
        })
        .collect();
    rounds.sort_unstable();
    (rounds.first().copied().unwrap_or_default(), rounds.get(rounds.len() / 2).copied().unwrap_or_default())
}

#[expect(clippy::print_stdout, reason = "the figures are the purpose")]
fn print(name: &str, (best, middle): (Duration, Duration)) -> Duration {
    println!("{name:<44} {:>7} ns best {:>7} ns median", best.as_nanos(), middle.as_nanos());
    best
}

fn main() {
    let bytes = Bytes::from(INVITE.replace('\n', "\r\n"));
    let limits = Limits::default();
    let parse = || Message::parse(black_box(bytes.clone()), &limits);
    let Ok(message) = parse() else { return };
    let source = std::net::SocketAddr::from(([192, 0, 2, 10], 5060));

    let ours = print("um-sip: parse", measure(|| keep(parse())));
    let typed = |message: &Message| {
        let addresses: Result<Vec<NameAddr>, _> = message.list(HeaderName::RecordRoute);
        keep((
            message.top_via(),
            message.from(),
            message.to(),
            message.contacts(),
            message.request_uri(),
            addresses,
        ));
    };
    print("um-sip: typed Via From To Contact Route URI", measure(|| typed(&message)));
    print("um-sip: shard::owner", measure(|| keep(shard::owner(black_box(&bytes), 4))));
    let respond = || ResponseBuilder::new(&message, source, StatusCode::RINGING, "um0-1").build();
    print("um-sip: build a 180", measure(|| keep(respond())));
    let theirs = print("rsip: parse", measure(|| keep(rsip::SipMessage::try_from(black_box(&bytes[..])))));
    print_ratio(theirs, ours);
}

#[expect(clippy::print_stdout, reason = "the figures are the purpose")]
fn print_ratio(theirs: Duration, ours: Duration) {
    println!("rsip needs {:.1} times as long", theirs.as_secs_f64() / ours.as_secs_f64());
}
