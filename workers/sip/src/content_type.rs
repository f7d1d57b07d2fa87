//! `Content-Type` (RFC 3261 §20.15): what a body is.

use std::fmt;

use crate::{error::Fault, params::Params, scan};

/// A media type with its parameters; type and subtype are kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    essence: Box<str>,
    /// Parameters, for example `boundary`.
    pub params: Params,
}

impl ContentType {
    /// Reads `type/subtype;params`.
    ///
    /// # Errors
    /// When type and subtype are not tokens.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (essence, params) = Params::behind(value)?;
        let (kind, subtype) = scan::split_once(essence, b'/').ok_or(Fault::Syntax)?;
        let kind = scan::token_text(scan::trim(kind)).ok_or(Fault::Syntax)?;
        let subtype = scan::token_text(scan::trim(subtype)).ok_or(Fault::Syntax)?;
        let essence = format!("{kind}/{subtype}").to_ascii_lowercase().into();
        Ok(Self { essence, params })
    }

    /// `type/subtype` in lower case.
    #[must_use]
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// Tells whether the body has parts (RFC 2046 §5.1).
    #[must_use]
    pub fn is_multipart(&self) -> bool {
        self.essence().starts_with("multipart/")
    }

    /// Tells whether the body is a session description (RFC 8866 §8.1).
    #[must_use]
    pub fn is_sdp(&self) -> bool {
        self.essence() == "application/sdp"
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.essence, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_no_case_and_blanks_may_surround_the_slash() {
        assert!(ContentType::parse(b"Application / SDP;charset=utf-8").expect("valid").is_sdp());
        let mixed = ContentType::parse(b"multipart/mixed;boundary=\"a;b\"").expect("valid");
        assert_eq!(mixed.params.value("boundary").as_deref(), Some("a;b"));
        assert_eq!(mixed.to_string(), "multipart/mixed;boundary=\"a;b\"");
        assert!(ContentType::parse(b"sdp").is_err());
        assert!(ContentType::parse(b"a/b/c").is_err());
    }
}
