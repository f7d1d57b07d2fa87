//! INVITE with Replaces: which dialog it may take the place of, and what becomes of the one before.

use super::*;

/// The call of caller "a" that a UM server has answered; and the Replaces that names the caller's dialog.
fn call() -> (Rig, Caller, Sent, String) {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, ok) = rig.answered_call(&caller);
    let tag = ok.header(HeaderName::To).rsplit("tag=").next().unwrap().to_owned();
    (rig, caller, invite, format!("Replaces: a;to-tag={tag};from-tag=caller"))
}

#[test]
fn a_new_leg_takes_the_place_of_the_callers_who_is_hung_up() {
    let (mut rig, caller, um, replaces) = call();
    let mut other = Caller::new("b").with(&replaces);
    other.flow.remote = address(2, 5080);
    rig.receive(other.flow, other.invite());
    rig.response(100);
    let ok = rig.response(200);
    assert!(ok.body().contains("RTP/AVP 0 101"), "{}", ok.text());
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), caller.call_id);
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.receive(other.flow, other.ack(&ok));
    rig.silent();
    rig.receive(other.flow, other.inside("BYE", 2, &ok, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), um.message.call_id());
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.assert_at_rest();
}

#[test]
fn the_called_side_can_be_replaced_as_well() {
    let (mut rig, caller, um, _) = call();
    let tag = um.header(HeaderName::From).rsplit("tag=").next().unwrap().to_owned();
    let replaces = format!("Replaces: {};from-tag=um;to-tag={tag}", um.message.call_id());
    let mut server = Caller::new("b").with(&replaces);
    server.flow.remote = um.flow.remote;
    rig.receive(server.flow, server.invite());
    rig.response(100);
    let ok = rig.response(200);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), um.message.call_id());
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.receive(server.flow, server.ack(&ok));
    rig.receive(server.flow, server.inside("BYE", 2, &ok, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), caller.call_id);
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.assert_at_rest();
}

/// RFC 3891 §3.
#[test]
fn what_cannot_be_replaced_is_refused_and_the_call_goes_on() {
    let (mut rig, caller, _, replaces) = call();
    let cases =
        [("Replaces: nobody;to-tag=x;from-tag=y".to_owned(), 481), (format!("{replaces};early-only"), 486)];
    for (index, (header, status)) in cases.into_iter().enumerate() {
        let other = Caller::new(&format!("b{index}")).with(&header);
        rig.receive(other.flow, other.invite());
        rig.response(100);
        let refusal = rig.response(status);
        rig.receive(other.flow, other.ack_failure(&refusal));
    }
    let join = format!("{replaces}\r\nJoin: x;to-tag=1;from-tag=2");
    for unreadable in [format!("{replaces}\r\n{replaces}"), "Replaces: a;to-tag=x".to_owned(), join] {
        let other = Caller::new("unreadable").with(&unreadable);
        rig.receive(other.flow, other.invite());
        rig.response(400);
    }
    rig.silent();
    let ringing = Caller::new("c");
    let invite = rig.call(&ringing);
    rig.receive(invite.flow, invite.answer(180, ""));
    let early = rig.response(180);
    let tag = early.header(HeaderName::To).rsplit("tag=").next().unwrap().to_owned();
    let other = Caller::new("d").with(&format!("Replaces: c;to-tag={tag};from-tag=caller"));
    rig.receive(other.flow, other.invite());
    rig.response(100);
    rig.response(481);
    assert!(rig.records.is_empty(), "{:?}", caller.call_id);
}

#[test]
fn a_dialog_that_is_over_is_declined() {
    let (mut rig, caller, um, replaces) = call();
    rig.receive(um.flow, um.inside("BYE", 1, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    let other = Caller::new("b").with(&replaces);
    rig.receive(other.flow, other.invite());
    rig.response(100);
    rig.response(603);
    rig.receive(bye.flow, bye.answer(200, ""));
    assert_eq!(bye.message.call_id(), caller.call_id);
}

#[test]
fn a_stranger_who_knows_the_tags_is_refused() {
    let (mut rig, _, _, replaces) = call();
    let mut stranger = Caller::new("b").with(&replaces);
    stranger.flow.remote = address(66, 5060);
    rig.receive(stranger.flow, stranger.invite());
    rig.response(100);
    rig.response(403);
    rig.silent();
}

#[test]
fn an_offer_without_the_other_sides_codec_is_488_and_nothing_changes() {
    let (mut rig, caller, _, replaces) = call();
    let mut other = Caller::new("b").with(&replaces);
    other.body = "v=0\r\no=x 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4002 RTP/AVP 18\r\n";
    rig.receive(other.flow, other.invite());
    rig.response(100);
    rig.response(488);
    rig.silent();
    assert!(rig.records.is_empty(), "{:?}", caller.call_id);
}
