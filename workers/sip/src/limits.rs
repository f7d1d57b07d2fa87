//! Upper bounds on what is read from the network; reaching one is a named error, never a truncation.

/// Sizes above which a message is refused (RFC 3261 §21.5.7 leaves them to the element).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest datagram in bytes.
    pub datagram_bytes: usize,
    /// Longest message on a stream in bytes, head and body together.
    pub stream_message_bytes: usize,
    /// Longest header line in bytes, its continuation lines included; the start line counts as one too.
    pub header_line_bytes: usize,
    /// Most header lines in one message.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            datagram_bytes: 64 * 1024,
            stream_message_bytes: 256 * 1024,
            header_line_bytes: 8 * 1024,
            headers: 256,
        }
    }
}

impl Limits {
    /// The longest message of any transport in bytes; a message that was framed already is held to this one.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        self.datagram_bytes.max(self.stream_message_bytes)
    }
}
