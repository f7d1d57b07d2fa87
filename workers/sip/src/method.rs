//! Request methods (RFC 3261 §7.1 and the RFCs that add one). The set is open: an unknown method is kept by
//! its name, so that it can be answered 405 or 501. Names are compared with case, as RFC 3261 §7.1 has them.

use std::{fmt, sync::Arc};

use crate::scan;

/// A request method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// RFC 3261 §13.
    Invite,
    /// RFC 3261 §13.2.2.4 and §17.1.1.3.
    Ack,
    /// RFC 3261 §15.
    Bye,
    /// RFC 3261 §9.
    Cancel,
    /// RFC 3261 §11.
    Options,
    /// RFC 3261 §10.
    Register,
    /// RFC 3262.
    Prack,
    /// RFC 3311.
    Update,
    /// RFC 6086.
    Info,
    /// RFC 6665.
    Subscribe,
    /// RFC 6665.
    Notify,
    /// RFC 3515.
    Refer,
    /// RFC 3428.
    Message,
    /// RFC 3903.
    Publish,
    /// A method that none of the above RFCs define.
    Other(OtherMethod),
}

/// The name of a method that is not known here; always a token, so it can be written as it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtherMethod(Arc<str>);

impl OtherMethod {
    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Method {
    /// All methods known by name.
    pub const KNOWN: [Self; 14] = [
        Self::Invite,
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Options,
        Self::Register,
        Self::Prack,
        Self::Update,
        Self::Info,
        Self::Subscribe,
        Self::Notify,
        Self::Refer,
        Self::Message,
        Self::Publish,
    ];

    /// Reads a method name; `None` if it is not a token (RFC 3261 §25.1).
    #[must_use]
    pub fn from_bytes(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"OPTIONS" => Self::Options,
            b"REGISTER" => Self::Register,
            b"PRACK" => Self::Prack,
            b"UPDATE" => Self::Update,
            b"INFO" => Self::Info,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"REFER" => Self::Refer,
            b"MESSAGE" => Self::Message,
            b"PUBLISH" => Self::Publish,
            other => Self::Other(OtherMethod(scan::token_text(other)?.into())),
        })
    }

    /// The name as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Refer => "REFER",
            Self::Message => "MESSAGE",
            Self::Publish => "PUBLISH",
            Self::Other(other) => other.as_str(),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_method_reads_back() {
        for method in Method::KNOWN {
            assert_eq!(Method::from_bytes(method.as_str().as_bytes()), Some(method));
        }
    }

    /// RFC 3261 §7.1: method names have a case.
    #[test]
    fn lower_case_invite_is_another_method() {
        assert_eq!(Method::from_bytes(b"invite").expect("a token").as_str(), "invite");
        assert_ne!(Method::from_bytes(b"invite"), Some(Method::Invite));
    }

    /// RFC 4475 §3.1.1.2.
    #[test]
    fn a_method_may_be_any_token() {
        assert_eq!(
            Method::from_bytes(b"!interesting-Method0123456789_*+`.%indeed'~").expect("a token").as_str(),
            "!interesting-Method0123456789_*+`.%indeed'~"
        );
        assert_eq!(Method::from_bytes(b"IN VITE"), None);
        assert_eq!(Method::from_bytes(b""), None);
    }
}
