//! `Content-Disposition` (RFC 3261 §20.11, RFC 5621 §8): what a body is for, and whether it must be understood.

use std::fmt;

use crate::{error::Fault, params::Params};

/// Whether the receiver must understand a body (RFC 5621 §8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// It must; what says nothing else counts as this.
    Required,
    /// It may ignore the body.
    Optional,
}

/// A Content-Disposition value; the type is kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDisposition {
    kind: Box<str>,
    /// Parameters, for example `handling`.
    pub params: Params,
}

impl ContentDisposition {
    /// Reads `session;handling=optional`.
    ///
    /// # Errors
    /// When the type is no token, or a parameter cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (kind, params) = Params::behind_token(value)?;
        Ok(Self { kind: kind.to_ascii_lowercase().into(), params })
    }

    /// The type: `session`, `render`, `early-session`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether the body must be understood; a value that is unknown counts as required.
    #[must_use]
    pub fn handling(&self) -> Handling {
        match self.params.value("handling").as_deref() {
            Some(handling) if handling.eq_ignore_ascii_case("optional") => Handling::Optional,
            Some(_) | None => Handling::Required,
        }
    }
}

impl fmt::Display for ContentDisposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §20.11: a missing handling is `required`.
    #[test]
    fn a_body_must_be_understood_unless_it_says_otherwise() {
        let read = |text: &str| ContentDisposition::parse(text.as_bytes()).expect(text);
        assert_eq!(read("session").handling(), Handling::Required);
        assert_eq!(read("By-Reference ; Handling = \"Optional\"").handling(), Handling::Optional);
        assert_eq!(read("render;handling=maybe").handling(), Handling::Required);
        assert_eq!(read("Session;handling=optional").kind(), "session");
        assert_eq!(read("alert;handling=optional").to_string(), "alert;handling=optional");
        assert!(ContentDisposition::parse(b";handling=optional").is_err());
    }
}
