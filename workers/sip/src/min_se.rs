//! `Min-SE` (RFC 4028 §5): the shortest session interval that a party on the way accepts.

use std::fmt;

use crate::{error::Fault, params::Params, scan};

/// A Min-SE value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinSe {
    /// Seconds; above 2³²−1 counts as that.
    pub seconds: u32,
}

impl MinSe {
    /// What holds where no Min-SE is written, and the least that one may say (RFC 4028 §5).
    pub const LEAST: Self = Self { seconds: 90 };

    /// Reads a number; parameters mean nothing.
    ///
    /// # Errors
    /// When it does not begin with a number, or a parameter cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (seconds, _) = Params::behind(value)?;
        Ok(Self { seconds: scan::seconds(seconds).ok_or(Fault::Number)? })
    }
}

impl fmt::Display for MinSe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4028 §5.
    #[test]
    fn a_least_interval_may_have_parameters() {
        assert_eq!(MinSe::parse(b"3600"), Ok(MinSe { seconds: 3600 }));
        assert_eq!(MinSe::parse(b"3600 ;lr"), Ok(MinSe { seconds: 3600 }));
        assert_eq!(MinSe::parse(b"x"), Err(Fault::Number));
        assert_eq!(MinSe::LEAST.to_string(), "90");
    }
}
