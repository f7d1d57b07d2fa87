//! Refusals that the RFC prescribes, given without a transaction (RFC 3261 §8.2.7): a repeated request gets the same
//! answer again, and the ACK of a refused INVITE is a stray one.

use bytes::Bytes;

use super::{
    DropReason, Endpoint, RefuseReason, Reply,
    compose::{self, ReplyParts},
    receive_request::{reply_flow, server_key},
    screen::Objection,
};
use crate::{
    builder::ResponseBuilder,
    error::{Cause, ParseError},
    flow::{Flow, Transport},
    header_name::HeaderName,
    message::{Message, Salvage},
    status::StatusCode,
};

impl Endpoint {
    pub(super) fn refuse(&mut self, flow: Flow, message: &Message, reason: RefuseReason) {
        self.counters.on_refusal(reason);
        let reply = self.refusal(reason);
        self.send_stateless(flow, message, &reply);
    }

    /// Says what is wrong with a request that was screened. That it is in no dialog, or a merged one, is said first
    /// (RFC 3261 §12.2.2, §8.2.2.2).
    pub(super) fn refuse_screened(&mut self, flow: Flow, message: &Message, objection: &Objection) {
        if message.to_tag().is_some() && self.dialog_of_request(message).is_none() {
            if self.belongs_elsewhere(message) {
                return self.counters.on_drop(DropReason::Misrouted);
            }
            return self.refuse(flow, message, RefuseReason::NoDialog);
        }
        if message.to_tag().is_none() && self.is_merged(message) {
            return self.refuse(flow, message, RefuseReason::Merged);
        }
        let reply = objection.reply(&self.config);
        let malformed = reply.status == StatusCode::BAD_REQUEST;
        let reason = if malformed { RefuseReason::Malformed } else { RefuseReason::Unsupported };
        self.counters.on_refusal(reason);
        self.send_stateless(flow, message, &reply);
    }

    /// Answers a BYE in a dialog that is being ended already.
    pub(super) fn answer_bye(&mut self, flow: Flow, message: &Message) {
        self.send_stateless(flow, message, &Reply::new(StatusCode::OK));
    }

    /// Answers what could not be read where that can be addressed, else counts it.
    pub(super) fn on_malformed(&mut self, flow: Flow, error: &ParseError) {
        let reason = match error.cause {
            Cause::Empty => DropReason::KeepAlive,
            Cause::TooLong
            | Cause::StartLine
            | Cause::UriTooLong
            | Cause::Version
            | Cause::Unended
            | Cause::HeaderLine
            | Cause::HeaderLineTooLong
            | Cause::TooManyHeaders
            | Cause::Missing(_)
            | Cause::Duplicate(_)
            | Cause::Header(_)
            | Cause::MethodMismatch
            | Cause::BodyCutOff
            | Cause::LengthMissing => DropReason::Malformed,
        };
        let Some(salvage) = &error.salvage else { return self.counters.on_drop(reason) };
        let Some(reply_to) = salvage_flow(flow, salvage) else { return self.counters.on_drop(reason) };
        self.counters.on_refusal(RefuseReason::Malformed);
        let phrase = format!("{} ({})", salvage.status().phrase(), error.cause);
        let mut response = ResponseBuilder::refusing(salvage, flow.remote, &phrase);
        if salvage.status() == StatusCode::NOT_IMPLEMENTED {
            response = response.header(HeaderName::Allow, self.config.methods);
        }
        self.send(reply_to, response.build());
    }

    fn refusal(&mut self, reason: RefuseReason) -> Reply {
        match reason {
            RefuseReason::Malformed => Reply::new(StatusCode::BAD_REQUEST),
            RefuseReason::Unsupported => Objection::NotAllowed.reply(&self.config),
            RefuseReason::NoDialog => Reply::new(StatusCode::CALL_DOES_NOT_EXIST),
            RefuseReason::Merged => Reply::new(StatusCode::LOOP_DETECTED).reason("Merged Request"),
            RefuseReason::Pending => Reply::new(StatusCode::REQUEST_PENDING),
            RefuseReason::Disorder => {
                let after = self.randomness.below(MAX_DISORDER_SECS + 1);
                Reply::new(StatusCode::SERVER_INTERNAL_ERROR)
                    .header(HeaderName::RetryAfter, after.to_string())
            }
            RefuseReason::Full => {
                let base = self.config.retry_after_secs;
                let after = base + self.randomness.below(base + 1);
                Reply::new(StatusCode::SERVICE_UNAVAILABLE).header(HeaderName::RetryAfter, after.to_string())
            }
        }
    }

    fn send_stateless(&mut self, flow: Flow, message: &Message, reply: &Reply) {
        let bytes = self.write_stateless(flow, message, reply);
        self.send(reply_flow(flow, message), bytes);
    }

    /// The To tag follows from the request, so that it is the same in every answer to its repetitions.
    fn write_stateless(&mut self, flow: Flow, message: &Message, reply: &Reply) -> Bytes {
        let key = server_key(&mut self.scratch, message, message.method().as_str());
        let number = self.randomness.keyed(key);
        let tag = self.tag_of(number);
        let parts = ReplyParts {
            reply,
            tag: &tag,
            contact: None,
            product: self.config.product.as_deref(),
            rseq: None,
        };
        compose::reply(message, flow.remote, &parts)
    }
}

fn salvage_flow(flow: Flow, salvage: &Salvage) -> Option<Flow> {
    match flow.transport {
        Transport::Udp => Some(Flow { remote: salvage.top_via()?.reply_address(flow.remote), ..flow }),
        Transport::Tcp => Some(flow),
    }
}

/// Most seconds after which a request out of order may be tried again (RFC 3261 §14.2).
const MAX_DISORDER_SECS: u32 = 10;
