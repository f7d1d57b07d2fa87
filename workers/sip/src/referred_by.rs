//! `Referred-By` (RFC 3892 §3): who asked for a request by a REFER.

use std::{borrow::Cow, fmt};

use crate::{error::Fault, name_addr::NameAddr, uri::Uri};

/// A Referred-By value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferredBy {
    /// The referrer, with the header's parameters.
    pub address: NameAddr,
}

impl ReferredBy {
    /// Makes one without a token.
    #[must_use]
    pub fn new(referrer: Uri) -> Self {
        Self { address: NameAddr::new(referrer) }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When it is no address.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        NameAddr::parse(value).map(|address| Self { address })
    }

    /// Content-ID of the body part that proves it (`cid`).
    #[must_use]
    pub fn token(&self) -> Option<Cow<'_, str>> {
        self.address.params.value("cid")
    }
}

impl fmt::Display for ReferredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3892 §3.
    #[test]
    fn the_referrer_and_the_token_are_read() {
        let text = "<sip:r@ref.example>;cid=\"2UWQFN309shb3@ref.example\"";
        let referred = ReferredBy::parse(text.as_bytes()).expect("valid");
        assert_eq!(referred.address.uri.as_str(), "sip:r@ref.example");
        assert_eq!(referred.token().as_deref(), Some("2UWQFN309shb3@ref.example"));
        assert_eq!(referred.to_string(), text);
        assert!(ReferredBy::parse(b"<sip:r@").is_err());
    }
}
