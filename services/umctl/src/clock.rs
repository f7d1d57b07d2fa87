//! The only place that reads a clock: ages in tables, time limits of waiting.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the time now.
#[expect(clippy::disallowed_methods, reason = "the clock of this program")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns the instant now.
#[expect(clippy::disallowed_methods, reason = "the clock of this program")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Returns how long ago a time of the wire was; nothing for none, zero for one in the future.
pub(crate) fn age(time: Option<&prost_types::Timestamp>) -> Option<Duration> {
    let time = time?;
    let seconds = u64::try_from(time.seconds).ok()?;
    let nanos = u32::try_from(time.nanos).ok()?;
    let time = UNIX_EPOCH + Duration::new(seconds, nanos);
    Some(now().duration_since(time).unwrap_or_default())
}
