//! Requests that cross others: INVITE, UPDATE, and offers (RFC 3261 §14, RFC 3311 §5).

use super::alone::{Alone, CONTACT, answer_to, invite, request, session, tag_of, with_session};
use crate::{
    endpoint::{ActError, DialogId, Inside, Reply},
    header_name::HeaderName,
    message::Message,
    method::Method,
    status::StatusCode,
};

/// A call of the peer that we took; acknowledged. The dialog, and what To says in it.
fn taken_call(alone: &mut Alone) -> (DialogId, String) {
    alone.receive(&with_session(&invite("1")));
    let (transaction, ..) = alone.requested();
    let reply = Reply { body: Some(session()), ..Reply::new(StatusCode::OK) };
    let dialog = alone.reply(transaction, &reply).expect("may be sent").expect("a dialog");
    let tag = tag_of(&alone.taken_one());
    alone.receive(&request("ACK", 1, "ack", &tag));
    alone.events();
    (dialog, tag)
}

fn offer() -> Inside {
    Inside { body: Some(session()), ..Inside::default() }
}

fn send(alone: &mut Alone, dialog: DialogId, method: &Method, inside: &Inside) -> Message {
    alone.send_inside(dialog, method, inside).expect("may be sent");
    alone.taken_one()
}

#[test]
fn a_re_invite_that_crosses_ours_gets_491() {
    let mut alone = Alone::udp();
    let (dialog, tag) = taken_call(&mut alone);
    send(&mut alone, dialog, &Method::Invite, &offer());
    alone.receive(&with_session(&request("INVITE", 2, "2", &tag)));
    assert_eq!(alone.sent(), ["491"]);
    assert!(alone.events().is_empty());
}

#[test]
fn a_second_re_invite_before_the_answer_to_the_first_gets_500_and_when_to_come_again() {
    let mut alone = Alone::udp();
    let (_, tag) = taken_call(&mut alone);
    alone.receive(&with_session(&request("INVITE", 2, "2", &tag)));
    alone.requested();
    alone.receive(&with_session(&request("INVITE", 3, "3", &tag)));
    let refused = alone.taken_one();
    assert_eq!(refused.status(), Some(StatusCode::SERVER_INTERNAL_ERROR));
    let after: u32 =
        refused.header_text(HeaderName::RetryAfter).unwrap_or_default().parse().expect("seconds");
    assert!(after <= 10);
}

#[test]
fn an_update_with_an_offer_that_crosses_ours_gets_491_and_one_without_is_served() {
    let mut alone = Alone::udp();
    let (dialog, tag) = taken_call(&mut alone);
    for (branch, ours) in [("a", Method::Update), ("b", Method::Invite)] {
        let sent = send(&mut alone, dialog, &ours, &offer());
        let cseq = if branch == "a" { 2 } else { 4 };
        alone.receive(&with_session(&request("UPDATE", cseq, branch, &tag)));
        assert_eq!(alone.sent(), ["491"], "{ours}");
        alone.receive(&request("UPDATE", cseq + 1, &format!("{branch}2"), &tag));
        let (refresh, ..) = alone.requested();
        alone.respond(refresh, 200);
        assert_eq!(alone.sent(), ["200"], "{ours}");
        alone.answer(&sent, 488, "", "");
        alone.events();
        alone.taken();
    }
    alone.receive(&with_session(&request("UPDATE", 6, "c", &tag)));
    alone.requested();
}

#[test]
fn an_update_before_the_answer_to_the_one_before_gets_500_with_or_without_offer() {
    let mut alone = Alone::udp();
    let (_, tag) = taken_call(&mut alone);
    alone.receive(&request("UPDATE", 2, "2", &tag));
    let (first, ..) = alone.requested();
    alone.receive(&request("UPDATE", 3, "3", &tag));
    assert_eq!(alone.sent(), ["500"]);
    alone.respond(first, 200);
    alone.taken();
    alone.receive(&request("UPDATE", 4, "4", &tag));
    alone.requested();
}

#[test]
fn an_offer_before_the_answer_to_the_one_before_gets_500() {
    let mut alone = Alone::udp();
    let (_, tag) = taken_call(&mut alone);
    alone.receive(&with_session(&request("UPDATE", 2, "2", &tag)));
    let (update, ..) = alone.requested();
    alone.receive(&with_session(&request("INVITE", 3, "3", &tag)));
    assert_eq!(alone.sent(), ["500"]);
    alone.respond(update, 488);
    alone.taken();
    alone.receive(&with_session(&request("INVITE", 4, "4", &tag)));
    let (again, ..) = alone.requested();
    alone.receive(&with_session(&request("UPDATE", 5, "5", &tag)));
    assert_eq!(alone.sent(), ["500"], "the INVITE has no answer yet");
    alone.respond(again, 488);
}

#[test]
fn an_update_in_the_early_dialog_waits_for_the_answer_to_the_invite() {
    let mut alone = Alone::udp();
    alone.receive(&with_session(&invite("1").replace("Max-Forwards", "Supported: 100rel\nMax-Forwards")));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 180);
    let tag = tag_of(&alone.taken_one());
    alone.receive(&with_session(&request("UPDATE", 2, "2", &tag)));
    assert_eq!(alone.sent(), ["500"], "the offer of the INVITE has no answer");
    let early = Reply { body: Some(session()), ..Reply::new(StatusCode::SESSION_PROGRESS).reliable() };
    let dialog = alone.reply(transaction, &early).expect("may be sent").expect("a dialog");
    alone.taken();
    alone.receive(&with_session(&request("UPDATE", 3, "3", &tag)));
    let (update, inside, _) = alone.requested();
    assert_eq!(inside, Some(dialog));
    alone.respond(update, 200);
    assert_eq!(alone.sent(), ["200"]);
    assert!(alone.send_inside(dialog, &Method::Update, &offer()).is_ok(), "in the other direction too");
}

#[test]
fn the_offer_in_our_2xx_is_open_until_the_ack() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    let reply = Reply { body: Some(session()), ..Reply::new(StatusCode::OK) };
    let dialog = alone.reply(transaction, &reply).expect("may be sent").expect("a dialog");
    let tag = tag_of(&alone.taken_one());
    assert_eq!(alone.send_inside(dialog, &Method::Update, &offer()), Err(ActError::NotAllowed));
    alone.receive(&with_session(&request("UPDATE", 2, "2", &tag)));
    assert_eq!(alone.sent(), ["491"]);
    alone.receive(&request("ACK", 1, "ack", &tag));
    alone.events();
    assert!(alone.send_inside(dialog, &Method::Update, &offer()).is_ok());
}

#[test]
fn the_offer_in_the_peers_2xx_is_open_until_our_ack() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.receive(&with_session(&answer_to(&invite, 200, "um", CONTACT)));
    let dialog = alone.responded().1.expect("a dialog");
    assert_eq!(alone.send_inside(dialog, &Method::Update, &offer()), Err(ActError::NotAllowed));
    let flow = alone.flow;
    alone.endpoint.ack(dialog, flow, &offer()).expect("an ACK is owed");
    assert!(alone.send_inside(dialog, &Method::Update, &offer()).is_ok());
    assert_eq!(alone.send_inside(dialog, &Method::Update, &Inside::default()), Err(ActError::NotAllowed));
}

#[test]
fn an_offer_that_was_never_answered_does_not_block_for_ever() {
    let mut alone = Alone::udp();
    let (dialog, _) = taken_call(&mut alone);
    send(&mut alone, dialog, &Method::Update, &offer());
    alone.pass(32_000);
    alone.events();
    alone.taken();
    assert!(alone.send_inside(dialog, &Method::Invite, &offer()).is_ok());
}

#[test]
fn a_request_with_a_lower_cseq_gets_500() {
    let mut alone = Alone::udp();
    let (_, tag) = taken_call(&mut alone);
    alone.receive(&request("INFO", 9, "9", &tag));
    alone.requested();
    alone.receive(&request("INFO", 8, "8", &tag));
    let refused = alone.taken_one();
    assert_eq!(refused.status(), Some(StatusCode::SERVER_INTERNAL_ERROR));
    assert!(refused.header(HeaderName::RetryAfter).is_some());
}

#[test]
fn a_refused_re_invite_does_not_move_the_remote_target() {
    let mut alone = Alone::udp();
    let (dialog, tag) = taken_call(&mut alone);
    for (cseq, method, status, target) in [
        (2, "INVITE", 488, "sip:5551234@192.0.2.9:5070"),
        (3, "UPDATE", 500, "sip:5551234@192.0.2.9:5070"),
        (4, "UPDATE", 200, "sip:5551234@192.0.2.9:5094"),
        (5, "INVITE", 200, "sip:5551234@192.0.2.9:5095"),
    ] {
        let moved = format!(":509{cseq}>");
        alone.receive(&request(method, cseq, &format!("t{cseq}"), &tag).replace(":5070>", &moved));
        let (transaction, ..) = alone.requested();
        alone.respond(transaction, status);
        alone.taken();
        let known = alone.endpoint.dialog(dialog).expect("a dialog");
        assert_eq!(known.remote_target().to_string(), target, "{status} to {method}");
    }
}
