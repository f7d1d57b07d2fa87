//! Requests inside of dialogs: route set, remote target, CSeq, BYE that waits.

use super::alone::{Alone, CONTACT, invite, name, request, tag_of};
use crate::{
    dialog::{Role, State},
    endpoint::{ActError, DialogId, Event, Extra, Inside},
    header_name::HeaderName,
    message::Message,
    method::Method,
};

/// A call of the peer that we took; acknowledged.
fn taken_call(alone: &mut Alone, more: &str) -> (DialogId, Message) {
    alone.receive(&invite("1").replace("Max-Forwards", &format!("{more}Max-Forwards")));
    let (transaction, ..) = alone.requested();
    let dialog = alone.respond(transaction, 200).expect("a dialog");
    let ok = alone.taken_one();
    alone.receive(&request("ACK", 1, "ack", &tag_of(&ok)));
    alone.events();
    (dialog, ok)
}

fn send(alone: &mut Alone, dialog: DialogId, method: &Method) -> Message {
    let flow = alone.flow;
    let inside = Inside::default();
    alone.endpoint.request_inside(alone.now, dialog, flow, method, &inside).expect("a dialog that is up");
    alone.taken_one()
}

fn routes(message: &Message) -> Vec<String> {
    message.values(HeaderName::Route).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn our_requests_swap_from_and_to_and_count_up() {
    let mut alone = Alone::udp();
    let (dialog, ok) = taken_call(&mut alone, "");
    let info = send(&mut alone, dialog, &Method::Info);
    assert_eq!((info.from_tag(), info.to_tag()), (ok.to_tag(), Some("peer")));
    assert_eq!(info.call_id(), "call@192.0.2.9");
    assert_eq!(info.request_uri_bytes(), b"sip:5551234@192.0.2.9:5070");
    assert_eq!(info.cseq().number, 1);
    assert_eq!(send(&mut alone, dialog, &Method::Options).cseq().number, 2);
    let known = alone.endpoint.dialog(dialog).expect("a dialog");
    assert_eq!((known.role(), known.state(), known.remote_cseq()), (Role::Uas, State::Confirmed, Some(1)));
}

#[test]
fn the_uas_keeps_the_route_set_in_order() {
    let mut alone = Alone::udp();
    let record = "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\n";
    let (dialog, ok) = taken_call(&mut alone, record);
    assert_eq!(ok.values(HeaderName::RecordRoute).count(), 2, "the 200 repeats it");
    let next_hop = alone.endpoint.dialog(dialog).expect("a dialog").next_hop().to_string();
    assert_eq!(next_hop, "sip:p2.example.com;lr");
    let info = send(&mut alone, dialog, &Method::Info);
    assert_eq!(routes(&info), ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]);
    assert_eq!(info.request_uri_bytes(), b"sip:5551234@192.0.2.9:5070");
}

#[test]
fn the_uac_takes_the_route_set_of_the_200_in_reverse() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    let early = format!("{CONTACT}Record-Route: <sip:early.example.com;lr>\n");
    alone.answer(&invite, 180, "um", &early);
    alone.events();
    let record = "Record-Route: <sip:p2.example.com;lr>\nRecord-Route: <sip:p1.example.com;lr>\n";
    alone.answer(&invite, 200, "um", &format!("{CONTACT}{record}"));
    let (_, dialog, _) = alone.responded();
    let flow = alone.flow;
    alone.endpoint.ack(dialog.expect("a dialog"), flow, &Inside::default()).expect("an ACK is owed");
    let ack = alone.taken_one();
    assert_eq!(routes(&ack), ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]);
}

#[test]
fn a_strict_router_gets_itself_in_the_request_uri() {
    let mut alone = Alone::udp();
    let (dialog, _) = taken_call(&mut alone, "Record-Route: <sip:strict.example.com>\n");
    let info = send(&mut alone, dialog, &Method::Info);
    assert_eq!(info.request_uri_bytes(), b"sip:strict.example.com");
    assert_eq!(routes(&info), ["<sip:5551234@192.0.2.9:5070>"]);
}

#[test]
fn a_re_invite_of_the_peer_moves_the_remote_target() {
    let mut alone = Alone::udp();
    let (dialog, ok) = taken_call(&mut alone, "");
    let again = request("INVITE", 2, "2", &tag_of(&ok)).replace(":5070>", ":5099>");
    alone.receive(&again);
    let (transaction, inside, _) = alone.requested();
    assert_eq!(inside, Some(dialog));
    assert_eq!(alone.respond(transaction, 200), Some(dialog));
    alone.taken();
    alone.receive(&request("ACK", 2, "a2", &tag_of(&ok)));
    assert!(matches!(alone.event(), Event::Acknowledged { dialog: of, .. } if of == dialog));
    assert_eq!(send(&mut alone, dialog, &Method::Info).request_uri_bytes(), b"sip:5551234@192.0.2.9:5099");
}

#[test]
fn a_refused_re_invite_leaves_the_dialog() {
    let mut alone = Alone::udp();
    let (dialog, ok) = taken_call(&mut alone, "");
    alone.receive(&request("INVITE", 2, "2", &tag_of(&ok)));
    let (transaction, ..) = alone.requested();
    assert_eq!(alone.respond(transaction, 488), Some(dialog));
    alone.taken();
    alone.receive(&request("ACK", 2, "2", &tag_of(&ok)));
    assert!(alone.events().is_empty());
    assert_eq!(name(&send(&mut alone, dialog, &Method::Invite)), "INVITE");
}

#[test]
fn our_re_invite_moves_the_remote_target_and_is_acknowledged() {
    let mut alone = Alone::udp();
    let (dialog, _) = taken_call(&mut alone, "");
    let again = send(&mut alone, dialog, &Method::Invite);
    assert!(again.header(HeaderName::Contact).is_some_and(|value| value.starts_with(b"<sip:6000@")));
    alone.answer(&again, 200, "", "Contact: <sip:moved@192.0.2.9>\n");
    assert_eq!(alone.responded().1, Some(dialog));
    let flow = alone.flow;
    alone.endpoint.ack(dialog, flow, &Inside::default()).expect("an ACK is owed");
    let ack = alone.taken_one();
    assert_eq!((ack.request_uri_bytes(), ack.cseq().number), (&b"sip:moved@192.0.2.9"[..], 1));
    assert_eq!(alone.endpoint.dialogs(), 1);
}

#[test]
fn an_answered_bye_must_not_overtake_the_ack() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    let dialog = alone.respond(transaction, 200).expect("a dialog");
    let ok = alone.taken_one();
    let flow = alone.flow;
    let reason = vec![Extra::Named(HeaderName::Reason, "SIP;cause=480".into())];
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, reason), Ok(None));
    assert!(alone.sent().is_empty());
    alone.receive(&request("ACK", 1, "ack", &tag_of(&ok)));
    let bye = alone.taken_one();
    assert_eq!((name(&bye), bye.header(HeaderName::Reason)), ("BYE".into(), Some(&b"SIP;cause=480"[..])));
    alone.answer(&bye, 200, "", "");
    assert_eq!(alone.endpoint.dialogs(), 0);
}

#[test]
fn a_bye_that_waits_goes_when_the_ack_is_given_up() {
    let mut alone = Alone::tcp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    let dialog = alone.respond(transaction, 200).expect("a dialog");
    let flow = alone.flow;
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, Vec::new()), Ok(None));
    alone.pass(32_000);
    assert_eq!(alone.sent().pop().as_deref(), Some("BYE"));
    assert!(alone.events().is_empty(), "nobody needs to hear of the missing ACK");
    alone.assert_empty_after(32_000);
}

#[test]
fn the_callee_of_an_early_dialog_cannot_send_bye() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    let dialog = alone.respond(transaction, 180).expect("a dialog");
    let flow = alone.flow;
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, Vec::new()), Err(ActError::NotAllowed));
}

#[test]
fn a_forgotten_dialog_is_gone_without_a_word() {
    let mut alone = Alone::udp();
    let (dialog, ok) = taken_call(&mut alone, "");
    alone.endpoint.forget(dialog);
    assert!(alone.sent().is_empty());
    alone.receive(&request("BYE", 2, "b", &tag_of(&ok)));
    assert_eq!(alone.sent(), ["481"]);
}

#[test]
fn a_received_bye_ends_the_dialog_for_everything_else_at_once() {
    let mut alone = Alone::udp();
    let (dialog, ok) = taken_call(&mut alone, "");
    alone.receive(&request("BYE", 2, "b", &tag_of(&ok)));
    let (bye, ..) = alone.requested();
    let flow = alone.flow;
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, Vec::new()), Err(ActError::Gone));
    alone.receive(&request("INFO", 3, "i", &tag_of(&ok)));
    alone.receive(&request("BYE", 4, "b2", &tag_of(&ok)));
    assert!(alone.events().is_empty());
    assert_eq!(alone.sent(), ["481", "200"]);
    alone.respond(bye, 200);
    assert_eq!(alone.endpoint.dialogs(), 0);
}

#[test]
fn the_answer_makes_room_for_the_next_invite_in_either_direction() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "um", CONTACT);
    alone.events();
    alone.answer(&invite, 200, "um", CONTACT);
    let dialog = alone.responded().1.expect("a dialog");
    let flow = alone.flow;
    alone.endpoint.ack(dialog, flow, &Inside::default()).expect("an ACK is owed");
    alone.taken();
    let tag = format!(";tag={}", invite.from_tag().unwrap_or_default());
    let again = request("INVITE", 1, "r", &tag).replace("call@192.0.2.9", invite.call_id());
    alone.receive(&again.replace("tag=peer", "tag=um"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 488);
    alone.taken();
    assert_eq!(send(&mut alone, dialog, &Method::Invite).cseq().number, 2);
}

/// RFC 3261 §12.2.1.1, in the direction of the UAC: the set is reversed before its first hop is asked.
#[test]
fn the_uac_of_a_strict_router_sends_it_in_the_request_uri_too() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    let record = "Record-Route: <sip:p2.example.com;lr>, <sip:strict.example.com>\n";
    alone.answer(&invite, 200, "um", &format!("{CONTACT}{record}"));
    let dialog = alone.responded().1.expect("a dialog");
    let flow = alone.flow;
    alone.endpoint.ack(dialog, flow, &Inside::default()).expect("an ACK is owed");
    let ack = alone.taken_one();
    for request in [ack, send(&mut alone, dialog, &Method::Info)] {
        assert_eq!(request.request_uri_bytes(), b"sip:strict.example.com");
        assert_eq!(routes(&request), ["<sip:p2.example.com;lr>", "<sip:um@192.0.2.9:5080>"]);
    }
    let next_hop = alone.endpoint.dialog(dialog).expect("a dialog").next_hop().to_string();
    assert_eq!(next_hop, "sip:strict.example.com");
}

/// RFC 3261 §12.2: neither a re-INVITE nor its answer changes the route set.
#[test]
fn the_route_set_stays_when_the_target_moves() {
    let mut alone = Alone::udp();
    let (dialog, ok) = taken_call(&mut alone, "Record-Route: <sip:p1.example.com;lr>\n");
    let again = request("INVITE", 2, "2", &tag_of(&ok));
    alone.receive(&again.replace("Max-Forwards", "Record-Route: <sip:other.example.com;lr>\nMax-Forwards"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 200);
    alone.taken();
    alone.receive(&request("ACK", 2, "a2", &tag_of(&ok)));
    alone.events();
    assert_eq!(routes(&send(&mut alone, dialog, &Method::Info)), ["<sip:p1.example.com;lr>"]);
}

/// RFC 3261 §13.3.1.4: the ACK of an older INVITE does not stop the repetitions of a newer 2xx.
#[test]
fn a_stale_ack_acknowledges_nothing() {
    let mut alone = Alone::udp();
    let (_, ok) = taken_call(&mut alone, "");
    alone.receive(&request("INVITE", 2, "2", &tag_of(&ok)));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 200);
    alone.taken();
    alone.receive(&request("ACK", 1, "a1", &tag_of(&ok)));
    assert!(alone.events().is_empty());
    alone.pass(500);
    assert_eq!(alone.sent(), ["200"], "still repeated");
    alone.receive(&request("ACK", 2, "a2", &tag_of(&ok)));
    assert!(matches!(alone.event(), Event::Acknowledged { .. }));
}
