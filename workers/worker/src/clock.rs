//! The worker's only clock.
//!
//! Every machine below takes the time as an argument; the driver threads read it here, once a turn.

use std::time::{Instant, SystemTime};

/// Returns the monotonic time that a turn of a driver hands to its machines.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Returns the wall-clock time, for reports and files that people read.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
