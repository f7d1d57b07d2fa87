//! CANCEL and BYE from either side at any moment.

use super::*;

#[test]
fn a_cancel_before_any_response_waits_with_ours_for_a_provisional() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(caller.flow, caller.cancel());
    rig.response(200);
    let terminated = rig.response(487);
    rig.receive(caller.flow, caller.ack_failure(&terminated));
    rig.silent();
    rig.receive(invite.flow, invite.answer(100, ""));
    let cancel = rig.request(&Method::Cancel);
    rig.receive(cancel.flow, cancel.answer(200, ""));
    rig.receive(invite.flow, invite.answer(487, ""));
    rig.request(&Method::Ack);
    rig.silent();
    assert_eq!(rig.records[0].outcome.as_str(), "cancelled");
    rig.assert_at_rest();
}

#[test]
fn a_cancel_while_it_rings_is_passed_on_at_once() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(180, ""));
    rig.response(180);
    rig.receive(caller.flow, caller.cancel());
    rig.response(200);
    rig.response(487);
    rig.request(&Method::Cancel);
    rig.silent();
}

#[test]
fn an_answer_that_crosses_a_cancel_is_acknowledged_and_hung_up() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(caller.flow, caller.cancel());
    rig.skip();
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let bye = rig.request(&Method::Bye);
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.silent();
    rig.assert_at_rest();
}

#[test]
fn a_cancel_before_the_media_ports_are_open_sends_no_invite() {
    let mut rig = Rig::new();
    rig.relays_open = false;
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    rig.receive(caller.flow, caller.cancel());
    rig.response(200);
    rig.response(487);
    let RelayCommand::Open(open) = &rig.relays[0] else { panic!("{:?}", rig.relays) };
    let relay = open.relay;
    rig.input_all(&Input::Relay(RelayEvent::Opened { relay }));
    rig.silent();
    assert!(matches!(rig.relays[1], RelayCommand::Close { .. }));
}

#[test]
fn a_cancel_after_our_answer_is_answered_and_changes_nothing() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.skip();
    rig.receive(caller.flow, caller.cancel());
    rig.response(200);
    rig.silent();
    assert!(rig.records.is_empty());
}

#[test]
fn a_bye_of_the_server_is_passed_on_to_the_caller() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, _) = rig.answered_call(&caller);
    rig.receive(invite.flow, invite.inside("BYE", 1, ""));
    assert_eq!(rig.response(200).flow.remote, address(11, 5060));
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.flow.remote, caller.flow.remote);
    assert!(bye.header(HeaderName::From).contains("6000"), "we are the called side: {}", bye.text());
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.silent();
    assert_eq!(rig.records[0].reason.as_str(), "callee_hung_up");
    rig.assert_at_rest();
}

#[test]
fn a_bye_of_the_server_waits_for_the_callers_ack() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    rig.receive(invite.flow, invite.inside("BYE", 1, ""));
    rig.response(200);
    rig.silent();
    rig.receive(caller.flow, caller.ack(&ok));
    rig.request(&Method::Bye);
    rig.silent();
}

#[test]
fn crossing_byes_are_both_answered() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, ok) = rig.answered_call(&caller);
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    rig.receive(invite.flow, invite.inside("BYE", 1, ""));
    assert_eq!(rig.response(200).flow.remote, address(11, 5060));
    rig.receive(bye.flow, bye.answer(481, ""));
    rig.silent();
    assert_eq!(rig.records.len(), 1);
    rig.assert_at_rest();
}

#[test]
fn a_bye_in_the_early_dialog_ends_the_call_like_a_cancel() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(180, ""));
    let ringing = rig.response(180);
    rig.receive(caller.flow, caller.inside("BYE", 2, &ringing, ""));
    let statuses: Vec<u16> = rig.sent.iter().filter_map(|sent| Some(sent.message.status()?.code())).collect();
    assert_eq!(statuses, [200, 487]);
    assert!(rig.sent.iter().any(|sent| sent.is(&Method::Cancel)));
    assert_eq!(rig.records[0].status, 487);
}

#[test]
fn a_bye_that_nobody_answers_ends_the_call_all_the_same() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (_, ok) = rig.answered_call(&caller);
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    assert_eq!(rig.records.len(), 1);
    assert_eq!(rig.engines[0].usage().ports, 0);
    rig.assert_at_rest();
}

#[test]
fn a_forced_drain_hangs_up_what_is_left() {
    let mut rig = Rig::new();
    rig.answered_call(&Caller::new("a"));
    rig.call(&Caller::new("b"));
    rig.input_all(&Input::Drain(Drain::Force));
    let byes = rig.sent.iter().filter(|sent| sent.is(&Method::Bye)).count();
    let refusals =
        rig.sent.iter().filter(|sent| sent.message.status().is_some_and(|status| status.code() == 503));
    assert_eq!((byes, refusals.count(), rig.records.len()), (2, 1, 2));
}
