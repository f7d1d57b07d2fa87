//! REFER: who may ask, what is told of it, and what becomes of the three parties.

use super::*;

/// A call to the pilot that a UM server has answered; the INVITE that went there, and our 200.
fn call() -> (Rig, Caller, Sent, Sent) {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, ok) = rig.answered_call(&caller);
    (rig, caller, invite, ok)
}

/// A REFER of the UM server in the dialog of this INVITE of ours.
fn refer(invite: &Sent, cseq: u32, headers: &str) -> String {
    invite.inside("REFER", cseq, "").replace("Content-Length", &format!("{headers}\r\nContent-Length"))
}

const TO_DANA: &str = "Refer-To: <sip:2001@pbx.example.com;user=phone>";

impl Rig {
    /// The next message must be a NOTIFY; it is answered. Its Subscription-State and body.
    fn notice(&mut self) -> (String, String) {
        let notify = self.request(&Method::Notify);
        assert!(notify.header(HeaderName::Event).starts_with("refer"), "{}", notify.text());
        self.receive(notify.flow, notify.answer(200, ""));
        (notify.header(HeaderName::SubscriptionState).to_owned(), notify.body())
    }

    /// The UM server refers the caller to dana; the INVITE that goes out for it.
    fn referred(&mut self, invite: &Sent) -> Sent {
        self.receive(invite.flow, refer(invite, 1, TO_DANA));
        self.response(202);
        let (state, body) = self.notice();
        assert!(state.starts_with("active;expires=") && body == "SIP/2.0 100 Trying\r\n", "{state} {body}");
        self.request(&Method::Invite)
    }

    /// Where the relay was told that media of a side go, last first.
    fn media(&self, side: um_media::Leg) -> Vec<SocketAddr> {
        let told = self.relays.iter().rev().filter_map(|command| match command {
            RelayCommand::SetRemote { leg, remote, .. } if *leg == side => Some(remote.media.rtp),
            RelayCommand::SetRemote { .. }
            | RelayCommand::PlayTone { .. }
            | RelayCommand::Open(_)
            | RelayCommand::Close { .. } => None,
        });
        told.collect()
    }
}

fn answer_at(port: u16) -> String {
    ANSWER.replace("5000", &port.to_string())
}

#[test]
fn a_referred_caller_is_connected_to_the_target_and_the_referrer_hears_how_it_goes() {
    let (mut rig, caller, um, ok) = call();
    let target = rig.referred(&um);
    assert!(target.header(HeaderName::Diversion).contains("sip:2001@"), "{}", target.text());
    assert!(target.header(HeaderName::From).contains("5551234"), "{}", target.text());
    rig.receive(target.flow, target.answer(180, ""));
    let (state, body) = rig.notice();
    assert!(state.starts_with("active;") && body == "SIP/2.0 180 Ringing\r\n");
    rig.receive(target.flow, target.answer(200, &answer_at(5100)));
    rig.request(&Method::Ack);
    assert_eq!(rig.notice(), ("terminated;reason=noresource".to_owned(), "SIP/2.0 200 OK\r\n".to_owned()));
    assert_eq!(rig.media(um_media::Leg::Outbound)[..2], [address(11, 5100), address(11, 5000)]);
    assert_eq!(rig.media(um_media::Leg::Inbound), [address(2, 4000)], "the caller notices nothing");
    rig.receive(um.flow, um.inside("BYE", 2, ""));
    rig.response(200);
    rig.silent();
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), target.message.call_id());
    rig.receive(bye.flow, bye.answer(200, ""));
    assert_eq!(rig.records[0].reason.as_str(), "caller_hung_up");
    rig.assert_at_rest();
}

#[test]
fn a_referrer_who_stays_is_hung_up_five_seconds_after_success() {
    let (mut rig, _, um, _) = call();
    let target = rig.referred(&um);
    rig.receive(target.flow, target.answer(200, ANSWER));
    rig.request(&Method::Ack);
    rig.notice();
    rig.pass_ms(4_999);
    rig.silent();
    rig.pass_ms(1);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), um.message.call_id());
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.receive(target.flow, target.inside("BYE", 1, ""));
    rig.response(200);
    rig.request(&Method::Bye);
    assert_eq!(rig.records[0].reason.as_str(), "callee_hung_up");
}

#[test]
fn a_failed_transfer_is_told_with_its_code_and_the_two_go_on_talking() {
    let (mut rig, caller, um, ok) = call();
    let target = rig.referred(&um);
    rig.receive(target.flow, target.answer(486, ""));
    rig.request(&Method::Ack);
    assert_eq!(
        rig.notice(),
        ("terminated;reason=noresource".to_owned(), "SIP/2.0 486 Busy Here\r\n".to_owned())
    );
    rig.pass_ms(20_000);
    rig.silent();
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), um.message.call_id());
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.assert_at_rest();
}

#[test]
fn the_next_refer_names_itself_in_its_notices() {
    let (mut rig, _, um, _) = call();
    let target = rig.referred(&um);
    rig.receive(target.flow, target.answer(486, ""));
    rig.request(&Method::Ack);
    rig.notice();
    rig.receive(um.flow, refer(&um, 7, TO_DANA));
    rig.response(202);
    assert_eq!(rig.next().header(HeaderName::Event), "refer;id=7");
}

#[test]
fn one_notice_at_a_time_and_only_the_last_of_what_happened_meanwhile() {
    let (mut rig, _, um, _) = call();
    rig.receive(um.flow, refer(&um, 1, TO_DANA));
    rig.response(202);
    let first = rig.request(&Method::Notify);
    let target = rig.request(&Method::Invite);
    rig.receive(target.flow, target.answer(180, ""));
    rig.receive(target.flow, target.answer(183, ""));
    rig.receive(target.flow, target.answer(200, ANSWER));
    rig.request(&Method::Ack);
    rig.silent();
    rig.receive(first.flow, first.answer(200, ""));
    assert_eq!(rig.notice().1, "SIP/2.0 200 OK\r\n");
    rig.silent();
}

#[test]
fn a_peer_that_refuses_a_notice_is_told_nothing_more() {
    let (mut rig, _, um, _) = call();
    rig.receive(um.flow, refer(&um, 1, TO_DANA));
    rig.response(202);
    let first = rig.request(&Method::Notify);
    let target = rig.request(&Method::Invite);
    rig.receive(first.flow, first.answer(481, ""));
    rig.receive(target.flow, target.answer(180, ""));
    rig.silent();
}

/// RFC 5057 §4.1: the subscription outlives the call in the dialog.
#[test]
fn a_referrer_who_hangs_up_at_once_is_told_how_it_went_all_the_same() {
    for (status, fragment) in [(200, "SIP/2.0 200 OK\r\n"), (486, "SIP/2.0 486 Busy Here\r\n")] {
        let (mut rig, caller, um, _) = call();
        let target = rig.referred(&um);
        rig.receive(um.flow, um.inside("BYE", 2, ""));
        rig.response(200);
        rig.receive(target.flow, target.answer(183, &answer_at(5100)));
        assert_eq!(rig.notice().1, "SIP/2.0 183 Session Progress\r\n");
        assert_eq!(rig.media(um_media::Leg::Outbound)[0], address(11, 5100), "he who is alone hears it ring");
        rig.receive(target.flow, target.answer(status, if status == 200 { ANSWER } else { "" }));
        rig.request(&Method::Ack);
        assert_eq!(rig.notice(), ("terminated;reason=noresource".to_owned(), fragment.to_owned()));
        if status == 200 {
            rig.silent();
            continue;
        }
        let bye = rig.request(&Method::Bye);
        assert_eq!(bye.message.call_id(), caller.call_id);
        rig.receive(bye.flow, bye.answer(200, ""));
        assert_eq!(rig.records[0].reason.as_str(), "transfer_failed");
        rig.assert_at_rest();
    }
}

/// RFC 4488.
#[test]
fn a_referrer_that_wants_no_notices_gets_none() {
    let (mut rig, _, um, _) = call();
    rig.receive(um.flow, refer(&um, 1, &format!("{TO_DANA}\r\nRefer-Sub: false")));
    assert_eq!(rig.response(202).header(HeaderName::ReferSub), "false");
    let target = rig.request(&Method::Invite);
    rig.receive(target.flow, target.answer(200, ANSWER));
    rig.request(&Method::Ack);
    rig.silent();
}

/// RFC 3892 §2.2.
#[test]
fn the_target_is_told_who_referred() {
    let (mut rig, _, um, _) = call();
    let by = "<sip:6000@um1.example.com>;cid=\"20398823.2UWQFN309shb3@um1\"";
    rig.receive(um.flow, refer(&um, 1, &format!("{TO_DANA}\r\nReferred-By: {by}")));
    rig.response(202);
    rig.notice();
    assert_eq!(rig.request(&Method::Invite).header(HeaderName::ReferredBy), by);
}

#[test]
fn a_refer_without_right_or_sense_is_refused_and_changes_nothing() {
    let (mut rig, caller, um, ok) = call();
    let of_caller =
        caller.inside("REFER", 2, &ok, "").replace("Content-Length", &format!("{TO_DANA}\r\nContent-Length"));
    rig.receive(caller.flow, of_caller);
    rig.response(603);
    let cases = [
        ("X: y", 400),
        ("Refer-To: <sip:2001@pbx.example.com>\r\nRefer-To: <sip:2001@pbx.example.com>", 400),
        ("Refer-To: <<>>", 400),
        ("Refer-To: <http://www.example.com/>", 416),
        ("Refer-To: <sip:2001@pbx.example.com;method=SUBSCRIBE>", 603),
    ];
    for (cseq, (headers, status)) in (1..).zip(cases) {
        rig.receive(um.flow, refer(&um, cseq, headers));
        rig.response(status);
    }
    rig.silent();
}

#[test]
fn a_target_that_routing_does_not_know_is_told_in_the_notice() {
    for (target, fragment) in [
        ("sip:9999@pbx.example.com", "SIP/2.0 404 Not Found\r\n"),
        ("sip:2001@evil.example.net", "SIP/2.0 403 Forbidden\r\n"),
    ] {
        let (mut rig, _, um, _) = call();
        rig.receive(um.flow, refer(&um, 1, &format!("Refer-To: <{target}>")));
        rig.response(202);
        rig.notice();
        assert_eq!(rig.notice(), ("terminated;reason=noresource".to_owned(), fragment.to_owned()));
        rig.silent();
    }
}

#[test]
fn a_second_refer_while_one_is_under_way_is_refused() {
    let (mut rig, _, um, _) = call();
    rig.referred(&um);
    rig.receive(um.flow, refer(&um, 2, TO_DANA));
    rig.response(491);
    rig.silent();
}

#[test]
fn a_target_that_does_not_speak_the_callers_codec_is_not_taken() {
    let (mut rig, _, um, _) = call();
    let target = rig.referred(&um);
    let foreign = ANSWER.replace("RTP/AVP 0 101", "RTP/AVP 18 101");
    rig.receive(target.flow, target.answer(200, &foreign));
    rig.request(&Method::Ack);
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), target.message.call_id());
    assert_eq!(rig.media(um_media::Leg::Outbound), [address(11, 5000)]);
}

#[test]
fn who_stays_may_hang_up_while_it_rings_and_all_is_given_back() {
    let (mut rig, caller, um, ok) = call();
    let target = rig.referred(&um);
    rig.receive(target.flow, target.answer(180, ""));
    rig.notice();
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    rig.request(&Method::Cancel);
    assert_eq!(rig.notice().1, "SIP/2.0 487 Request Terminated\r\n");
    let bye = rig.request(&Method::Bye);
    assert_eq!(bye.message.call_id(), um.message.call_id());
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.receive(target.flow, target.answer(487, ""));
    rig.request(&Method::Ack);
    rig.assert_at_rest();
}

/// A REFER to the far end of a dialog of the UM server's with us, whose INVITE was this.
fn refer_joining(invite: &Sent, other: &Sent, extra: &str) -> String {
    let tag = other.header(HeaderName::From).rsplit("tag=").next().unwrap();
    let dialog = format!("{}%3Bto-tag%3D{tag}%3Bfrom-tag%3Dum{extra}", other.message.call_id());
    refer(invite, 1, &format!("Refer-To: <sip:5559999@127.0.0.1?Replaces={dialog}>"))
}

impl Rig {
    /// What we send to ourselves is delivered, what we ask others is answered 200, until nothing is sent any more.
    /// The requests to others.
    fn run(&mut self) -> Vec<Sent> {
        let mut asked = Vec::new();
        while let Some(sent) = self.sent.pop_front() {
            if sent.flow.remote == address(1, 5060) {
                let flow = Flow { remote: address(1, 5060), ..sent.flow };
                self.receive(flow, sent.message.bytes().clone());
            } else if sent.message.is_request() {
                self.receive(sent.flow, sent.answer(200, ""));
                asked.push(sent);
            }
        }
        asked
    }
}

/// Method and Call-ID of requests.
fn named(asked: &[Sent]) -> Vec<(&str, &str)> {
    asked.iter().map(|sent| (sent.message.method().as_str(), sent.message.call_id())).collect()
}

/// RFC 5589 §7: the UM server has two calls with us, and joins their far ends.
#[test]
fn an_attended_transfer_joins_the_far_ends_of_two_calls_at_any_shard() {
    for shards in [1, 2, 3] {
        let mut rig = Rig::with(shards, &topology(2, |_| {}));
        let (caller, mut consulted) = (Caller::new("a"), Caller::new("consultation"));
        consulted.flow.remote = address(3, 5070);
        let (first, ok) = rig.answered_call(&caller);
        let (second, _) = rig.answered_call(&consulted);
        rig.receive(first.flow, refer_joining(&first, &second, ""));
        let asked = rig.run();
        let (a, b) = (first.message.call_id(), second.message.call_id());
        assert_eq!(named(&asked), [("NOTIFY", a), ("BYE", b), ("NOTIFY", a)], "{shards} shards");
        assert_eq!(asked[2].body(), "SIP/2.0 200 OK\r\n");
        rig.receive(first.flow, first.inside("BYE", 2, ""));
        assert_eq!(named(&rig.run()), []);
        rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
        assert_eq!(named(&rig.run()), [("BYE", "consultation")], "who was consulted is hung up");
        rig.assert_at_rest();
    }
}

#[test]
fn an_attended_transfer_without_such_a_dialog_is_told_as_481() {
    let (mut rig, _, um, _) = call();
    for (cseq, dialog, fragment) in [
        (1, "x%3Bto-tag%3Dum0-1%3Bfrom-tag%3Dum", "481 Call/Transaction Does Not Exist"),
        (2, "x%3Bto-tag%3Dforeign%3Bfrom-tag%3Dum", "481 Call/Transaction Does Not Exist"),
    ] {
        rig.receive(
            um.flow,
            refer(&um, cseq, &format!("Refer-To: <sip:5559999@127.0.0.1?Replaces={dialog}>")),
        );
        rig.response(202);
        rig.notice();
        assert_eq!(rig.notice().1, format!("SIP/2.0 {fragment}\r\n"));
    }
    let (first, second) = (um, Caller::new("b"));
    let (other, _) = rig.answered_call(&second);
    let early = refer_joining(&first, &other, "%3Bearly-only")
        .replace("CSeq: 1 ", "CSeq: 9 ")
        .replace("bKum1", "bKum9");
    rig.receive(first.flow, early);
    rig.response(202);
    rig.notice();
    assert_eq!(rig.notice().1, "SIP/2.0 486 Busy Here\r\n");
    rig.silent();
}
