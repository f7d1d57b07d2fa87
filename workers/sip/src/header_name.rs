//! Header names that this product reads or writes, with their compact forms (RFC 3261 §7.3.3, §20, §25.1).
//! Any other name stays reachable by its text; names have no case.

use std::fmt;

macro_rules! header_names {
    ($($variant:ident = $text:literal $(, $compact:literal)?;)*) => {
        /// A header name known here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $text, "`")]
                $variant,
            )*
        }

        impl HeaderName {
            /// All names known here.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The name in its long form, as we write it.
            #[inline]
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The one-letter form, where the standards define one.
            #[must_use]
            pub const fn compact(self) -> Option<char> {
                match self {
                    $(Self::$variant => header_names!(@compact $($compact)?),)*
                }
            }
        }
    };
    (@compact) => { None };
    (@compact $compact:literal) => { Some($compact) };
}

header_names! {
    Accept = "Accept";
    AcceptEncoding = "Accept-Encoding";
    AcceptLanguage = "Accept-Language";
    AlertInfo = "Alert-Info";
    Allow = "Allow";
    AllowEvents = "Allow-Events", 'u';
    AuthenticationInfo = "Authentication-Info";
    Authorization = "Authorization";
    CallId = "Call-ID", 'i';
    CallInfo = "Call-Info";
    Contact = "Contact", 'm';
    ContentDisposition = "Content-Disposition";
    ContentEncoding = "Content-Encoding", 'e';
    ContentLanguage = "Content-Language";
    ContentLength = "Content-Length", 'l';
    ContentType = "Content-Type", 'c';
    CSeq = "CSeq";
    Date = "Date";
    Diversion = "Diversion";
    ErrorInfo = "Error-Info";
    Event = "Event", 'o';
    Expires = "Expires";
    From = "From", 'f';
    HistoryInfo = "History-Info";
    InfoPackage = "Info-Package";
    InReplyTo = "In-Reply-To";
    MaxForwards = "Max-Forwards";
    MimeVersion = "MIME-Version";
    MinExpires = "Min-Expires";
    MinSe = "Min-SE";
    Organization = "Organization";
    PAssertedIdentity = "P-Asserted-Identity";
    Path = "Path";
    PPreferredIdentity = "P-Preferred-Identity";
    Priority = "Priority";
    Privacy = "Privacy";
    ProxyAuthenticate = "Proxy-Authenticate";
    ProxyAuthorization = "Proxy-Authorization";
    ProxyRequire = "Proxy-Require";
    RAck = "RAck";
    Reason = "Reason";
    RecordRoute = "Record-Route";
    RecvInfo = "Recv-Info";
    ReferSub = "Refer-Sub";
    ReferTo = "Refer-To", 'r';
    ReferredBy = "Referred-By", 'b';
    RemotePartyId = "Remote-Party-ID";
    Replaces = "Replaces";
    ReplyTo = "Reply-To";
    Require = "Require";
    RetryAfter = "Retry-After";
    Route = "Route";
    RSeq = "RSeq";
    Server = "Server";
    ServiceRoute = "Service-Route";
    SessionExpires = "Session-Expires", 'x';
    SipETag = "SIP-ETag";
    SipIfMatch = "SIP-If-Match";
    Subject = "Subject", 's';
    SubscriptionState = "Subscription-State";
    Supported = "Supported", 'k';
    TargetDialog = "Target-Dialog";
    Timestamp = "Timestamp";
    To = "To", 't';
    Unsupported = "Unsupported";
    UserAgent = "User-Agent";
    Via = "Via", 'v';
    Warning = "Warning";
    WwwAuthenticate = "WWW-Authenticate";
}

impl HeaderName {
    /// Reads a name in either form and any case; `None` for one that is not known here.
    #[must_use]
    pub fn from_bytes(name: &[u8]) -> Option<Self> {
        match name {
            [letter] => Self::from_compact(*letter),
            [first, .., last] => {
                let row = ROWS.get(row_of(*first, *last, name.len()))?;
                row.iter().map_while(|candidate| *candidate).find(|candidate| {
                    let text = candidate.as_str().as_bytes();
                    text == name || text.eq_ignore_ascii_case(name)
                })
            }
            [] => None,
        }
    }

    fn from_compact(letter: u8) -> Option<Self> {
        let letter = char::from(letter.to_ascii_lowercase());
        Self::KNOWN.iter().find(|name| name.compact() == Some(letter)).copied()
    }

    /// Tells whether the header has a meaning that two occurrences would make ambiguous, so that a message
    /// with two of them is malformed (RFC 3261 §7.3.1, RFC 4475 §3.3.8). Names that only inform (`Server`,
    /// `User-Agent`, `Subject` …) are left out: their repetition hurts nobody.
    #[must_use]
    pub const fn is_single(self) -> bool {
        matches!(
            self,
            Self::CallId
                | Self::ContentDisposition
                | Self::ContentLength
                | Self::ContentType
                | Self::CSeq
                | Self::Event
                | Self::Expires
                | Self::From
                | Self::MaxForwards
                | Self::MinExpires
                | Self::MinSe
                | Self::RAck
                | Self::ReferSub
                | Self::ReferTo
                | Self::ReferredBy
                | Self::Replaces
                | Self::RetryAfter
                | Self::RSeq
                | Self::SessionExpires
                | Self::SipETag
                | Self::SipIfMatch
                | Self::SubscriptionState
                | Self::TargetDialog
                | Self::To
        )
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names by first letter, last letter and length, so that most look-ups compare one name only.
const ROWS: [[Option<HeaderName>; ROW]; 256] = {
    let mut rows = [[None; ROW]; 256];
    let mut at = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time: a full row would fail the build")]
    while at < HeaderName::KNOWN.len() {
        let name = HeaderName::KNOWN[at];
        let text = name.as_str().as_bytes();
        let row = row_of(text[0], text[text.len() - 1], text.len());
        let mut column = 0;
        while rows[row][column].is_some() {
            column += 1;
        }
        rows[row][column] = Some(name);
        at += 1;
    }
    rows
};

/// Most names that share a row.
const ROW: usize = 3;

#[inline]
const fn row_of(first: u8, last: u8, length: usize) -> usize {
    let letters = (first | 0x20) as usize * 7 + (last | 0x20) as usize * 31;
    (letters + length * 5) & 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_in_any_case() {
        for name in HeaderName::KNOWN {
            assert_eq!(HeaderName::from_bytes(name.as_str().as_bytes()), Some(*name));
            assert_eq!(HeaderName::from_bytes(name.as_str().to_uppercase().as_bytes()), Some(*name));
            assert_eq!(HeaderName::from_bytes(name.as_str().to_lowercase().as_bytes()), Some(*name));
        }
    }

    #[test]
    fn compact_forms_read_back_in_any_case() {
        for name in HeaderName::KNOWN.iter().filter(|name| name.compact().is_some()) {
            let letter = name.compact().map(String::from).unwrap_or_default();
            assert_eq!(HeaderName::from_bytes(letter.as_bytes()), Some(*name));
            assert_eq!(HeaderName::from_bytes(letter.to_uppercase().as_bytes()), Some(*name));
        }
    }

    #[test]
    fn unknown_names_are_not_guessed() {
        for name in
            [&b"Max\rForwards"[..], b"Call\rID", b"", b"z", b"Vi", b"Viaa", b"X-Custom", b"Fr\xc3\xb6m"]
        {
            assert_eq!(HeaderName::from_bytes(name), None);
        }
    }
}
