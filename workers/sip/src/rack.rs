//! `RAck` (RFC 3262 §7.2): which reliable provisional response a PRACK acknowledges.

use std::fmt;

use crate::{cseq::CSeq, error::Fault, rseq::RSeq, scan};

/// A RAck value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    /// RSeq of the response.
    pub rseq: RSeq,
    /// CSeq of the response.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `776656 1 INVITE`.
    ///
    /// # Errors
    /// When one of the numbers is none, or the method is not a token.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let value = scan::trim(value);
        let blank = value.iter().position(|byte| scan::is_lws(*byte)).ok_or(Fault::Syntax)?;
        let (rseq, cseq) = value.split_at_checked(blank).ok_or(Fault::Syntax)?;
        Ok(Self { rseq: RSeq::parse(rseq)?, cseq: CSeq::parse(cseq)? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;

    /// RFC 3262 §7.2.
    #[test]
    fn a_prack_names_response_number_cseq_and_method() {
        let rack = RAck::parse(b"776656 1 INVITE").expect("the sample of the standard");
        assert_eq!((rack.rseq.number(), rack.cseq.number), (776_656, 1));
        assert_eq!(rack.cseq.method, Method::Invite);
        assert_eq!(rack.to_string(), "776656 1 INVITE");
        assert_eq!(RAck::parse(b" 7\r\n 1 \t INVITE ").map(|rack| rack.to_string()), Ok("7 1 INVITE".into()));
    }

    #[test]
    fn a_rack_without_its_three_parts_is_refused() {
        for text in ["", "1", "1 INVITE", "1 2", "x 1 INVITE", "1 x INVITE"] {
            assert!(RAck::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(RAck::parse(b"0 1 INVITE"), Err(Fault::Number));
    }
}
