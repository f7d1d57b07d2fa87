//! `Retry-After` (RFC 3261 §20.33): how long to leave the sender alone.

use std::{fmt, time::Duration};

use crate::{error::Fault, scan};

/// A Retry-After value; its comment and parameters other than `duration` say nothing to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Time to wait, whole seconds; above 2³²−1 counts as that.
    pub delay: Duration,
    /// How long the sender will be there once it is back (`duration`), whole seconds.
    pub duration: Option<Duration>,
}

impl RetryAfter {
    /// Makes one of whole seconds.
    #[must_use]
    pub fn seconds(seconds: u32) -> Self {
        Self { delay: Duration::from_secs(seconds.into()), duration: None }
    }

    /// Reads `18000 (in a meeting);duration=3600`.
    ///
    /// # Errors
    /// When it does not begin with a number.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = value.split_at_checked(digits).ok_or(Fault::Number)?;
        if number.is_empty()
            || !rest.first().is_none_or(|byte| scan::is_lws(*byte) || matches!(byte, b'(' | b';'))
        {
            return Err(Fault::Number);
        }
        let duration = behind_comment(rest)
            .split(|byte| *byte == b';')
            .filter_map(|param| scan::split_once(scan::trim(param), b'='))
            .find(|(name, _)| scan::trim(name).eq_ignore_ascii_case(b"duration"))
            .and_then(|(_, value)| scan::number::<u32>(scan::trim(value)));
        Ok(Self {
            delay: Duration::from_secs(scan::number::<u32>(number).unwrap_or(u32::MAX).into()),
            duration: duration.map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}

/// Skips `(comment)`, which may nest and hold escapes; one that does not end hides the rest.
fn behind_comment(rest: &[u8]) -> &[u8] {
    let rest = scan::trim_start(rest);
    if rest.first() != Some(&b'(') {
        return rest;
    }
    let mut depth = 0usize;
    let mut escaped = false;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return rest.get(at + 1..).unwrap_or_default();
        }
    }
    &[]
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.delay.as_secs())?;
        self.duration.map_or(Ok(()), |duration| write!(f, ";duration={}", duration.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_comments_and_duration() {
        let read = |text: &str| RetryAfter::parse(text.as_bytes()).map(|value| value.to_string());
        assert_eq!(read("5"), Ok("5".into()));
        assert_eq!(read("18000;duration=3600"), Ok("18000;duration=3600".into()));
        assert_eq!(
            read("120 (I'm in a (long\\)) meeting; duration=1) ; Duration = 7"),
            Ok("120;duration=7".into())
        );
        assert_eq!(read("120 (open"), Ok("120".into()));
        assert_eq!(read("99999999999"), Ok("4294967295".into()));
        assert_eq!(read("soon"), Err(Fault::Number));
        assert_eq!(read("5s"), Err(Fault::Number));
    }
}
