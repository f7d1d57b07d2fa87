//! What a request is looked at for before the user sees it: RFC 3261 §8.2.1 to §8.2.4, in that order, as far as neither
//! the state of a dialog nor a call decides. It only judges; [`super::refuse`] says it to the sender.

use super::{Config, Reply};
use crate::{
    body::{BodyFault, Parts},
    content_disposition::Handling,
    error::{Fault, HeaderError},
    header_name::HeaderName,
    message::Message,
    method::Method,
    option_tags::OptionTag,
    scan,
    status::StatusCode,
    uri::{Scheme, Uri},
};

/// Why a request is not for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// The Request-URI does not follow its grammar: 400.
    Uri(Fault),
    /// The method is not known here: 501.
    Method,
    /// The method is known and not served: 405 (§8.2.1).
    NotAllowed,
    /// The Request-URI has a scheme that is not served: 416 (§8.2.2.1).
    Scheme,
    /// Option tags that are required and not supported, as the sender wrote them: 420 (§8.2.2.3).
    Extensions(String),
    /// A header that decides what the request means is missing, stands where it may not, or cannot be read: 400.
    Header(HeaderError),
    /// No answer could be written in what the sender accepts: 406 (RFC 4475 §3.3.15).
    Answer,
    /// The body cannot be taken apart: 400.
    Body(BodyFault),
    /// The body, or a part that must be understood, is of a type or for a purpose not known here: 415 (§8.2.3).
    MediaType,
    /// The body is encoded: 415 (§8.2.3).
    Encoding,
    /// The body is encrypted: 493 (§21.4.30).
    Encrypted,
}

impl Objection {
    /// The response that says so, with what the sender may do instead.
    pub(super) fn reply(&self, config: &Config) -> Reply {
        let malformed =
            |what: String| Reply::new(StatusCode::BAD_REQUEST).reason(format!("Bad Request ({what})"));
        let allow = |status| Reply::new(status).header(HeaderName::Allow, config.methods.to_string());
        match self {
            Self::Uri(fault) => malformed(format!("Request-URI {fault}")),
            Self::Header(error) => malformed(error.to_string()),
            Self::Body(fault) => malformed(fault.to_string()),
            Self::Method => allow(StatusCode::NOT_IMPLEMENTED),
            Self::NotAllowed => allow(StatusCode::METHOD_NOT_ALLOWED),
            Self::Scheme => Reply::new(StatusCode::UNSUPPORTED_URI_SCHEME),
            Self::Extensions(tags) => {
                Reply::new(StatusCode::BAD_EXTENSION).header(HeaderName::Unsupported, tags.clone())
            }
            Self::Answer => Reply::new(StatusCode::NOT_ACCEPTABLE),
            Self::MediaType => Reply::new(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .header(HeaderName::Accept, config.accept.join(", ")),
            Self::Encoding => {
                Reply::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).header(HeaderName::AcceptEncoding, IDENTITY)
            }
            Self::Encrypted => Reply::new(StatusCode::UNDECIPHERABLE),
        }
    }
}

/// Judges a request other than ACK and CANCEL.
pub(super) fn judge(message: &Message, config: &Config) -> Result<(), Objection> {
    // Inside of a dialog the Request-URI is our own Contact; only the tags decide there.
    let scheme = match message.to_tag() {
        None => Some(Uri::parse(message.request_uri_bytes()).map_err(Objection::Uri)?.scheme()),
        Some(_) => None,
    };
    method(message.method(), config)?;
    if scheme == Some(Scheme::Other) {
        return Err(Objection::Scheme);
    }
    extensions(message, config)?;
    headers(message, config)?;
    if carries_descriptions(message.method()) {
        content(message, config)?;
    }
    Ok(())
}

/// RFC 3261 §8.2.1.
fn method(method: &Method, config: &Config) -> Result<(), Objection> {
    if config.methods.contains(method) {
        return Ok(());
    }
    Err(if matches!(method, Method::Other(_)) { Objection::Method } else { Objection::NotAllowed })
}

/// RFC 3261 §8.2.2.3; Proxy-Require is no business of a UAS.
fn extensions(message: &Message, config: &Config) -> Result<(), Objection> {
    if message.header(HeaderName::Require).is_none() {
        return Ok(());
    }
    let beyond: Vec<&str> = message.tags_beyond(HeaderName::Require, config.extensions).collect();
    if beyond.is_empty() { Ok(()) } else { Err(Objection::Extensions(beyond.join(", "))) }
}

/// Headers of which a wrong reading would be a wrong act; RAck is judged where it is matched. Those of an extension that is not supported mean nothing.
fn headers(message: &Message, config: &Config) -> Result<(), Objection> {
    let missing = |name| Objection::Header(HeaderError { name, fault: Fault::Empty });
    let supports = |tag| config.extensions.contains(tag);
    match message.method() {
        Method::Refer => {
            drop(message.refer_to().map_err(Objection::Header)?.ok_or_else(|| missing(HeaderName::ReferTo))?);
        }
        Method::Invite
        | Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Register
        | Method::Prack
        | Method::Update
        | Method::Info
        | Method::Subscribe
        | Method::Notify
        | Method::Message
        | Method::Publish
        | Method::Other(_) => {}
    }
    if supports(OptionTag::Replaces) && message.header(HeaderName::Replaces).is_some() {
        // RFC 3891 §3: an INVITE may have it, nothing else; §6.1: not beside Join.
        if *message.method() != Method::Invite || message.header_named("Join").is_some() {
            return Err(Objection::Header(HeaderError { name: HeaderName::Replaces, fault: Fault::Syntax }));
        }
        message.replaces().map_err(Objection::Header)?;
    }
    if supports(OptionTag::Timer) {
        message.session_expires().map_err(Objection::Header)?;
        message.min_se().map_err(Objection::Header)?;
    }
    Ok(())
}

/// Methods whose body is an offer or an answer (RFC 6337 §2.2).
fn carries_descriptions(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Prack)
}

/// RFC 3261 §8.2.3. Where there is a description the parts beside it are the user's business, for he may pass them on.
fn content(message: &Message, config: &Config) -> Result<(), Objection> {
    if *message.method() == Method::Invite && !message.accepts(SDP) {
        return Err(Objection::Answer);
    }
    if message.body().is_empty() || is_plain_description(message) {
        return Ok(());
    }
    // What an INFO brings is the user's business, who may pass it on (RFC 6086 §9.2).
    if *message.method() == Method::Info {
        return Ok(());
    }
    let encodings = message.values(HeaderName::ContentEncoding);
    if encodings.into_iter().any(|encoding| !encoding.eq_ignore_ascii_case(IDENTITY.as_bytes())) {
        return Err(Objection::Encoding);
    }
    let parts = match Parts::of(message) {
        Ok(parts) => parts,
        Err(BodyFault::Untyped) => return Err(Objection::MediaType),
        Err(fault @ (BodyFault::Header | BodyFault::Boundary | BodyFault::TooMany)) => {
            return Err(Objection::Body(fault));
        }
    };
    let described = parts.description().is_some();
    for part in parts.as_slice().iter().filter(|part| part.handling() == Handling::Required) {
        let kind = part.content_type.essence();
        if kind == "application/pkcs7-mime" {
            return Err(Objection::Encrypted);
        }
        let known = kind != SDP && config.accept.iter().any(|accepted| accepted.as_ref() == kind);
        if !described && !known {
            return Err(Objection::MediaType);
        }
    }
    Ok(())
}

/// What nearly every body is, told without a look at the rest.
fn is_plain_description(message: &Message) -> bool {
    let kind = message.header(HeaderName::ContentType).unwrap_or_default();
    scan::trim(kind).eq_ignore_ascii_case(SDP.as_bytes())
        && message.header(HeaderName::ContentEncoding).is_none()
        && message.header(HeaderName::ContentDisposition).is_none()
        && message.header_named("Content-Transfer-Encoding").is_none()
}

/// The type of a session description (RFC 8866 §8.1).
const SDP: &str = "application/sdp";
/// The only encoding of a body that is understood (RFC 3261 §20.2).
const IDENTITY: &str = "identity";
