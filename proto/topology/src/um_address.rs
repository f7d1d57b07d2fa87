//! A user's address at the UM server: extension, E.164 number or SIP URI.

use std::fmt;
use std::str::FromStr;

use crate::host::Host;
use crate::number::{dialled_key, is_e164, is_extension, uri_key};
use crate::uri::{Scheme, Uri};

/// The typed value of `um.address`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UmAddress {
    /// Digits without plus, as the UM server's dial plan numbers its mailboxes.
    Extension(Box<str>),
    /// An E.164 number with its plus.
    E164(Box<str>),
    /// A SIP URI, used verbatim.
    Sip(Box<Uri>),
}

impl UmAddress {
    /// Returns the URI by which the mailbox is named in From and Diversion: numbers stand at our host with `user=phone`,
    /// a SIP address stands as it was configured.
    #[must_use]
    pub fn uri(&self, our_host: &Host) -> Uri {
        match self {
            Self::Extension(number) | Self::E164(number) => {
                Uri::sip(Some(number), our_host.clone(), None).with_param("user", Some("phone"))
            }
            Self::Sip(uri) => (**uri).clone(),
        }
    }

    /// Returns the key under which the mailbox is unique and looked up.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Extension(number) | Self::E164(number) => number.to_string(),
            Self::Sip(uri) => uri_key(uri).unwrap_or_else(|| uri.to_string()),
        }
    }
}

impl FromStr for UmAddress {
    type Err = UmAddressError;

    fn from_str(text: &str) -> Result<Self, UmAddressError> {
        if is_extension(text) {
            return Ok(Self::Extension(Box::from(text)));
        }
        if is_e164(text) {
            return Ok(Self::E164(Box::from(text)));
        }
        let error = || UmAddressError { text: text.chars().take(128).collect() };
        let uri: Uri = text.parse().map_err(|_| error())?;
        match (uri.scheme, &uri.user) {
            (Scheme::Sip, Some(_)) => Ok(Self::Sip(Box::new(uri))),
            (Scheme::Tel, Some(number)) => match dialled_key(number).into_owned() {
                number if is_e164(&number) => Ok(Self::E164(number.into())),
                number if is_extension(&number) => Ok(Self::Extension(number.into())),
                _ => Err(error()),
            },
            (Scheme::Sip | Scheme::Sips | Scheme::Tel, _) => Err(error()),
        }
    }
}

impl fmt::Display for UmAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension(number) | Self::E164(number) => f.write_str(number),
            Self::Sip(uri) => write!(f, "{uri}"),
        }
    }
}

/// A text that is no address of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is neither an extension (digits), an E.164 number (`+` and at most 15 digits) nor a `sip:user@host` URI"
)]
pub struct UmAddressError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_recognised() {
        assert_eq!("2001".parse(), Ok(UmAddress::Extension("2001".into())));
        assert_eq!("+12025550100".parse(), Ok(UmAddress::E164("+12025550100".into())));
        assert_eq!("12025550100".parse(), Ok(UmAddress::Extension("12025550100".into())));
        assert_eq!("sip:lee@example.com".parse::<UmAddress>().unwrap().to_string(), "sip:lee@example.com");
        assert_eq!("tel:+1-202-555-0100".parse(), Ok(UmAddress::E164("+12025550100".into())));
    }

    #[test]
    fn anything_else_is_rejected() {
        for text in
            ["lee@example.com", "", "+1234567890123456", "sips:lee@example.com", "sip:example.com", "20a"]
        {
            assert!(text.parse::<UmAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_rendered_at_our_host_and_sip_addresses_verbatim() {
        let host: Host = "pbx.example.com".parse().unwrap();
        let uri = |text: &str| text.parse::<UmAddress>().unwrap().uri(&host).to_string();
        assert_eq!(uri("2001"), "sip:2001@pbx.example.com;user=phone");
        assert_eq!(uri("+12025550100"), "sip:+12025550100@pbx.example.com;user=phone");
        assert_eq!(uri("sip:lee@example.com;x=y"), "sip:lee@example.com;x=y");
    }
}
