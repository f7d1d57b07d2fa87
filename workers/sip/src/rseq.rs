//! `RSeq` (RFC 3262 §7.1): the number of a reliable provisional response within its transaction.

use std::fmt;

use crate::{error::Fault, scan};

/// An RSeq value, 1 to 2³²−1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RSeq {
    number: u32,
}

impl RSeq {
    /// Takes a number; `None` for 0.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self { number })
    }

    /// Reads a number.
    ///
    /// # Errors
    /// When it is not one from 1 to 2³²−1.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        scan::number(value).and_then(Self::new).ok_or(Fault::Number)
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number
    }

    /// The number that follows within the transaction; `None` behind the last one (RFC 3262 §3 begins below
    /// 2³¹, so that it is not reached).
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.number.checked_add(1).and_then(Self::new)
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3262 §7.1.
    #[test]
    fn a_reliable_response_is_numbered_from_1_to_the_last_of_32_bits() {
        assert_eq!(RSeq::parse(b"988789").map(RSeq::number), Ok(988_789));
        assert_eq!(RSeq::parse(b"4294967295").map(RSeq::next), Ok(None));
        for text in ["0", "4294967296", "-1", "", "1 2"] {
            assert_eq!(RSeq::parse(text.as_bytes()), Err(Fault::Number), "{text}");
        }
        assert_eq!(RSeq::new(1).and_then(RSeq::next).map(|next| next.to_string()).as_deref(), Some("2"));
    }
}
