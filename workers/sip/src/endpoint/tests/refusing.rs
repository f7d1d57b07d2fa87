//! What the endpoint refuses or drops by itself, and the counters of it.

use bytes::Bytes;

use super::alone::{Alone, CONTACT, answer_to, invite, name, request, tag_of};
use crate::{
    endpoint::{ActError, Config, DropReason, Inside, RefuseReason},
    flow::{LineIndex, Transport},
    header_name::HeaderName,
    method::Method,
};

#[test]
fn what_is_in_no_dialog_gets_481() {
    let mut alone = Alone::udp();
    for (method, to) in [("BYE", ";tag=um0-x"), ("BYE", ""), ("OPTIONS", ";tag=gone"), ("CANCEL", "")] {
        alone.receive(&request(method, 2, "1", to));
        assert_eq!(alone.sent(), ["481"], "{method} {to}");
    }
    assert!(alone.events().is_empty());
    assert_eq!(alone.endpoint.counters().refused(RefuseReason::NoDialog), 4);
    assert_eq!(alone.endpoint.transactions(), 0);
}

#[test]
fn a_stray_ack_is_dropped() {
    let mut alone = Alone::udp();
    alone.receive(&request("ACK", 1, "1", ";tag=um0-x"));
    assert!(alone.sent().is_empty());
    assert_eq!(alone.endpoint.counters().dropped(DropReason::StrayAck), 1);
}

#[test]
fn a_stray_response_is_dropped() {
    let mut alone = Alone::udp();
    let (_, options) = Alone::tcp().request(Method::Options);
    alone.answer(&options, 200, "x", "");
    assert!(alone.events().is_empty());
    assert_eq!(alone.endpoint.counters().dropped(DropReason::StrayResponse), 1);
}

#[test]
fn the_same_request_over_a_second_way_gets_482() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    alone.requested();
    alone.receive(&invite("2"));
    assert!(alone.events().is_empty());
    assert_eq!(alone.sent(), ["482"]);
    assert_eq!(alone.endpoint.counters().refused(RefuseReason::Merged), 1);
}

#[test]
fn a_request_above_the_limit_gets_503_and_leaves_nothing() {
    let config = Config { max_transactions: 1, retry_after_secs: 5, ..Config::default() };
    let mut alone = Alone::with(Transport::Udp, config);
    alone.receive(&request("OPTIONS", 1, "1", ""));
    alone.requested();
    alone.receive(&invite("2"));
    let refusal = alone.taken_one();
    assert_eq!(name(&refusal), "503");
    let after: u32 =
        refusal.header_text(HeaderName::RetryAfter).and_then(|text| text.parse().ok()).expect("seconds");
    assert!((5..=10).contains(&after));
    alone.receive(&invite("2"));
    assert_eq!(tag_of(&alone.taken_one()), tag_of(&refusal), "the same answer to the repetition");
    assert_eq!(alone.endpoint.transactions(), 1);
    let draft = alone.draft(Method::Options);
    let flow = alone.flow;
    assert_eq!(alone.endpoint.request(alone.now, flow, &draft), Err(ActError::Full));
}

#[test]
fn an_invite_above_the_limit_of_dialogs_gets_503() {
    let mut alone = Alone::with(Transport::Udp, Config { max_dialogs: 0, ..Config::default() });
    alone.receive(&invite("1"));
    assert_eq!(alone.sent(), ["503"]);
    alone.receive(&request("OPTIONS", 1, "2", ""));
    alone.requested();
}

#[test]
fn a_request_out_of_order_gets_500_with_retry_after() {
    let mut alone = Alone::udp();
    alone.receive(&request("INVITE", 7, "1", ""));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 200);
    let ok = alone.taken_one();
    alone.receive(&request("INFO", 6, "2", &tag_of(&ok)));
    let refusal = alone.taken_one();
    assert_eq!(name(&refusal), "500");
    assert!(refusal.header(HeaderName::RetryAfter).is_some());
    alone.receive(&request("INFO", 8, "3", &tag_of(&ok)));
    alone.requested();
}

#[test]
fn a_second_invite_before_the_first_is_answered_gets_500() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 180);
    let ringing = alone.taken_one();
    alone.receive(&request("INVITE", 2, "2", &tag_of(&ringing)));
    assert_eq!(alone.sent(), ["500"]);
}

#[test]
fn a_re_invite_that_crosses_ours_gets_491() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    let dialog = alone.respond(transaction, 200).expect("a dialog");
    let ok = alone.taken_one();
    alone.receive(&request("ACK", 1, "a", &tag_of(&ok)));
    alone.events();
    let flow = alone.flow;
    let inside = Inside::default();
    alone.endpoint.request_inside(alone.now, dialog, flow, &Method::Invite, &inside).expect("room");
    let again = alone.endpoint.request_inside(alone.now, dialog, flow, &Method::Invite, &inside);
    assert_eq!(again, Err(ActError::NotAllowed));
    alone.receive(&request("INVITE", 2, "2", &tag_of(&ok)));
    assert_eq!(alone.sent(), ["INVITE", "491"]);
}

#[test]
fn a_bye_that_crosses_ours_is_answered_without_an_event() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 200, "peer", CONTACT);
    let (_, dialog, _) = alone.responded();
    let flow = alone.flow;
    alone.endpoint.bye(alone.now, dialog.expect("a dialog"), flow, Vec::new()).expect("a dialog to end");
    alone.taken();
    let our_tag = format!(";tag={}", invite.from_tag().unwrap_or_default());
    let bye = request("BYE", 1, "b", &our_tag).replace("call@192.0.2.9", invite.call_id());
    alone.receive(&bye);
    alone.receive(&bye.replace("BYE", "INFO"));
    assert_eq!(alone.sent(), ["200", "481"]);
    assert!(alone.events().is_empty());
}

#[test]
fn what_cannot_be_read_is_answered_where_it_can_be_addressed() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1").replace("CSeq: 1 INVITE\n", ""));
    alone.receive(&invite("1").replace("SIP/2.0\n", "SIP/7.0\n"));
    assert_eq!(alone.endpoint.counters().refused(RefuseReason::Malformed), 2);
    let expected = [
        "SIP/2.0 400 Bad Request (CSeq is missing)",
        "SIP/2.0 505 Version Not Supported (SIP version not supported)",
    ];
    assert_eq!(alone.start_lines(), expected);
}

#[test]
fn garbage_and_keep_alives_are_dropped_and_counted() {
    let mut alone = Alone::udp();
    alone.receive("\n\n");
    alone.receive("GET / HTTP/1.1\n\n");
    let flow = alone.flow;
    alone.endpoint.handle_message(alone.now, flow, Bytes::from_static(&[0xff; 100]));
    alone.receive(&request("ACK", 1, "1", "").replace("Call-ID", "X-Call-ID"));
    assert!(alone.sent().is_empty());
    let counters = alone.endpoint.counters();
    assert_eq!((counters.dropped(DropReason::KeepAlive), counters.dropped(DropReason::Malformed)), (1, 3));
}

#[test]
fn a_message_on_an_unknown_line_is_dropped() {
    let mut alone = Alone::udp();
    alone.endpoint.remove_line(LineIndex(0));
    alone.receive(&invite("1"));
    assert!(alone.events().is_empty());
    assert_eq!(alone.endpoint.counters().dropped(DropReason::UnknownLine), 1);
    let draft = alone.draft(Method::Options);
    let flow = alone.flow;
    assert_eq!(alone.endpoint.request(alone.now, flow, &draft), Err(ActError::UnknownLine));
}

#[test]
fn a_response_with_a_second_via_is_not_for_us() {
    let mut alone = Alone::udp();
    let (_, options) = alone.request(Method::Options);
    let text = answer_to(&options, 200, "x", "Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKother\n");
    alone.receive(&text);
    assert!(alone.events().is_empty());
    assert_eq!(alone.endpoint.counters().dropped(DropReason::StrayResponse), 1);
}
