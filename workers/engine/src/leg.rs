//! Between the words of a call and SIP messages: what an INVITE says to routing, what routing says to
//! the INVITE of an attempt, what a response says to the call. Nothing here keeps state.

use um_routing::redirect::Contact;
use um_sip::endpoint::Reply;
use um_sip::{HeaderName, Message, OptionTag, OptionTags, Parts, StatusCode};

pub(crate) mod dtmf;
pub(crate) mod facts;
pub(crate) mod headers;

#[cfg(test)]
mod tests;

/// The methods that are served here; all others are answered 405 or 501 with this list.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, PRACK, UPDATE, INFO";
/// The extensions that are supported here; another that is required is answered 420.
pub(crate) const EXTENSIONS: OptionTags =
    OptionTags::of(&[OptionTag::Rel100, OptionTag::NoReferSub, OptionTag::Timer, OptionTag::Replaces]);
/// The same on the wire (RFC 3261 §20.37).
pub(crate) const SUPPORTED: &str = "100rel, norefersub, replaces";
/// The only body that is understood here.
pub(crate) const SDP: &str = "application/sdp";

/// Starts a reply with any status that routing or a server chose.
pub(crate) fn reply(status: u16) -> Reply {
    Reply::new(StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR))
}

/// Starts a reply that asks to come again.
pub(crate) fn reply_later(status: u16, retry_after: Option<u32>) -> Reply {
    let reply = reply(status);
    match retry_after {
        Some(seconds) => reply.header(HeaderName::RetryAfter, seconds.to_string()),
        None => reply,
    }
}

/// Says what a server wrote in `Retry-After`, in whole seconds.
pub(crate) fn retry_after(response: &Message) -> Option<u32> {
    let value = response.retry_after().ok().flatten()?;
    u32::try_from(value.delay.as_secs()).ok()
}

/// The Contacts of a redirection that can be read; the others lead nowhere.
pub(crate) fn contacts(response: &Message) -> Vec<Contact> {
    let Ok(contacts) = response.contacts() else { return Vec::new() };
    let readable = contacts.list().iter().filter_map(|contact| {
        let uri = contact.address.uri.as_str().parse().ok()?;
        Some(Contact { uri, q: Some(contact.q) })
    });
    readable.collect()
}

/// The session description in a message, alone or beside other parts of its body (RFC 5621).
pub(crate) fn description(message: &Message) -> Body<'_> {
    if message.body().is_empty() {
        return Body::None;
    }
    match Parts::of(message).as_ref().map(Parts::description) {
        Ok(Some(description)) => Body::Sdp(description),
        Ok(None) | Err(_) => Body::Other,
    }
}

/// What the body of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    /// There is none.
    None,
    /// A session description.
    Sdp(&'a [u8]),
    /// Something that is not understood here.
    Other,
}
