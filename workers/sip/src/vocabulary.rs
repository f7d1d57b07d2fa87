//! Our words and those of the `rsip` crate.
//!
//! `rsip` is the vocabulary that users of this crate may know: its status codes, methods, header names and
//! message types. It is never used to *read* what comes from the network nor to *write* what goes there. Its
//! parser refuses folded lines, IPv6 hosts, unknown methods and header bytes that are not UTF-8, misses compact
//! names, takes `sip:john.doe@example.com` for a host, ignores Content-Length, and its writer spoils bodies that
//! are not UTF-8 and replaces reason phrases; its last release is of 2022. So a [`Message`] of ours can be turned
//! into an [`rsip::SipMessage`] — built of our parsed parts, past its parser — for tests and for tools, and
//! nothing is turned the other way.

mod header;

use rsip::{
    Request, Response, SipMessage,
    common::uri::{Auth, HostWithPort, Param, Scheme as RsipScheme},
};

use crate::{
    error::Fault,
    host::Host,
    message::Message,
    method::Method,
    status::StatusCode,
    uri::{Scheme, Uri},
};

/// Why a message has no form in `rsip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// The method is none of those that `rsip` knows.
    #[error("the method has no name in rsip")]
    Method,
    /// The Request-URI cannot be read, or is neither `sip:` nor `sips:`.
    #[error("the Request-URI has no form in rsip")]
    Uri,
    /// A header value is not UTF-8.
    #[error("a header value is not UTF-8")]
    Encoding,
}

impl TryFrom<&Message> for SipMessage {
    type Error = Untranslatable;

    fn try_from(message: &Message) -> Result<Self, Untranslatable> {
        let headers = message.lines().map(|line| header::translate(&line)).collect::<Result<Vec<_>, _>>()?;
        let body = message.body().to_vec();
        let version = rsip::Version::V2;
        Ok(match message.status() {
            None => {
                let method = rsip::Method::try_from(message.method())?;
                let uri = message.request_uri().map_err(|_: Fault| Untranslatable::Uri)?;
                Self::Request(Request {
                    method,
                    uri: rsip::Uri::try_from(&uri)?,
                    version,
                    headers: headers.into(),
                    body,
                })
            }
            Some(code) => {
                Self::Response(Response { status_code: code.into(), version, headers: headers.into(), body })
            }
        })
    }
}

impl From<StatusCode> for rsip::StatusCode {
    fn from(code: StatusCode) -> Self {
        let mut translated = Self::from(code.code());
        if let Self::Other(_, phrase) = &mut translated {
            code.phrase().clone_into(phrase);
        }
        translated
    }
}

/// The code of an `rsip` status; `None` outside of 100–699.
#[must_use]
pub fn status_code(code: &rsip::StatusCode) -> Option<StatusCode> {
    StatusCode::new(code.code())
}

impl TryFrom<&Method> for rsip::Method {
    type Error = Untranslatable;

    fn try_from(method: &Method) -> Result<Self, Untranslatable> {
        Ok(match method {
            Method::Invite => Self::Invite,
            Method::Ack => Self::Ack,
            Method::Bye => Self::Bye,
            Method::Cancel => Self::Cancel,
            Method::Options => Self::Options,
            Method::Register => Self::Register,
            Method::Prack => Self::PRack,
            Method::Update => Self::Update,
            Method::Info => Self::Info,
            Method::Subscribe => Self::Subscribe,
            Method::Notify => Self::Notify,
            Method::Refer => Self::Refer,
            Method::Message => Self::Message,
            Method::Publish => Self::Publish,
            Method::Other(_) => return Err(Untranslatable::Method),
        })
    }
}

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Self {
        match method {
            rsip::Method::Ack => Self::Ack,
            rsip::Method::Bye => Self::Bye,
            rsip::Method::Cancel => Self::Cancel,
            rsip::Method::Info => Self::Info,
            rsip::Method::Invite => Self::Invite,
            rsip::Method::Message => Self::Message,
            rsip::Method::Notify => Self::Notify,
            rsip::Method::Options => Self::Options,
            rsip::Method::PRack => Self::Prack,
            rsip::Method::Publish => Self::Publish,
            rsip::Method::Refer => Self::Refer,
            rsip::Method::Register => Self::Register,
            rsip::Method::Subscribe => Self::Subscribe,
            rsip::Method::Update => Self::Update,
        }
    }
}

impl TryFrom<&Uri> for rsip::Uri {
    type Error = Untranslatable;

    /// URI headers have no form in `rsip` and are left out.
    fn try_from(uri: &Uri) -> Result<Self, Untranslatable> {
        let scheme = match uri.scheme() {
            Scheme::Sip => RsipScheme::Sip,
            Scheme::Sips => RsipScheme::Sips,
            Scheme::Tel | Scheme::Other => return Err(Untranslatable::Uri),
        };
        let host = match uri.host().ok_or(Untranslatable::Uri)? {
            Host::Name(name) => rsip::Host::Domain(name.as_str().into()),
            Host::Ip(address) => rsip::Host::IpAddr(*address),
        };
        let param = |(name, value): (&str, Option<&str>)| match value {
            None if name.eq_ignore_ascii_case("lr") => Param::Lr,
            _ => Param::Other(name.into(), value.map(Into::into)),
        };
        Ok(Self {
            scheme: Some(scheme),
            auth: uri.user().map(|user| Auth::from((user, uri.password()))),
            host_with_port: HostWithPort { host, port: uri.port().map(Into::into) },
            params: uri.params().map(param).collect(),
            headers: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests;
