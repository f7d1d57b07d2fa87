//! A received message: an index into its bytes, and typed values on demand (RFC 3261 §7).
//!
//! [`Message::parse`] finds the header lines and reads only what every message is dispatched by: start line,
//! topmost Via, tags, Call-ID, CSeq, Max-Forwards and Content-Length. These are known to be valid afterwards;
//! everything else is read when it is asked for. Nothing is decoded or copied, and lines that are not touched
//! can be written again byte by byte. It does not judge what a message means: see transactions and dialogs.

mod access;
mod essentials;
mod head;
mod salvage;
mod start_line;
mod values;

use bytes::Bytes;

pub use self::{
    access::HeaderLine,
    salvage::Salvage,
    values::{FromValue, ValueList},
};
use self::{essentials::Essentials, head::LineIndexed};
pub(crate) use self::{
    essentials::TopVia,
    head::{Head, header_end, line_end, split_header},
    start_line::StartLine,
};
use crate::{
    error::{Cause, ParseError},
    limits::Limits,
    scan::Span,
};

/// A request or response, valid as far as every message must be.
#[derive(Clone, Debug)]
pub struct Message {
    head: Head,
    start: StartLine,
    essentials: Essentials,
    body: Span,
}

impl Message {
    /// Reads a message from one datagram, or from the bytes of one framed stream message. Line breaks in
    /// front are skipped; bytes behind the body that Content-Length announces are cut off (RFC 3261 §18.3).
    ///
    /// # Errors
    /// Names what is wrong and, for a request whose topmost Via can be read, carries what a 400 is
    /// addressed with.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        let start = leading_breaks(&bytes);
        if start == bytes.len() {
            return Err(ParseError { cause: Cause::Empty, salvage: None });
        }
        let Some(end) = line_end(&bytes, start) else {
            return Err(ParseError { cause: Cause::StartLine, salvage: None });
        };
        let start_line = StartLine::parse(&bytes, start, end.content);
        let start_fault = (end.content - start > limits.header_line_bytes).then_some(Cause::UriTooLong);
        let size_fault = (bytes.len() > limits.message_bytes()).then_some(Cause::TooLong);
        let (head, head_fault) = Head::index(bytes, end.next, limits);

        let start = match start_line {
            Ok(start) => start,
            Err(broken) => return Err(salvage::refuse_broken(head, broken)),
        };
        if let Some(cause) = size_fault.or(start_fault).or(head_fault) {
            return Err(salvage::refuse(head, &start, cause));
        }
        match Essentials::read(&head, &start).and_then(|found| Ok((body_span(&head, &found)?, found))) {
            Ok((body, essentials)) => Ok(Self { head, start, essentials, body }),
            Err(cause) => Err(salvage::refuse(head, &start, cause)),
        }
    }
}

/// Refuses a message of which only the head is there: its stream was lost for `cause`.
pub(crate) fn refuse_head(head: Bytes, cause: Cause, limits: &Limits) -> ParseError {
    let Some(end) = line_end(&head, 0) else {
        return ParseError { cause, salvage: None };
    };
    let start = StartLine::parse(&head, 0, end.content);
    let (head, _) = Head::index(head, end.next, limits);
    match start {
        Ok(start) => salvage::refuse(head, &start, cause),
        Err(broken) => salvage::refuse_broken(head, start_line::BrokenStart { cause, ..broken }),
    }
}

/// Number of line-break bytes that a message may begin with (RFC 3261 §7.5).
pub(crate) fn leading_breaks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

fn body_span(head: &Head, essentials: &Essentials) -> Result<Span, Cause> {
    let available = head.bytes.len() - head.body_at;
    match essentials.content_length {
        Some(length) if length > available => Err(Cause::BodyCutOff),
        Some(length) => Ok(Span::new(head.body_at, head.body_at + length)),
        None => Ok(Span::new(head.body_at, head.bytes.len())),
    }
}

#[cfg(test)]
mod tests;
