//! Numbers and the keys under which users and stations are looked up.
//!
//! A number reaches us as a dialled user part, a TEL URI or a configured text; visual separators and parameters do not
//! belong to it (RFC 3966 §5.1.1).

use std::borrow::Cow;

use crate::uri::{Scheme, Uri};

/// Longest extension that is accepted, in digits.
pub const MAX_EXTENSION: usize = 32;

/// Says whether a text is an extension: 1 to [`MAX_EXTENSION`] digits.
#[must_use]
pub fn is_extension(text: &str) -> bool {
    (1..=MAX_EXTENSION).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Says whether a text is an E.164 number with its plus: at most 15 digits (ITU-T E.164 §6).
#[must_use]
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// Returns the key of a dialled user part: without parameters and, if it is a number, without visual separators.
/// Everything else is looked up as it is, case included.
#[must_use]
pub fn dialled_key(user_part: &str) -> Cow<'_, str> {
    let part = user_part.split_once(';').map_or(user_part, |(part, _)| part);
    let digits = part.strip_prefix('+').unwrap_or(part);
    let separator = |b: u8| matches!(b, b'-' | b'.' | b'(' | b')');
    let number = digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || separator(b));
    if number && digits.bytes().any(separator) {
        return Cow::Owned(part.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect());
    }
    Cow::Borrowed(part)
}

/// Returns the key of a SIP URI as a mailbox or alias, `sip:user@host`: scheme, port and parameters do not count, the
/// host's case does not either. A TEL URI's key is its number.
#[must_use]
pub fn uri_key(uri: &Uri) -> Option<String> {
    let user = uri.user.as_deref();
    match (uri.scheme, &uri.host) {
        (Scheme::Tel, _) => user.map(|number| dialled_key(number).into_owned()),
        (Scheme::Sip | Scheme::Sips, Some(host)) => {
            Some(format!("sip:{}@{}", user.unwrap_or_default(), host.key()))
        }
        (Scheme::Sip | Scheme::Sips, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialled_number_loses_separators_and_parameters() {
        assert_eq!(dialled_key("+1-202-555.0100;phone-context=x"), "+12025550100");
        assert_eq!(dialled_key("2001"), "2001");
        assert_eq!(dialled_key("lee.roy"), "lee.roy");
        assert_eq!(dialled_key("o-2"), "o-2");
    }

    #[test]
    fn extensions_and_e164_numbers_are_told_apart() {
        assert!(
            is_extension("12025550100") && !is_extension("+1") && !is_extension("") && !is_extension("20a")
        );
        assert!(is_e164("+12025550100") && is_e164("+123456789012345"));
        assert!(!is_e164("+1234567890123456") && !is_e164("+0123") && !is_e164("+") && !is_e164("12"));
    }

    #[test]
    fn uri_keys_ignore_host_case_port_and_parameters() {
        let key = |text: &str| uri_key(&text.parse().unwrap()).unwrap();
        assert_eq!(key("sip:lee@Example.com:5070;x=y"), "sip:lee@example.com");
        assert_eq!(key("sips:lee@example.com"), "sip:lee@example.com");
        assert_eq!(key("tel:+1-202-555-0100"), "+12025550100");
    }
}
