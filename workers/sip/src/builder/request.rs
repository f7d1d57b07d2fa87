//! Requests of typed parts (RFC 3261 §8.1.1).

use std::fmt::Display;

use bytes::Bytes;

use super::output::{self, Output};
use crate::{
    cseq::CSeq,
    header_name::HeaderName,
    message::{HeaderLine, Message},
    method::Method,
    name_addr::NameAddr,
    uri::Uri,
    via::Via,
};

/// What every request has.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Method; also that of CSeq.
    pub method: &'a Method,
    /// Request-URI; its headers are left out, as none may stand there.
    pub uri: &'a Uri,
    /// Our Via.
    pub via: &'a Via,
    /// Hops left.
    pub max_forwards: u8,
    /// From with our tag.
    pub from: &'a NameAddr,
    /// To, with the peer's tag inside a dialog.
    pub to: &'a NameAddr,
    /// Call-ID.
    pub call_id: &'a str,
    /// CSeq number.
    pub cseq: u32,
}

/// A request under construction.
#[derive(Clone, Debug)]
pub struct RequestBuilder {
    output: Output,
    body: Option<(String, Bytes)>,
}

impl RequestBuilder {
    /// Begins a request with its mandatory headers.
    #[must_use]
    pub fn new(head: &RequestHead<'_>) -> Self {
        let mut output = Output::new();
        output.start_line(&format_args!("{} {} SIP/2.0", head.method, head.uri.without_headers()));
        output.header(HeaderName::Via.as_str(), head.via);
        output.header(HeaderName::MaxForwards.as_str(), &head.max_forwards);
        output.header(HeaderName::From.as_str(), head.from);
        output.header(HeaderName::To.as_str(), head.to);
        output.header(HeaderName::CallId.as_str(), &head.call_id);
        let cseq = CSeq { number: head.cseq, method: head.method.clone() };
        output.header(HeaderName::CSeq.as_str(), &cseq);
        Self { output, body: None }
    }

    /// Writes the route set, topmost first (RFC 3261 §12.2.1.1).
    #[must_use]
    pub fn route_set(mut self, routes: &[NameAddr]) -> Self {
        for route in routes {
            self.output.header(HeaderName::Route.as_str(), route);
        }
        self
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Display) -> Self {
        self.output.header(name.as_str(), &value);
        self
    }

    /// Adds a header line with a name that is not known here; a name that is no token is left out.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: impl Display) -> Self {
        if output::is_name(name) {
            self.output.header(name, &value);
        }
        self
    }

    /// Copies all lines with this name from another message, byte by byte.
    #[must_use]
    pub fn copy(mut self, message: &Message, name: HeaderName) -> Self {
        self.output.copy(message.head(), name);
        self
    }

    /// Copies one line of a message, byte by byte.
    #[must_use]
    pub fn copy_line(mut self, line: &HeaderLine<'_>) -> Self {
        self.output.raw_line(line.raw, true);
        self
    }

    /// Sets the body; an empty one has no Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    /// Ends the message.
    #[must_use]
    pub fn build(self) -> Bytes {
        match &self.body {
            Some((content_type, body)) => self.output.finish(Some(content_type), body),
            None => self.output.finish(None, &[]),
        }
    }
}
