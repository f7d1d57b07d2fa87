//! Durations as people write them: `500ms`, `12s`, `1m30s`.

use std::time::Duration;

/// Reads a duration: numbers with a unit of h, m, s, ms, us or ns, from the largest to the smallest, each once.
///
/// # Errors
///
/// A sentence that says what is wrong.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 500ms, 12s or 1m30s");
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smallest = Duration::MAX;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = unit_of(unit).filter(|unit| *unit < smallest).ok_or_else(wrong)?;
        total = total.checked_add(times(number, unit).ok_or_else(wrong)?).ok_or_else(wrong)?;
        smallest = unit;
        rest = after;
    }
    Ok(total)
}

/// Writes a duration so that [`parse`] reads it back: whole seconds as `90s`, else the largest unit that is whole.
pub(crate) fn format(duration: Duration) -> String {
    let nanos = duration.subsec_nanos();
    if nanos == 0 {
        format!("{}s", duration.as_secs())
    } else if nanos.is_multiple_of(1_000_000) {
        format!("{}ms", duration.as_millis())
    } else if nanos.is_multiple_of(1_000) {
        format!("{}us", duration.as_micros())
    } else {
        format!("{}ns", duration.as_nanos())
    }
}

/// Writes how long ago something was, roughly: `5s`, `12m`, `3h`, `2d`.
pub(crate) fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn unit_of(unit: &str) -> Option<Duration> {
    Some(match unit {
        "h" => Duration::from_secs(3_600),
        "m" => Duration::from_secs(60),
        "s" => Duration::from_secs(1),
        "ms" => Duration::from_millis(1),
        "us" => Duration::from_micros(1),
        "ns" => Duration::from_nanos(1),
        _ => return None,
    })
}

/// Multiplies a unit by a number that may have a fraction, exactly; parts below a nanosecond are an error.
fn times(number: &str, unit: Duration) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let unit = unit.as_nanos();
    let mut nanos = whole.parse::<u64>().ok().map(u128::from)?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        let part = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
        if !part.is_multiple_of(scale) {
            return None;
        }
        nanos = nanos.checked_add(part / scale)?;
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    (seconds <= LONGEST).then(|| Duration::new(seconds, rest))
}

/// The longest duration of `google.protobuf.Duration`, in seconds.
const LONGEST: u64 = 315_576_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("500ms", 500),
            ("12s", 12_000),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("7.5s", 7_500),
            ("0.5s", 500),
            ("0s", 0),
            ("1h0m1s500ms", 3_601_500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "12",
            "s",
            "12 s",
            "-1s",
            "1s1m",
            "1s1s",
            "1.s",
            ".5s",
            "1x",
            "1e3s",
            "0.1ns",
            "1.2.3s",
            "9999999999h",
            "５s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_rough() {
        let texts: Vec<_> =
            [5, 119, 120, 7_200, 172_800].iter().map(|s| rough(Duration::from_secs(*s))).collect();
        assert_eq!(texts, ["5s", "119s", "2m", "2h", "2d"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0..LONGEST, nanos in 0_u32..1_000_000_000) {
            let duration = Duration::new(seconds % 4_000_000_000, nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-z. ]{0,12}") {
            let _ = parse(&text);
        }
    }
}
