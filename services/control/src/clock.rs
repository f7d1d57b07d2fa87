//! The control plane's only clocks.

use std::time::{Instant, SystemTime};

/// Returns the monotonic time, for deadlines and ages.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Returns the wall-clock time, for what people read.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
