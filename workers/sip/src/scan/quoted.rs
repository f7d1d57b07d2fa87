//! Quoted strings with escapes (RFC 3261 §25.1 `quoted-string`) and separators outside of them.

use std::borrow::Cow;

/// Length of the quoted string that `bytes` begins with, both quotes included; `None` if it does not end.
pub(crate) fn quoted_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// Position of the first `separator` that stands outside of quotes and angle brackets.
///
/// `None` if there is none; an unterminated quote or bracket hides all that follows.
pub(crate) fn find_outside(bytes: &[u8], separator: u8) -> Option<usize> {
    let mut at = 0;
    let mut bracket = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' if !bracket => at += quoted_end(bytes.get(at..)?)?,
            b'<' => {
                bracket = true;
                at += 1;
            }
            b'>' => {
                bracket = false;
                at += 1;
            }
            _ if byte == separator && !bracket => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Splits a value at every `separator` outside of quotes and angle brackets.
pub(crate) fn split_outside(bytes: &[u8], separator: u8) -> SplitOutside<'_> {
    let plain = memchr::memchr2(b'"', b'<', bytes).is_none();
    SplitOutside { rest: Some(bytes), separator, plain }
}

/// Iterator of [`split_outside`]; the parts are not trimmed.
#[derive(Clone, Debug)]
pub(crate) struct SplitOutside<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
    /// Neither a quote nor a bracket is left, so that every separator counts.
    plain: bool,
}

impl<'a> Iterator for SplitOutside<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let found = if self.plain {
            memchr::memchr(self.separator, rest)
        } else {
            find_outside(rest, self.separator)
        };
        match found {
            Some(at) => {
                self.rest = rest.get(at + 1..);
                rest.get(..at)
            }
            None => Some(rest),
        }
    }
}

/// The meaning of a quoted string's text or of a token: quotes off, escapes resolved.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_string_ends_at_the_quote_that_is_not_escaped() {
        assert_eq!(quoted_end(br#""a\"b" <x>"#), Some(6));
        assert_eq!(quoted_end(br#""a\\" "#), Some(5));
        assert_eq!(quoted_end(br#""open"#), None);
        assert_eq!(quoted_end(br#""open\"#), None);
        assert_eq!(quoted_end(br#"""#), None);
    }

    #[test]
    fn separators_in_quotes_and_brackets_do_not_split() {
        let parts: Vec<_> = split_outside(br#""a,b" <sip:x,y@h>;p="q,r", <sip:z@h>,"#, b',').collect();
        assert_eq!(parts, [&br#""a,b" <sip:x,y@h>;p="q,r""#[..], b" <sip:z@h>", b""]);
    }

    #[test]
    fn unquote_resolves_escapes() {
        assert_eq!(unquote(r#""J Rosenberg \\\"""#), r#"J Rosenberg \""#);
        assert_eq!(unquote("token"), "token");
        assert_eq!(unquote(r#"""#), r#"""#);
    }
}
