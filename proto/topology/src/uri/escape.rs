//! Percent escapes of URIs: reading them, and writing the ones that RFC 3261 §25.1 asks for.

use std::fmt;

use super::UriError;

/// Says whether a character stands unescaped in the user part (`unreserved` and `user-unreserved`).
pub(super) const fn is_user_char(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

/// Says whether a character stands unescaped in a parameter (`unreserved` and `param-unreserved`).
pub(super) const fn is_param_char(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$')
}

/// Writes a text with every byte escaped that `plain` does not admit.
pub(super) fn write(f: &mut fmt::Formatter<'_>, text: &str, plain: fn(u8) -> bool) -> fmt::Result {
    for byte in text.bytes() {
        if plain(byte) {
            write!(f, "{}", char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

/// Resolves the escapes of a part. Refuses what cannot be written again: broken escapes, control characters, blanks
/// and the delimiters `<`, `>` and `"`, unescaped.
pub(super) fn read(text: &str) -> Result<Box<str>, UriError> {
    check(text)?;
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let (high, low) = (bytes.next().and_then(hex), bytes.next().and_then(hex));
        match (high, low) {
            (Some(high), Some(low)) => plain.push(high * 16 + low),
            (Some(_) | None, _) => return Err(UriError::Escape),
        }
    }
    String::from_utf8(plain).map(String::into_boxed_str).map_err(|_| UriError::Escape)
}

/// Refuses characters that would end the URI, the header or the line that it stands in.
pub(super) fn check(text: &str) -> Result<Box<str>, UriError> {
    let delimiter = |b: u8| b.is_ascii_control() || matches!(b, b' ' | b'<' | b'>' | b'"');
    if text.bytes().any(delimiter) { Err(UriError::Escape) } else { Ok(Box::from(text)) }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
