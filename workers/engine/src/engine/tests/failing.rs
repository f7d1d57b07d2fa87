//! Failover on the wire: what makes the next UM server be tried, when, and with which identity.

use super::*;

fn identity(sent: &Sent) -> (String, String, u32) {
    let message = &sent.message;
    (message.call_id().to_owned(), message.from_tag().unwrap().to_owned(), message.cseq().number)
}

/// Answers this INVITE and takes it to the end of the set-up.
fn finish(rig: &mut Rig, caller: &Caller, invite: &Sent) {
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    rig.receive(caller.flow, caller.ack(&ok));
    rig.silent();
}

fn circuit(rig: &Rig, index: usize) -> Circuit {
    let report = rig.engines[0].targets(rig.now).nth(index).expect("a target");
    report.circuit
}

#[test]
fn a_silent_server_costs_two_seconds_and_the_next_one_gets_a_new_call() {
    let mut rig = Rig::new();
    rig.pass_ms(1_500);
    let start = rig.now;
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.pass_ms(1_999);
    assert!(rig.sent.iter().all(|sent| sent.flow.remote == address(11, 5060)), "only repetitions");
    rig.skip();
    rig.pass_ms(1);
    let second = rig.request(&Method::Invite);
    assert_eq!((rig.now - start).as_millis(), 2_000);
    assert_eq!(second.flow.remote, address(12, 5060));
    let (one, two) = (identity(&first), identity(&second));
    assert_ne!(one.0, two.0, "Call-ID");
    assert_ne!(one.1, two.1, "From-tag");
    assert_eq!(one.2, two.2, "CSeq begins again");
    assert_eq!(first.header(HeaderName::To), second.header(HeaderName::To));
    finish(&mut rig, &caller, &second);
    assert_eq!(circuit(&rig, 0), Circuit::Suspect);
}

#[test]
fn the_call_after_a_silent_server_does_not_pay_for_it() {
    let mut rig = Rig::new();
    rig.probes_answered = false;
    let caller = Caller::new("a");
    rig.call(&caller);
    rig.pass_ms(2_000);
    rig.skip();
    let invite = rig.call(&Caller::new("b"));
    assert_eq!(invite.flow.remote, address(12, 5060));
}

#[test]
fn an_icmp_error_moves_on_at_once() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.input_all(&Input::SendFailed { flow: first.flow });
    let second = rig.request(&Method::Invite);
    assert_eq!(second.flow.remote, address(12, 5060));
    finish(&mut rig, &caller, &second);
}

#[test]
fn retryable_codes_are_acknowledged_and_move_on_at_once() {
    for status in [480, 500, 503, 599] {
        let mut rig = Rig::new();
        let caller = Caller::new("a");
        let first = rig.call(&caller);
        rig.receive(first.flow, first.answer(status, ""));
        assert_eq!(rig.request(&Method::Ack).flow.remote, address(11, 5060));
        let second = rig.request(&Method::Invite);
        assert_eq!(second.flow.remote, address(12, 5060));
        let expected = if status == 480 { Circuit::Up } else { Circuit::Suspect };
        assert_eq!(circuit(&rig, 0), expected, "{status}");
        finish(&mut rig, &caller, &second);
    }
}

#[test]
fn a_503_with_retry_after_keeps_later_calls_away_for_that_time() {
    let mut rig = Rig::new();
    let first = rig.call(&Caller::new("a"));
    rig.receive(first.flow, first.answer_as(503, "", "um", "Retry-After: 30\r\n"));
    rig.skip();
    assert_eq!(circuit(&rig, 0), Circuit::Up, "the state beside the block stays");
    rig.pass_ms(29_000);
    rig.skip();
    assert_eq!(rig.call(&Caller::new("b")).flow.remote, address(12, 5060));
    rig.pass_ms(1_100);
    rig.skip();
    assert_eq!(rig.call(&Caller::new("c")).flow.remote, address(11, 5060));
}

#[test]
fn only_100_for_the_timeout_is_cancelled_before_the_next_server_is_tried() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.receive(first.flow, first.answer(100, ""));
    rig.pass_ms(7_499);
    rig.silent();
    rig.pass_ms(1);
    let cancel = rig.request(&Method::Cancel);
    assert_eq!(cancel.message.branch(), first.message.branch());
    rig.receive(cancel.flow, cancel.answer(200, ""));
    rig.receive(first.flow, first.answer(487, ""));
    rig.request(&Method::Ack);
    let second = rig.request(&Method::Invite);
    finish(&mut rig, &caller, &second);
}

#[test]
fn an_answer_that_crosses_our_cancel_is_taken() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.receive(first.flow, first.answer(100, ""));
    rig.pass_ms(7_500);
    let cancel = rig.request(&Method::Cancel);
    rig.receive(first.flow, first.answer(200, ANSWER));
    rig.receive(cancel.flow, cancel.answer(200, ""));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    rig.receive(caller.flow, caller.ack(&ok));
    rig.silent();
}

#[test]
fn a_late_answer_of_a_server_that_was_given_up_is_acknowledged_and_hung_up() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.pass_ms(2_000);
    rig.skip();
    rig.receive(first.flow, first.answer(200, ANSWER));
    assert_eq!(rig.request(&Method::Ack).message.call_id(), first.message.call_id());
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), first.message.call_id());
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.silent();
}

#[test]
fn a_late_provisional_of_a_server_that_was_given_up_is_cancelled() {
    let mut rig = Rig::new();
    let first = rig.call(&Caller::new("a"));
    rig.pass_ms(2_000);
    rig.skip();
    rig.receive(first.flow, first.answer(180, ""));
    rig.request(&Method::Cancel);
    rig.silent();
}

#[test]
fn when_all_are_dead_the_caller_gets_503_with_retry_after() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    for index in 0..2 {
        let invite = if index == 0 { rig.call(&caller) } else { rig.request(&Method::Invite) };
        rig.receive(invite.flow, invite.answer(500, ""));
        rig.request(&Method::Ack);
    }
    let refusal = rig.response(503);
    assert_eq!(refusal.header(HeaderName::RetryAfter), "10");
    rig.receive(caller.flow, caller.ack_failure(&refusal));
    let record = &rig.records[0];
    assert_eq!((record.attempts, record.status, record.outcome.as_str()), (2, 503, "failed"));
    assert!(record.explanation.is_some(), "a failed call tells why");
    rig.assert_at_rest();
}

#[test]
fn a_single_silent_server_is_given_up_after_seven_and_a_half_seconds() {
    let mut rig = Rig::with(1, &topology(1, |_| {}));
    rig.pass_ms(1_500);
    rig.call(&Caller::new("a"));
    rig.pass_ms(7_499);
    assert!(rig.sent.iter().all(|sent| sent.is(&Method::Invite)));
    rig.skip();
    rig.pass_ms(1);
    rig.response(503);
}

#[test]
fn a_final_refusal_is_passed_on_without_another_attempt() {
    let mut rig = Rig::new();
    let first = rig.call(&Caller::new("a"));
    rig.receive(first.flow, first.answer_as(486, "", "um", "Retry-After: 60\r\n"));
    rig.request(&Method::Ack);
    assert_eq!(rig.response(486).header(HeaderName::RetryAfter), "60");
    rig.silent();
}

#[test]
fn a_redirection_is_followed_in_the_same_call() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.receive(first.flow, first.answer_as(302, "", "um", "Contact: <sip:6000@127.0.0.11:5065>\r\n"));
    rig.request(&Method::Ack);
    let second = rig.request(&Method::Invite);
    assert_eq!(second.flow.remote, address(11, 5065));
    assert_eq!(second.message.request_uri().unwrap().as_str(), "sip:6000@127.0.0.11:5065");
    let (one, two) = (identity(&first), identity(&second));
    assert_eq!((one.0, one.1, one.2 + 1), two);
    assert_eq!(first.header(HeaderName::To), second.header(HeaderName::To), "without the tag of the 302");
    assert_ne!(first.message.branch(), second.message.branch());
    assert_eq!(first.body(), second.body());
    finish(&mut rig, &caller, &second);
}

#[test]
fn a_redirection_to_a_dead_host_moves_on_to_the_next_server() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.receive(first.flow, first.answer_as(302, "", "um", "Contact: <sip:6000@127.0.0.11:5065>\r\n"));
    rig.request(&Method::Ack);
    let second = rig.request(&Method::Invite);
    rig.input_all(&Input::SendFailed { flow: second.flow });
    let third = rig.request(&Method::Invite);
    assert_eq!(third.flow.remote, address(12, 5060));
    assert_ne!(third.message.call_id(), first.message.call_id());
    finish(&mut rig, &caller, &third);
}

#[test]
fn a_redirection_out_of_the_allowed_hosts_is_not_followed() {
    let mut rig = Rig::new();
    let first = rig.call(&Caller::new("a"));
    rig.receive(first.flow, first.answer_as(302, "", "um", "Contact: <sip:6000@127.0.0.99:5065>\r\n"));
    rig.request(&Method::Ack);
    assert_eq!(rig.request(&Method::Invite).flow.remote, address(12, 5060));
}

#[test]
fn an_answer_without_usable_media_is_hung_up_and_the_next_server_is_tried() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    rig.receive(first.flow, first.answer(200, ""));
    rig.request(&Method::Ack);
    rig.request(&Method::Bye);
    let second = rig.request(&Method::Invite);
    finish(&mut rig, &caller, &second);
}

#[test]
fn a_forked_second_answer_is_hung_up() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, _) = rig.answered_call(&caller);
    rig.receive(invite.flow, invite.answer_as(200, ANSWER, "other", ""));
    let ack = rig.request(&Method::Ack);
    assert!(ack.header(HeaderName::To).ends_with("tag=other"));
    let bye = rig.request(&Method::Bye);
    assert!(bye.header(HeaderName::To).ends_with("tag=other"));
    rig.silent();
    assert!(rig.records.is_empty(), "the call goes on");
}

#[test]
fn names_are_resolved_and_every_address_is_tried() {
    let mut rig = Rig::with(
        1,
        &topology(1, |parts| parts.list.entries[0].address = Some("um.example.com".parse().unwrap())),
    );
    let records = [31, 32].map(|last| Record::Address(address(last, 0).ip())).to_vec();
    let ttl = Duration::from_secs(60);
    rig.resolve("um.example.com", RecordKind::A, Ok(Resolution { records, ttl }));
    let caller = Caller::new("a");
    let first = rig.call(&caller);
    assert_eq!(first.flow.remote, address(31, 5060));
    rig.input_all(&Input::SendFailed { flow: first.flow });
    let second = rig.request(&Method::Invite);
    assert_eq!(second.flow.remote, address(32, 5060));
    finish(&mut rig, &caller, &second);
}

#[test]
fn a_name_that_does_not_resolve_moves_on() {
    let mut rig = Rig::with(
        1,
        &topology(2, |parts| parts.list.entries[0].address = Some("gone.example.com".parse().unwrap())),
    );
    rig.resolve("gone.example.com", RecordKind::A, Err(ResolveError::NotFound));
    let second = rig.call(&Caller::new("a"));
    assert_eq!(second.flow.remote, address(12, 5060));
}
