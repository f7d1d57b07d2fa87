//! `Event` (RFC 6665 §8.2.1): the package of a subscription or notification.

use std::{borrow::Cow, fmt};

use crate::{error::Fault, params::Params};

/// An Event value. Packages are compared with case, as RFC 6665 §8.2.1 has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPackage {
    package: Box<str>,
    /// `id` and others.
    pub params: Params,
}

impl EventPackage {
    /// Reads `refer;id=93809824`.
    ///
    /// # Errors
    /// When the package is no token, or a parameter cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (package, params) = Params::behind_token(value)?;
        Ok(Self { package: package.into(), params })
    }

    /// The package, templates included: `message-summary`, `presence.winfo`.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.package
    }

    /// What tells several subscriptions of one dialog apart: for `refer` the CSeq of the REFER (RFC 3515 §2.4.6).
    #[must_use]
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.params.value("id")
    }

    /// Whether both name the same subscription (RFC 6665 §4.5.2).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.package == other.package && self.id() == other.id()
    }
}

impl fmt::Display for EventPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.package, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6665 §8.2.1.
    #[test]
    fn a_package_and_its_id_name_a_subscription() {
        let read = |text: &str| EventPackage::parse(text.as_bytes()).expect(text);
        let refer = read("refer;id=93809824");
        assert_eq!((refer.package(), refer.id().as_deref()), ("refer", Some("93809824")));
        assert!(refer.matches(&read("refer ; x=y ; id=93809824")));
        assert!(!refer.matches(&read("refer")) && !refer.matches(&read("Refer;id=93809824")));
        assert_eq!(read("presence.winfo").to_string(), "presence.winfo");
        assert!(EventPackage::parse(b";id=1").is_err());
    }
}
