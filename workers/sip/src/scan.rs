//! Byte scanners shared by all header values: white space, tokens, quoted strings, separators outside of
//! quotes and angle brackets (RFC 3261 §25.1). Nothing here allocates, and no input can make it panic.

mod quoted;
mod span;

pub(crate) use quoted::{SplitOutside, find_outside, quoted_end, split_outside, unquote};
pub(crate) use span::Span;

/// Blank, tab, or the line break of a folded header (`LWS`).
#[inline]
pub(crate) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A character of `token`.
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Tells whether a character is among these that no URI holds: blanks, control characters, quotes, brackets.
/// All are looked at, because that takes a processor less time than stopping at the first.
#[inline]
pub(crate) fn ends_uri(bytes: &[u8]) -> bool {
    let ends = |byte: u8| (byte <= b' ') | (byte == b'"') | (byte == b'<') | (byte == b'>') | (byte == 0x7f);
    bytes.iter().fold(false, |found, byte| found | ends(*byte))
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0usize;
    while byte < 128 {
        #[expect(clippy::cast_possible_truncation, reason = "bounded by 128 on the line above")]
        let character = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            table[byte] = character.is_ascii_alphanumeric()
                || matches!(character, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        }
        byte += 1;
    }
    table
};

/// The text of a token; `None` if it is empty or holds any other character.
pub(crate) fn token_text(bytes: &[u8]) -> Option<&str> {
    if bytes.is_empty() || !bytes.iter().copied().all(is_token) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// Cuts white space and folds off both ends.
#[inline]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// Cuts white space and folds off the front.
#[inline]
pub(crate) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        if !is_lws(*first) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Cuts white space and folds off the end.
#[inline]
pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes {
        if !is_lws(*last) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Reads a whole value as an unsigned decimal number; `None` if it is not one or does not fit.
pub(crate) fn number<T: TryFrom<u64>>(bytes: &[u8]) -> Option<T> {
    if bytes.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for byte in bytes {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    T::try_from(value).ok()
}

/// Reads `delta-seconds`: a number too large counts as the largest (RFC 3261 §20.19); `None` if it is no number.
pub(crate) fn seconds(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(number(bytes).unwrap_or(u32::MAX))
}

/// Splits at the first occurrence of `separator`, which belongs to neither part.
pub(crate) fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// A number that stands for these bytes: the same on every worker and in every run, not secret (FNV-1a).
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The low bits of FNV are its weak ones; multiplying by an odd number moves the good ones up.
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Makes text of a value that will be kept or written again: folds and control characters become blanks,
/// so that no later writer can be tricked into a line break.
///
/// `None` if the bytes are not UTF-8.
pub(crate) fn clean_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect());
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_bounded() {
        assert_eq!(number::<u32>(b"0009"), Some(9));
        assert_eq!(number::<u32>(b"4294967296"), None);
        assert_eq!(number::<u64>(b"36893488147419103232"), None);
        assert_eq!(number::<u32>(b"-1"), None);
        assert_eq!(number::<u32>(b""), None);
        assert_eq!(number::<u32>(b"1 2"), None);
    }

    #[test]
    fn trim_takes_folds_too() {
        assert_eq!(trim(b" \r\n\t a b \r\n "), b"a b");
        assert_eq!(trim(b" \r\n "), b"");
    }

    #[test]
    fn clean_text_has_no_line_break() {
        assert_eq!(clean_text(b"a\r\n b\0c").as_deref(), Some("a   b c"));
        assert_eq!(clean_text(b"\xff"), None);
    }
}
