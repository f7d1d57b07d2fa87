//! Messages out of a byte stream (RFC 3261 §18.3) and the keep-alive between them (RFC 5626 §3.5.1).
//!
//! [`Framer::push`] takes what was read, in pieces of any size; [`Framer::poll`] gives what is complete. How the
//! bytes were cut makes no difference to what comes out. A stream whose next message cannot be found is lost for
//! good: the one thing left is to answer, where that is possible, and to close.
//!
//! ```text
//! breaks ── token character ──► head ── blank line, Content-Length ──► body ── all there ──► breaks
//!    │ \r\n: Pong, second \r\n: Ping │ too long, no length             │ too long
//!    └── any other byte ────────────┴─────────────────────────────────┴──► lost
//! ```

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    error::{Cause, Fault, HeaderError, ParseError},
    header_name::HeaderName,
    limits::Limits,
    message::{self, header_end, line_end, split_header},
    scan,
};

/// Answer to a ping, and the most that a peer with nothing to say sends (RFC 5626 §4.4.1).
pub const PONG: &[u8] = b"\r\n";

/// Asks the peer for a [`PONG`].
pub const PING: &[u8] = b"\r\n\r\n";

/// What a stream brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, head and body; not parsed yet.
    Message(Bytes),
    /// A double line break: the peer wants a [`PONG`].
    Ping,
    /// A single line break: the answer to our ping, or the first half of the peer's.
    Pong,
}

/// Takes messages out of the bytes of one connection.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    buffer: BytesMut,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages; so many line breaks of a ping have come.
    Breaks { seen: u8 },
    /// Within a head; the blank line is not before `searched`.
    Head { searched: usize },
    /// Within a body; the message has `total` bytes.
    Body { total: usize },
    /// Nothing more can be read.
    Lost,
}

impl Framer {
    /// Begins a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, buffer: BytesMut::new(), state: State::Breaks { seen: 0 } }
    }

    /// Takes bytes that were read. Call [`Framer::poll`] until it is empty before the next piece: then the
    /// buffer never holds more than the longest message and one piece.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.state != State::Lost {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Tells whether a message has begun and is not complete: such a connection may be cut off when it takes
    /// too long.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        match self.state {
            State::Head { .. } | State::Body { .. } => true,
            State::Breaks { .. } | State::Lost => false,
        }
    }

    /// Gives the next thing that is complete; `None` when more bytes are needed, or the stream is lost.
    ///
    /// # Errors
    /// Once, when framing is lost: what was wrong and, if the head at fault can be answered, with what.
    pub fn poll(&mut self) -> Result<Option<Frame>, ParseError> {
        loop {
            match self.state {
                State::Lost => return Ok(None),
                State::Breaks { seen } => match self.next_break(seen)? {
                    Step::Frame(frame) => return Ok(Some(frame)),
                    Step::Wait => return Ok(None),
                    Step::Go => {}
                },
                State::Head { searched } => {
                    if !self.read_head(searched)? {
                        return Ok(None);
                    }
                }
                State::Body { total } => {
                    if self.buffer.len() < total {
                        return Ok(None);
                    }
                    self.state = State::Breaks { seen: 0 };
                    return Ok(Some(Frame::Message(self.buffer.split_to(total).freeze())));
                }
            }
        }
    }

    /// Looks for the end of the head and then for that of the message; `false` when more bytes are needed.
    fn read_head(&mut self, searched: usize) -> Result<bool, ParseError> {
        let Some(head_end) = blank_line(&self.buffer, searched) else {
            let length = self.buffer.len();
            if let Some(cause) = self.head_fault(length) {
                return Err(self.lose(cause, length));
            }
            // The blank line may be half there.
            self.state = State::Head { searched: length.saturating_sub(3).max(searched) };
            return Ok(false);
        };
        let total = self.message_end(head_end).map_err(|cause| self.lose(cause, head_end))?;
        self.state = State::Body { total };
        Ok(true)
    }

    fn next_break(&mut self, seen: u8) -> Result<Step, ParseError> {
        match self.buffer.get(..2).unwrap_or(&self.buffer) {
            [] | [b'\r'] => Ok(Step::Wait),
            [b'\r', b'\n'] => {
                self.buffer.advance(2);
                self.state = State::Breaks { seen: (seen + 1) % 2 };
                Ok(Step::Frame(if seen == 0 { Frame::Pong } else { Frame::Ping }))
            }
            [b'\n', ..] => {
                self.buffer.advance(1);
                Ok(Step::Go)
            }
            [first, ..] if scan::is_token(*first) => {
                self.state = State::Head { searched: 0 };
                Ok(Step::Go)
            }
            _ => Err(self.lose(Cause::StartLine, 0)),
        }
    }

    /// A head that goes on and on, or that has not even one line, is no message. Which fault is named must not
    /// depend on how the stream was cut, so the one that shows after fewer bytes comes first.
    fn head_fault(&self, length: usize) -> Option<Cause> {
        let (longest_line, longest) = (self.limits.header_line_bytes, self.limits.stream_message_bytes);
        let start = self.buffer.get(..longest_line).unwrap_or_default();
        let no_line = length > longest_line && memchr::memchr(b'\n', start).is_none();
        if no_line && longest_line <= longest {
            return Some(Cause::StartLine);
        }
        (length > longest).then_some(Cause::TooLong)
    }

    fn message_end(&self, head_end: usize) -> Result<usize, Cause> {
        if let Some(cause) = self.head_fault(head_end) {
            return Err(cause);
        }
        let length = content_length(self.buffer.get(..head_end).unwrap_or_default())?;
        let total = head_end.checked_add(length).ok_or(Cause::TooLong)?;
        if total > self.limits.stream_message_bytes { Err(Cause::TooLong) } else { Ok(total) }
    }

    /// Ends the stream; the first `head_end` bytes are the head of the message at fault.
    fn lose(&mut self, cause: Cause, head_end: usize) -> ParseError {
        self.state = State::Lost;
        let mut buffer = std::mem::take(&mut self.buffer);
        let head = buffer.split_to(head_end.min(buffer.len())).freeze();
        message::refuse_head(head, cause, &self.limits)
    }
}

/// What one look at the line breaks between messages gives.
enum Step {
    Frame(Frame),
    Go,
    Wait,
}

/// Offset behind the first blank line at or after `from`; a head begins with a start line, so the line break
/// before the blank line is always there.
fn blank_line(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(b'\n', bytes.get(at..)?)? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The one Content-Length of a head.
fn content_length(head: &[u8]) -> Result<usize, Cause> {
    let mut found = None;
    let mut at = line_end(head, 0).map_or(head.len(), |end| end.next);
    while let Some(end) = header_end(head, at).filter(|end| end.content > at) {
        let line = head.get(at..end.content).and_then(split_header);
        at = end.next;
        let Some((name, value)) = line else { continue };
        if HeaderName::from_bytes(name) != Some(HeaderName::ContentLength) {
            continue;
        }
        if found.is_some() {
            return Err(Cause::Duplicate(HeaderName::ContentLength));
        }
        let fault = HeaderError { name: HeaderName::ContentLength, fault: Fault::Number };
        found = Some(scan::number(value).ok_or(Cause::Header(fault))?);
    }
    found.ok_or(Cause::LengthMissing)
}

#[cfg(test)]
mod tests;
