//! What is written is well formed, whatever went in.

use std::net::SocketAddr;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    flow::Transport, header_name::HeaderName, host::HostPort, limits::Limits, message::Message,
    method::Method, name_addr::NameAddr, status::StatusCode, via::Via,
};

fn parse(bytes: impl Into<Bytes>) -> Message {
    let bytes = bytes.into();
    Message::parse(bytes.clone(), &Limits::default()).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

fn address(text: &str) -> NameAddr {
    NameAddr::parse(text.as_bytes()).expect(text)
}

fn source() -> SocketAddr {
    "192.0.2.9:40001".parse().expect("address")
}

fn builder(method: &Method, from: &NameAddr, call_id: &str) -> RequestBuilder {
    let via = Via::new(Transport::Udp, HostPort::parse(b"10.0.0.1:5060").expect("valid"), "z9hG4bKum0-1");
    RequestBuilder::new(&RequestHead {
        method,
        uri: &"sip:6000@um.example.com?x=y".parse().expect("valid"),
        via: &via,
        max_forwards: 69,
        from,
        to: &address("<sip:6000@um.example.com>"),
        call_id,
        cseq: 7,
    })
}

#[test]
fn a_request_has_all_that_it_must_have() {
    let route = address("<sip:proxy.example.com;lr>");
    let bytes = builder(&Method::Invite, &address("\"Dana\" <sip:2001@pbx.example.com>;tag=um0-2"), "abc")
        .route_set(&[route])
        .header(HeaderName::Supported, "timer")
        .body("application/sdp", "v=0\r\n")
        .build();
    let expected = "INVITE sip:6000@um.example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKum0-1\r\nMax-Forwards: 69\r\n\
        From: \"Dana\" <sip:2001@pbx.example.com>;tag=um0-2\r\nTo: <sip:6000@um.example.com>\r\nCall-ID: abc\r\nCSeq: 7 INVITE\r\n\
        Route: <sip:proxy.example.com;lr>\r\nSupported: timer\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

const REQUEST: &str = "INVITE sip:2001@10.0.0.1 SIP/2.0\r\n\
    v: SIP/2.0/UDP pc33.example.com;rport ;branch=z9hG4bKx;received=1.2.3.4, SIP/2.0/TCP b;branch=z9hG4bKy\r\n\
    Record-Route: <sip:p1;lr>,\r\n  <sip:p2;lr>\r\nVia: SIP/2.0/UDP c;branch=z9hG4bKz\r\n\
    FROM : \"J\\\"\" <sip:a@b> ;tag = 1\r\nt: <sip:2001@10.0.0.1>\r\ni: call\r\nCSeq:  5   INVITE\r\nTimestamp: 54\r\n\
    Diversion:<sip:x@y>;Reason=No-Answer\r\nl: 0\r\n\r\n";

#[test]
fn a_response_repeats_the_request_byte_by_byte() {
    let response = ResponseBuilder::new(&parse(REQUEST), source(), StatusCode::RINGING, "um1-9").build();
    let expected = "SIP/2.0 180 Ringing\r\n\
        v: SIP/2.0/UDP pc33.example.com;rport=40001;branch=z9hG4bKx;received=192.0.2.9, SIP/2.0/TCP b;branch=z9hG4bKy\r\n\
        Via: SIP/2.0/UDP c;branch=z9hG4bKz\r\nFROM : \"J\\\"\" <sip:a@b> ;tag = 1\r\nt: <sip:2001@10.0.0.1>;tag=um1-9\r\ni: call\r\n\
        CSeq:  5   INVITE\r\nRecord-Route: <sip:p1;lr>,\r\n  <sip:p2;lr>\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&response), expected);
}

#[test]
fn a_100_has_no_tag_and_a_refusal_no_route() {
    let request = parse(REQUEST);
    let trying = parse(ResponseBuilder::new(&request, source(), StatusCode::TRYING, "um1-9").build());
    assert_eq!((trying.to_tag(), trying.header(HeaderName::Timestamp)), (None, Some(&b"54"[..])));
    assert!(trying.header(HeaderName::RecordRoute).is_none());
    let busy = parse(ResponseBuilder::new(&request, source(), StatusCode::BUSY_HERE, "um1-9").build());
    assert_eq!((busy.to_tag(), busy.header(HeaderName::RecordRoute)), (Some("um1-9"), None));
}

#[test]
fn a_tag_that_is_there_is_kept() {
    let request = parse(REQUEST.replace("t: <sip:2001@10.0.0.1>", "t: <sip:2001@10.0.0.1>;tag=um3-old"));
    assert_eq!(
        parse(ResponseBuilder::new(&request, source(), StatusCode::OK, "um1-9").build()).to_tag(),
        Some("um3-old")
    );
}

/// RFC 3261 §18.2.1 and RFC 3581 §4.
#[test]
fn received_is_added_where_sent_by_is_not_the_source() {
    let top = |via: &str| {
        let text =
            REQUEST.replace("SIP/2.0/UDP pc33.example.com;rport ;branch=z9hG4bKx;received=1.2.3.4", via);
        let response = parse(ResponseBuilder::new(&parse(text), source(), StatusCode::OK, "t").build());
        response.top_via().expect("valid").to_string()
    };
    assert_eq!(
        top("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKx"),
        "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKx"
    );
    assert_eq!(top("SIP/2.0/UDP 192.0.2.9"), "SIP/2.0/UDP 192.0.2.9");
    assert_eq!(top("SIP/2.0/UDP 10.1.1.1"), "SIP/2.0/UDP 10.1.1.1;received=192.0.2.9");
    assert_eq!(
        top("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx;rport=1"),
        "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx;rport=40001;received=192.0.2.9"
    );
}

#[test]
fn a_request_with_line_feeds_is_answered_with_line_breaks() {
    let response =
        ResponseBuilder::new(&parse(REQUEST.replace("\r\n", "\n")), source(), StatusCode::OK, "t").build();
    let text = String::from_utf8(response.to_vec()).expect("text");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert!(text.contains("Record-Route: <sip:p1;lr>,\r\n  <sip:p2;lr>\r\n"));
}

#[test]
fn a_refused_request_is_answered_with_what_it_has() {
    let text = REQUEST.replace("i: call\r\n", "");
    let error = Message::parse(text.into(), &Limits::default()).map(|_| ()).expect_err("refused");
    let salvage = error.salvage.as_deref().expect("addressable");
    let response = ResponseBuilder::refusing(salvage, source(), &error.cause.to_string()).build();
    let text = String::from_utf8(response.to_vec()).expect("text");
    assert!(
        text.starts_with("SIP/2.0 400 Call-ID is missing\r\nv: SIP/2.0/UDP pc33.example.com;rport=40001;"),
        "{text}"
    );
    assert!(text.contains("\r\nCSeq:  5   INVITE\r\n") && text.ends_with("\r\nContent-Length: 0\r\n\r\n"));
}

/// RFC 3261 §17.1.1.3 and §9.1.
#[test]
fn ack_and_cancel_are_made_of_the_invite() {
    let from = address("<sip:a@b>;tag=um0-2");
    let invite = parse(
        builder(&Method::Invite, &from, "abc")
            .route_set(&[address("<sip:p;lr>")])
            .body("application/sdp", "v=0")
            .build(),
    );
    let refused = parse(ResponseBuilder::new(&invite, source(), StatusCode::BUSY_HERE, "peer").build());
    let ack = parse(ack_for_failure(&invite, &refused));
    assert_eq!((ack.method(), ack.cseq().number, ack.to_tag()), (&Method::Ack, 7, Some("peer")));
    let cancel = parse(cancel(&invite));
    assert_eq!((cancel.method(), cancel.cseq().number, cancel.to_tag()), (&Method::Cancel, 7, None));
    for made in [&ack, &cancel] {
        assert_eq!(made.branch(), invite.branch());
        assert_eq!(made.request_uri_bytes(), invite.request_uri_bytes());
        assert_eq!(made.header(HeaderName::Route), invite.header(HeaderName::Route));
        assert_eq!((made.values(HeaderName::Via).count(), made.body().len()), (1, 0));
    }
}

#[test]
fn copied_lines_are_the_same_bytes() {
    let request = parse(REQUEST);
    let from = address("<sip:a@b>;tag=1");
    let bytes = builder(&Method::Invite, &from, "abc").copy(&request, HeaderName::Diversion).build();
    assert!(String::from_utf8_lossy(&bytes).contains("\r\nDiversion:<sip:x@y>;Reason=No-Answer\r\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_can_begin_another_header_line(
        display in any::<String>(), tag in any::<String>(), call_id in any::<String>(), value in any::<String>(),
        name in any::<String>(), phrase in any::<String>(), user in any::<String>(), body in any::<Vec<u8>>(),
    ) {
        let user = address("<sip:b>").uri.with_user(Some(&user));
        let from = NameAddr::new(user).with_display(&display).with_tag(&tag);
        let request = builder(&Method::Invite, &from, &call_id)
            .header(HeaderName::Subject, &value).header_named(&name, &value).body("text/plain", body.clone()).build();
        let response = ResponseBuilder::with_phrase(&parse(REQUEST), source(), StatusCode::OK, &phrase, &tag)
            .header(HeaderName::Reason, &value).header_named(&name, &value).body(&value, body.clone()).build();
        for (bytes, own) in [(&request, 8), (&response, 8)] {
            let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("ended");
            let head = &bytes[..head_end];
            let lines = head.split(|byte| *byte == b'\n').count();
            let named = usize::from(crate::scan::token_text(name.as_bytes()).is_some());
            let content_type = usize::from(!body.is_empty());
            // Start line, what is always there, and one of each that was added; folds of copied lines count too.
            prop_assert!(lines <= 1 + own + 1 + named + content_type + 1);
            prop_assert!(head.iter().all(|byte| !matches!(byte, 0 | 0x7f)));
            prop_assert_eq!(&bytes[head_end + 4..], &body[..]);
        }
    }
}
