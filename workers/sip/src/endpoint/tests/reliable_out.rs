//! Our reliable provisional responses and the PRACKs of the peer (RFC 3262 §3).

use super::alone::{Alone, invite, name, request, session, tag_of, with_session};
use crate::{
    dialog::State,
    endpoint::{ActError, DialogId, Event, Reply, ServerTransaction},
    header_name::HeaderName,
    message::Message,
    status::StatusCode,
};

/// An INVITE of a peer that supports 100rel, with an offer.
fn ringing_peer(alone: &mut Alone) -> ServerTransaction {
    let text = invite("1").replace("Max-Forwards", "Supported: timer, 100rel\nMax-Forwards");
    alone.receive(&with_session(&text));
    alone.requested().0
}

fn ring(alone: &mut Alone, transaction: ServerTransaction) -> (DialogId, Message) {
    let reply = Reply::new(StatusCode::RINGING).reliable();
    let dialog = alone.reply(transaction, &reply).expect("may be sent").expect("a dialog");
    (dialog, alone.taken_one())
}

fn progress() -> Reply {
    Reply { body: Some(session()), ..Reply::new(StatusCode::SESSION_PROGRESS).reliable() }
}

fn ok() -> Reply {
    Reply { body: Some(session()), ..Reply::new(StatusCode::OK) }
}

fn rseq(message: &Message) -> u32 {
    message.header_text(HeaderName::RSeq).and_then(|value| value.parse().ok()).expect("an RSeq")
}

fn prack(cseq: u32, response: &Message) -> String {
    prack_of(cseq, response, &format!("{} 1 INVITE", rseq(response)))
}

fn prack_of(cseq: u32, response: &Message, rack: &str) -> String {
    let text = request("PRACK", cseq, &format!("p{cseq}"), &tag_of(response));
    text.replace("Max-Forwards", &format!("RAck: {rack}\nMax-Forwards"))
}

#[test]
fn a_reliable_response_says_so_and_is_repeated_until_its_prack() {
    let mut alone = Alone::tcp();
    let transaction = ringing_peer(&mut alone);
    let (dialog, ringing) = ring(&mut alone, transaction);
    assert!(ringing.lists_token(HeaderName::Require, "100rel"));
    assert!((1..1 << 31).contains(&rseq(&ringing)));
    assert!(ringing.header(HeaderName::Contact).is_some());
    alone.pass(3_500);
    assert_eq!(alone.sent(), ["180", "180", "180"], "on a stream too");
    alone.receive(&prack(2, &ringing));
    let (prack, inside, message) = alone.requested();
    assert_eq!((inside, name(&message)), (Some(dialog), "PRACK".into()));
    alone.respond(prack, 200);
    assert_eq!(alone.sent(), ["200"]);
    alone.pass(20_000);
    assert!(alone.sent().is_empty());
    alone.respond(transaction, 486);
    alone.taken();
    alone.assert_empty_after(32_000);
}

#[test]
fn a_repeated_invite_gets_the_reliable_response_again() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    let (_, ringing) = ring(&mut alone, transaction);
    ringing_peer_again(&mut alone);
    assert_eq!(alone.taken_one().bytes(), ringing.bytes());
}

fn ringing_peer_again(alone: &mut Alone) {
    let text = invite("1").replace("Max-Forwards", "Supported: timer, 100rel\nMax-Forwards");
    alone.receive(&with_session(&text));
}

#[test]
fn the_next_reliable_response_waits_and_counts_on() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    let (_, first) = ring(&mut alone, transaction);
    alone.reply(transaction, &progress()).expect("may be queued");
    assert!(alone.sent().is_empty());
    alone.receive(&prack(2, &first));
    let second = alone.taken_one();
    assert_eq!((name(&second), rseq(&second)), ("183".into(), rseq(&first) + 1));
    let (one, ..) = alone.requested();
    alone.respond(one, 200);
    alone.receive(&prack(3, &second));
    let (two, ..) = alone.requested();
    alone.respond(two, 200);
    assert_eq!(alone.sent(), ["200", "200"]);
    alone.pass(31_000);
    assert!(alone.sent().is_empty(), "nothing is repeated any more");
}

#[test]
fn a_prack_that_names_nothing_that_waits_gets_481() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    let (_, ringing) = ring(&mut alone, transaction);
    let number = rseq(&ringing);
    let wrong = [
        format!("{} 1 INVITE", number + 1),
        format!("{number} 2 INVITE"),
        format!("{number} 1 BYE"),
        "x".into(),
    ];
    for (at, rack) in wrong.iter().enumerate() {
        alone.receive(&prack_of(2 + at as u32, &ringing, rack));
        assert_eq!(alone.sent(), ["481"], "{rack}");
    }
    alone.receive(&request("PRACK", 9, "p9", ""));
    assert_eq!(alone.sent(), ["481"], "outside of any dialog");
    assert!(alone.events().is_empty());
    alone.receive(&prack(7, &ringing));
    alone.requested();
    alone.receive(&prack(8, &ringing));
    assert_eq!(alone.sent(), ["481"], "acknowledged before");
}

#[test]
fn a_2xx_waits_for_the_prack_of_a_session() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    alone.reply(transaction, &progress()).expect("may be sent");
    let early = alone.taken_one();
    let dialog = alone.reply(transaction, &ok()).expect("may be held").expect("a dialog");
    assert!(alone.sent().is_empty());
    assert_eq!(alone.reply(transaction, &ok()), Err(ActError::NotAllowed));
    alone.receive(&prack(2, &early));
    let (prack, ..) = alone.requested();
    assert!(alone.sent().is_empty(), "the answer to the PRACK goes first");
    alone.respond(prack, 200);
    let sent: Vec<_> = alone.taken().into_iter().map(|(_, message)| message).collect();
    let methods: Vec<_> = sent.iter().map(|message| (name(message), message.method().to_string())).collect();
    assert_eq!(methods, [("200".into(), "PRACK".into()), ("200".into(), "INVITE".to_owned())]);
    assert_eq!(alone.endpoint.dialog(dialog).expect("a dialog").state(), State::Confirmed);
    alone.receive(&request("ACK", 1, "ack", &tag_of(&early)));
    assert!(matches!(alone.event(), Event::Acknowledged { .. }));
    alone.receive(&request("BYE", 3, "b", &tag_of(&early)));
    let (bye, ..) = alone.requested();
    alone.respond(bye, 200);
    alone.taken();
    alone.assert_empty_after(32_000);
}

#[test]
fn a_2xx_does_not_wait_for_the_prack_of_a_response_without_session() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    let (_, ringing) = ring(&mut alone, transaction);
    alone.reply(transaction, &ok()).expect("may be sent");
    assert_eq!(alone.sent(), ["200"]);
    alone.receive(&prack(2, &ringing));
    let (prack, ..) = alone.requested();
    alone.respond(prack, 200);
    assert_eq!(alone.sent(), ["200"], "the PRACK that was on its way is served");
    alone.pass(400);
    assert!(alone.sent().is_empty(), "the 180 is not repeated");
}

#[test]
fn without_a_prack_the_user_is_told_after_64_t1() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    let (dialog, ringing) = ring(&mut alone, transaction);
    alone.pass(31_999);
    assert!(alone.events().is_empty());
    alone.pass(1);
    assert!(
        matches!(alone.event(), Event::ProvisionalMissing { transaction: of, dialog: within } if of == transaction && within == dialog)
    );
    assert_eq!(alone.sent().len(), 6);
    alone.receive(&prack(2, &ringing));
    assert_eq!(alone.sent(), ["481"], "too late");
    alone.respond(transaction, 504);
    assert_eq!(alone.sent(), ["504"]);
    alone.assert_empty_after(32_000);
}

#[test]
fn a_held_2xx_becomes_a_failure_when_the_prack_is_missing() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    alone.reply(transaction, &progress()).expect("may be sent");
    let dialog = alone.reply(transaction, &ok()).expect("may be held").expect("a dialog");
    alone.pass(32_000);
    assert!(matches!(alone.event(), Event::ProvisionalMissing { .. }));
    alone.taken();
    let flow = alone.flow;
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, Vec::new()), Ok(None));
    assert_eq!(alone.sent(), ["504"]);
    assert_eq!(alone.endpoint.dialogs(), 0);
    alone.assert_empty_after(32_000);
}

#[test]
fn a_bye_of_ours_takes_a_held_2xx_back() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    alone.reply(transaction, &progress()).expect("may be sent");
    let dialog = alone.reply(transaction, &ok()).expect("may be held").expect("a dialog");
    alone.taken();
    let flow = alone.flow;
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, Vec::new()), Ok(None));
    assert_eq!(alone.sent(), ["480"]);
    alone.assert_empty_after(32_000);
}

#[test]
fn a_cancel_comes_too_late_for_a_held_2xx() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    alone.reply(transaction, &progress()).expect("may be sent");
    let early = alone.taken_one();
    alone.reply(transaction, &ok()).expect("may be held");
    alone.receive(&request("CANCEL", 1, "1", ""));
    assert!(alone.events().is_empty());
    assert_eq!(alone.sent(), ["200"]);
    alone.receive(&prack(2, &early));
    let (prack, ..) = alone.requested();
    alone.respond(prack, 200);
    assert_eq!(alone.sent(), ["200", "200"]);
}

#[test]
fn a_cancel_ends_the_repetitions_with_the_487() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    let (_, ringing) = ring(&mut alone, transaction);
    alone.receive(&request("CANCEL", 1, "1", ""));
    assert!(matches!(alone.event(), Event::Cancelled { .. }));
    alone.respond(transaction, 487);
    assert_eq!(alone.sent(), ["200", "487"]);
    alone.receive(&request("ACK", 1, "1", &tag_of(&ringing)));
    alone.receive(&prack(2, &ringing));
    assert_eq!(alone.sent(), ["481"], "its dialog is over");
    alone.assert_empty_after(32_000);
}

#[test]
fn a_bye_in_the_early_dialog_gives_the_invite_its_487() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    alone.reply(transaction, &progress()).expect("may be sent");
    let early = alone.taken_one();
    alone.reply(transaction, &ok()).expect("may be held");
    alone.receive(&request("BYE", 2, "b", &tag_of(&early)));
    let (bye, ..) = alone.requested();
    alone.respond(bye, 200);
    assert_eq!(alone.sent(), ["200", "487"]);
    assert_eq!(alone.reply(transaction, &ok()), Err(ActError::NotAllowed));
    alone.assert_empty_after(32_000);
}

#[test]
fn a_peer_without_100rel_gets_no_reliable_response() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    let reply = Reply::new(StatusCode::RINGING).reliable();
    assert_eq!(alone.reply(transaction, &reply), Err(ActError::NotAllowed));
    alone.respond(transaction, 180);
    assert_eq!(alone.taken_one().header(HeaderName::RSeq), None);
}

#[test]
fn a_peer_that_requires_100rel_gets_only_reliable_responses() {
    let mut alone = Alone::udp();
    alone.receive(&invite("1").replace("Max-Forwards", "Require: 100rel\nMax-Forwards"));
    let (transaction, ..) = alone.requested();
    alone.respond(transaction, 180);
    assert!(alone.taken_one().header(HeaderName::RSeq).is_some());
}

#[test]
fn only_an_invite_has_reliable_responses() {
    let mut alone = Alone::udp();
    alone.receive(&request("OPTIONS", 1, "o", "").replace("Max-Forwards", "Supported: 100rel\nMax-Forwards"));
    let (transaction, ..) = alone.requested();
    let reply = Reply::new(StatusCode::RINGING).reliable();
    assert_eq!(alone.reply(transaction, &reply), Err(ActError::NotAllowed));
}

#[test]
fn a_prack_never_answered_does_not_hold_the_2xx_for_ever() {
    let mut alone = Alone::udp();
    let transaction = ringing_peer(&mut alone);
    alone.reply(transaction, &progress()).expect("may be sent");
    let early = alone.taken_one();
    alone.receive(&prack(2, &early));
    alone.requested();
    alone.reply(transaction, &ok()).expect("may be held");
    alone.pass(32_000);
    assert!(alone.sent().contains(&"200".to_owned()));
}
