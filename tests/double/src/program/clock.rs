//! The program's only clock.

use std::time::{Instant, SystemTime};

/// Returns the monotonic time that a turn hands to its agent.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Returns the wall-clock time of a moment, in milliseconds since 1970: ladders of several processes are put together by it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub(super) fn unix_ms(moment: Instant) -> f64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_epoch.saturating_sub(now().saturating_duration_since(moment)).as_secs_f64() * 1e3
}
