//! Session timers of both legs, each on its own terms (RFC 4028).

use um_sip::HeaderName as Name;

use super::*;

/// A worker whose line and station have this session timeout, and which shows its OPTIONS.
fn rig(timeout_s: u64) -> Rig {
    let timeout = Some(Duration::from_secs(timeout_s));
    let mut rig = Rig::with(
        1,
        &topology(1, |parts| {
            parts.line.session.session_timeout = timeout;
        }),
    );
    rig.pulses_shown = true;
    rig
}

/// A call that is up; what the server said besides its answer, and what came of it.
fn call_up(rig: &mut Rig, caller: &Caller, server: &str) -> (Sent, Sent) {
    let invite = rig.call(caller);
    rig.receive(invite.flow, invite.answer_as(200, ANSWER, "um", server));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    rig.receive(caller.flow, caller.ack(&ok));
    (invite, ok)
}

const CONTACT: &str = "Contact: <sip:um@127.0.0.11:5060>\r\n";

fn server(more: &str) -> String {
    format!("{CONTACT}{more}")
}

/// The next message within the dialog of the server.
fn towards_server(rig: &mut Rig, invite: &Sent, method: &Method) -> Sent {
    let sent = rig.request(method);
    assert_eq!(sent.message.call_id(), invite.message.call_id(), "{}", sent.text());
    sent
}

fn assert_hung_up(rig: &mut Rig, reason: &str) {
    let byes = [rig.request(&Method::Bye), rig.request(&Method::Bye)];
    assert_ne!(byes[0].message.call_id(), byes[1].message.call_id(), "one on each leg");
    for bye in byes {
        rig.receive(bye.flow, bye.answer(200, ""));
    }
    assert_eq!(rig.records[0].reason.as_str(), reason);
    rig.assert_at_rest();
}

#[test]
fn our_invite_asks_for_the_session_that_is_configured() {
    let mut rig = rig(1_800);
    let invite = rig.call(&Caller::new("a"));
    assert_eq!((invite.header(Name::SessionExpires), invite.header(Name::MinSe)), ("1800", "90"));
    assert!(invite.message.supported().contains(um_sip::OptionTag::Timer));
}

#[test]
fn without_a_session_timeout_there_is_no_timer() {
    let mut rig = rig(0);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 30");
    let (invite, ok) = call_up(&mut rig, &caller, &server(""));
    assert_eq!(invite.header(Name::SessionExpires), "");
    assert_eq!(ok.header(Name::SessionExpires), "");
    assert_eq!(rig.engines[0].sessions.timers.next_deadline(), None);
}

#[test]
fn a_server_with_a_longer_least_interval_is_asked_again_with_it() {
    let mut rig = rig(60);
    let caller = Caller::new("a");
    let invite = rig.call(&caller);
    assert_eq!((invite.header(Name::SessionExpires), invite.header(Name::MinSe)), ("90", "90"));
    rig.receive(invite.flow, invite.answer_as(422, "", "um", "Min-SE: 600\r\n"));
    rig.request(&Method::Ack);
    let again = rig.request(&Method::Invite);
    assert_eq!((again.header(Name::SessionExpires), again.header(Name::MinSe)), ("600", "600"));
    assert_eq!(again.message.call_id(), invite.message.call_id());
    assert_eq!(again.message.from_tag(), invite.message.from_tag());
    assert_eq!(again.message.cseq().number, invite.message.cseq().number + 1);
    rig.receive(again.flow, again.answer(200, ANSWER));
    rig.request(&Method::Ack);
    rig.response(200);
}

#[test]
fn a_second_422_is_a_failure_of_the_attempt() {
    let mut rig = rig(60);
    let invite = rig.call(&Caller::new("a"));
    rig.receive(invite.flow, invite.answer_as(422, "", "um", "Min-SE: 600\r\n"));
    rig.request(&Method::Ack);
    let again = rig.request(&Method::Invite);
    rig.receive(again.flow, again.answer_as(422, "", "um", "Min-SE: 900\r\n"));
    rig.request(&Method::Ack);
    assert!(rig.next().message.status().is_some_and(|status| status.class() >= 4));
    rig.silent();
}

#[test]
fn a_caller_that_asks_for_less_than_90_s_gets_422() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 60");
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    let refused = rig.response(422);
    assert_eq!(refused.header(Name::MinSe), "90");
    rig.silent();
}

#[test]
fn the_caller_refreshes_if_it_can_and_is_told_so() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 600");
    let (_, ok) = call_up(&mut rig, &caller, &server("Session-Expires: 1800;refresher=uas\r\n"));
    assert_eq!(ok.header(Name::SessionExpires), "600;refresher=uac");
    assert!(ok.message.required().contains(um_sip::OptionTag::Timer));
}

#[test]
fn a_caller_without_session_timers_is_told_nothing_of_it() {
    let mut rig = rig(1_800);
    let (_, ok) = call_up(&mut rig, &Caller::new("a"), &server(""));
    assert_eq!((ok.header(Name::SessionExpires), ok.header(Name::Require)), ("", ""));
}

#[test]
fn we_refresh_by_update_where_the_peer_allows_it() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    let said = server("Allow: INVITE, ACK, BYE, UPDATE\r\nSession-Expires: 200;refresher=uac\r\n");
    let (invite, _) = call_up(&mut rig, &caller, &said);
    for _ in 0..3 {
        rig.pass_ms(99_999);
        rig.silent();
        rig.pass_ms(1);
        let update = towards_server(&mut rig, &invite, &Method::Update);
        assert_eq!(update.header(Name::SessionExpires), "200;refresher=uac");
        assert!(update.message.body().is_empty());
        assert!(!update.header(Name::Contact).is_empty());
        rig.receive(update.flow, update.answer_as(200, "", "um", "Session-Expires: 200;refresher=uac\r\n"));
    }
    rig.silent();
}

#[test]
fn we_refresh_by_re_invite_with_an_unchanged_description_where_update_is_not_allowed() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    let (invite, _) = call_up(&mut rig, &caller, &server(""));
    rig.pass_ms(900_000);
    let again = towards_server(&mut rig, &invite, &Method::Invite);
    assert_eq!(again.header(Name::SessionExpires), "1800;refresher=uac", "our value: it named none");
    let origin = |sent: &Sent| sent.body().lines().find(|line| line.starts_with("o=")).map(str::to_owned);
    assert_eq!(origin(&again), origin(&invite));
    rig.receive(again.flow, again.answer(200, ANSWER));
    towards_server(&mut rig, &invite, &Method::Ack);
    rig.silent();
    rig.pass_ms(860_000);
    rig.silent();
}

#[test]
fn a_peer_that_has_to_refresh_and_does_not_ends_the_call_in_time() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    call_up(&mut rig, &caller, &server("Session-Expires: 90;refresher=uas\r\n"));
    rig.pass_ms(59_999);
    rig.silent();
    rig.pass_ms(1);
    assert_hung_up(&mut rig, "session_expired");
}

#[test]
fn a_refresh_of_the_peer_keeps_the_call() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    let (invite, _) = call_up(&mut rig, &caller, &server("Session-Expires: 90;refresher=uas\r\n"));
    for cseq in 1..4 {
        rig.pass_ms(45_000);
        let refresh = invite.inside("INVITE", cseq, ANSWER);
        let said = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\nContent-Type";
        rig.receive(invite.flow, refresh.replacen("Content-Type", said, 1));
        let ok = rig.response(200);
        assert_eq!(ok.header(Name::SessionExpires), "90;refresher=uac");
        assert!(ok.message.required().contains(um_sip::OptionTag::Timer));
        rig.receive(invite.flow, invite.inside("ACK", cseq, ""));
    }
    rig.silent();
    rig.pass_ms(60_000);
    assert_hung_up(&mut rig, "session_expired");
}

#[test]
fn a_refresh_that_asks_for_less_than_90_s_gets_422_and_changes_nothing() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    let (invite, _) = call_up(&mut rig, &caller, &server("Session-Expires: 90;refresher=uas\r\n"));
    rig.pass_ms(45_000);
    let refresh = invite.inside("INVITE", 1, ANSWER);
    let said = "Supported: timer\r\nSession-Expires: 30\r\nContent-Type";
    rig.receive(invite.flow, refresh.replacen("Content-Type", said, 1));
    assert_eq!(rig.response(422).header(Name::MinSe), "90");
    rig.receive(invite.flow, invite.inside("ACK", 1, ""));
    rig.pass_ms(15_000);
    assert_eq!(rig.records.len(), 1, "it did not count as a refresh");
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    let said = server("Allow: UPDATE\r\nSession-Expires: 200;refresher=uac\r\n");
    let (invite, _) = call_up(&mut rig, &caller, &said);
    rig.pass_ms(100_000);
    towards_server(&mut rig, &invite, &Method::Update);
    rig.pass_ms(32_000);
    rig.sent.retain(|sent| !sent.is(&Method::Update));
    assert!(rig.sent.len() >= 2, "before the session is over");
    rig.sent.retain(|sent| sent.is(&Method::Bye));
    rig.sent.truncate(2);
    assert_hung_up(&mut rig, "session_expired");
}

#[test]
fn a_refresh_answered_481_ends_the_call_and_another_refusal_does_not() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    let said = server("Allow: UPDATE\r\nSession-Expires: 200;refresher=uac\r\n");
    let (invite, _) = call_up(&mut rig, &caller, &said);
    rig.pass_ms(100_000);
    let first = towards_server(&mut rig, &invite, &Method::Update);
    rig.receive(first.flow, first.answer(500, ""));
    rig.silent();
    rig.pass_ms(10_000);
    let second = towards_server(&mut rig, &invite, &Method::Update);
    rig.receive(second.flow, second.answer(481, ""));
    assert_hung_up(&mut rig, "session_expired");
}

#[test]
fn a_refresh_refused_with_422_is_sent_again_with_a_longer_interval() {
    let mut rig = rig(1_800);
    let caller = Caller::new("a").with("Supported: timer").with("Session-Expires: 3600;refresher=uac");
    let said = server("Allow: UPDATE\r\nSession-Expires: 200;refresher=uac\r\n");
    let (invite, _) = call_up(&mut rig, &caller, &said);
    rig.pass_ms(100_000);
    let first = towards_server(&mut rig, &invite, &Method::Update);
    rig.receive(first.flow, first.answer_as(422, "", "um", "Min-SE: 400\r\n"));
    let second = towards_server(&mut rig, &invite, &Method::Update);
    assert_eq!(second.header(Name::SessionExpires), "400;refresher=uac");
    assert_eq!(second.header(Name::MinSe), "400");
}

#[test]
fn less_than_90_s_is_kept_by_options_on_both_legs() {
    let mut rig = rig(20);
    let caller = Caller::new("a").with("Supported: timer");
    let (invite, ok) = call_up(&mut rig, &caller, &server("Session-Expires: 90;refresher=uas\r\n"));
    assert_eq!(ok.header(Name::SessionExpires), "90;refresher=uac");
    rig.pass_ms(10_000);
    let probes = [rig.request(&Method::Options), rig.request(&Method::Options)];
    let ids = probes.iter().map(|probe| probe.message.call_id().to_owned()).collect::<Vec<_>>();
    assert!(ids.contains(&invite.message.call_id().to_owned()) && ids.contains(&"a".to_owned()), "{ids:?}");
    for probe in &probes {
        assert!(probe.message.to_tag().is_some(), "within the dialog");
        rig.receive(probe.flow, probe.answer(501, ""));
    }
    rig.silent();
    rig.pass_ms(10_000);
    let again = [rig.request(&Method::Options), rig.request(&Method::Options)];
    rig.receive(again[0].flow, again[0].answer(481, ""));
    assert_hung_up(&mut rig, "session_expired");
}

#[test]
fn options_that_nobody_answers_end_the_call() {
    let mut rig = rig(20);
    let caller = Caller::new("a");
    call_up(&mut rig, &caller, &server("Session-Expires: 1800;refresher=uas\r\n"));
    rig.pass_ms(10_000);
    let dead = rig.request(&Method::Options);
    let alive = rig.request(&Method::Options);
    assert_ne!(dead.message.call_id(), alive.message.call_id());
    rig.receive(alive.flow, alive.answer(200, ""));
    for _ in 0..32 {
        rig.pass_ms(1_000);
        let sent: Vec<_> = rig.sent.drain(..).collect();
        for sent in sent {
            if sent.message.call_id() == dead.message.call_id() || !sent.is(&Method::Options) {
                rig.sent.push_back(sent);
            } else {
                rig.receive(sent.flow, sent.answer(200, ""));
            }
        }
    }
    rig.sent.retain(|sent| sent.is(&Method::Bye));
    assert_hung_up(&mut rig, "session_expired");
}

#[test]
fn the_timers_end_with_the_call() {
    let mut rig = rig(20);
    let caller = Caller::new("a").with("Supported: timer");
    let (_, ok) = call_up(&mut rig, &caller, &server("Session-Expires: 90;refresher=uas\r\n"));
    assert!(rig.engines[0].sessions.timers.next_deadline().is_some());
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    assert_eq!(rig.engines[0].sessions.timers.next_deadline(), None);
}
