//! The few lines of a request that a refusal repeats, found in one pass without an index or an allocation
//! (RFC 3261 §8.2.6). Strict on purpose: what is folded, repeated, unusual or faulty in these lines is not for this
//! reader, and [`crate::Message::parse`] decides.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::{
    cseq::CSeq,
    endpoint::keys::{self, Former},
    flow::{Flow, Transport},
    header_name::HeaderName,
    host::Host,
    message::{StartLine, line_end, split_header},
    name_addr::NameAddrSpans,
    params, scan,
    scan::Span,
    via::ViaSpans,
};

/// A request outside of any dialog, as far as it is repeated in a refusal.
#[derive(Clone, Debug)]
pub(crate) struct Outline<'a> {
    bytes: &'a [u8],
    uri: &'a [u8],
    method: &'a [u8],
    /// Whole values of the Via lines, from the top.
    vias: [&'a [u8]; MAX_VIAS],
    via_count: usize,
    via: Top,
    from: &'a [u8],
    from_tag: &'a [u8],
    to: &'a [u8],
    call_id: &'a [u8],
    cseq: &'a [u8],
    cseq_number: u32,
}

/// The topmost Via value.
#[derive(Clone, Copy, Debug, Default)]
struct Top {
    /// Relative to the first line's value, which it begins.
    spans: ViaSpans,
    /// Where in that value `rport` ends, if it is there without a value.
    rport_end: Option<usize>,
    /// Where the topmost value ends and others of the same line may follow.
    end: usize,
}

/// Values met on the way; each may stand once.
#[derive(Default)]
struct Found<'a> {
    vias: [&'a [u8]; MAX_VIAS],
    via_count: usize,
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    call_id: Option<&'a [u8]>,
    cseq: Option<&'a [u8]>,
}

impl<'a> Outline<'a> {
    /// Reads a request; `None` when it has to be parsed to be understood.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > LONGEST {
            return None;
        }
        let first = plain_line(bytes, 0)?;
        let StartLine::Request { method, uri } = StartLine::parse(bytes, 0, first.0).ok()? else {
            return None;
        };
        let found = Found::gather(bytes, first.1)?;
        let (from, to) = (found.from?, found.to?);
        let (call_id, cseq) = (found.call_id?, found.cseq?);
        let number = CSeq::parse(cseq).ok().filter(|cseq| cseq.method == method)?.number;
        let from_tag = tag(from)?;
        if tag(to)?.is_some() || call_id.is_empty() || !call_id.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let via = Top::read(found.vias.first().copied()?)?;
        Some(Self {
            bytes,
            uri: uri.of(bytes),
            method: first_word(bytes),
            vias: found.vias,
            via_count: found.via_count,
            via,
            from,
            from_tag: from_tag.unwrap_or_default(),
            to,
            call_id,
            cseq,
            cseq_number: number,
        })
    }

    /// The key of its server transaction, the same that a parsed message has.
    pub(crate) fn server_key<'s>(&self, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        let value = self.top();
        let branch = self.via.spans.branch.map(|branch| branch.of(value)).unwrap_or_default();
        let former =
            Former { call_id: self.call_id, from_tag: self.from_tag, cseq: self.cseq_number, uri: self.uri };
        keys::server(
            scratch,
            (branch, self.via.spans.host.of(value), self.via.spans.port),
            self.method,
            &former,
        )
    }

    /// Where its answers go (RFC 3261 §18.2.2, RFC 3581 §4).
    pub(crate) fn reply_address(&self, flow: Flow) -> SocketAddr {
        match flow.transport {
            Transport::Udp if self.via.spans.rport => flow.remote,
            Transport::Udp => {
                let port = self.via.spans.port.unwrap_or_else(|| Transport::Udp.default_port());
                SocketAddr::new(flow.remote.ip(), port)
            }
            Transport::Tcp => flow.remote,
        }
    }

    /// Writes the 503.
    pub(crate) fn refusal(&self, source: SocketAddr, tag: &str, after: u32, product: Option<&str>) -> Bytes {
        let mut out = Vec::with_capacity(self.bytes.len().min(MOST_HEAD) + ROOM);
        out.extend_from_slice(b"SIP/2.0 503 Service Unavailable\r\nVia: ");
        self.write_top_via(&mut out, source);
        for via in self.vias.iter().take(self.via_count).skip(1) {
            line(&mut out, b"\r\nVia: ", via);
        }
        line(&mut out, b"\r\nFrom: ", self.from);
        line(&mut out, b"\r\nTo: ", self.to);
        line(&mut out, b";tag=", tag.as_bytes());
        line(&mut out, b"\r\nCall-ID: ", self.call_id);
        line(&mut out, b"\r\nCSeq: ", self.cseq);
        line(&mut out, b"\r\nRetry-After: ", after.to_string().as_bytes());
        if let Some(product) = product {
            line(&mut out, b"\r\nServer: ", product.as_bytes());
        }
        out.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
        out.into()
    }

    fn top(&self) -> &'a [u8] {
        self.vias.first().copied().unwrap_or_default()
    }

    /// The topmost Via line with what we saw of the sender (RFC 3581 §4).
    fn write_top_via(&self, out: &mut Vec<u8>, source: SocketAddr) {
        let (value, via) = (self.top(), &self.via);
        let rport_end = via.rport_end.unwrap_or(via.end);
        out.extend_from_slice(value.get(..rport_end).unwrap_or_default());
        if via.rport_end.is_some() {
            line(out, b"=", source.port().to_string().as_bytes());
        }
        out.extend_from_slice(value.get(rport_end..via.end).unwrap_or_default());
        let same_host =
            Host::parse(via.spans.host.of(value)).ok().and_then(|host| host.ip()) == Some(source.ip());
        if !same_host || via.spans.rport {
            line(out, b";received=", source.ip().to_string().as_bytes());
        }
        out.extend_from_slice(value.get(via.end..).unwrap_or_default());
    }
}

impl<'a> Found<'a> {
    fn gather(bytes: &'a [u8], mut at: usize) -> Option<Self> {
        let mut found = Self::default();
        loop {
            let (content, next) = plain_line(bytes, at)?;
            if content == at {
                return Some(found);
            }
            let (name, value) = bytes.get(at..content).and_then(split_header)?;
            if let Some(name) = HeaderName::from_bytes(name) {
                found.take(name, value)?;
            }
            at = next;
        }
    }

    /// Keeps what is wanted; `None` when it is there twice, or cannot be written again as it is.
    fn take(&mut self, name: HeaderName, value: &'a [u8]) -> Option<()> {
        if name == HeaderName::Via {
            *self.vias.get_mut(self.via_count)? = clean(value)?;
            self.via_count += 1;
            return Some(());
        }
        let places = [
            (HeaderName::From, &mut self.from),
            (HeaderName::To, &mut self.to),
            (HeaderName::CallId, &mut self.call_id),
            (HeaderName::CSeq, &mut self.cseq),
        ];
        for (wanted, place) in places {
            if name == wanted && place.replace(clean(value)?).is_some() {
                return None;
            }
        }
        Some(())
    }
}

impl Top {
    fn read(line: &[u8]) -> Option<Self> {
        let end = scan::find_outside(line, b',').unwrap_or(line.len());
        let value = scan::trim_end(line.get(..end)?);
        let spans = ViaSpans::scan(value).ok()?;
        let mut rport_end = None;
        for param in params::raw_params(spans.params.of(value)) {
            let (name, text) = param.ok()?;
            if name.eq_ignore_ascii_case(b"received") {
                return None;
            }
            if name.eq_ignore_ascii_case(b"rport") {
                if text.is_some() || rport_end.is_some() {
                    return None;
                }
                rport_end = Some(Span::within(value, name).end());
            }
        }
        Some(Self { spans, rport_end, end: value.len() })
    }
}

/// A line that ends as it should and is not continued: where its content ends, where the next one begins.
fn plain_line(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let end = line_end(bytes, at)?;
    let folded = end.content > at && matches!(bytes.get(end.next), Some(b' ' | b'\t'));
    (!folded && !end.stray_return && !end.bare_line_feed).then_some((end.content, end.next))
}

/// A value that can be written again as it is.
fn clean(value: &[u8]) -> Option<&[u8]> {
    let control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    (!value.is_empty() && !value.iter().any(control)).then_some(value)
}

fn tag(value: &[u8]) -> Option<Option<&[u8]>> {
    let tag = NameAddrSpans::scan(value).ok()?.tag(value).ok()?;
    Some(tag.map(|tag| tag.of(value)))
}

fn first_word(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b' ').next().unwrap_or_default()
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

/// Requests that came a longer way are parsed.
const MAX_VIAS: usize = 8;
/// Longer requests are parsed, which holds each line to its limit.
const LONGEST: usize = 8 * 1024;
/// What a refusal repeats is rarely longer.
const MOST_HEAD: usize = 1024;
/// Room for what is added.
const ROOM: usize = 160;
