//! A call that goes well, and what is sent when.

use super::*;

#[test]
fn a_call_is_answered_and_hung_up_by_the_caller() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    assert_eq!(invite.flow.remote, address(11, 5060));

    rig.receive(invite.flow, invite.answer(100, ""));
    rig.receive(invite.flow, invite.answer(180, ""));
    let ringing = rig.response(180);
    assert_eq!(ringing.flow.remote, caller.flow.remote);
    assert!(ringing.body().is_empty());

    rig.receive(invite.flow, invite.answer(200, ANSWER));
    let ack = rig.request(&Method::Ack);
    assert_eq!(ack.flow.remote, address(11, 5060));
    let ok = rig.response(200);
    assert_eq!(ok.header(HeaderName::To), ringing.header(HeaderName::To), "one To-tag for the whole call");
    assert!(ok.body().contains("m=audio 200"), "{}", ok.body());
    rig.receive(caller.flow, caller.ack(&ok));
    rig.silent();

    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    assert_eq!(rig.response(200).flow.remote, caller.flow.remote);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.flow.remote, address(11, 5060));
    rig.receive(bye.flow, bye.answer(200, ""));
    assert_eq!(rig.records.len(), 1);
    assert_eq!(
        (rig.records[0].outcome.as_str(), rig.records[0].reason.as_str()),
        ("answered", "caller_hung_up")
    );
    rig.assert_at_rest();
}

#[test]
fn the_caller_gets_100_before_anything_goes_out() {
    let mut rig = Rig::new();
    rig.relays_open = false;
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    rig.silent();
    assert!(matches!(rig.relays[..], [RelayCommand::Open(_)]));
}

#[test]
fn a_repeated_invite_makes_no_second_call() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    rig.call(&caller);
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    rig.silent();
}

#[test]
fn a_repeated_answer_is_acknowledged_again() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, _) = rig.answered_call(&caller);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    rig.silent();
}

#[test]
fn our_answer_is_repeated_until_its_ack() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    rig.pass_ms(1_600);
    rig.response(200);
    rig.response(200);
    rig.receive(caller.flow, caller.ack(&ok));
    rig.pass_ms(5_000);
    rig.silent();
}

#[test]
fn an_answer_without_ack_is_hung_up_on_both_legs_after_64_t1() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.skip();
    rig.pass_ms(31_900);
    rig.skip();
    rig.pass_ms(200);
    let byes: Vec<SocketAddr> =
        rig.sent.iter().filter(|sent| sent.is(&Method::Bye)).map(|sent| sent.flow.remote).collect();
    assert_eq!(byes, [caller.flow.remote, address(11, 5060)]);
    assert_eq!(rig.records[0].reason.as_str(), "ack_missing");
    rig.assert_at_rest();
}

#[test]
fn every_early_answer_and_the_final_one_carry_the_same_description() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(183, ANSWER));
    let early = rig.response(183);
    assert!(early.body().contains("m=audio 20000"));
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    assert_eq!(rig.response(200).body(), early.body());
}

#[test]
fn an_answer_given_early_counts_when_the_200_has_none() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(183, ANSWER));
    let early = rig.response(183);
    rig.receive(invite.flow, invite.answer(200, ""));
    rig.request(&Method::Ack);
    assert_eq!(rig.response(200).body(), early.body());
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut rig = Rig::new();
        let caller = Caller::new("a");
        let (invite, ok) = rig.answered_call(&caller);
        (invite.text(), ok.text())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_hundred_calls_leave_nothing_behind() {
    let mut rig = Rig::new();
    for index in 0..100 {
        let caller = Caller::new(&format!("call{index}"));
        let (_, ok) = rig.answered_call(&caller);
        rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
        rig.response(200);
        let bye = rig.request(&Method::Bye);
        rig.receive(bye.flow, bye.answer(200, ""));
        rig.pass_ms(500);
    }
    assert_eq!(rig.records.len(), 100);
    assert!(
        rig.records.iter().all(|record| record.explanation.is_none()),
        "quick answers need no explanation"
    );
    rig.assert_at_rest();
}
