//! `Reason` (RFC 3326): why a request was sent, or why a call ended, in another protocol's words.

use std::{borrow::Cow, fmt};

use crate::{error::Fault, params::Params};

/// One Reason value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    protocol: Box<str>,
    /// `cause`, `text` and others.
    pub params: Params,
}

impl Reason {
    /// Makes `SIP;cause=…;text="…"`.
    #[must_use]
    pub fn sip(cause: u16, text: &str) -> Self {
        let params = Params::new().with("cause", Some(&cause.to_string()));
        let mut reason = Self { protocol: "SIP".into(), params };
        if !text.is_empty() {
            reason.params.set_quoted("text", text);
        }
        reason
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the protocol is not a token or a parameter cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (protocol, params) = Params::behind_token(value)?;
        Ok(Self { protocol: protocol.into(), params })
    }

    /// Protocol that the cause is a number of: `SIP`, `Q.850`, …
    #[must_use]
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The cause, if it is a number.
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.params.raw_value("cause")?.parse().ok()
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        self.params.value("text")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_samples_of_the_standard() {
        let reason = Reason::parse(b"Q.850 ;cause=16 ;text=\"Terminated\"").expect("valid");
        assert_eq!(
            (reason.protocol(), reason.cause(), reason.text().as_deref()),
            ("Q.850", Some(16), Some("Terminated"))
        );
        assert_eq!(
            Reason::sip(200, "Call completed elsewhere").to_string(),
            "SIP;cause=200;text=\"Call completed elsewhere\""
        );
        assert_eq!(Reason::sip(487, "").to_string(), "SIP;cause=487");
        assert!(Reason::parse(b";cause=16").is_err());
    }
}
