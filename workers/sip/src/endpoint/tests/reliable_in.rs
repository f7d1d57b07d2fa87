//! Reliable provisional responses of the peer and our PRACKs (RFC 3262 §4).

use super::alone::{Alone, CONTACT, name, session, unexpected};
use crate::{
    endpoint::{ActError, ClientTransaction, DialogId, DropReason, Event, Inside, Reliable},
    header_name::HeaderName,
    message::Message,
    method::Method,
    rseq::RSeq,
};

fn reliable(rseq: u32) -> String {
    format!("{CONTACT}Require: 100rel\nRSeq: {rseq}\n")
}

fn number(number: u32) -> RSeq {
    RSeq::new(number).expect("not 0")
}

/// Takes the only event, a provisional response.
fn heard(alone: &mut Alone) -> (DialogId, Option<Reliable>) {
    let event = alone.event();
    let Event::Response { dialog, reliable, .. } = event else { unexpected(&event) };
    (dialog.expect("a dialog"), reliable)
}

fn prack(alone: &mut Alone, dialog: DialogId, named: &Reliable) -> Result<ClientTransaction, ActError> {
    let flow = alone.flow;
    alone.endpoint.prack(alone.now, dialog, flow, named, &Inside::default())
}

fn rack(message: &Message) -> &str {
    message.header_text(HeaderName::RAck).unwrap_or_default()
}

#[test]
fn a_reliable_response_is_acknowledged_by_a_prack_in_its_dialog() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "um", &reliable(813_520));
    let (dialog, named) = heard(&mut alone);
    assert_eq!(named, Some(Reliable { rseq: number(813_520), cseq: 1 }));
    prack(&mut alone, dialog, &named.expect("reliable")).expect("a dialog");
    let sent = alone.taken_one();
    assert_eq!((name(&sent), rack(&sent)), ("PRACK".into(), "813520 1 INVITE"));
    assert_eq!((sent.cseq().number, sent.to_tag()), (2, Some("um")));
    assert_eq!(sent.request_uri_bytes(), b"sip:um@192.0.2.9:5080");
    alone.answer(&sent, 200, "", "");
    assert_eq!(heard(&mut alone), (dialog, None));
}

#[test]
fn a_repeated_reliable_response_is_no_event() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    for _ in 0..3 {
        alone.answer(&invite, 183, "um", &reliable(5));
    }
    heard(&mut alone);
    assert_eq!(alone.endpoint.counters().retransmissions_received, 2);
}

#[test]
fn a_reliable_response_ahead_of_a_missing_one_is_not_used() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "um", &reliable(5));
    heard(&mut alone);
    alone.answer(&invite, 183, "um", &reliable(7));
    assert!(alone.events().is_empty());
    assert_eq!(alone.endpoint.counters().dropped(DropReason::OutOfOrder), 1);
    alone.answer(&invite, 181, "um", &reliable(6));
    assert_eq!(heard(&mut alone).1.map(|named| named.rseq.number()), Some(6));
    alone.answer(&invite, 183, "um", &reliable(7));
    assert_eq!(heard(&mut alone).1.map(|named| named.rseq.number()), Some(7));
}

#[test]
fn each_fork_has_its_own_numbers() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "a", &reliable(100));
    let (a, _) = heard(&mut alone);
    alone.answer(&invite, 180, "b", &reliable(7));
    let (b, of_b) = heard(&mut alone);
    assert_ne!(a, b);
    assert_eq!(of_b.map(|named| named.rseq.number()), Some(7));
    alone.answer(&invite, 183, "a", &reliable(101));
    let (again, of_a) = heard(&mut alone);
    assert_eq!((again, of_a.map(|named| named.rseq.number())), (a, Some(101)));
    prack(&mut alone, b, &of_b.expect("reliable")).expect("a dialog");
    assert_eq!(alone.taken_one().to_tag(), Some("b"));
    prack(&mut alone, a, &of_a.expect("reliable")).expect("a dialog");
    let sent = alone.taken_one();
    assert_eq!((sent.to_tag(), sent.cseq().number), (Some("a"), 2), "each dialog counts for itself");
}

#[test]
fn without_both_headers_or_a_tag_a_response_is_not_reliable() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    for more in ["Require: 100rel\n", "RSeq: 5\n", "Require: 100rel\nRSeq: 0\n", "Require: 100rel\nRSeq: x\n"]
    {
        alone.answer(&invite, 180, "um", &format!("{CONTACT}{more}"));
        assert_eq!(heard(&mut alone).1, None, "{more}");
    }
    alone.answer(&invite, 100, "um", &reliable(5));
    let event = alone.event();
    assert!(matches!(event, Event::Response { reliable: None, .. }), "{event:?}");
}

#[test]
fn an_abandoned_invite_acknowledges_nothing_but_is_cancelled() {
    let mut alone = Alone::udp();
    let (id, invite) = alone.request(Method::Invite);
    alone.endpoint.abandon(alone.now, id);
    alone.answer(&invite, 180, "um", &reliable(5));
    assert!(alone.events().is_empty());
    assert_eq!(alone.sent(), ["CANCEL"]);
}

#[test]
fn a_prack_that_crosses_the_failure_is_refused_here() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "um", &reliable(5));
    let (dialog, named) = heard(&mut alone);
    alone.answer(&invite, 486, "um", "");
    alone.events();
    alone.taken();
    assert_eq!(prack(&mut alone, dialog, &named.expect("reliable")), Err(ActError::Gone));
    alone.assert_empty_after(32_000);
}

#[test]
fn a_re_invite_begins_its_numbers_anew() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "um", &reliable(5));
    heard(&mut alone);
    alone.answer(&invite, 200, "um", CONTACT);
    let (dialog, _) = heard(&mut alone);
    let flow = alone.flow;
    alone.endpoint.ack(dialog, flow, &Inside::default()).expect("an ACK is owed");
    alone.taken();
    alone.send_inside(dialog, &Method::Invite, &Inside::default()).expect("a dialog that is up");
    let again = alone.taken_one();
    alone.answer(&again, 183, "", "Contact: <sip:moved@192.0.2.9>\nRequire: 100rel\nRSeq: 3\n");
    assert_eq!(heard(&mut alone), (dialog, Some(Reliable { rseq: number(3), cseq: 2 })));
    let target = alone.endpoint.dialog(dialog).expect("a dialog").remote_target().to_string();
    assert_eq!(target, "sip:moved@192.0.2.9", "RFC 6141: a reliable response moves the target");
}

#[test]
fn a_199_ends_its_early_dialog_only() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "a", CONTACT);
    alone.answer(&invite, 180, "b", CONTACT);
    alone.events();
    alone.answer(&invite, 199, "a", "");
    let (ended, _) = heard(&mut alone);
    assert!(alone.endpoint.dialog(ended).is_none());
    assert_eq!(alone.endpoint.dialogs(), 1);
}

#[test]
fn the_offer_in_a_reliable_response_is_answered_in_the_prack() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    let text = super::alone::answer_to(&invite, 183, "um", &reliable(5));
    alone.receive(&super::alone::with_session(&text));
    let (dialog, named) = heard(&mut alone);
    let offer = Inside { body: Some(session()), ..Inside::default() };
    assert_eq!(
        alone.send_inside(dialog, &Method::Update, &offer),
        Err(ActError::NotAllowed),
        "theirs is open"
    );
    let flow = alone.flow;
    alone.endpoint.prack(alone.now, dialog, flow, &named.expect("reliable"), &offer).expect("a dialog");
    assert!(alone.send_inside(dialog, &Method::Update, &offer).is_ok());
}
