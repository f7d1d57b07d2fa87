//! Percent escapes (RFC 3261 §19.1.2): which characters a part may hold as they are, and the way back.

use std::{borrow::Cow, fmt::Write};

/// Parts of a SIP URI that differ in the characters they may hold unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `user-unreserved`
    User,
    /// `param-unreserved`
    Param,
    /// `hnv-unreserved`
    Header,
}

/// Resolves escapes to bytes; one that is not two hexadecimal digits stays as it is.
pub(crate) fn unescape(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        match (*first, hex_pair(behind)) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            (byte, _) => {
                plain.push(byte);
                rest = behind;
            }
        }
    }
    Cow::Owned(plain)
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let [high, low, ..] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// Escapes everything that the part may not hold; text in gives text that cannot end the part.
pub(crate) fn escape(text: &str, part: Part) -> Cow<'_, str> {
    if text.bytes().all(|byte| is_plain(byte, part)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if is_plain(byte, part) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    Cow::Owned(escaped)
}

fn is_plain(byte: u8, part: Part) -> bool {
    let mark = matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
    let reserved = match part {
        Part::User => matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/'),
        Part::Param => matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$'),
        Part::Header => matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$'),
    };
    byte.is_ascii_alphanumeric() || mark || reserved
}

/// Equal once escapes are resolved; letters have a case.
pub(crate) fn same_text(a: &str, b: &str) -> bool {
    a == b || unescape(a) == unescape(b)
}

/// Equal once escapes are resolved; ASCII letters have no case.
pub(crate) fn same_text_no_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || unescape(a).eq_ignore_ascii_case(&unescape(b))
}
