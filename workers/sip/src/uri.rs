//! URIs: `sip:`, `sips:` (RFC 3261 §19.1), `tel:` (RFC 3966) and any other scheme kept as it is.
//!
//! A URI keeps the text it was read from and writes exactly that again. Its parts are handed out as written
//! (`user`) or with their escapes resolved (`user_text`). It never holds a blank, a control character, a quote
//! or a bracket, so it can stand in any header. Locating what it names is not done here.

mod build;
mod compare;
mod escape;
mod parse;

use std::{borrow::Cow, fmt, str::FromStr};

pub(crate) use escape::unescape;

use crate::{
    error::Fault,
    host::{Host, HostPort},
    scan::Span,
};

/// Scheme of a URI, compared without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel`
    Tel,
    /// Any other; its text is [`Uri::scheme_text`].
    Other,
}

/// A URI. `==` compares the text; see [`Uri::equivalent`] for the rules of RFC 3261 §19.1.4.
#[derive(Clone)]
pub struct Uri {
    text: Box<str>,
    scheme: Scheme,
    scheme_end: u32,
    /// User of a SIP URI, number of a `tel:` URI.
    user: Option<Span>,
    password: Option<Span>,
    host: Option<HostPort>,
    /// `;name=value…` with its first semicolon.
    params: Span,
    /// Behind the question mark.
    headers: Span,
}

impl Uri {
    /// Reads a URI, which must be the whole of `text`.
    ///
    /// # Errors
    /// When it has no scheme, or does not follow the grammar of the schemes known here.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        parse::parse(text)
    }

    /// The text as it was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The scheme as written, without its colon.
    #[must_use]
    pub fn scheme_text(&self) -> &str {
        self.text.get(..self.scheme_end as usize).unwrap_or_default()
    }

    /// What follows the colon of the scheme.
    #[must_use]
    pub fn scheme_specific(&self) -> &str {
        self.text.get(self.scheme_end as usize + 1..).unwrap_or_default()
    }

    /// User part of a SIP URI or number of a `tel:` URI, as written.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.map(|span| span.of_text(&self.text))
    }

    /// User part with its escapes resolved; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn user_text(&self) -> Option<Cow<'_, str>> {
        self.user().map(|user| match unescape(user) {
            Cow::Borrowed(_) => Cow::Borrowed(user),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// Password as written (RFC 3261 §19.1.1 advises against it).
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.map(|span| span.of_text(&self.text))
    }

    /// Host of a SIP URI.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref().map(|host_port| &host_port.host)
    }

    /// Host and port of a SIP URI.
    #[must_use]
    pub fn host_port(&self) -> Option<&HostPort> {
        self.host.as_ref()
    }

    /// Port of a SIP URI, only if one is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.host.as_ref()?.port
    }

    /// Port of a SIP URI, that of its scheme if none is written (RFC 3261 §19.1.2).
    #[must_use]
    pub fn port_or_default(&self) -> u16 {
        let tls = self.scheme == Scheme::Sips
            || self.transport().is_some_and(|transport| transport.eq_ignore_ascii_case("tls"));
        self.port().unwrap_or(if tls { 5061 } else { 5060 })
    }

    /// Iterates over the URI's parameters as written.
    pub fn params(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let text = self.params.of_text(&self.text);
        text.split(';').filter(|param| !param.is_empty()).map(|param| match param.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (param, None),
        })
    }

    /// A parameter's value as written; the outer `None` means that there is no such parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params().find(|(other, _)| escape::same_text_no_case(other, name)).map(|(_, value)| value)
    }

    /// The `transport` parameter (RFC 3261 §19.1.1).
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.param("transport")?
    }

    /// Tells whether the element named is a loose router (RFC 3261 §16.12).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The `cause` parameter: why the call was retargeted, as a status code (RFC 4458 §2, RFC 8119).
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.param("cause")??.parse().ok()
    }

    /// The `target` parameter: whose mailbox is meant (RFC 4458 §2).
    #[must_use]
    pub fn target(&self) -> Option<Self> {
        Self::parse(&unescape(self.param("target")??)).ok()
    }

    /// Iterates over the URI's headers as written.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = self.headers.of_text(&self.text);
        text.split('&')
            .filter(|header| !header.is_empty())
            .map(|header| header.split_once('=').unwrap_or((header, "")))
    }

    /// Iterates over the values of the headers with this name, escapes resolved.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'a, [u8]>> {
        let named = self.headers().filter(move |(other, _)| escape::same_text_no_case(other, name));
        named.map(|(_, value)| unescape(value))
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri {}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({})", self.text)
    }
}

impl FromStr for Uri {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
