//! The two requests that are made of another request of ours: ACK for a failure and CANCEL.

use bytes::Bytes;

use super::output::Output;
use crate::{header_name::HeaderName, message::Message, method::Method};

/// Makes the ACK for a 300–699 response to `invite`, which is the request as we sent it (RFC 3261 §17.1.1.3):
/// same Request-URI, topmost Via and Route, To of the response.
#[must_use]
pub fn ack_for_failure(invite: &Message, response: &Message) -> Bytes {
    derive(invite, response, &Method::Ack)
}

/// Makes the CANCEL of `invite`, which is the request as we sent it (RFC 3261 §9.1): same Request-URI,
/// topmost Via, Route, From, To, Call-ID and CSeq number.
#[must_use]
pub fn cancel(invite: &Message) -> Bytes {
    derive(invite, invite, &Method::Cancel)
}

fn derive(invite: &Message, to_of: &Message, method: &Method) -> Bytes {
    let head = invite.head();
    let mut output = Output::new();
    let uri = String::from_utf8_lossy(invite.request_uri_bytes());
    output.start_line(&format_args!("{method} {uri} SIP/2.0"));
    let via = invite.top_via_parts().value.of(&head.bytes);
    output.header(HeaderName::Via.as_str(), &String::from_utf8_lossy(via));
    output.copy(head, HeaderName::Route);
    output.header(HeaderName::MaxForwards.as_str(), &invite.max_forwards().unwrap_or(70));
    output.copy(head, HeaderName::From);
    output.copy(to_of.head(), HeaderName::To);
    output.copy(head, HeaderName::CallId);
    output.header(HeaderName::CSeq.as_str(), &format_args!("{} {method}", invite.cseq().number));
    output.finish(None, &[])
}
