//! Responses to a request (RFC 3261 §8.2.6): its Via, From, To, Call-ID, CSeq and, where a dialog may come of
//! it, Record-Route are repeated byte by byte.

use std::{fmt::Display, net::SocketAddr};

use bytes::Bytes;

use super::output::{self, Output};
use crate::{
    header_name::HeaderName,
    host::Host,
    message::{Head, HeaderLine, Message, Salvage, TopVia},
    name_addr::NameAddrSpans,
    params::Params,
    scan,
    status::StatusCode,
};

/// A response under construction.
#[derive(Clone, Debug)]
pub struct ResponseBuilder {
    output: Output,
    body: Option<(String, Bytes)>,
}

impl ResponseBuilder {
    /// Begins a response to a request that came from `source`.
    ///
    /// The topmost Via gets `received` and `rport` as RFC 3581 §4 says. `to_tag` is added to a To without a tag,
    /// except on a 100 (RFC 3261 §8.2.6.2).
    #[must_use]
    pub fn new(request: &Message, source: SocketAddr, status: StatusCode, to_tag: &str) -> Self {
        let phrase = status.phrase();
        let to_tag = Some(to_tag).filter(|_| request.to_tag().is_none());
        let base = Base { head: request.head(), via: request.top_via_parts(), source };
        base.begin(status, phrase, to_tag)
    }

    /// Like [`ResponseBuilder::new`], with a phrase of our own.
    #[must_use]
    pub fn with_phrase(
        request: &Message,
        source: SocketAddr,
        status: StatusCode,
        phrase: &str,
        to_tag: &str,
    ) -> Self {
        let to_tag = Some(to_tag).filter(|_| request.to_tag().is_none());
        let base = Base { head: request.head(), via: request.top_via_parts(), source };
        base.begin(status, phrase, to_tag)
    }

    /// Begins the response that tells what is wrong with a request that was refused; the phrase names it.
    ///
    /// No state is kept for it, so a To without a tag gets one that a repetition of the request gets again
    /// (RFC 3261 §8.2.7).
    #[must_use]
    pub fn refusing(salvage: &Salvage, source: SocketAddr, phrase: &str) -> Self {
        let base = Base { head: &salvage.head, via: salvage.via, source };
        let untagged = salvage.head.first_value(HeaderName::To).is_some_and(|to| {
            NameAddrSpans::scan(to).and_then(|spans| spans.tag(to)).is_ok_and(|tag| tag.is_none())
        });
        let tag = format!("{:016x}", scan::fingerprint(&salvage.head.bytes));
        base.begin(salvage.status(), phrase, Some(tag.as_str()).filter(|_| untagged))
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

/// The request that is answered.
struct Base<'a> {
    head: &'a Head,
    via: TopVia,
    source: SocketAddr,
}

impl Base<'_> {
    fn begin(&self, status: StatusCode, phrase: &str, to_tag: Option<&str>) -> ResponseBuilder {
        let mut output = Output::new();
        output.start_line(&format_args!("SIP/2.0 {status} {phrase}"));
        self.vias(&mut output);
        output.copy(self.head, HeaderName::From);
        self.to(&mut output, to_tag.filter(|_| status != StatusCode::TRYING));
        output.copy(self.head, HeaderName::CallId);
        output.copy(self.head, HeaderName::CSeq);
        if status == StatusCode::TRYING {
            output.copy(self.head, HeaderName::Timestamp);
        } else if status.is_provisional() || status.is_success() {
            output.copy(self.head, HeaderName::RecordRoute);
        }
        ResponseBuilder { output, body: None }
    }

    /// All Via lines; into the topmost value goes what we saw of the sender.
    fn vias(&self, output: &mut Output) {
        let mut lines = self.head.lines.iter().filter(|line| line.name == Some(HeaderName::Via));
        if let Some(top) = lines.next() {
            let bytes = &self.head.bytes;
            let before = bytes.get(top.raw.start()..self.via.value.start()).unwrap_or_default();
            let behind = bytes.get(self.via.value.end()..top.raw.end()).unwrap_or_default();
            let mut line = before.to_vec();
            line.extend_from_slice(&self.stamped());
            line.extend_from_slice(behind);
            output.raw_line(&line, self.head.bare_line_feed);
        }
        for line in lines {
            output.raw_line(line.raw.of(&self.head.bytes), self.head.bare_line_feed);
        }
    }

    /// The topmost Via value with `received`, and `rport` where it was asked for (RFC 3581 §4); whatever the
    /// sender wrote there itself is replaced.
    fn stamped(&self) -> Vec<u8> {
        let value = self.via.value.of(&self.head.bytes);
        let host = self.via.parts.host.of(value);
        let same_host = Host::parse(host).ok().and_then(|host| host.ip()) == Some(self.source.ip());
        let mut stamped = value.get(..self.via.parts.params.start()).unwrap_or(value).to_vec();
        if self.via.parts.params.len() == 0 {
            stamped = value.to_vec();
        }
        for part in scan::split_outside(self.via.parts.params.of(value), b';').skip(1) {
            if scan::trim(part).is_empty() {
                continue;
            }
            let name = scan::trim(part.split(|byte| *byte == b'=').next().unwrap_or_default());
            if name.eq_ignore_ascii_case(b"received") {
                continue;
            }
            stamped.push(b';');
            if name.eq_ignore_ascii_case(b"rport") {
                stamped.extend_from_slice(format!("rport={}", self.source.port()).as_bytes());
            } else {
                stamped.extend_from_slice(part);
            }
        }
        if !same_host || self.via.parts.rport {
            stamped.extend_from_slice(format!(";received={}", self.source.ip()).as_bytes());
        }
        stamped
    }

    fn to(&self, output: &mut Output, to_tag: Option<&str>) {
        let (Some(to), Some(tag)) = (self.head.first(HeaderName::To), to_tag) else {
            output.copy(self.head, HeaderName::To);
            return;
        };
        let bytes = &self.head.bytes;
        let before = bytes.get(to.raw.start()..to.value.end()).unwrap_or_default();
        let behind = bytes.get(to.value.end()..to.raw.end()).unwrap_or_default();
        output.raw_line(before, self.head.bare_line_feed);
        let tag = Params::new().with("tag", Some(tag));
        output.raw(tag.to_string().as_bytes());
        output.raw_line(behind, self.head.bare_line_feed);
    }
}
