//! `Subscription-State` (RFC 6665 §4.1.3, §8.2.3): what a notification says about its subscription.

use std::{fmt, time::Duration};

use crate::{error::Fault, params::Params, scan};

/// State of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Substate {
    /// Not decided yet.
    Pending,
    /// It is.
    Active,
    /// It is over.
    Terminated,
    /// A state of some extension, in lower case.
    Other(Box<str>),
}

impl Substate {
    /// The state as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Terminated => "terminated",
            Self::Other(other) => other,
        }
    }
}

/// A Subscription-State value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// The state.
    pub state: Substate,
    /// `reason`, `expires`, `retry-after` and others.
    pub params: Params,
}

impl SubscriptionState {
    /// Makes `active;expires=…`, whole seconds.
    #[must_use]
    pub fn active(expires: u32) -> Self {
        Self { state: Substate::Active, params: Params::new().with("expires", Some(&expires.to_string())) }
    }

    /// Makes `terminated;reason=…`.
    #[must_use]
    pub fn terminated(reason: &str) -> Self {
        Self { state: Substate::Terminated, params: Params::new().with("reason", Some(reason)) }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the state is no token, or a parameter cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (state, params) = Params::behind_token(value)?;
        let state = match state.to_ascii_lowercase().as_str() {
            "pending" => Substate::Pending,
            "active" => Substate::Active,
            "terminated" => Substate::Terminated,
            other => Substate::Other(other.into()),
        };
        Ok(Self { state, params })
    }

    /// How long the subscription still lives, whole seconds.
    #[must_use]
    pub fn expires(&self) -> Option<Duration> {
        self.seconds("expires")
    }

    /// When the subscriber may try again, whole seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.seconds("retry-after")
    }

    /// Why it is over.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.params.raw_value("reason")
    }

    fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds = scan::seconds(self.params.raw_value(name)?.as_bytes())?;
        Some(Duration::from_secs(seconds.into()))
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.state.as_str(), self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6665 §8.2.3.
    #[test]
    fn states_of_a_subscription_are_told_apart() {
        let read = |text: &str| SubscriptionState::parse(text.as_bytes()).expect(text);
        let active = read("Active;expires=599");
        assert_eq!(
            (active.state.clone(), active.expires()),
            (Substate::Active, Some(Duration::from_secs(599)))
        );
        let over = read("terminated;reason=probation;retry-after=10");
        assert_eq!((over.reason(), over.retry_after()), (Some("probation"), Some(Duration::from_secs(10))));
        assert_eq!(read("strange").state, Substate::Other("strange".into()));
        assert_eq!(read("pending;expires=soon").expires(), None);
        assert_eq!(SubscriptionState::active(60).to_string(), "active;expires=60");
        assert_eq!(SubscriptionState::terminated("noresource").to_string(), "terminated;reason=noresource");
        assert!(SubscriptionState::parse(b"").is_err());
    }
}
