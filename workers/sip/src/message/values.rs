//! Typed header values, read on demand; each error names its header.

use super::Message;
use crate::{
    accept::MediaRange,
    contact::{Contact, Contacts},
    content_disposition::ContentDisposition,
    content_type::ContentType,
    cseq::CSeq,
    digest::AuthenticationInfo,
    diversion::Diversion,
    error::{Fault, HeaderError},
    event_package::EventPackage,
    header_name::HeaderName,
    history_info::HistoryEntry,
    min_se::MinSe,
    name_addr::NameAddr,
    rack::RAck,
    reason::Reason,
    refer_sub::ReferSub,
    refer_to::ReferTo,
    referred_by::ReferredBy,
    replaces::Replaces,
    retry_after::RetryAfter,
    rseq::RSeq,
    scan::{self, SplitOutside},
    session_expires::SessionExpires,
    subscription_state::SubscriptionState,
    via::Via,
    warning::Warning,
};

/// A type that one header value can be read as.
pub trait FromValue: Sized {
    /// Reads one value, trimmed of white space.
    ///
    /// # Errors
    /// When the value does not follow its grammar.
    fn from_value(value: &[u8]) -> Result<Self, Fault>;
}

macro_rules! from_value {
    ($($type:ty)*) => {
        $(
            impl FromValue for $type {
                fn from_value(value: &[u8]) -> Result<Self, Fault> {
                    Self::parse(value)
                }
            }
        )*
    };
}

from_value! {
    AuthenticationInfo CSeq Contact ContentDisposition ContentType Diversion EventPackage HistoryEntry MediaRange
    MinSe NameAddr RAck RSeq Reason ReferSub ReferTo ReferredBy Replaces RetryAfter SessionExpires
    SubscriptionState Via Warning
}

/// The values of a header over all of its lines, split at the commas that separate them.
#[derive(Clone, Debug)]
pub struct ValueList<'a> {
    message: &'a Message,
    name: HeaderName,
    next_line: usize,
    line: Option<SplitOutside<'a>>,
}

impl<'a> Iterator for ValueList<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(value) = self.line.as_mut().and_then(Iterator::next) {
                let value = scan::trim(value);
                // An empty element of a list means nothing (RFC 3261 §25.1 has none, several stacks write one).
                if value.is_empty() {
                    continue;
                }
                return Some(value);
            }
            let head = self.message.head();
            let line = head.lines.get(self.next_line)?;
            self.next_line += 1;
            if line.name == Some(self.name) {
                self.line = Some(scan::split_outside(line.value.of(&head.bytes), b','));
            }
        }
    }
}

impl Message {
    /// The values of a header that is a list by its grammar, raw and trimmed, topmost first.
    #[must_use]
    pub fn values(&self, name: HeaderName) -> ValueList<'_> {
        ValueList { message: self, name, next_line: 0, line: None }
    }

    /// All values of a list header, topmost first.
    ///
    /// # Errors
    /// When any of them cannot be read.
    pub fn list<T: FromValue>(&self, name: HeaderName) -> Result<Vec<T>, HeaderError> {
        self.values(name)
            .map(|value| T::from_value(value).map_err(|fault| HeaderError { name, fault }))
            .collect()
    }

    /// The value of a header that is not a list.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn value<T: FromValue>(&self, name: HeaderName) -> Result<Option<T>, HeaderError> {
        let value =
            self.header(name).map(|value| T::from_value(value).map_err(|fault| HeaderError { name, fault }));
        value.transpose()
    }

    /// Tells whether a list of tokens (`Supported`, `Require`, `Allow` …) names one, in any case.
    #[must_use]
    pub fn lists_token(&self, name: HeaderName, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// From.
    ///
    /// # Errors
    /// When its URI or a parameter cannot be read.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.address(HeaderName::From)
    }

    /// To.
    ///
    /// # Errors
    /// When its URI or a parameter cannot be read.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.address(HeaderName::To)
    }

    fn address(&self, name: HeaderName) -> Result<NameAddr, HeaderError> {
        NameAddr::parse(self.mandatory(name)?).map_err(|fault| HeaderError { name, fault })
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// When a parameter other than branch cannot be read; the rest was checked when the message was read.
    pub fn top_via(&self) -> Result<Via, HeaderError> {
        let value = self.top_via_parts().value;
        Via::parse(value.of(self.bytes())).map_err(|fault| HeaderError { name: HeaderName::Via, fault })
    }

    /// All Contact values (RFC 3261 §20.10).
    ///
    /// # Errors
    /// When one of them cannot be read, or `*` stands beside others.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        Contacts::read(self.values(HeaderName::Contact))
            .map_err(|fault| HeaderError { name: HeaderName::Contact, fault })
    }

    /// Diversion values, topmost (most recent) first (RFC 5806 §9.2.3).
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn diversions(&self) -> Result<Vec<Diversion>, HeaderError> {
        self.list(HeaderName::Diversion)
    }

    /// History-Info entries in their order (RFC 7044).
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn history(&self) -> Result<Vec<HistoryEntry>, HeaderError> {
        self.list(HeaderName::HistoryInfo)
    }

    /// Expires in seconds; a value above 2³²−1 counts as that (RFC 3261 §20.19).
    ///
    /// # Errors
    /// When it is there and is not a number.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.seconds(HeaderName::Expires)
    }

    /// Retry-After (RFC 3261 §20.33).
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn retry_after(&self) -> Result<Option<RetryAfter>, HeaderError> {
        self.value(HeaderName::RetryAfter)
    }

    /// Session-Expires (RFC 4028 §4).
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, HeaderError> {
        self.value(HeaderName::SessionExpires)
    }

    /// Min-SE (RFC 4028 §5).
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn min_se(&self) -> Result<Option<MinSe>, HeaderError> {
        self.value(HeaderName::MinSe)
    }

    /// RSeq (RFC 3262 §7.1).
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn rseq(&self) -> Result<Option<RSeq>, HeaderError> {
        self.value(HeaderName::RSeq)
    }

    /// RAck (RFC 3262 §7.2).
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn rack(&self) -> Result<Option<RAck>, HeaderError> {
        self.value(HeaderName::RAck)
    }

    /// Replaces (RFC 3891 §6.1).
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn replaces(&self) -> Result<Option<Replaces>, HeaderError> {
        self.value(HeaderName::Replaces)
    }

    /// Refer-To (RFC 3515 §2.1).
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn refer_to(&self) -> Result<Option<ReferTo>, HeaderError> {
        self.value(HeaderName::ReferTo)
    }

    /// Content-Type.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn content_type(&self) -> Result<Option<ContentType>, HeaderError> {
        self.value(HeaderName::ContentType)
    }

    fn seconds(&self, name: HeaderName) -> Result<Option<u32>, HeaderError> {
        let Some(value) = self.header(name) else { return Ok(None) };
        scan::seconds(value).map(Some).ok_or(HeaderError { name, fault: Fault::Number })
    }
}
