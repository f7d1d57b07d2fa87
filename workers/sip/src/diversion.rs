//! `Diversion` (RFC 5806): who diverted a call and why; the topmost is the most recent.

use std::fmt;

use crate::{error::Fault, name_addr::NameAddr, uri::Uri};

/// Why a party diverted (RFC 5806 §4); tokens have no case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiversionReason {
    /// The standard's default, also for any token not listed here.
    Unknown,
    /// The user was busy.
    UserBusy,
    /// The user did not answer.
    NoAnswer,
    /// The user could not be reached.
    Unavailable,
    /// All calls are forwarded.
    Unconditional,
    /// By time of day.
    TimeOfDay,
    /// The user wants no calls.
    DoNotDisturb,
    /// The user sent this call on.
    Deflection,
    /// The user's calls follow him.
    FollowMe,
    /// Out of service.
    OutOfService,
    /// The user is away.
    Away,
}

impl DiversionReason {
    /// All reasons.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::UserBusy,
        Self::NoAnswer,
        Self::Unavailable,
        Self::Unconditional,
        Self::TimeOfDay,
        Self::DoNotDisturb,
        Self::Deflection,
        Self::FollowMe,
        Self::OutOfService,
        Self::Away,
    ];

    /// The token on the wire.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::UserBusy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::Unavailable => "unavailable",
            Self::Unconditional => "unconditional",
            Self::TimeOfDay => "time-of-day",
            Self::DoNotDisturb => "do-not-disturb",
            Self::Deflection => "deflection",
            Self::FollowMe => "follow-me",
            Self::OutOfService => "out-of-service",
            Self::Away => "away",
        }
    }

    /// Reads a token; [`DiversionReason::Unknown`] for one that is not listed.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| token.eq_ignore_ascii_case(reason.token()))
            .unwrap_or(Self::Unknown)
    }
}

/// One Diversion value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// The diverting party with its parameters.
    pub address: NameAddr,
    /// Why it diverted.
    pub reason: DiversionReason,
}

impl Diversion {
    /// Makes one value with its reason and the count of one diversion.
    #[must_use]
    pub fn new(party: Uri, reason: DiversionReason) -> Self {
        let mut address = NameAddr::new(party);
        address.params.set("reason", Some(reason.token()));
        address.params.set("counter", Some("1"));
        Self { address, reason }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let address = NameAddr::parse(value)?;
        let reason = address
            .params
            .value("reason")
            .map_or(DiversionReason::Unknown, |token| DiversionReason::from_token(&token));
        Ok(Self { address, reason })
    }

    /// The diverting party.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.address.uri
    }

    /// How many diversions this value stands for, 1 when none is written.
    #[must_use]
    pub fn counter(&self) -> u32 {
        self.address.params.raw_value("counter").and_then(|text| text.parse().ok()).unwrap_or(1)
    }
}

impl fmt::Display for Diversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_shapes_of_the_field() {
        let read = |text: &str| Diversion::parse(text.as_bytes()).expect("valid");
        let full = read(
            "\"Dana Reed\" <sip:2001@pbx.example.com;user=phone>;reason=no-answer;counter=1;privacy=off;screen=no",
        );
        assert_eq!((full.reason, full.uri().user()), (DiversionReason::NoAnswer, Some("2001")));
        assert_eq!(read("<tel:10001>;reason=\"user-busy\"").reason, DiversionReason::UserBusy);
        assert_eq!(read("<sip:1@h>;Reason=Unconditional;counter=3").counter(), 3);
        assert_eq!(read("<sip:1@h>;reason=whatever").reason, DiversionReason::Unknown);
        assert_eq!(read("<sip:1@h>").reason, DiversionReason::Unknown);
    }

    #[test]
    fn every_reason_reads_back() {
        for reason in DiversionReason::ALL {
            let uri: Uri = "sip:2001@pbx.example.com".parse().expect("valid");
            let written = Diversion::new(uri, reason).to_string();
            assert_eq!(Diversion::parse(written.as_bytes()).expect("valid").reason, reason);
        }
    }
}
