//! The buffer that a message is written into, and the filter that every value passes.

use std::fmt::{self, Display, Write};

use bytes::Bytes;

use crate::{header_name::HeaderName, message::Head, scan};

/// Bytes of a message under construction: complete lines only.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::with_capacity(TYPICAL_BYTES) }
    }

    /// Writes a start line.
    pub(crate) fn start_line(&mut self, line: &impl Display) {
        self.value(line);
        self.end_line();
    }

    /// Writes one header line.
    pub(crate) fn header(&mut self, name: &str, value: &impl Display) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.value(value);
        self.end_line();
    }

    /// Copies all lines with this name from another message, byte by byte.
    pub(crate) fn copy(&mut self, head: &Head, name: HeaderName) {
        for line in head.lines.iter().filter(|line| line.name == Some(name)) {
            self.raw_line(line.raw.of(&head.bytes), head.bare_line_feed);
        }
    }

    /// Copies one complete line; a bare line feed gets the carriage return that the standard wants.
    pub(crate) fn raw_line(&mut self, raw: &[u8], bare_line_feed: bool) {
        if !bare_line_feed {
            self.bytes.extend_from_slice(raw);
            return;
        }
        let mut last = 0u8;
        for byte in raw {
            if *byte == b'\n' && last != b'\r' {
                self.bytes.push(b'\r');
            }
            self.bytes.push(*byte);
            last = *byte;
        }
    }

    /// Appends bytes that are part of a line already checked.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Ends the head and appends the body.
    pub(crate) fn finish(mut self, content_type: Option<&str>, body: &[u8]) -> Bytes {
        if let Some(content_type) = content_type.filter(|_| !body.is_empty()) {
            self.header(HeaderName::ContentType.as_str(), &content_type);
        }
        self.header(HeaderName::ContentLength.as_str(), &body.len());
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(body);
        self.bytes.into()
    }

    fn value(&mut self, value: &impl Display) {
        // The writer below never fails, and a Display that does leaves a shorter, still well-formed value.
        let _ = write!(ValueWriter { bytes: &mut self.bytes }, "{value}");
    }

    fn end_line(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// Writes text into a header value: whatever would end the line, or is no text at all, becomes a blank.
#[derive(Debug)]
pub struct ValueWriter<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Write for ValueWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().any(is_control) {
            self.bytes.extend(text.bytes().map(|byte| if is_control(byte) { b' ' } else { byte }));
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7f
}

/// Tells whether a name that is not known here may be written as one.
pub(crate) fn is_name(name: &str) -> bool {
    scan::token_text(name.as_bytes()).is_some()
}

/// Room for most messages, so that writing one is one allocation.
const TYPICAL_BYTES: usize = 1024;
