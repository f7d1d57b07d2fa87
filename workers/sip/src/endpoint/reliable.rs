//! What names one reliable provisional response within its dialog (RFC 3262 §7).

use std::fmt;

use crate::{
    header_name::HeaderName, message::Message, method::Method, option_tags::OptionTag, rack::RAck, rseq::RSeq,
};

/// A reliable provisional response to an INVITE; of ours, or of the peer for its PRACK ([`super::Endpoint::prack`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reliable {
    /// Its `RSeq`.
    pub rseq: RSeq,
    /// Number in the `CSeq` of the INVITE.
    pub cseq: u32,
}

impl Reliable {
    /// What a response says of itself; `None` if it is not to be acknowledged: no `Require: 100rel`, no `RSeq`.
    pub(super) fn of_response(response: &Message) -> Option<Self> {
        let rseq = response.rseq().ok()??;
        let is_reliable = response.option_tags(HeaderName::Require).contains(OptionTag::Rel100);
        is_reliable.then_some(Self { rseq, cseq: response.cseq().number })
    }

    /// What a PRACK names; `None` if that cannot be read or is no response to an INVITE.
    pub(super) fn of_prack(prack: &Message) -> Option<Self> {
        let RAck { rseq, cseq } = prack.rack().ok()??;
        (cseq.method == Method::Invite).then_some(Self { rseq, cseq: cseq.number })
    }
}

impl fmt::Display for Reliable {
    /// The value of `RAck`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, Method::Invite)
    }
}
