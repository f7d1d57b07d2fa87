//! Requests received: matching, answering, 2xx until ACK.

use super::alone::{Alone, PEER, address, invite, name, request, tag_of};
use crate::{
    endpoint::{ActError, Event, Reply},
    flow::{ConnectionId, Flow},
    header_name::HeaderName,
    message::Message,
    status::StatusCode,
};

/// Takes the call with a 200 and returns it.
fn accept(alone: &mut Alone) -> Message {
    alone.receive(&invite("1"));
    let (transaction, dialog, _) = alone.requested();
    assert_eq!(dialog, None);
    assert!(alone.respond(transaction, 200).is_some());
    alone.taken_one()
}

fn ack(alone: &mut Alone, ok: &Message) {
    alone.receive(&request("ACK", 1, "ack", &tag_of(ok)));
}

#[test]
fn a_call_comes_is_acknowledged_and_hung_up_by_the_peer() {
    let mut alone = Alone::udp();
    let ok = accept(&mut alone);
    ack(&mut alone, &ok);
    assert!(matches!(alone.event(), Event::Acknowledged { .. }));
    alone.receive(&request("BYE", 2, "bye", &tag_of(&ok)));
    let (bye, dialog, _) = alone.requested();
    assert!(dialog.is_some());
    assert_eq!(alone.respond(bye, 200), None, "the dialog is over");
    assert_eq!(alone.sent(), ["200"]);
    assert_eq!(alone.endpoint.dialogs(), 0);
    alone.assert_empty_after(32_000);
}

#[test]
fn absorbs_a_retransmitted_invite() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 180);
    alone.receive(&invite("1"));
    assert_eq!(alone.sent(), ["180", "180"]);
    assert!(alone.events().is_empty());
    assert_eq!(alone.endpoint.counters().retransmissions_received, 1);
}

#[test]
fn sends_100_when_the_user_is_slow() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    alone.pass(199);
    assert!(alone.sent().is_empty());
    alone.pass(1);
    let trying = alone.taken_one();
    assert_eq!(name(&trying), "100");
    assert_eq!(trying.to_tag(), None);
    assert_eq!(alone.endpoint.counters().retransmissions_sent, 0);
}

#[test]
fn every_response_has_the_same_to_tag_of_this_shard() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 180);
    alone.respond(transaction, 200);
    let tags: Vec<_> = alone.taken().iter().map(|(_, message)| tag_of(message)).collect();
    assert_eq!(tags[0], tags[1]);
    assert_eq!(crate::shard::of_tag(&tags[0].as_bytes()[5..]), Some(0));
}

#[test]
fn the_200_carries_our_contact_with_the_shard() {
    let mut alone = Alone::tcp();
    let ok = accept(&mut alone);
    let contact = ok.header_text(HeaderName::Contact).expect("a Contact");
    assert_eq!(contact, "<sip:6000@192.0.2.1:5060;transport=tcp;um-shard=0>");
}

#[test]
fn repeats_the_200_on_every_transport_until_the_ack() {
    for mut alone in [Alone::udp(), Alone::tcp()] {
        let ok = accept(&mut alone);
        alone.pass(3_500);
        assert_eq!(alone.sent(), ["200", "200", "200"]);
        ack(&mut alone, &ok);
        alone.pass(10_000);
        assert!(alone.sent().is_empty());
        assert_eq!(alone.endpoint.counters().retransmissions_sent, 3);
    }
}

#[test]
fn a_200_never_acknowledged_is_reported_after_64_t1() {
    let mut alone = Alone::udp();
    accept(&mut alone);
    alone.pass(32_000);
    assert_eq!(alone.sent().len(), 10);
    let Event::AckMissing { dialog } = alone.event() else { panic!("no AckMissing") };
    let flow = alone.flow;
    let bye = alone.endpoint.bye(alone.now, dialog, flow, Vec::new());
    assert!(matches!(bye, Ok(Some(_))));
    assert_eq!(alone.sent(), ["BYE"]);
}

#[test]
fn an_ack_with_the_branch_of_the_invite_counts() {
    let mut alone = Alone::udp();
    let ok = accept(&mut alone);
    alone.receive(&request("ACK", 1, "1", &tag_of(&ok)));
    assert!(matches!(alone.event(), Event::Acknowledged { .. }));
}

#[test]
fn a_repeated_ack_is_no_event() {
    let mut alone = Alone::udp();
    let ok = accept(&mut alone);
    ack(&mut alone, &ok);
    alone.events();
    ack(&mut alone, &ok);
    assert!(alone.events().is_empty());
}

#[test]
fn only_tags_and_call_id_decide_where_an_ack_belongs() {
    let mut alone = Alone::udp();
    let ok = accept(&mut alone);
    let other = request("ACK", 1, "a", &tag_of(&ok)).replace("tag=peer", "tag=other");
    alone.receive(&other);
    assert!(alone.events().is_empty());
    alone.receive(&request("ACK", 1, "b", &tag_of(&ok)).replace("sip:6000@192.0.2.1 ", "sip:service@host "));
    assert!(matches!(alone.event(), Event::Acknowledged { .. }));
}

#[test]
fn a_failure_is_repeated_until_its_ack_which_is_absorbed() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    assert_eq!(alone.respond(transaction, 486), None);
    alone.pass(500);
    let taken = alone.taken();
    assert_eq!(taken.len(), 2);
    alone.receive(&request("ACK", 1, "1", &tag_of(&taken[0].1)));
    assert!(alone.events().is_empty());
    alone.pass(4_000);
    assert!(alone.sent().is_empty());
    alone.assert_empty_after(5_000);
}

#[test]
fn a_failure_never_acknowledged_is_counted() {
    let mut alone = Alone::tcp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 486);
    alone.assert_empty_after(32_000);
    assert_eq!(alone.endpoint.counters().failures_unacknowledged, 1);
}

#[test]
fn an_early_dialog_ends_with_the_failure() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    assert!(alone.respond(transaction, 180).is_some());
    assert_eq!(alone.endpoint.dialogs(), 1);
    assert_eq!(alone.respond(transaction, 486), None);
    assert_eq!(alone.endpoint.dialogs(), 0);
}

#[test]
fn a_second_final_response_is_refused() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 200);
    let reply = Reply::new(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(alone.endpoint.respond(alone.now, transaction, &reply), Err(ActError::NotAllowed));
    alone.pass(32_000);
    assert_eq!(alone.endpoint.respond(alone.now, transaction, &reply), Err(ActError::Gone));
}

#[test]
fn responses_follow_rport_and_otherwise_the_port_of_sent_by() {
    for (text, to) in [
        (invite("1"), "192.0.2.9:40000"),
        (invite("1").replace(";rport", ""), PEER),
        (invite("1").replace("192.0.2.9:5070;rport", "host.example.com"), "192.0.2.9:5060"),
    ] {
        let mut alone = Alone::udp();
        alone.flow.remote = address("192.0.2.9:40000");
        alone.receive(&text);
        let (transaction, ..) = alone.requested();
        alone.respond(transaction, 404);
        let (flow, message) = alone.taken().remove(0);
        assert_eq!((flow.remote, name(&message)), (address(to), "404".into()));
    }
}

#[test]
fn responses_go_back_on_their_connection_and_on_a_new_one_if_that_is_lost() {
    let mut alone = Alone::tcp();
    alone.flow.remote = address("192.0.2.9:40000");
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 180);
    assert_eq!(alone.taken().remove(0).0, alone.flow);
    alone.endpoint.handle_connection_lost(alone.now, ConnectionId { shard: 0, serial: 1 });
    alone.respond(transaction, 200);
    let expected = Flow { remote: address(PEER), connection: None, ..alone.flow };
    assert_eq!(alone.taken().remove(0).0, expected);
}

#[test]
fn a_request_never_answered_ends_in_silence() {
    let mut alone = Alone::udp();
    alone.receive(&request("OPTIONS", 1, "1", ""));
    alone.requested();
    alone.pass(3_500);
    assert_eq!(alone.sent(), ["100"], "RFC 4320");
    alone.assert_empty_after(32_000);
    assert_eq!(alone.endpoint.counters().requests_unanswered, 1);
}

#[test]
fn a_request_of_rfc_2543_without_the_magic_cookie_is_matched_too() {
    let mut alone = Alone::udp();
    let options = |cseq| request("OPTIONS", cseq, "", "").replace(";branch=z9hG4bK", "");
    alone.receive(&options(1));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 200);
    alone.receive(&options(1));
    assert_eq!(alone.sent(), ["200", "200"]);
    alone.receive(&options(2));
    alone.requested();
}

#[test]
fn a_cancel_is_answered_and_reported_once() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 180);
    let ringing = alone.taken_one();
    alone.receive(&request("CANCEL", 1, "1", ""));
    assert!(matches!(alone.event(), Event::Cancelled { transaction: of, .. } if of == transaction));
    assert_eq!(tag_of(&alone.taken_one()), tag_of(&ringing), "the 200 has the tag of the INVITE");
    alone.receive(&request("CANCEL", 1, "1", ""));
    assert!(alone.events().is_empty());
    alone.respond(transaction, 487);
    assert_eq!(alone.sent(), ["200", "487"]);
}

#[test]
fn a_cancel_that_comes_too_late_is_answered_and_changes_nothing() {
    let mut alone = Alone::udp();
    accept(&mut alone);
    alone.receive(&request("CANCEL", 1, "1", ""));
    assert!(alone.events().is_empty());
    assert_eq!(alone.sent(), ["200"]);
    assert_eq!(alone.endpoint.dialogs(), 1);
}
