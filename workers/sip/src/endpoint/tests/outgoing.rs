//! Requests sent: responses, ACK, forks, in-dialog requests.

use super::alone::{Alone, CONTACT, name, unexpected};
use crate::{
    endpoint::{ActError, DialogId, Event, Extra, Identity, Inside, ResponseKind},
    header_name::HeaderName,
    message::Message,
    method::Method,
};

/// Calls the peer, who answers; returns our INVITE and the dialog.
fn call(alone: &mut Alone) -> (Message, DialogId) {
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 200, "um", CONTACT);
    let (kind, dialog, _) = alone.responded();
    assert_eq!(kind, ResponseKind::Success);
    (invite, dialog.expect("a dialog"))
}

fn ack(alone: &mut Alone, dialog: DialogId) -> Message {
    let flow = alone.flow;
    alone.endpoint.ack(dialog, flow, &Inside::default()).expect("an ACK is owed");
    alone.taken_one()
}

#[test]
fn an_invite_carries_what_the_endpoint_owns() {
    let mut alone = Alone::tcp();
    let (_, invite) = alone.request(Method::Invite);
    let header = |name| invite.header_text(name).unwrap_or_default().to_owned();
    assert_eq!(invite.request_uri_bytes(), b"sip:6000@192.0.2.9:5070");
    assert!(header(HeaderName::Via).starts_with("SIP/2.0/TCP 192.0.2.1:5060;"));
    assert_eq!(crate::shard::of_branch(invite.branch().unwrap_or_default().as_bytes()), Some(0));
    assert!(header(HeaderName::From).starts_with("\"Dana\" <sip:5551234@192.0.2.1>;tag=um0-"));
    assert_eq!(header(HeaderName::Contact), "<sip:6000@192.0.2.1:5060;transport=tcp;um-shard=0>");
    assert_eq!((header(HeaderName::MaxForwards), header(HeaderName::CSeq)), ("69".into(), "1 INVITE".into()));
}

#[test]
fn the_user_cannot_write_what_the_endpoint_owns() {
    let mut alone = Alone::udp();
    let mut draft = alone.draft(Method::Invite);
    draft.headers = vec![
        Extra::Named(HeaderName::Via, "SIP/2.0/UDP evil".into()),
        Extra::Other("route".into(), "<sip:evil>".into()),
        Extra::Other("X-Note".into(), "a\r\nEvil: b".into()),
    ];
    let flow = alone.flow;
    alone.endpoint.request(alone.now, flow, &draft).expect("room");
    let invite = alone.taken_one();
    assert_eq!(invite.lines_of(HeaderName::Via).count(), 1);
    assert_eq!(invite.header(HeaderName::Route), None);
    assert_eq!(invite.header_named("X-Note"), Some(&b"a  Evil: b"[..]));
}

#[test]
fn ack_and_cancel_are_no_requests_of_their_own() {
    let mut alone = Alone::udp();
    for method in [Method::Ack, Method::Cancel] {
        let draft = alone.draft(method);
        let flow = alone.flow;
        assert_eq!(alone.endpoint.request(alone.now, flow, &draft), Err(ActError::NotAllowed));
    }
}

#[test]
fn a_retry_that_was_asked_for_keeps_call_id_and_tag() {
    let identity = Identity { call_id: "c".into(), tag: "t".into(), cseq: 4 };
    assert_eq!(identity.next(), Identity { cseq: 5, ..identity });
}

#[test]
fn an_early_dialog_becomes_the_confirmed_one() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 100, "", "");
    assert_eq!(alone.responded().1, None, "a 100 makes no dialog");
    alone.answer(&invite, 180, "um", CONTACT);
    let (kind, early, _) = alone.responded();
    assert_eq!(kind, ResponseKind::Provisional);
    alone.answer(&invite, 200, "um", CONTACT);
    let (kind, confirmed, _) = alone.responded();
    assert_eq!((kind, confirmed), (ResponseKind::Success, early));
}

#[test]
fn the_ack_goes_to_the_remote_target_with_the_cseq_of_the_invite() {
    let mut alone = Alone::udp();
    let (invite, dialog) = call(&mut alone);
    let ack = ack(&mut alone, dialog);
    assert_eq!(ack.request_uri_bytes(), b"sip:um@192.0.2.9:5080");
    assert_eq!((ack.cseq().number, ack.to_tag()), (1, Some("um")));
    assert_ne!(ack.branch(), invite.branch());
    let flow = alone.flow;
    assert_eq!(alone.endpoint.ack(dialog, flow, &Inside::default()), Err(ActError::NotAllowed));
}

#[test]
fn a_repeated_200_is_acknowledged_again_without_an_event() {
    let mut alone = Alone::udp();
    let (invite, dialog) = call(&mut alone);
    alone.answer(&invite, 200, "um", CONTACT);
    assert!(alone.taken().is_empty(), "the user has not acknowledged yet");
    let first = ack(&mut alone, dialog);
    alone.answer(&invite, 200, "um", CONTACT);
    assert_eq!(alone.taken_one().bytes(), first.bytes());
    assert!(alone.events().is_empty());
}

#[test]
fn a_200_repeated_after_timer_m_does_not_disturb_the_call() {
    let mut alone = Alone::udp();
    let (invite, dialog) = call(&mut alone);
    ack(&mut alone, dialog);
    alone.pass(32_000);
    assert_eq!(alone.endpoint.transactions(), 0);
    alone.answer(&invite, 200, "um", CONTACT);
    assert!(alone.events().is_empty());
}

#[test]
fn a_forked_200_is_reported_and_ended_by_one_act() {
    let mut alone = Alone::udp();
    let (invite, dialog) = call(&mut alone);
    ack(&mut alone, dialog);
    alone.answer(&invite, 200, "other", CONTACT);
    let (kind, fork, _) = alone.responded();
    assert_eq!(kind, ResponseKind::Fork);
    let fork = fork.expect("a dialog");
    assert_ne!(fork, dialog);
    let flow = alone.flow;
    alone.endpoint.bye(alone.now, fork, flow, Vec::new()).expect("a dialog to end");
    let taken = alone.taken();
    let names: Vec<_> = taken.iter().map(|(_, message)| name(message)).collect();
    assert_eq!(names, ["ACK", "BYE"]);
    assert!(taken.iter().all(|(_, message)| message.to_tag() == Some("other")));
    alone.answer(&taken[1].1, 200, "", "");
    alone.events();
    alone.answer(&invite, 200, "other", CONTACT);
    assert_eq!(alone.sent(), ["ACK"], "the fork is over but its 200 is acknowledged again");
    assert_eq!(alone.endpoint.dialogs(), 1);
}

#[test]
fn the_early_dialogs_that_lost_end_with_the_transaction() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    for tag in ["a", "b", "c"] {
        alone.answer(&invite, 180, tag, CONTACT);
    }
    alone.answer(&invite, 200, "b", CONTACT);
    let dialog = alone.events().into_iter().rev().find_map(|event| {
        let Event::Response { dialog, .. } = event else { unexpected(&event) };
        dialog
    });
    ack(&mut alone, dialog.expect("a dialog"));
    assert_eq!(alone.endpoint.dialogs(), 3);
    alone.pass(32_000);
    assert_eq!(alone.endpoint.dialogs(), 1);
}

#[test]
fn early_dialogs_end_with_a_failure() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "a", CONTACT);
    alone.events();
    alone.answer(&invite, 486, "a", "");
    let (kind, ..) = alone.responded();
    assert_eq!((kind, alone.endpoint.dialogs()), (ResponseKind::Failure, 0));
    assert_eq!(alone.sent(), ["ACK"]);
    alone.assert_empty_after(32_000);
}

#[test]
fn the_ack_of_a_failure_repeats_branch_and_request_uri() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 302, "x", "");
    let ack = alone.taken_one();
    assert_eq!(ack.branch(), invite.branch());
    assert_eq!(ack.request_uri_bytes(), invite.request_uri_bytes());
    assert_eq!(ack.to_tag(), Some("x"));
}

#[test]
fn a_200_without_contact_falls_back_to_the_request_uri() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 200, "um", "");
    let (_, dialog, _) = alone.responded();
    let ack = ack(&mut alone, dialog.expect("a dialog"));
    assert_eq!(ack.request_uri_bytes(), b"sip:6000@192.0.2.9:5070");
}

#[test]
fn a_200_that_makes_no_dialog_is_reported_as_broken_once() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    let broken = "Contact: <sip:um@[::1>\n";
    alone.answer(&invite, 200, "um", broken);
    assert_eq!(alone.responded().0, ResponseKind::Broken);
    alone.answer(&invite, 200, "um", broken);
    assert!(alone.events().is_empty());
}

#[test]
fn a_200_after_a_broken_one_is_late() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 200, "um", "Contact: <sip:um@[::1>\n");
    alone.events();
    alone.answer(&invite, 200, "", CONTACT);
    let (kind, dialog, _) = alone.responded();
    assert_eq!(kind, ResponseKind::Late);
    let flow = alone.flow;
    alone.endpoint.bye(alone.now, dialog.expect("a dialog"), flow, Vec::new()).expect("a dialog to end");
    alone.assert_empty_after(64_000);
}

#[test]
fn forks_beyond_the_limit_are_dropped_and_counted() {
    use crate::endpoint::DropReason;
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    for number in 0..20 {
        alone.answer(&invite, 180, &format!("t{number}"), CONTACT);
    }
    assert_eq!(alone.endpoint.dialogs(), 16);
    assert_eq!(alone.endpoint.counters().dropped(DropReason::TooManyForks), 4);
    alone.answer(&invite, 200, "t99", CONTACT);
    assert!(
        alone.events().iter().any(|event| matches!(
            event,
            Event::Response { kind: ResponseKind::Success, dialog: Some(_), .. }
        ))
    );
}

#[test]
fn a_stray_200_can_be_adopted_and_ended() {
    let mut alone = Alone::udp();
    let (_, invite) = alone.request(Method::Invite);
    let mut other = Alone::udp();
    other.answer(&invite, 200, "um", CONTACT);
    let Event::StrayAnswer { flow, message } = other.event() else { panic!("no stray answer") };
    let dialog = other.endpoint.adopt(flow.line, &message).expect("a dialog");
    other.endpoint.bye(other.now, dialog, flow, Vec::new()).expect("a dialog to end");
    assert_eq!(other.sent(), ["ACK", "BYE"]);
}

#[test]
fn bye_ends_the_dialog_with_its_answer() {
    let mut alone = Alone::udp();
    let (_, dialog) = call(&mut alone);
    ack(&mut alone, dialog);
    let flow = alone.flow;
    alone.endpoint.bye(alone.now, dialog, flow, Vec::new()).expect("a dialog to end");
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, Vec::new()), Err(ActError::Gone));
    let bye = alone.taken_one();
    assert_eq!((name(&bye), bye.cseq().number), ("BYE".into(), 2));
    alone.answer(&bye, 200, "", "");
    assert_eq!(alone.responded().0, ResponseKind::Success);
    alone.assert_empty_after(32_000);
}

#[test]
fn a_bye_never_answered_ends_the_dialog_too() {
    let mut alone = Alone::udp();
    let (_, dialog) = call(&mut alone);
    ack(&mut alone, dialog);
    let flow = alone.flow;
    alone.endpoint.bye(alone.now, dialog, flow, Vec::new()).expect("a dialog to end");
    alone.assert_empty_after(32_000);
    assert!(matches!(alone.event(), Event::TimedOut { .. }));
}

#[test]
fn a_full_endpoint_makes_no_early_dialog_but_takes_the_answer() {
    use crate::{endpoint::Config, flow::Transport};
    let mut alone = Alone::with(Transport::Udp, Config { max_dialogs: 1, ..Config::default() });
    let (_, first) = alone.request(Method::Invite);
    let (_, second) = alone.request(Method::Invite);
    alone.answer(&first, 180, "a", CONTACT);
    alone.events();
    alone.answer(&second, 180, "b", CONTACT);
    assert_eq!(alone.responded().1, None);
    alone.answer(&second, 200, "b", CONTACT);
    let (kind, dialog, _) = alone.responded();
    assert_eq!((kind, dialog.is_some()), (ResponseKind::Success, true));
}
