//! What is left of a refused request: enough to tell its sender (RFC 3261 §8.2.6, §21.4.1).

use super::{Head, StartLine, essentials::TopVia, start_line::BrokenStart};
use crate::{
    error::{Cause, ParseError},
    header_name::HeaderName,
    method::Method,
    status::StatusCode,
    via::Via,
};

/// The header lines of a refused request whose topmost Via can be read. A response built for it repeats the
/// lines that it has; what it has not, the response has not either.
#[derive(Clone, Debug)]
pub struct Salvage {
    pub(crate) head: Head,
    pub(crate) via: TopVia,
    status: StatusCode,
}

impl Salvage {
    /// The topmost Via: where the response goes. Parameters that cannot be read are left out.
    #[must_use]
    pub fn top_via(&self) -> Option<Via> {
        Via::parse_leniently(self.via.value.of(&self.head.bytes)).ok()
    }

    /// The response that the fault asks for.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Call-ID as written, if the request has one.
    #[must_use]
    pub fn call_id(&self) -> Option<&[u8]> {
        self.head.first_value(HeaderName::CallId)
    }
}

/// Refuses a message whose start line was read.
pub(super) fn refuse(head: Head, start: &StartLine, cause: Cause) -> ParseError {
    let answerable = match start {
        StartLine::Request { method: Method::Ack, .. } | StartLine::Status { .. } => false,
        StartLine::Request { .. } => true,
    };
    let mut error = refuse_broken(head, BrokenStart { cause, answerable });
    // RFC 4475 §3.1.2.18: that nobody knows the method tells the sender more than that CSeq names another one.
    if let (Cause::MethodMismatch, StartLine::Request { method: Method::Other(_), .. }, Some(salvage)) =
        (cause, start, error.salvage.as_mut())
    {
        salvage.status = StatusCode::NOT_IMPLEMENTED;
    }
    error
}

/// Refuses a message whose start line may be the fault.
pub(super) fn refuse_broken(head: Head, broken: BrokenStart) -> ParseError {
    let BrokenStart { cause, answerable } = broken;
    let via = if answerable { TopVia::salvage(&head) } else { None };
    let salvage = via.map(|via| Box::new(Salvage { head, via, status: cause.status() }));
    ParseError { cause, salvage }
}
