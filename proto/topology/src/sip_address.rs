//! SIP addresses of a station: three fields or one free URI.

use std::fmt;

use crate::host::Host;
use crate::uri::{Scheme, Uri};
use crate::written::Written;

/// An address made of user, host and port, or given as one URI; exactly one form is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SipAddress {
    /// `sip:user@host:port` of three fields (PREDEFINED).
    Parts {
        /// The user part, unescaped; empty counts as none.
        user: Option<Box<str>>,
        /// The host.
        host: Host,
        /// The port; none: 5060.
        port: Option<u16>,
    },
    /// One free-form `sip:`, `sips:` or `tel:` URI (ALTERNATE).
    Uri(Box<Written<Uri>>),
}

impl SipAddress {
    /// Makes an address of three fields.
    #[must_use]
    pub fn parts(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        Self::Parts { user: user.map(Box::from), host, port }
    }

    /// Returns the user part, the number of a TEL URI; never empty.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Parts { user, .. } => user.as_deref().filter(|user| !user.is_empty()),
            Self::Uri(uri) => uri.user.as_deref(),
        }
    }

    /// Returns the host; a TEL URI has none.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        match self {
            Self::Parts { host, .. } => Some(host),
            Self::Uri(uri) => uri.host.as_ref(),
        }
    }

    /// Returns the port that is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Parts { port, .. } => *port,
            Self::Uri(uri) => uri.port,
        }
    }

    /// Returns the URI that the address means.
    #[must_use]
    pub fn uri(&self) -> Uri {
        match self {
            Self::Parts { user, host, port } => Uri::sip(user.as_deref(), host.clone(), *port),
            Self::Uri(uri) => uri.value().clone(),
        }
    }
}

impl fmt::Display for SipAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.uri())
    }
}

/// The identity by which a UM server is recognised in From: an address and how much of it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentificationAddress {
    /// The identity itself.
    pub address: SipAddress,
    /// Compare only the user part, for servers whose host part varies; unset: false.
    pub user_only: Option<bool>,
}

impl IdentificationAddress {
    /// Says whether a From URI is this identity: user (case counts), host (case-blind) and port (default dropped) are
    /// equal, or the user alone with `user_only`. Scheme and parameters do not count.
    #[must_use]
    pub fn matches(&self, from: &Uri) -> bool {
        let key = |uri: &Uri| if self.is_user_only() { user_key(uri) } else { full_key(uri) };
        key(&self.address.uri()).is_some_and(|own| Some(own) == key(from))
    }

    /// Says whether only the user part counts.
    #[must_use]
    pub fn is_user_only(&self) -> bool {
        self.user_only.unwrap_or(false)
    }

    /// Returns the key under which the identity is unique and looked up.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let uri = self.address.uri();
        if self.is_user_only() { user_key(&uri) } else { full_key(&uri) }
    }
}

/// Returns the lookup key of a From URI for identities with host and port: `user@host:port`.
#[must_use]
pub fn full_key(from: &Uri) -> Option<String> {
    let user = from.user.as_deref().unwrap_or_default();
    match (from.scheme, &from.host) {
        (Scheme::Tel, _) => user_key(from),
        (Scheme::Sip | Scheme::Sips, Some(host)) => {
            let port = from.port.filter(|port| *port != from.scheme.default_port());
            Some(match port {
                Some(port) => format!("{user}@{}:{port}", host.key()),
                None => format!("{user}@{}", host.key()),
            })
        }
        (Scheme::Sip | Scheme::Sips, None) => None,
    }
}

/// Returns the lookup key of a From URI for identities with `user_only`: the user part, none if there is none.
#[must_use]
pub fn user_key(from: &Uri) -> Option<String> {
    from.user.as_deref().map(|user| format!("{user}@*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(user: &str, host: &str, port: u16) -> SipAddress {
        SipAddress::parts(Some(user), host.parse().unwrap(), Some(port))
    }

    #[test]
    fn three_fields_make_a_uri() {
        assert_eq!(parts("6000", "um.example.com", 5061).to_string(), "sip:6000@um.example.com:5061");
        assert_eq!(parts("6000", "2001:db8::1", 5061).to_string(), "sip:6000@[2001:db8::1]:5061");
        assert_eq!(parts("lee roy", "h", 5060).to_string(), "sip:lee%20roy@h:5060");
        let empty = SipAddress::parts(Some(""), "um.example.com".parse().unwrap(), None);
        assert_eq!(empty.to_string(), "sip:um.example.com");
        assert_eq!(empty.user(), None);
    }

    #[test]
    fn an_identity_matches_user_host_and_port_or_the_user_alone() {
        let address = SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), None);
        let matches = |user_only, from: &str| {
            let identity = IdentificationAddress { address: address.clone(), user_only: Some(user_only) };
            identity.matches(&from.parse().unwrap())
        };
        assert!(matches(false, "SIP:6000@UM.EXAMPLE.COM:5060;transport=tcp"));
        assert!(!matches(false, "sip:6001@um.example.com"));
        assert!(!matches(false, "sip:6000@um.example.com:5070"));
        assert!(!matches(false, "sip:6000@node7.example.com"));
        assert!(matches(true, "sip:6000@node7.example.com"));
        assert!(!matches(true, "sip:6001@um.example.com"));
        assert!(!matches(true, "sip:um.example.com"));
    }

    #[test]
    fn an_escaped_user_equals_the_plain_one() {
        let identity = IdentificationAddress { address: parts("lee roy", "h", 5060), user_only: None };
        assert!(identity.matches(&"sip:lee%20roy@H".parse().unwrap()));
    }
}
