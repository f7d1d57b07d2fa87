//! A virtual clock for the tests of the machines.

use std::time::{Duration, Instant};

/// Returns an instant to count from; its value never matters.
#[expect(clippy::disallowed_methods, reason = "the one origin of the virtual clock of the tests")]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}

/// Returns a duration in milliseconds.
pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
