//! A datagram: it is read or refused; what was read can be asked for everything, answered, and written again with the same
//! meaning.

use std::net::SocketAddr;

use bytes::Bytes;
use um_sip::{
    HeaderName, Limits, Message, ParseError, RequestBuilder, RequestHead, ResponseBuilder, StatusCode, shard,
};

use crate::wellformed;

/// Runs the target.
pub fn run(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    assert!(shard::owner(&bytes, 7) < 7, "a shard that does not exist");
    let limits = Limits { datagram_bytes: 4_096, headers: 48, ..Limits::default() };
    match Message::parse(bytes, &limits) {
        Ok(message) => {
            ask(&message);
            if message.is_request() {
                answer(&message, &limits);
                write_again(&message, &limits);
            }
        }
        Err(error) => refuse(&error),
    }
}

/// Everything that can be asked; the answers may be errors, never panics.
fn ask(message: &Message) {
    let _ = (message.phrase(), message.request_uri(), message.sent_by(), message.max_forwards());
    let _ = (message.from(), message.to(), message.top_via(), message.contacts(), message.diversions());
    let _ = (message.history(), message.expires(), message.retry_after(), message.content_type());
    let _ = (message.body(), message.branch(), message.header_named("x-unknown"));
    assert_eq!(message.body_bytes(), message.body());
    assert_eq!(message.is_request(), message.status().is_none());
    let mut lines = 0;
    for line in message.lines() {
        lines += 1;
        let Some(name) = line.name else { continue };
        assert!(message.header(name).is_some());
        let _ = message.header_text(name);
        let _ = message.lists_token(name, "100rel");
        // A value never reaches beyond its line, so the walk ends.
        assert!(message.values(name).count() <= message.bytes().len() + 1);
    }
    assert!(lines <= 48, "{lines} lines");
}

/// A response to a request that was read is well formed and belongs to it.
fn answer(request: &Message, limits: &Limits) {
    for status in [StatusCode::TRYING, StatusCode::OK] {
        let bytes = ResponseBuilder::new(request, source(), status, "um0-1").build();
        let shown = || String::from_utf8_lossy(&bytes).into_owned();
        wellformed::message(&bytes).unwrap_or_else(|fault| panic!("{fault} in\n{}", shown()));
        // It is a little longer than the request, which may have used its bounds up.
        let limits = Limits { datagram_bytes: 8_192, header_line_bytes: 16_384, ..*limits };
        let response = Message::parse(bytes.clone(), &limits);
        let response = response.unwrap_or_else(|error| panic!("{error:?}: {}", shown()));
        assert_eq!(response.status(), Some(status));
        assert_eq!(response.call_id(), request.call_id());
        assert_eq!(response.cseq(), request.cseq());
        assert_eq!(response.from_tag(), request.from_tag());
        assert_eq!(response.branch(), request.branch());
        assert_eq!(response.sent_by(), request.sent_by());
        assert_eq!(other_vias(&response), other_vias(request));
        let tag = if status == StatusCode::TRYING { None } else { Some("um0-1") };
        assert_eq!(response.to_tag(), request.to_tag().or(tag));
    }
}

/// All Via values but the topmost; a bare line feed may have become a whole line break.
fn other_vias(message: &Message) -> Vec<Vec<u8>> {
    let values = message.values(HeaderName::Via).skip(1);
    values.map(|value| value.iter().copied().filter(|byte| *byte != b'\r').collect()).collect()
}

/// A request made of the parts that were read says the same.
fn write_again(request: &Message, limits: &Limits) {
    let (Ok(uri), Ok(via), Ok(from), Ok(to)) =
        (request.request_uri(), request.top_via(), request.from(), request.to())
    else {
        return;
    };
    let head = RequestHead {
        method: request.method(),
        uri: &uri,
        via: &via,
        max_forwards: request.max_forwards().unwrap_or(70),
        from: &from,
        to: &to,
        call_id: request.call_id(),
        cseq: request.cseq().number,
    };
    let bytes = RequestBuilder::new(&head).body("application/sdp", request.body_bytes()).build();
    let shown = || String::from_utf8_lossy(&bytes).into_owned();
    wellformed::message(&bytes).unwrap_or_else(|fault| panic!("{fault} in\n{}", shown()));
    let limits = Limits { datagram_bytes: 16_384, header_line_bytes: 16_384, ..*limits };
    let again =
        Message::parse(bytes.clone(), &limits).unwrap_or_else(|error| panic!("{error:?}: {}", shown()));
    assert_eq!(again.request_uri().ok(), Some(uri.without_headers()));
    assert_eq!((again.from_tag(), again.to_tag()), (request.from_tag(), request.to_tag()));
    assert_eq!((again.call_id(), again.cseq()), (request.call_id(), request.cseq()));
    assert_eq!((again.branch(), again.body()), (request.branch(), request.body()));
    assert_eq!(again.from().ok().map(|again| again.to_string()), Some(from.to_string()));
}

/// A refusal is well formed, whatever is refused.
fn refuse(error: &ParseError) {
    let Some(salvage) = &error.salvage else { return };
    let _ = (salvage.top_via(), salvage.call_id());
    let bytes = ResponseBuilder::refusing(salvage, source(), "Bad Request").build();
    let shown = || String::from_utf8_lossy(&bytes).into_owned();
    wellformed::refusal(&bytes).unwrap_or_else(|fault| panic!("{fault} in\n{}", shown()));
}

fn source() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], 5060))
}
