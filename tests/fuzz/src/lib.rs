//! The bodies of the fuzz targets: each takes arbitrary bytes and panics when a promise of a pure crate is broken.
//!
//! `make fuzz` lets libFuzzer look for such bytes; `tests/replay.rs` runs everything that it kept (`corpus/`) as an ordinary
//! test, and `tests/regression.rs` names each fault that was found. No target opens a socket or reads a clock.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

pub mod datagram;
pub mod endpoint;
pub mod engine;
pub mod framing;
pub mod header;
pub mod ladder;
pub mod mutation;
pub mod peer;
pub mod scene;
pub mod sdp;
pub mod source;
pub mod uri;
pub mod wellformed;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the target, of its program and of its folder in `corpus/`.
    pub name: &'static str,
    /// Its body.
    pub run: fn(&[u8]),
}

/// Runs a target and panics when it is slow, and stays so when it is repeated: the machine may have been busy.
#[expect(clippy::disallowed_methods, reason = "a slow unit is found by the clock")]
pub fn run_timed(run: fn(&[u8]), input: &[u8]) {
    let slow = (0..6).all(|_| {
        let start = Instant::now();
        run(input);
        start.elapsed() > SLOW
    });
    assert!(!slow, "a unit takes longer than {SLOW:?}");
}

/// What no unit may take in an optimised build.
pub const SLOW: Duration = Duration::from_millis(100);

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "datagram", run: datagram::run },
    Target { name: "framing", run: framing::run },
    Target { name: "header", run: header::run },
    Target { name: "uri", run: uri::run },
    Target { name: "sdp", run: sdp::run },
    Target { name: "endpoint", run: endpoint::run },
    Target { name: "engine", run: engine::run },
];
