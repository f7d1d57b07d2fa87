//! `CSeq` (RFC 3261 §8.1.1.5, §20.16): number and method of a request within its dialog.

use std::fmt;

use crate::{error::Fault, method::Method, scan};

/// A `CSeq` value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Sequence number, below 2³¹.
    pub number: u32,
    /// Method of the request that it numbers.
    pub method: Method,
}

impl CSeq {
    /// Reads `4711 INVITE`.
    ///
    /// # Errors
    /// When the number is not one below 2³¹ or the method is not a token.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let value = scan::trim(value);
        let blank = value.iter().position(|byte| scan::is_lws(*byte)).ok_or(Fault::Syntax)?;
        let (number, method) = value.split_at_checked(blank).ok_or(Fault::Syntax)?;
        let number = scan::number(number).filter(|number| *number < 1 << 31).ok_or(Fault::Number)?;
        let method = Method::from_bytes(scan::trim_start(method)).ok_or(Fault::Syntax)?;
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_leading_zeros_and_folds() {
        assert_eq!(CSeq::parse(b"0009\r\n  INVITE"), Ok(CSeq { number: 9, method: Method::Invite }));
    }

    /// RFC 4475 §3.1.2.4.
    #[test]
    fn refuses_what_is_not_a_number_below_2_to_31() {
        for value in [&b"36893488147419103232 REGISTER"[..], b"2147483648 ACK", b"-1 ACK", b"x ACK"] {
            assert_eq!(CSeq::parse(value), Err(Fault::Number));
        }
        assert_eq!(CSeq::parse(b"1"), Err(Fault::Syntax));
        assert_eq!(CSeq::parse(b"1 "), Err(Fault::Syntax));
        assert_eq!(CSeq::parse(b"1 IN VITE"), Err(Fault::Syntax));
    }
}
