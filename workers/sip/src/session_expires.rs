//! `Session-Expires` (RFC 4028 §4): how long a session lives without a refresh, and who sends it.

use std::fmt;

use crate::{error::Fault, params::Params, scan};

/// Who refreshes a session, as roles in the transaction that the header stands in (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The sender of the request.
    Uac,
    /// The sender of the response.
    Uas,
}

impl Refresher {
    /// The parameter's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

/// A Session-Expires value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Session interval in seconds; above 2³²−1 counts as that.
    pub interval: u32,
    /// Who refreshes; `None` leaves it to the UAS. A value that is neither `uac` nor `uas` counts as none.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Makes one.
    #[must_use]
    pub fn new(interval: u32, refresher: Option<Refresher>) -> Self {
        Self { interval, refresher }
    }

    /// Reads `1800;refresher=uac`.
    ///
    /// # Errors
    /// When it does not begin with a number, or a parameter cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (interval, params) = Params::behind(value)?;
        let interval = scan::seconds(interval).ok_or(Fault::Number)?;
        let refresher = match params.value("refresher").as_deref() {
            Some(role) if role.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(role) if role.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Ok(Self { interval, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval)?;
        self.refresher.map_or(Ok(()), |role| write!(f, ";refresher={}", role.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4028 §4.
    #[test]
    fn interval_and_refresher_are_read_in_any_case() {
        let read = |text: &str| SessionExpires::parse(text.as_bytes());
        assert_eq!(read("4000;refresher=uac"), Ok(SessionExpires::new(4000, Some(Refresher::Uac))));
        assert_eq!(read("90 ; Refresher = UAS;x=y"), Ok(SessionExpires::new(90, Some(Refresher::Uas))));
        assert_eq!(read("1800"), Ok(SessionExpires::new(1800, None)));
        assert_eq!(read("1800;refresher=both"), Ok(SessionExpires::new(1800, None)));
        assert_eq!(read("99999999999"), Ok(SessionExpires::new(u32::MAX, None)));
        for text in ["", "soon", "-90", "90 s", ";refresher=uac"] {
            assert_eq!(read(text), Err(Fault::Number), "{text}");
        }
        assert_eq!(read("90;;"), Err(Fault::Syntax));
    }

    #[test]
    fn a_session_interval_is_written_as_the_standard_has_it() {
        assert_eq!(SessionExpires::new(1800, Some(Refresher::Uas)).to_string(), "1800;refresher=uas");
        assert_eq!(SessionExpires::new(90, None).to_string(), "90");
    }
}
