//! Access to a message's lines and to the parts that every message has.

use bytes::Bytes;

use super::{Head, LineIndexed, Message, StartLine, essentials::TopVia};
use crate::{
    cseq::CSeq,
    error::{Fault, HeaderError},
    header_name::HeaderName,
    method::Method,
    scan::Span,
    status::StatusCode,
    uri::Uri,
};

/// One header line as it was received.
#[derive(Clone, Copy, Debug)]
pub struct HeaderLine<'a> {
    /// The name, if it is a known one.
    pub name: Option<HeaderName>,
    /// The name as written.
    pub name_text: &'a [u8],
    /// The value, trimmed; it may hold several values, and line breaks of folds.
    pub value: &'a [u8],
    /// The whole line with its line break. Not public: it is copied without a look, so it must come from a
    /// message that was read.
    pub(crate) raw: &'a [u8],
}

impl<'a> HeaderLine<'a> {
    /// The whole line with its line break.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

impl Head {
    pub(crate) fn line(&self, line: &LineIndexed) -> HeaderLine<'_> {
        HeaderLine {
            name: line.name,
            name_text: line.name_text.of(&self.bytes),
            value: line.value.of(&self.bytes),
            raw: line.raw.of(&self.bytes),
        }
    }
}

impl Message {
    /// The bytes that the message was read from.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.head.bytes
    }

    /// Tells whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        match self.start {
            StartLine::Request { .. } => true,
            StartLine::Status { .. } => false,
        }
    }

    /// The method of a request, or of the request that a response answers (CSeq says it).
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.essentials.cseq.method
    }

    /// The status code of a response; `None` for a request.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Status { code, .. } => Some(code),
        }
    }

    /// The reason phrase of a response, as written.
    #[must_use]
    pub fn phrase(&self) -> Option<&[u8]> {
        match &self.start {
            StartLine::Request { .. } => None,
            StartLine::Status { reason, .. } => Some(reason.of(&self.head.bytes)),
        }
    }

    /// The Request-URI as written; empty for a response.
    #[must_use]
    pub fn request_uri_bytes(&self) -> &[u8] {
        match &self.start {
            StartLine::Request { uri, .. } => uri.of(&self.head.bytes),
            StartLine::Status { .. } => &[],
        }
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// When it does not follow the grammar of its scheme; [`Fault::Empty`] for a response.
    pub fn request_uri(&self) -> Result<Uri, Fault> {
        Uri::parse(self.request_uri_bytes())
    }

    /// Call-ID, which is ASCII without blanks.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.text(self.essentials.call_id)
    }

    /// CSeq.
    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        &self.essentials.cseq
    }

    /// The From tag; RFC 2543 peers may leave it out.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.essentials.from_tag.map(|tag| self.text(tag))
    }

    /// The To tag.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.essentials.to_tag.map(|tag| self.text(tag))
    }

    /// Branch of the topmost Via; RFC 2543 peers may leave it out.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        let TopVia { value, parts } = self.essentials.via;
        parts
            .branch
            .map(|branch| self.text(Span::new(value.start() + branch.start(), value.start() + branch.end())))
    }

    /// Host and port of the topmost Via's sent-by, as written: half of the key of a server transaction.
    #[must_use]
    pub fn sent_by(&self) -> (&str, Option<u16>) {
        let TopVia { value, parts } = self.essentials.via;
        let host = Span::new(value.start() + parts.host.start(), value.start() + parts.host.end());
        (self.text(host), parts.port)
    }

    /// Max-Forwards, 0 to 255; `None` if it is not there.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        self.essentials.max_forwards
    }

    /// The body, cut to Content-Length.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.of(&self.head.bytes)
    }

    /// The body as a slice that keeps the message's buffer alive.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        if self.body.end() <= self.head.bytes.len() {
            self.head.bytes.slice(self.body.range())
        } else {
            Bytes::new()
        }
    }

    /// All header lines in their order.
    pub fn lines(&self) -> impl Iterator<Item = HeaderLine<'_>> {
        self.head.lines.iter().map(|line| self.head.line(line))
    }

    /// The lines with this name, in their order.
    pub fn lines_of(&self, name: HeaderName) -> impl Iterator<Item = HeaderLine<'_>> {
        self.lines().filter(move |line| line.name == Some(name))
    }

    /// The value of the first line with this name, trimmed; it may hold folds and, where the header allows
    /// it, several values.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.head.first_value(name)
    }

    /// Like [`Message::header`], as text; `None` also if it is not UTF-8.
    #[must_use]
    pub fn header_text(&self, name: HeaderName) -> Option<&str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// The value of the first line with this name, whatever name it is.
    #[must_use]
    pub fn header_named(&self, name: &str) -> Option<&[u8]> {
        if let Some(known) = HeaderName::from_bytes(name.as_bytes()) {
            return self.header(known);
        }
        self.lines().find(|line| line.name_text.eq_ignore_ascii_case(name.as_bytes())).map(|line| line.value)
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn top_via_parts(&self) -> TopVia {
        self.essentials.via
    }

    pub(super) fn mandatory(&self, name: HeaderName) -> Result<&[u8], HeaderError> {
        self.header(name).ok_or(HeaderError { name, fault: Fault::Empty })
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(span.of(&self.head.bytes)).unwrap_or_default()
    }
}
