//! What every message is dispatched by, read once when it arrives (RFC 3261 §8.1.1, §17.1.3, §17.2.3).

use super::{Head, StartLine};
use crate::{
    cseq::CSeq,
    error::{Cause, Fault, HeaderError},
    header_name::HeaderName,
    name_addr::NameAddrSpans,
    scan,
    scan::Span,
    via::ViaSpans,
};

/// Valid parts of a message; spans are offsets into its bytes.
#[derive(Clone, Debug)]
pub(super) struct Essentials {
    pub(super) via: TopVia,
    pub(super) from_tag: Option<Span>,
    pub(super) to_tag: Option<Span>,
    pub(super) call_id: Span,
    pub(super) cseq: CSeq,
    pub(super) max_forwards: Option<u8>,
    pub(super) content_length: Option<usize>,
}

/// The topmost Via: where it stands and what it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopVia {
    /// The value, up to the comma or the end of the line, trimmed.
    pub(crate) value: Span,
    /// Parts, relative to `value`.
    pub(crate) parts: ViaSpans,
}

impl Essentials {
    pub(super) fn read(head: &Head, start: &StartLine) -> Result<Self, Cause> {
        let via = TopVia::read(head)?;
        let from = required(head, HeaderName::From)?;
        let to = required(head, HeaderName::To)?;
        let call_id = required(head, HeaderName::CallId)?;
        let cseq_value = required(head, HeaderName::CSeq)?.of(&head.bytes);
        if let Some(name) = head.repeated {
            return Err(Cause::Duplicate(name));
        }
        let cseq = CSeq::parse(cseq_value).map_err(|fault| of(HeaderName::CSeq, fault))?;
        if let StartLine::Request { method, .. } = start
            && *method != cseq.method
        {
            return Err(Cause::MethodMismatch);
        }
        check_call_id(call_id.of(&head.bytes))?;
        Ok(Self {
            via,
            from_tag: tag(head, HeaderName::From, from)?,
            to_tag: tag(head, HeaderName::To, to)?,
            call_id,
            cseq,
            max_forwards: optional_number(head, HeaderName::MaxForwards)?,
            content_length: content_length(head)?,
        })
    }
}

impl TopVia {
    /// Finds and reads the topmost Via of a message.
    pub(super) fn read(head: &Head) -> Result<Self, Cause> {
        let value = first_via(head)?;
        let parts = ViaSpans::scan(value).map_err(|fault| of(HeaderName::Via, fault))?;
        Ok(Self { value: Span::within(&head.bytes, value), parts })
    }

    /// The topmost Via of a faulty message, if a response can be addressed by it.
    pub(super) fn salvage(head: &Head) -> Option<Self> {
        let value = first_via(head).ok()?;
        let parts = ViaSpans::scan_leniently(value).ok()?;
        Some(Self { value: Span::within(&head.bytes, value), parts })
    }
}

/// The first value of the first Via line, trimmed.
fn first_via(head: &Head) -> Result<&[u8], Cause> {
    let text = required(head, HeaderName::Via)?.of(&head.bytes);
    let end = if memchr::memchr(b',', text).is_some() { scan::find_outside(text, b',') } else { None };
    Ok(scan::trim(text.get(..end.unwrap_or(text.len())).unwrap_or_default()))
}

/// Content-Length of a message, if it has one.
pub(crate) fn content_length(head: &Head) -> Result<Option<usize>, Cause> {
    optional_number(head, HeaderName::ContentLength)
}

fn required(head: &Head, name: HeaderName) -> Result<Span, Cause> {
    head.first(name).map(|line| line.value).ok_or(Cause::Missing(name))
}

fn optional_number<T: TryFrom<u64>>(head: &Head, name: HeaderName) -> Result<Option<T>, Cause> {
    let Some(value) = head.first_value(name) else { return Ok(None) };
    scan::number(value).map(Some).ok_or_else(|| of(name, Fault::Number))
}

fn tag(head: &Head, name: HeaderName, at: Span) -> Result<Option<Span>, Cause> {
    let value = at.of(&head.bytes);
    let tag =
        NameAddrSpans::scan(value).and_then(|spans| spans.tag(value)).map_err(|fault| of(name, fault))?;
    Ok(tag.map(|tag| Span::new(at.start() + tag.start(), at.start() + tag.end())))
}

/// A Call-ID is `word["@"word]`; any visible characters are taken, because it is only compared.
fn check_call_id(value: &[u8]) -> Result<(), Cause> {
    if value.is_empty() {
        return Err(of(HeaderName::CallId, Fault::Empty));
    }
    if value.iter().all(u8::is_ascii_graphic) { Ok(()) } else { Err(of(HeaderName::CallId, Fault::Syntax)) }
}

fn of(name: HeaderName, fault: Fault) -> Cause {
    Cause::Header(HeaderError { name, fault })
}
