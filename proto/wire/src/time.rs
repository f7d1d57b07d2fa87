//! Durations and times of the wire and of the standard library.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns a duration of the standard library; `None` for a negative or malformed one.
#[must_use]
pub fn duration_from_proto(duration: &prost_types::Duration) -> Option<Duration> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u32::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// Returns a duration of the wire; one too long for it becomes the longest.
#[must_use]
pub fn duration_to_proto(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// Returns a time of the wire; one before 1970 becomes 1970.
#[must_use]
pub fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    let since = duration_to_proto(time.duration_since(UNIX_EPOCH).unwrap_or_default());
    prost_types::Timestamp { seconds: since.seconds, nanos: since.nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_travel_both_ways_and_negative_ones_do_not() {
        let duration = Duration::from_millis(1_500);
        assert_eq!(duration_from_proto(&duration_to_proto(duration)), Some(duration));
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
            assert_eq!(duration_from_proto(&prost_types::Duration { seconds, nanos }), None);
        }
    }
}
