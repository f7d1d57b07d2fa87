//! Keys: segments that cannot contain a slash, and ranges.
//!
//! A key is `/`-separated segments of percent-encoded text (RFC 3986 section 2.1, upper-case hex),
//! so that an id with a slash cannot reach into another prefix.

use bytes::Bytes;

/// Appends `text` to `key` as one segment: everything but unreserved characters, `@` and `:` is percent-encoded.
pub fn push_segment(key: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte) {
            key.push(char::from(byte));
        } else {
            key.push('%');
            key.push(hex(byte >> 4));
            key.push(hex(byte & 0xf));
        }
    }
}

/// Returns `text` as one key segment.
///
/// ```
/// assert_eq!(um_store::key::segment("um/plain 1"), "um%2Fplain%201");
/// ```
#[must_use]
pub fn segment(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    push_segment(&mut key, text);
    key
}

/// Reads a segment back; `None` when it was not written by [`segment`].
#[must_use]
pub fn unsegment(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => bytes.push((digit(rest.next()?)? << 4) | digit(rest.next()?)?),
            b'/' => return None,
            other => bytes.push(other),
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (self::segment(&text) == segment).then_some(text)
}

/// Returns the first key after all keys that start with `prefix`; `None` when there is no such key.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Bytes> {
    let keep = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix.get(..=keep)?.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    Some(end.into())
}

/// A set of keys that a compare, a read or a deletion names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    start: Bytes,
    extent: Extent,
}

/// How far a range goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Extent {
    /// Only the start.
    Single,
    /// Up to, not including, this key.
    Until(Bytes),
    /// All keys from the start on.
    Open,
}

impl KeyRange {
    /// Names exactly one key.
    #[must_use]
    pub fn single(key: impl Into<Bytes>) -> Self {
        Self { start: key.into(), extent: Extent::Single }
    }

    /// Names all keys that start with `prefix`; an empty one means all keys.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        Self::between(Bytes::copy_from_slice(prefix), prefix_end(prefix))
    }

    /// Names the keys from `start` on and before `end` (`None`: to the last).
    #[must_use]
    pub fn between(start: Bytes, end: Option<Bytes>) -> Self {
        Self { start, extent: end.map_or(Extent::Open, Extent::Until) }
    }

    /// Returns the first key that may be in the range.
    #[must_use]
    pub const fn start(&self) -> &Bytes {
        &self.start
    }

    /// Returns the first key after the range; `None` when it is open.
    #[must_use]
    pub fn end(&self) -> Option<Bytes> {
        match &self.extent {
            Extent::Single => Some(successor(&self.start)),
            Extent::Until(end) => Some(end.clone()),
            Extent::Open => None,
        }
    }

    /// Returns whether the range names exactly one key, present or not.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        matches!(self.extent, Extent::Single)
    }

    /// Returns whether `key` is in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.extent {
            Extent::Single => self.start == key,
            Extent::Until(end) => self.start.as_ref() <= key && key < end.as_ref(),
            Extent::Open => self.start.as_ref() <= key,
        }
    }
}

/// Returns the smallest key greater than `key`.
#[must_use]
pub fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

fn hex(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })
}

const fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'A'..=b'F' => Some(hex - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_cannot_leave_its_segment() {
        assert_eq!(segment("a/b"), "a%2Fb");
        assert_eq!(segment("../x"), "..%2Fx");
        assert_eq!(segment("50%"), "50%25");
        assert_eq!(segment("jörg@example.com"), "j%C3%B6rg@example.com");
    }

    #[test]
    fn segments_read_back() {
        for text in ["", "um-plain", "a/b/c", "%2F", "tel:+49 30 1", "\u{0}\u{7f}ß"] {
            assert_eq!(unsegment(&segment(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn foreign_segments_are_refused() {
        for text in ["a/b", "%", "%2", "%2f", "%GG", "%FF", "a b", "%41"] {
            assert_eq!(unsegment(text), None, "{text}");
        }
    }

    #[test]
    fn prefix_end_follows_every_key_of_the_prefix() {
        assert_eq!(prefix_end(b"a/").as_deref(), Some(b"a0".as_slice()));
        assert_eq!(prefix_end(b"a\xff").as_deref(), Some(b"b".as_slice()));
        assert_eq!(prefix_end(b"\xff\xff"), None);
        assert_eq!(prefix_end(b""), None);
    }

    #[test]
    fn ranges_hold_what_they_name() {
        let prefix = KeyRange::prefix(b"a/");
        assert!(prefix.contains(b"a/") && prefix.contains(b"a/\xff\xff"));
        assert!(!prefix.contains(b"a") && !prefix.contains(b"a0"));
        assert!(KeyRange::prefix(b"").contains(b"anything"));
        let single = KeyRange::single("a");
        assert!(single.contains(b"a") && !single.contains(b"a\0"));
        assert_eq!(single.end(), Some(successor(b"a")));
    }
}
