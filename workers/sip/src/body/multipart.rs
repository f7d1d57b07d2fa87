//! Reading of multipart bodies: boundaries, the headers of a part, its content (RFC 2046 §5.1.1).

use super::{BodyFault, DEPTH_MAX, PARTS_MAX, Part};
use crate::{
    content_disposition::ContentDisposition,
    content_type::ContentType,
    message::{header_end, split_header},
    params::Params,
    scan,
};

/// Reads the parts between the boundaries of `body` into `parts`.
pub(super) fn read<'a>(
    content_type: &ContentType,
    body: &'a [u8],
    depth: usize,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), BodyFault> {
    let boundary = content_type.params.value("boundary").ok_or(BodyFault::Boundary)?;
    if boundary.is_empty() || boundary.len() > BOUNDARY_MAX {
        return Err(BodyFault::Boundary);
    }
    if depth > DEPTH_MAX {
        return Err(BodyFault::TooMany);
    }
    let mut delimiters = Delimiters { body, boundary: boundary.as_bytes(), at: 0 };
    let mut begin = delimiters.next().filter(|found| !found.last).ok_or(BodyFault::Boundary)?;
    loop {
        // A multipart that is not closed ends with the body: the last part may still be whole.
        let end = delimiters.next();
        let content_end = end.as_ref().map_or(body.len(), |end| end.start);
        let text = body.get(begin.behind..content_end).unwrap_or_default();
        read_part(text, depth, parts)?;
        match end {
            Some(end) if !end.last => begin = end,
            Some(_) | None => return Ok(()),
        }
    }
}

fn read_part<'a>(text: &'a [u8], depth: usize, parts: &mut Vec<Part<'a>>) -> Result<(), BodyFault> {
    let (head, content) = split(text);
    let mut part = Part {
        content_type: ContentType::parse(b"text/plain").map_err(|_| BodyFault::Header)?,
        disposition: None,
        is_plain: true,
        content,
        head,
    };
    let mut at = 0;
    while let Some(end) = header_end(head, at) {
        let line = head.get(at..end.content).unwrap_or_default();
        at = end.next;
        let Some((name, value)) = split_header(line) else { continue };
        if is_type(name) {
            part.content_type = ContentType::parse(value).map_err(|_| BodyFault::Header)?;
        } else if name.eq_ignore_ascii_case(b"Content-Disposition") {
            part.disposition = Some(ContentDisposition::parse(value).map_err(|_| BodyFault::Header)?);
        } else if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            part.is_plain = is_plain_encoding(value);
        }
    }
    if part.content_type.is_multipart() {
        return read(&part.content_type, content, depth + 1, parts);
    }
    if parts.len() >= PARTS_MAX {
        return Err(BodyFault::TooMany);
    }
    parts.push(part);
    Ok(())
}

/// Splits a part at its blank line; one that begins with it has no headers.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    loop {
        match header_end(text, at) {
            Some(end) if end.content == at => {
                return (text.get(..at).unwrap_or_default(), text.get(end.next..).unwrap_or_default());
            }
            Some(end) => at = end.next,
            // No blank line: nothing but headers, so there is no content.
            None => return (text, &[]),
        }
    }
}

/// Tells the encodings that leave the octets as they are (RFC 2045 §6.2).
pub(super) fn is_plain_encoding(value: &[u8]) -> bool {
    let first = Params::behind(value).map_or(value, |(first, _)| first);
    [&b"7bit"[..], b"8bit", b"binary"].iter().any(|plain| first.eq_ignore_ascii_case(plain))
}

/// The header block of a part without its Content-Length, which is not that of another content.
pub(super) fn without_length(head: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(head.len());
    let mut at = 0;
    while let Some(end) = header_end(head, at) {
        let line = head.get(at..end.next).unwrap_or_default();
        at = end.next;
        let name = split_header(line).map_or(&[][..], |(name, _)| name);
        if !name.eq_ignore_ascii_case(b"Content-Length") {
            kept.extend_from_slice(line);
        }
    }
    kept
}

fn is_type(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"Content-Type") || name.eq_ignore_ascii_case(b"c")
}

/// A boundary with its line.
struct Delimiter {
    /// Where the content before it ends: its line break belongs to it.
    start: usize,
    /// First byte behind its line.
    behind: usize,
    /// It ends the multipart.
    last: bool,
}

/// Finds boundaries at the beginning of lines.
struct Delimiters<'a> {
    body: &'a [u8],
    boundary: &'a [u8],
    at: usize,
}

impl Delimiters<'_> {
    fn next(&mut self) -> Option<Delimiter> {
        while self.at < self.body.len() {
            let line_at = self.at;
            let rest = self.body.get(line_at..)?;
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            self.at += length;
            let line = rest.get(..length)?;
            let Some(behind) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(self.boundary))
            else {
                continue;
            };
            let last = behind.starts_with(b"--");
            let padding = if last { behind.get(2..)? } else { behind };
            if !scan::trim(padding).is_empty() {
                continue;
            }
            return Some(Delimiter { start: before_break(self.body, line_at), behind: self.at, last });
        }
        None
    }
}

/// Where a line ends that is followed by one beginning at `at`.
fn before_break(body: &[u8], at: usize) -> usize {
    let before = body.get(..at).unwrap_or_default();
    let before = before.strip_suffix(b"\n").unwrap_or(before);
    before.strip_suffix(b"\r").unwrap_or(before).len()
}

/// Longest boundary (RFC 2046 §5.1.1).
const BOUNDARY_MAX: usize = 70;
