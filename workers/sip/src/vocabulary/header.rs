//! Header names of both vocabularies.

use rsip::Header;

use super::Untranslatable;
use crate::{header_name::HeaderName, message::HeaderLine};

macro_rules! shared_names {
    ($($name:ident)*; $($only_ours:ident)*) => {
        fn known(name: HeaderName, value: String) -> Header {
            match name {
                $(HeaderName::$name => Header::$name(value.into()),)*
                $(HeaderName::$only_ours)|* => Header::Other(name.as_str().to_owned(), value),
            }
        }
    };
}

shared_names! {
    Accept AcceptEncoding AcceptLanguage AlertInfo Allow AuthenticationInfo Authorization CallId CallInfo Contact
    ContentDisposition ContentEncoding ContentLanguage ContentLength ContentType CSeq Date ErrorInfo Event Expires
    From InReplyTo MaxForwards MimeVersion MinExpires Organization Priority ProxyAuthenticate ProxyAuthorization
    ProxyRequire RecordRoute ReplyTo Require RetryAfter Route Server Subject SubscriptionState Supported Timestamp
    To Unsupported UserAgent Via Warning WwwAuthenticate;
    AllowEvents Diversion HistoryInfo InfoPackage MinSe PAssertedIdentity Path PPreferredIdentity Privacy RAck Reason
    RecvInfo ReferSub ReferTo ReferredBy RemotePartyId Replaces RSeq ServiceRoute SessionExpires SipETag SipIfMatch
    TargetDialog
}

/// One line in the words of `rsip`: long name, folds joined by a blank.
pub(super) fn translate(line: &HeaderLine<'_>) -> Result<Header, Untranslatable> {
    let text = std::str::from_utf8(line.value).map_err(|_| Untranslatable::Encoding)?;
    let value = if text.contains(['\r', '\n']) {
        text.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    } else {
        text.to_owned()
    };
    Ok(match line.name {
        Some(name) => known(name, value),
        None => Header::Other(String::from_utf8_lossy(line.name_text).into_owned(), value),
    })
}
