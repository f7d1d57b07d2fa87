//! What the peer of a dialog said last of the methods it takes (`Allow`, RFC 3261 §20.5) and of the extensions it
//! knows (`Supported`, §20.37; what it requires it knows too).

use crate::{
    header_name::HeaderName,
    message::Message,
    method::Method,
    method_set::MethodSet,
    option_tags::{OptionTag, OptionTags},
};

/// What is known of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    allow: Option<MethodSet>,
    supported: OptionTags,
}

impl Peer {
    /// Reads what one message says.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        let mut peer = Self::default();
        peer.hear(message);
        peer
    }

    /// Whether the peer takes a method; `None` while it has not said, and for a method without a name here.
    #[must_use]
    pub fn allows(&self, method: &Method) -> Option<bool> {
        match method {
            Method::Other(_) => None,
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
            | Method::Refer
            | Method::Message
            | Method::Publish => self.allow.map(|allow| allow.contains(method)),
        }
    }

    /// Whether the peer knows an extension; what it did not say it does not know (RFC 3261 §20.37).
    #[must_use]
    pub fn supports(&self, extension: OptionTag) -> bool {
        self.supported.contains(extension)
    }

    /// Takes note of what a message of the peer says; what it does not mention stays.
    pub(crate) fn hear(&mut self, message: &Message) {
        self.allow = message.allow().or(self.allow);
        if message.header(HeaderName::Supported).is_some() {
            self.supported = message.supported();
        }
        self.supported = message.required().iter().fold(self.supported, OptionTags::with);
    }
}
