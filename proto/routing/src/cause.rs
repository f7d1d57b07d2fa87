//! Why a call came to voicemail, in the three vocabularies that say so: Diversion reason (RFC 5806 §4), `cause` URI
//! parameter (RFC 4458 §2.1) and History-Info (RFC 7544).

use std::fmt;

/// Why a party diverted a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Every call is forwarded.
    Unconditional,
    /// The party wants no calls.
    DoNotDisturb,
    /// The party is in a call.
    UserBusy,
    /// The party did not answer.
    NoAnswer,
    /// The party has no phone that can be reached.
    Unavailable,
    /// The party sent this call on.
    Deflection,
    /// The hour decides.
    TimeOfDay,
    /// The party follows a plan.
    FollowMe,
    /// The phone is broken.
    OutOfService,
    /// The party is away.
    Away,
    /// Nothing better is known.
    Unknown,
}

impl Cause {
    /// Returns the cause of a Diversion `reason`; a token that we do not know says nothing better.
    #[must_use]
    pub fn of_reason(reason: &str) -> Self {
        let known = |cause: &&Self| cause.reason().eq_ignore_ascii_case(reason);
        Self::ALL.iter().find(known).copied().unwrap_or(Self::Unknown)
    }

    /// Returns the cause of a `cause` URI parameter.
    #[must_use]
    pub const fn of_code(code: u16) -> Self {
        match code {
            302 => Self::Unconditional,
            486 => Self::UserBusy,
            408 => Self::NoAnswer,
            503 => Self::Unavailable,
            480 | 487 => Self::Deflection,
            _ => Self::Unknown,
        }
    }

    /// Returns the token of the Diversion `reason` parameter.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::DoNotDisturb => "do-not-disturb",
            Self::UserBusy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::Unavailable => "unavailable",
            Self::Deflection => "deflection",
            Self::TimeOfDay => "time-of-day",
            Self::FollowMe => "follow-me",
            Self::OutOfService => "out-of-service",
            Self::Away => "away",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the value of the `cause` URI parameter.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Unconditional => 302,
            Self::UserBusy => 486,
            Self::NoAnswer => 408,
            Self::Unavailable => 503,
            Self::Deflection => 480,
            Self::DoNotDisturb
            | Self::TimeOfDay
            | Self::FollowMe
            | Self::OutOfService
            | Self::Away
            | Self::Unknown => 404,
        }
    }

    const ALL: [Self; 11] = [
        Self::Unconditional,
        Self::DoNotDisturb,
        Self::UserBusy,
        Self::NoAnswer,
        Self::Unavailable,
        Self::Deflection,
        Self::TimeOfDay,
        Self::FollowMe,
        Self::OutOfService,
        Self::Away,
        Self::Unknown,
    ];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_they_are_written_whatever_their_case() {
        for cause in Cause::ALL {
            assert_eq!(Cause::of_reason(&cause.reason().to_uppercase()), cause);
        }
        assert_eq!(Cause::of_reason("x-vendor"), Cause::Unknown);
    }

    #[test]
    fn causes_have_the_codes_of_rfc_4458() {
        let codes = |cause: Cause| cause.code();
        assert_eq!(codes(Cause::Unconditional), 302);
        assert_eq!(codes(Cause::DoNotDisturb), 404);
        assert_eq!(codes(Cause::UserBusy), 486);
        assert_eq!(codes(Cause::NoAnswer), 408);
        assert_eq!(codes(Cause::Unavailable), 503);
        assert_eq!(Cause::of_code(487), Cause::Deflection);
        assert_eq!(Cause::of_code(404), Cause::Unknown);
    }
}
