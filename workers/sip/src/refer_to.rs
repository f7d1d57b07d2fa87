//! `Refer-To` (RFC 3515 §2.1): whom the receiver of a REFER shall call, and with which headers (RFC 3891 §7).

use std::fmt;

use crate::{
    error::Fault,
    header_name::HeaderName,
    method::Method,
    name_addr::NameAddr,
    replaces::Replaces,
    uri::{Uri, unescape},
};

/// A Refer-To value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTo {
    /// Address as written, with its headers.
    pub address: NameAddr,
}

impl ReferTo {
    /// Makes one for a blind transfer.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self { address: NameAddr::new(uri) }
    }

    /// Makes one for an attended transfer: the call to `uri` takes the place of a dialog there.
    #[must_use]
    pub fn replacing(uri: &Uri, replaces: &Replaces) -> Self {
        Self::new(uri.with_header(HeaderName::Replaces.as_str(), &replaces.to_string()))
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When it is no address.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        NameAddr::parse(value).map(|address| Self { address })
    }

    /// The method to be sent, INVITE if none is written (RFC 3515 §2.4.2, RFC 3261 §19.1.1); `None` if what is
    /// written is no method.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        match self.address.uri.param("method") {
            None => Some(Method::Invite),
            Some(name) => Method::from_bytes(&unescape(name?)),
        }
    }

    /// Whom to call, without method and headers.
    #[must_use]
    pub fn target(&self) -> Uri {
        self.address.uri.without_headers().without_param("method")
    }

    /// The dialog that the call shall replace (RFC 3891 §7).
    ///
    /// # Errors
    /// When one is named in a form that cannot be read, or two are.
    pub fn replaces(&self) -> Result<Option<Replaces>, Fault> {
        let mut named = self.address.uri.headers_named(HeaderName::Replaces.as_str());
        match (named.next(), named.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Replaces::parse(&value).map(Some),
            (Some(_), Some(_)) => Err(Fault::Syntax),
        }
    }
}

impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ReferTo {
        ReferTo::parse(text.as_bytes()).expect(text)
    }

    /// RFC 3515 §2.1.
    #[test]
    fn the_samples_of_the_standard_name_a_target() {
        assert_eq!(read("sip:alice@atlanta.example.com").target().as_str(), "sip:alice@atlanta.example.com");
        let carol = read("<sip:carol@cleveland.example.org;method=SUBSCRIBE>");
        assert_eq!(carol.method(), Some(Method::Subscribe));
        assert_eq!(carol.target().as_str(), "sip:carol@cleveland.example.org");
        assert_eq!(read("<http://www.ietf.org>").target().as_str(), "http://www.ietf.org");
        assert_eq!(read("<sip:a@b;method=%20>").method(), None);
    }

    #[test]
    fn the_dialog_of_an_attended_transfer_is_unescaped() {
        let dave = read(
            "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
        );
        let replaces = dave.replaces().expect("readable").expect("there");
        assert_eq!(replaces.call_id(), "12345@192.168.118.3");
        assert_eq!((replaces.to_tag(), replaces.from_tag()), ("12345", "5FFE-3994"));
        assert_eq!(read("sip:a@b").replaces(), Ok(None));
        assert_eq!(dave.target().as_str(), "sip:dave@denver.example.org");
    }

    #[test]
    fn what_is_made_for_an_attended_transfer_reads_back() {
        let uri = "sip:um@h;transport=tcp?Subject=x".parse().expect("valid");
        let replaces = Replaces::new("a&b?c@192.0.2.1", "t=1%", "f+2").expect("valid");
        let written = ReferTo::replacing(&uri, &replaces).to_string();
        assert_eq!(
            written,
            "<sip:um@h;transport=tcp?Subject=x&Replaces=a%26b?c%40192.0.2.1%3Bto-tag%3Dt%3D1%25%3Bfrom-tag%3Df+2>"
        );
        assert_eq!(read(&written).replaces(), Ok(Some(replaces)));
    }

    #[test]
    fn two_dialogs_or_a_broken_one_are_a_fault() {
        assert!(read("<sip:a@b?Replaces=x%3Bto-tag%3D1>").replaces().is_err());
        let twice = "<sip:a@b?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=y%3Bto-tag%3D1%3Bfrom-tag%3D2>";
        assert_eq!(read(twice).replaces(), Err(Fault::Syntax));
    }
}
