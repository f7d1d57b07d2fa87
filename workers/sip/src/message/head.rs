//! The index of a message's head: where each header line begins, ends and has its value. Nothing is decoded
//! and nothing is copied; one vector of positions is the whole cost (RFC 3261 §7.3).

use bytes::Bytes;

use crate::{error::Cause, header_name::HeaderName, limits::Limits, scan, scan::Span};

/// Positions of one header line, folds included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineIndexed {
    /// The name, if it is a known one.
    pub(crate) name: Option<HeaderName>,
    /// The name as written, without the white space before the colon.
    pub(crate) name_text: Span,
    /// The value without surrounding white space; folds inside are kept.
    pub(crate) value: Span,
    /// The whole line with its line break.
    pub(crate) raw: Span,
}

/// The indexed header lines of one message and the buffer they lie in.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) bytes: Bytes,
    pub(crate) lines: Vec<LineIndexed>,
    /// Number of the first line with each known name; [`NO_LINE`] if there is none.
    first: [u16; HeaderName::KNOWN.len()],
    /// A header that must stand once and does not.
    pub(crate) repeated: Option<HeaderName>,
    /// Offset of the first body byte.
    pub(crate) body_at: usize,
    /// Some line ends with a bare line feed; written again it gets its carriage return.
    pub(crate) bare_line_feed: bool,
}

/// Where a line ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineEnd {
    /// Behind the last byte of the line's content.
    pub(crate) content: usize,
    /// First byte of the next line.
    pub(crate) next: usize,
    /// A carriage return stands inside the line.
    pub(crate) stray_return: bool,
    /// The line ends without a carriage return.
    pub(crate) bare_line_feed: bool,
}

/// Finds the end of the line that begins at `at`; `None` if the buffer ends first.
#[inline]
pub(crate) fn line_end(bytes: &[u8], at: usize) -> Option<LineEnd> {
    let mut stray_return = false;
    let mut from = at;
    loop {
        let hit = from + memchr::memchr2(b'\r', b'\n', bytes.get(from..)?)?;
        if bytes.get(hit) == Some(&b'\n') {
            return Some(LineEnd { content: hit, next: hit + 1, stray_return, bare_line_feed: true });
        }
        if bytes.get(hit + 1) == Some(&b'\n') {
            return Some(LineEnd { content: hit, next: hit + 2, stray_return, bare_line_feed: false });
        }
        stray_return = true;
        from = hit + 1;
    }
}

/// Like [`line_end`], for a header: the lines that continue it belong to it (RFC 3261 §7.3.1).
#[inline]
pub(crate) fn header_end(bytes: &[u8], at: usize) -> Option<LineEnd> {
    let mut end = line_end(bytes, at)?;
    while end.content > at && matches!(bytes.get(end.next), Some(b' ' | b'\t')) {
        let more = line_end(bytes, end.next)?;
        end = LineEnd {
            content: more.content,
            next: more.next,
            stray_return: end.stray_return | more.stray_return,
            bare_line_feed: end.bare_line_feed | more.bare_line_feed,
        };
    }
    Some(end)
}

/// Splits a header line at its colon into name and value, both trimmed; `None` without a colon or a name.
#[inline]
pub(crate) fn split_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = scan::trim_end(line.get(..colon)?);
    if name.is_empty() {
        return None;
    }
    Some((name, scan::trim(line.get(colon + 1..)?)))
}

impl Head {
    /// Indexes the header lines from offset `at` on. It goes to the end whatever it meets, because a faulty
    /// message is answered by what its other lines say; the first fault is returned beside the index.
    pub(crate) fn index(bytes: Bytes, at: usize, limits: &Limits) -> (Self, Option<Cause>) {
        let mut index = Index {
            text: &bytes,
            lines: Vec::with_capacity(TYPICAL_LINES),
            first: [NO_LINE; HeaderName::KNOWN.len()],
            repeated: None,
            bare_line_feed: false,
        };
        let (body_at, fault) = index.read(at, limits);
        let Index { lines, first, repeated, bare_line_feed, .. } = index;
        (Self { lines, first, repeated, body_at, bare_line_feed, bytes }, fault)
    }

    /// The first line with this name.
    #[inline]
    pub(crate) fn first(&self, name: HeaderName) -> Option<&LineIndexed> {
        self.lines.get(usize::from(*self.first.get(name as usize)?))
    }

    /// The value of the first line with this name.
    #[inline]
    pub(crate) fn first_value(&self, name: HeaderName) -> Option<&[u8]> {
        self.first(name).map(|line| line.value.of(&self.bytes))
    }
}

/// An index under construction.
struct Index<'a> {
    text: &'a [u8],
    lines: Vec<LineIndexed>,
    first: [u16; HeaderName::KNOWN.len()],
    repeated: Option<HeaderName>,
    bare_line_feed: bool,
}

impl Index<'_> {
    /// Reads lines up to the blank one; returns where the body begins.
    fn read(&mut self, mut at: usize, limits: &Limits) -> (usize, Option<Cause>) {
        let mut first_fault = None;
        loop {
            let Some(end) = header_end(self.text, at) else {
                return (self.text.len(), first_fault.or(Some(Cause::Unended)));
            };
            self.bare_line_feed |= end.bare_line_feed;
            if end.content == at {
                return (end.next, first_fault);
            }
            if let Err(fault) = self.read_line(at, end, limits) {
                first_fault = first_fault.or(Some(fault));
                if fault == Cause::TooManyHeaders {
                    return (self.text.len(), first_fault);
                }
            }
            at = end.next;
        }
    }

    fn read_line(&mut self, at: usize, end: LineEnd, limits: &Limits) -> Result<(), Cause> {
        if end.content - at > limits.header_line_bytes {
            return Err(Cause::HeaderLineTooLong);
        }
        if self.lines.len() >= limits.headers {
            return Err(Cause::TooManyHeaders);
        }
        let line = self.text.get(at..end.content).unwrap_or_default();
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Cause::HeaderLine)?;
        let name_text = scan::trim_end(line.get(..colon).unwrap_or_default());
        let name = HeaderName::from_bytes(name_text);
        // Between name and colon stand blanks at most, no fold (RFC 3261 §25.1 HCOLON).
        let folded = line.get(..colon).is_some_and(|name| memchr::memchr2(b'\r', b'\n', name).is_some());
        if end.stray_return || folded || (name.is_none() && scan::token_text(name_text).is_none()) {
            return Err(Cause::HeaderLine);
        }
        if let Some(name) = name {
            self.note(name);
        }
        let behind = scan::trim_start(line.get(colon + 1..).unwrap_or_default());
        let value_at = end.content - behind.len();
        self.lines.push(LineIndexed {
            name,
            name_text: Span::new(at, at + name_text.len()),
            value: Span::new(value_at, value_at + scan::trim_end(behind).len()),
            raw: Span::new(at, end.next),
        });
        Ok(())
    }

    /// Notes where the next line's name stands first, and whether it may not stand again.
    fn note(&mut self, name: HeaderName) {
        let Some(first) = self.first.get_mut(name as usize) else { return };
        if *first == NO_LINE {
            *first = u16::try_from(self.lines.len()).unwrap_or(NO_LINE);
        } else if name.is_single() && self.repeated.is_none() {
            self.repeated = Some(name);
        }
    }
}

/// Stands for a line that is not there: no message has so many.
const NO_LINE: u16 = u16::MAX;

/// Room for the lines of most messages, so that the index is one allocation.
const TYPICAL_LINES: usize = 32;
