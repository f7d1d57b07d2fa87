//! What the end of an attempt means: for the call, for the target, and at last for the caller.
//!
//! Pure judgement over response codes and local failures; timers and messages are the engine's. RFC 3261 §8.1.3 and
//! §16.7 step 6 are the ground, the order of evaluation is this product's.

use std::time::Duration;

use crate::plan::AttemptPlan;
use crate::reject::RETRY_AFTER;

/// What a final response means for the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx: the attempt is answered.
    Accept,
    /// 300, 301, 302: its Contacts are tried within the attempt (RFC 3261 §8.1.3.4).
    Redirect,
    /// This target cannot serve: the next one is tried.
    Next {
        /// How long the target is not to be called.
        block: Option<Duration>,
    },
    /// The call fails.
    Final {
        /// The response to the caller.
        status: u16,
        /// How long the target is not to be called.
        block: Option<Duration>,
    },
}

/// Judges a final response to an INVITE outside a dialog. `retry_after` is the header's value in seconds.
#[must_use]
pub fn verdict(status: u16, retry_after: Option<u32>, plan: &AttemptPlan) -> Verdict {
    let block = block_time(status, retry_after);
    match status {
        200..=299 => Verdict::Accept,
        300..=302 => Verdict::Redirect,
        _ if plan.retryable.retries(status) => Verdict::Next { block },
        _ => Verdict::Final { status: passed_on(status), block },
    }
}

/// Ways in which an attempt ends without a usable response (RFC 3261 §8.1.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalFailure {
    /// The host has no address.
    Dns,
    /// Connect refused, or host unreachable.
    Refused,
    /// No connection in time.
    ConnectTimeout,
    /// The connection went away before any response.
    ConnectionClosed,
    /// No response at all in time.
    Silence,
    /// Nothing but 100 in time.
    TryingOnly,
    /// 101–199, then no answer in time.
    NoAnswer,
    /// The 2xx has no usable SDP answer.
    UnusableAnswer,
    /// No Contact of a redirect could be tried, or all failed.
    RedirectFailed,
}

impl LocalFailure {
    /// Returns the response that the failure counts as.
    #[must_use]
    pub const fn synthetic(self) -> u16 {
        match self {
            Self::Silence | Self::TryingOnly | Self::NoAnswer => 408,
            Self::Dns
            | Self::Refused
            | Self::ConnectTimeout
            | Self::ConnectionClosed
            | Self::UnusableAnswer
            | Self::RedirectFailed => 503,
        }
    }

    /// Returns what the failure means for the call: the next target, except after ringing without an answer.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::NoAnswer => Verdict::Final { status: 408, block: None },
            Self::Dns
            | Self::Refused
            | Self::ConnectTimeout
            | Self::ConnectionClosed
            | Self::Silence
            | Self::TryingOnly
            | Self::UnusableAnswer
            | Self::RedirectFailed => Verdict::Next { block: None },
        }
    }

    /// Returns what the failure says about the target.
    #[must_use]
    pub const fn effect(self) -> Effect {
        match self {
            Self::NoAnswer => Effect::Alive,
            Self::Dns
            | Self::Refused
            | Self::ConnectTimeout
            | Self::ConnectionClosed
            | Self::Silence
            | Self::TryingOnly
            | Self::UnusableAnswer
            | Self::RedirectFailed => Effect::Failed,
        }
    }

    /// Returns the failure's name as metrics and the API write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::ConnectionClosed => "connection_closed",
            Self::Silence => "silence",
            Self::TryingOnly => "trying_only",
            Self::NoAnswer => "no_answer",
            Self::UnusableAnswer => "unusable_answer",
            Self::RedirectFailed => "redirect_failed",
        }
    }
}

/// What the end of an attempt says about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It lives.
    Alive,
    /// It failed: counts towards SUSPECT.
    Failed,
    /// It asked not to be called for this time.
    Blocked(Duration),
}

/// Returns what a final response to a call says about the target: `dead` tells whether it is among its `dead_codes`.
#[must_use]
pub fn effect(status: u16, retry_after: Option<u32>, dead: bool) -> Effect {
    match block_time(status, retry_after) {
        Some(time) => Effect::Blocked(time),
        None if dead => Effect::Failed,
        None => Effect::Alive,
    }
}

/// How one attempt of a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// Without a usable response.
    Local(LocalFailure),
    /// With a final response.
    Response {
        /// Its status code.
        status: u16,
        /// Its `Retry-After` in seconds.
        retry_after: Option<u32>,
    },
}

/// The response to a caller whose call no target took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalResponse {
    /// Status code.
    pub status: u16,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u32>,
}

/// Picks the most useful response once all targets or the failover budget are used up: 503 with `Retry-After` if every
/// attempt failed locally or with 5xx, else the last final response that a server really sent.
#[must_use]
pub fn most_useful(attempts: &[AttemptEnd]) -> FinalResponse {
    let unavailable = FinalResponse { status: 503, retry_after: Some(RETRY_AFTER) };
    let telling = |end: &AttemptEnd| match end {
        AttemptEnd::Local(_) => false,
        AttemptEnd::Response { status, .. } => !(500..=599).contains(status),
    };
    if !attempts.iter().any(telling) {
        return unavailable;
    }
    let received = attempts.iter().rev().find_map(|end| match end {
        AttemptEnd::Local(_) => None,
        AttemptEnd::Response { status, retry_after } => Some((*status, *retry_after)),
    });
    received
        .map_or(unavailable, |(status, retry_after)| FinalResponse { status: passed_on(status), retry_after })
}

/// Returns the response that the caller gets for one of a server: a challenge or a Contact is not for him.
const fn passed_on(status: u16) -> u16 {
    match status {
        300..=399 | 401 | 407 => 502,
        _ => status,
    }
}

/// Returns how long a response blocks its target: a 503 with `Retry-After`, capped. Without it a 503 is like a 500
/// (RFC 3261 §21.5.4).
fn block_time(status: u16, retry_after: Option<u32>) -> Option<Duration> {
    let seconds = retry_after.filter(|seconds| status == 503 && *seconds > 0)?;
    Some(Duration::from_secs(u64::from(seconds.min(MAX_BLOCK))))
}

/// Longest time that a `Retry-After` blocks a target, in seconds.
const MAX_BLOCK: u32 = 300;

#[cfg(test)]
mod tests;
