//! The load programs' clock.

use std::time::Instant;

/// Returns the monotonic time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}
