//! Writing the messages of an endpoint: what the user drafted, with the headers that the endpoint owns.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{Body, Extra, LineProfile, Reliable, Reply};
use crate::{
    builder::{RequestBuilder, RequestHead, ResponseBuilder, ack_for_failure, cancel},
    flow::Transport,
    header_name::HeaderName,
    limits::Limits,
    message::{HeaderLine, Message},
    method::Method,
    name_addr::NameAddr,
    rseq::RSeq,
    shard,
    uri::Uri,
};

/// What a response is written from besides the request.
pub(super) struct ReplyParts<'a> {
    pub(super) reply: &'a Reply,
    pub(super) tag: &'a str,
    pub(super) contact: Option<NameAddr>,
    pub(super) product: Option<&'a str>,
    /// Set in a reliable provisional response.
    pub(super) rseq: Option<RSeq>,
}

/// Writes a response.
pub(super) fn reply(request: &Message, source: SocketAddr, parts: &ReplyParts<'_>) -> Bytes {
    let ReplyParts { reply, tag, .. } = parts;
    let mut builder = match &reply.reason {
        Some(phrase) => ResponseBuilder::with_phrase(request, source, reply.status, phrase, tag),
        None => ResponseBuilder::new(request, source, reply.status, tag),
    };
    if let Some(contact) = &parts.contact {
        builder = builder.header(HeaderName::Contact, contact);
    }
    if let Some(rseq) = parts.rseq {
        builder = builder.header(HeaderName::Require, "100rel").header(HeaderName::RSeq, rseq);
    }
    let ours = |name| is_owned(name) || (name == HeaderName::Contact && parts.contact.is_some());
    builder = write_extras(builder, &reply.headers, ours);
    if let Some(product) = parts.product.filter(|_| !has(&reply.headers, HeaderName::Server)) {
        builder = builder.header(HeaderName::Server, product);
    }
    match &reply.body {
        Some(Body { content_type, bytes }) => builder.body(content_type, bytes.clone()).build(),
        None => builder.build(),
    }
}

/// What a request is written from.
pub(super) struct RequestParts<'a> {
    pub(super) head: RequestHead<'a>,
    pub(super) routes: &'a [NameAddr],
    /// What a PRACK acknowledges.
    pub(super) reliable: Option<Reliable>,
    pub(super) contact: Option<NameAddr>,
    pub(super) headers: &'a [Extra],
    pub(super) body: Option<&'a Body>,
    pub(super) product: Option<&'a str>,
}

/// Writes a request.
pub(super) fn request(parts: &RequestParts<'_>) -> Bytes {
    let mut builder = RequestBuilder::new(&parts.head).route_set(parts.routes);
    if let Some(contact) = &parts.contact {
        builder = builder.header(HeaderName::Contact, contact);
    }
    if let Some(reliable) = &parts.reliable {
        builder = builder.header(HeaderName::RAck, reliable);
    }
    let ours = |name| {
        is_owned(name)
            || name == HeaderName::Route
            || (name == HeaderName::Contact && parts.contact.is_some())
    };
    builder = write_extras(builder, parts.headers, ours);
    if let Some(product) = parts.product.filter(|_| !has(parts.headers, HeaderName::UserAgent)) {
        builder = builder.header(HeaderName::UserAgent, product);
    }
    match parts.body {
        Some(Body { content_type, bytes }) => builder.body(content_type, bytes.clone()).build(),
        None => builder.build(),
    }
}

/// Writes the ACK of a 300–699 to an INVITE as we sent it; empty if that is not known any more.
pub(super) fn ack_of_failure(invite: &Bytes, response: &Message) -> Bytes {
    own(invite).map(|invite| ack_for_failure(&invite, response)).unwrap_or_default()
}

/// Writes the CANCEL of an INVITE as we sent it.
pub(super) fn cancel_of(invite: &Bytes) -> Option<Bytes> {
    own(invite).map(|invite| cancel(&invite))
}

/// Returns the Request-URI of a request as we sent it.
pub(super) fn request_uri(request: &Bytes) -> Option<Uri> {
    own(request)?.request_uri().ok()
}

/// Returns our Contact on a line.
pub(super) fn contact(line: &LineProfile, transport: Transport, user: Option<&str>, shard: u16) -> NameAddr {
    let uri = Uri::sip(user, line.sent_by.host.clone(), line.sent_by.port);
    let uri = match transport {
        Transport::Udp => uri,
        Transport::Tcp => uri.with_param("transport", Some(transport.uri_token())),
    };
    NameAddr::new(shard::contact(&uri, shard))
}

/// Whether a request of this method carries our Contact, because it makes a dialog or refreshes its target.
pub(super) fn has_contact(method: &Method) -> bool {
    match method {
        Method::Invite | Method::Subscribe | Method::Refer | Method::Update | Method::Notify => true,
        Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Register
        | Method::Prack
        | Method::Info
        | Method::Message
        | Method::Publish
        | Method::Other(_) => false,
    }
}

/// Reads a message that we wrote ourselves; its size was bounded by what went into it.
fn own(bytes: &Bytes) -> Option<Message> {
    let limits = Limits {
        datagram_bytes: usize::MAX,
        stream_message_bytes: usize::MAX,
        header_line_bytes: usize::MAX,
        headers: usize::MAX,
    };
    Message::parse(bytes.clone(), &limits).ok()
}

/// Headers that only the endpoint writes, in any message.
fn is_owned(name: HeaderName) -> bool {
    matches!(
        name,
        HeaderName::Via
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::CSeq
            | HeaderName::MaxForwards
            | HeaderName::RecordRoute
            | HeaderName::ContentLength
            | HeaderName::ContentType
            | HeaderName::RSeq
            | HeaderName::RAck
    )
}

fn name_of(extra: &Extra) -> Option<HeaderName> {
    match extra {
        Extra::Named(name, _) => Some(*name),
        Extra::Other(name, _) => HeaderName::from_bytes(name.as_bytes()),
        Extra::Copied(line) => line.name(),
    }
}

fn has(extras: &[Extra], name: HeaderName) -> bool {
    extras.iter().any(|extra| name_of(extra) == Some(name))
}

/// What both builders can write.
trait Lines: Sized {
    fn named(self, name: HeaderName, value: &str) -> Self;
    fn other(self, name: &str, value: &str) -> Self;
    fn copied(self, line: &HeaderLine<'_>) -> Self;
}

impl Lines for RequestBuilder {
    fn named(self, name: HeaderName, value: &str) -> Self {
        self.header(name, value)
    }

    fn other(self, name: &str, value: &str) -> Self {
        self.header_named(name, value)
    }

    fn copied(self, line: &HeaderLine<'_>) -> Self {
        self.copy_line(line)
    }
}

impl Lines for ResponseBuilder {
    fn named(self, name: HeaderName, value: &str) -> Self {
        self.header(name, value)
    }

    fn other(self, name: &str, value: &str) -> Self {
        self.header_named(name, value)
    }

    fn copied(self, line: &HeaderLine<'_>) -> Self {
        self.copy_line(line)
    }
}

fn write_extras<B: Lines>(mut builder: B, extras: &[Extra], ours: impl Fn(HeaderName) -> bool) -> B {
    for extra in extras.iter().filter(|extra| !name_of(extra).is_some_and(&ours)) {
        builder = match extra {
            Extra::Named(name, value) => builder.named(*name, value),
            Extra::Other(name, value) => builder.other(name, value),
            Extra::Copied(line) => builder.copied(&line.line()),
        };
    }
    builder
}
