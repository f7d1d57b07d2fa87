//! Offers that come late, reliable provisional responses, forks: the set-up where the two sides differ.

use um_topology::MediaTiming;

use super::*;

/// A caller who makes no offer.
fn without_offer() -> Caller {
    Caller { body: "", ..Caller::new("a") }
}

fn delayed_line() -> Rig {
    Rig::with(
        1,
        &topology(2, |parts| {
            parts.line.session.media_timing = Some(MediaTiming::Delayed);
            parts.station.um_provider = Some(um_topology::UmProvider::Generic);
        }),
    )
}

/// An offer of the UM server.
const OFFER_OF_UM: &str = "v=0\r\no=um 1 1 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\nt=0 0\r\n\
                           m=audio 5000 RTP/AVP 18 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn media_line(sent: &Sent) -> String {
    sent.body().lines().find(|line| line.starts_with("m=")).unwrap_or_default().to_owned()
}

/// The caller's ACK or PRACK with a description.
fn with_answer(caller: &Caller, method: &str, cseq: u32, ok: &Sent, body: &str, more: &str) -> String {
    caller.inside(method, cseq, ok, body).replace("Contact:", &format!("{more}Contact:"))
}

fn prack(caller: &Caller, cseq: u32, ringing: &Sent, body: &str) -> String {
    let rack = format!("RAck: {} 1 INVITE\r\n", ringing.header(HeaderName::RSeq));
    with_answer(caller, "PRACK", cseq, ringing, body, &rack)
}

#[test]
fn a_caller_without_offer_gets_ours_in_the_200_and_answers_in_the_ack() {
    let mut rig = Rig::new();
    let caller = without_offer();
    let invite = rig.call(&caller);
    assert_eq!(media_line(&invite), "m=audio 20002 RTP/AVP 0 8 101");
    rig.receive(invite.flow, invite.answer(180, ""));
    assert_eq!(rig.response(180).body(), "");
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    assert_eq!(media_line(&ok), "m=audio 20000 RTP/AVP 0 101 8", "what the server took comes first");
    rig.receive(caller.flow, caller.inside("ACK", 1, &ok, OFFER));
    rig.pass_ms(2_000);
    rig.silent();
    assert!(rig.records.is_empty());
}

#[test]
fn a_caller_who_answers_with_another_codec_brings_the_server_to_it() {
    let mut rig = Rig::new();
    let caller = without_offer();
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    let pcma = OFFER.replace("RTP/AVP 0 8 101", "RTP/AVP 8 101");
    rig.receive(caller.flow, caller.inside("ACK", 1, &ok, &pcma));
    rig.pass_ms(749);
    rig.silent();
    rig.pass_ms(1);
    let ours = rig.request(&Method::Invite);
    assert_eq!(
        (ours.flow.remote, media_line(&ours)),
        (invite.flow.remote, "m=audio 20002 RTP/AVP 8 101".into())
    );
    rig.receive(ours.flow, ours.answer(488, ""));
    rig.request(&Method::Ack);
    rig.request(&Method::Bye);
    rig.request(&Method::Bye);
    assert_eq!(rig.records[0].reason.as_str(), "no_media");
}

#[test]
fn a_caller_who_never_answers_our_offer_is_hung_up() {
    let mut rig = Rig::new();
    let caller = without_offer();
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    rig.receive(caller.flow, caller.ack(&ok));
    rig.request(&Method::Bye);
    rig.request(&Method::Bye);
    assert_eq!(rig.records[0].reason.as_str(), "answer_missing");
}

#[test]
fn a_delayed_line_is_answered_in_the_ack() {
    let mut rig = delayed_line();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    assert_eq!(invite.body(), "");
    rig.receive(invite.flow, invite.answer(180, OFFER_OF_UM));
    assert_eq!(rig.response(180).body(), "", "what can be lost is no offer");
    rig.receive(invite.flow, invite.answer(200, OFFER_OF_UM));
    let ack = rig.request(&Method::Ack);
    assert_eq!(media_line(&ack), "m=audio 20002 RTP/AVP 8 0 101");
    let ok = rig.response(200);
    assert_eq!(media_line(&ok), "m=audio 20000 RTP/AVP 8 0 101");
    rig.receive(caller.flow, caller.ack(&ok));
    rig.pass_ms(2_000);
    rig.silent();
}

#[test]
fn an_offer_without_common_codec_is_refused_in_the_ack_and_the_next_server_is_tried() {
    let mut rig = delayed_line();
    let invite = rig.call(&Caller::new("a"));
    let foreign = OFFER_OF_UM.replace("18 8 0 101", "18");
    rig.receive(invite.flow, invite.answer(200, &foreign));
    let ack = rig.request(&Method::Ack);
    assert_eq!(media_line(&ack), "m=audio 0 RTP/AVP 18");
    rig.request(&Method::Bye);
    let next = rig.request(&Method::Invite);
    assert_ne!(next.flow.remote, invite.flow.remote);
}

#[test]
fn an_offer_in_a_reliable_provisional_is_answered_in_the_prack() {
    let mut rig = delayed_line();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    let reliable = "Require: 100rel\r\nRSeq: 7\r\n";
    rig.receive(invite.flow, invite.answer_as(183, OFFER_OF_UM, "um", reliable));
    let prack = rig.request(&Method::Prack);
    assert_eq!(prack.header(HeaderName::RAck), "7 1 INVITE");
    assert_eq!(media_line(&prack), "m=audio 20002 RTP/AVP 8 0 101");
    assert_eq!(media_line(&rig.response(183)), "m=audio 20000 RTP/AVP 8 0 101");
    rig.receive(prack.flow, prack.answer(200, ""));
    rig.receive(invite.flow, invite.answer(200, ""));
    assert_eq!(rig.request(&Method::Ack).body(), "");
    assert_eq!(media_line(&rig.response(200)), "m=audio 20000 RTP/AVP 8 0 101");
}

#[test]
fn both_sides_may_offer_late() {
    let mut rig = delayed_line();
    let caller = without_offer();
    let invite = rig.call(&caller);
    assert_eq!(invite.body(), "");
    rig.receive(invite.flow, invite.answer(200, OFFER_OF_UM));
    assert_eq!(media_line(&rig.request(&Method::Ack)), "m=audio 20002 RTP/AVP 8 0 101");
    let ok = rig.response(200);
    assert_eq!(media_line(&ok), "m=audio 20000 RTP/AVP 8 0 101");
    rig.receive(caller.flow, caller.inside("ACK", 1, &ok, OFFER));
    rig.pass_ms(2_000);
    rig.silent();
}

#[test]
fn the_servers_reliable_provisional_is_acknowledged_at_once_though_the_caller_has_no_100rel() {
    let mut rig = Rig::new();
    let invite = rig.call(&Caller::new("a"));
    assert!(invite.header(HeaderName::Supported).contains("100rel"), "{}", invite.text());
    assert_eq!(invite.header(HeaderName::Require), "");
    rig.receive(invite.flow, invite.answer_as(183, ANSWER, "um", "Require: 100rel\r\nRSeq: 1\r\n"));
    let prack = rig.request(&Method::Prack);
    assert_eq!((prack.header(HeaderName::RAck), prack.body().as_str()), ("1 1 INVITE", ""));
    let ringing = rig.response(183);
    assert!(ringing.header(HeaderName::Require).is_empty() && !ringing.body().is_empty());
}

#[test]
fn a_caller_who_requires_100rel_gets_reliable_provisionals_and_a_bare_200() {
    let mut rig = Rig::new();
    let caller = Caller::new("a").with("Require: 100rel");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(183, ANSWER));
    let ringing = rig.response(183);
    assert_eq!(ringing.header(HeaderName::Require), "100rel");
    assert_eq!(media_line(&ringing), "m=audio 20000 RTP/AVP 0 101");
    // The answer waits for the PRACK.
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    rig.silent();
    rig.receive(caller.flow, prack(&caller, 2, &ringing, ""));
    rig.response(200);
    let ok = rig.response(200);
    assert_eq!(ok.body(), "");
    rig.receive(caller.flow, caller.ack(&ok));
    rig.pass_ms(2_000);
    rig.silent();
    assert!(rig.records.is_empty());
}

#[test]
fn a_caller_without_offer_but_with_100rel_answers_in_the_prack() {
    let mut rig = Rig::new();
    let caller = Caller { body: "", ..Caller::new("a") }.with("Require: 100rel");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(180, ""));
    let ringing = rig.response(180);
    assert_eq!(media_line(&ringing), "m=audio 20000 RTP/AVP 0 8 101");
    let pcma = OFFER.replace("RTP/AVP 0 8 101", "RTP/AVP 8 101");
    rig.receive(caller.flow, prack(&caller, 2, &ringing, &pcma));
    assert_eq!(rig.response(200).message.method(), &Method::Prack);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    assert_eq!(ok.body(), "");
    rig.receive(caller.flow, caller.ack(&ok));
    rig.pass_ms(750);
    assert_eq!(
        media_line(&rig.request(&Method::Invite)),
        "m=audio 20002 RTP/AVP 8 101",
        "the server took PCMU"
    );
}

#[test]
fn a_prack_without_the_answer_that_is_due_ends_the_set_up() {
    let mut rig = Rig::new();
    let caller = Caller { body: "", ..Caller::new("a") }.with("Require: 100rel");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(180, ""));
    let ringing = rig.response(180);
    rig.receive(caller.flow, prack(&caller, 2, &ringing, ""));
    rig.response(200);
    rig.response(488);
    rig.request(&Method::Cancel);
    assert_eq!(rig.records[0].reason.as_str(), "answer_missing");
}

#[test]
fn a_provisional_that_is_never_acknowledged_ends_the_set_up_with_504() {
    let mut rig = Rig::new();
    let caller = Caller::new("a").with("Require: 100rel");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(180, ""));
    rig.response(180);
    rig.pass_ms(33_000);
    let last = rig.sent.iter().rfind(|sent| sent.flow.remote == caller.flow.remote).cloned();
    assert!(last.is_some_and(|sent| sent.message.status().map(um_sip::StatusCode::code) == Some(504)));
}

#[test]
fn each_early_dialog_stands_alone_and_the_latest_is_heard() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    let second = ANSWER.replace("5000", "5100");
    rig.receive(invite.flow, invite.answer_as(183, ANSWER, "one", ""));
    let first = rig.response(183);
    rig.receive(invite.flow, invite.answer_as(183, &second, "two", ""));
    assert_eq!(rig.response(183).body(), first.body(), "one To-tag has one answer");
    let ports = |rig: &Rig| {
        let told = rig.relays.iter().filter_map(|command| match command {
            RelayCommand::SetRemote { leg: um_media::Leg::Outbound, remote, .. } => {
                Some(remote.media.rtp.port())
            }
            RelayCommand::SetRemote { .. }
            | RelayCommand::Open(_)
            | RelayCommand::PlayTone { .. }
            | RelayCommand::Close { .. } => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(ports(&rig), [5000, 5100]);
    rig.receive(invite.flow, invite.answer_as(200, "", "one", ""));
    rig.request(&Method::Ack);
    assert_eq!(rig.response(200).body(), first.body());
    assert_eq!(ports(&rig).last(), Some(&5000), "the first one answered");
}

#[test]
fn an_answer_that_a_failed_server_promised_is_corrected_after_the_ack() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    let both = ANSWER.replace("RTP/AVP 0 101", "RTP/AVP 0 8 101");
    rig.receive(invite.flow, invite.answer(183, &both));
    let early = rig.response(183);
    rig.receive(invite.flow, invite.answer(503, ""));
    rig.request(&Method::Ack);
    let next = rig.request(&Method::Invite);
    rig.receive(next.flow, next.answer(200, &ANSWER.replace("RTP/AVP 0 101", "RTP/AVP 8 101")));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    assert_eq!(ok.body(), early.body(), "the 200 repeats the 183");
    rig.receive(caller.flow, caller.ack(&ok));
    rig.pass_ms(750);
    let ours = rig.request(&Method::Invite);
    assert_eq!(
        (ours.flow.remote, media_line(&ours)),
        (caller.flow.remote, "m=audio 20000 RTP/AVP 8 101".into())
    );
    rig.receive(caller.flow, ours.answer(200, &OFFER.replace("0 8 101", "8 101")));
    rig.request(&Method::Ack);
    rig.silent();
}

#[test]
fn an_update_before_the_answer_has_to_wait_for_it() {
    let mut rig = Rig::new();
    let caller = Caller::new("a").with("Require: 100rel");
    let invite = rig.call(&caller);
    rig.receive(invite.flow, invite.answer(183, ANSWER));
    let ringing = rig.response(183);
    rig.receive(caller.flow, prack(&caller, 2, &ringing, ""));
    rig.response(200);
    rig.receive(caller.flow, caller.inside("UPDATE", 3, &ringing, &(OFFER.to_owned() + "a=sendonly\r\n")));
    assert!(rig.response(200).body().contains("a=recvonly"), "the early dialog is done with its first offer");
    rig.receive(invite.flow, invite.inside("UPDATE", 1, ANSWER));
    rig.response(491);
}
