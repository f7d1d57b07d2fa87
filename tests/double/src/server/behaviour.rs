//! How a server behaves, as one word with its details: `normal`, `busy:503,retry-after=7`, `redirect:2` …

use std::{fmt, str::FromStr, time::Duration};

use um_sip::{Method, StatusCode, Uri};

/// How a server behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// 100, 180, and 200 after the configured time.
    Normal,
    /// Takes messages and answers none, probes neither; running calls hear nothing any more.
    Dead,
    /// 100, then nothing.
    Silent,
    /// 100, then 180 and 200 after this time.
    Slow(Duration),
    /// 100 and 180, then nothing.
    Ringing,
    /// Every call is refused.
    Busy {
        /// With this code, 300 to 699.
        status: StatusCode,
        /// And this `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// 302 from each listener to the next, so many times; the last one answers.
    Redirect(usize),
    /// 302 to another address.
    RedirectTo(Uri),
    /// Takes calls and leaves OPTIONS unanswered.
    CallsOnly,
    /// Answers OPTIONS and leaves calls unanswered.
    ProbesOnly,
    /// Closes the connection on which a call comes; over UDP the call is ignored.
    CloseConnection,
    /// Like `Normal`, and hangs up this long after the 200.
    HangUp(Duration),
}

impl Behaviour {
    /// All forms, as a help text says them.
    pub const FORMS: &'static str = "normal | dead | silent | slow:TIME | ringing | busy:CODE[,retry-after=SECONDS] | redirect:1 | \
        redirect:2 | redirect:URI | calls-only | probes-only | close-connection | hang-up:TIME";

    /// Checks that there are enough listeners.
    ///
    /// # Errors
    ///
    /// Says how many are missing.
    pub fn check(&self, listeners: usize) -> Result<(), BehaviourError> {
        match self {
            Self::Redirect(hops) if *hops >= listeners => Err(BehaviourError(format!(
                "redirect:{hops} needs {} listeners, there are {listeners}",
                hops + 1
            ))),
            Self::Redirect(_)
            | Self::Normal
            | Self::Dead
            | Self::Silent
            | Self::Slow(_)
            | Self::Ringing
            | Self::Busy { .. }
            | Self::RedirectTo(_)
            | Self::CallsOnly
            | Self::ProbesOnly
            | Self::CloseConnection
            | Self::HangUp(_) => Ok(()),
        }
    }

    /// Whether a message is as if it had never come; `begins` tells a request outside of any dialog.
    pub(super) fn swallows(&self, method: &Method, begins: bool) -> bool {
        match self {
            Self::Dead => true,
            Self::CallsOnly => begins && *method == Method::Options,
            Self::ProbesOnly | Self::CloseConnection => begins && *method == Method::Invite,
            Self::Normal
            | Self::Silent
            | Self::Slow(_)
            | Self::Ringing
            | Self::Busy { .. }
            | Self::Redirect(_)
            | Self::RedirectTo(_)
            | Self::HangUp(_) => false,
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Dead => f.write_str("dead"),
            Self::Silent => f.write_str("silent"),
            Self::Slow(time) => write!(f, "slow:{}ms", time.as_millis()),
            Self::Ringing => f.write_str("ringing"),
            Self::Busy { status, retry_after: None } => write!(f, "busy:{status}"),
            Self::Busy { status, retry_after: Some(after) } => write!(f, "busy:{status},retry-after={after}"),
            Self::Redirect(hops) => write!(f, "redirect:{hops}"),
            Self::RedirectTo(uri) => write!(f, "redirect:{uri}"),
            Self::CallsOnly => f.write_str("calls-only"),
            Self::ProbesOnly => f.write_str("probes-only"),
            Self::CloseConnection => f.write_str("close-connection"),
            Self::HangUp(time) => write!(f, "hang-up:{}ms", time.as_millis()),
        }
    }
}

impl FromStr for Behaviour {
    type Err = BehaviourError;

    fn from_str(text: &str) -> Result<Self, BehaviourError> {
        let wrong = |what: &str| BehaviourError(format!("`{text}`: {what}; one of {}", Self::FORMS));
        let (word, detail) = text.split_once(':').map_or((text, None), |(word, detail)| (word, Some(detail)));
        let time = || {
            detail
                .and_then(parse_time)
                .ok_or_else(|| wrong("a time such as 500ms or 2s must follow the colon"))
        };
        match (word, detail) {
            ("normal", None) => Ok(Self::Normal),
            ("dead", None) => Ok(Self::Dead),
            ("silent", None) => Ok(Self::Silent),
            ("ringing", None) => Ok(Self::Ringing),
            ("calls-only", None) => Ok(Self::CallsOnly),
            ("probes-only", None) => Ok(Self::ProbesOnly),
            ("close-connection", None) => Ok(Self::CloseConnection),
            ("slow", _) => time().map(Self::Slow),
            ("hang-up", _) => time().map(Self::HangUp),
            ("busy", Some(detail)) => {
                busy(detail).ok_or_else(|| wrong("a code from 300 to 699 must follow the colon"))
            }
            ("redirect", Some("1")) => Ok(Self::Redirect(1)),
            ("redirect", Some("2")) => Ok(Self::Redirect(2)),
            ("redirect", Some(uri)) => uri
                .parse()
                .map(Self::RedirectTo)
                .map_err(|_| wrong("1, 2 or a SIP URI must follow the colon")),
            _ => Err(wrong("no such behaviour")),
        }
    }
}

/// Text that is no behaviour, or a behaviour that is not possible here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BehaviourError(String);

/// Reads `500ms`, `2s` or `1m`.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    let number_end = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (number, unit) = text.split_at(number_end);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= LONGEST_TIME)
}

fn busy(detail: &str) -> Option<Behaviour> {
    let (code, after) = detail.split_once(',').map_or((detail, None), |(code, after)| (code, Some(after)));
    let status = code.parse().ok().and_then(StatusCode::new).filter(|status| status.class() >= 3)?;
    let retry_after = match after {
        None => None,
        Some(after) => Some(after.strip_prefix("retry-after=")?.parse().ok()?),
    };
    Some(Behaviour::Busy { status, retry_after })
}

const LONGEST_TIME: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back() {
        for text in [
            "normal",
            "dead",
            "silent",
            "slow:2500ms",
            "ringing",
            "busy:486",
            "busy:503,retry-after=7",
            "redirect:1",
            "redirect:2",
            "redirect:sip:6000@127.0.0.1:9;transport=tcp",
            "calls-only",
            "probes-only",
            "close-connection",
            "hang-up:1000ms",
        ] {
            assert_eq!(text.parse::<Behaviour>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_forms() {
        for text in
            ["", "busy", "busy:200", "busy:486,later", "slow", "slow:fast", "redirect:x", "normal:1", "angry"]
        {
            assert!(text.parse::<Behaviour>().expect_err(text).to_string().contains("probes-only"), "{text}");
        }
    }

    #[test]
    fn two_redirects_need_three_listeners() {
        assert!(Behaviour::Redirect(2).check(3).is_ok());
        assert!(Behaviour::Redirect(2).check(2).is_err());
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_time("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_time("2m"), Some(Duration::from_secs(120)));
        for text in ["", "5", "s", "5h", "-1s", "1.2.3s", "99999999m"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
