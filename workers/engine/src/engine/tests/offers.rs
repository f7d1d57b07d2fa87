//! New offers within a call that is up: what is answered here, what is passed on, and how that ends.

use um_media::{Direction, Leg, Payload, Tone};

use super::*;

/// A call that is up, its last ACK long ago; the INVITE that went to the UM server, and our 200 to the caller.
fn call() -> (Rig, Caller, Sent, Sent) {
    call_in(|_| {})
}

fn call_in(change: impl FnOnce(&mut Parts)) -> (Rig, Caller, Sent, Sent) {
    let mut rig = Rig::with(1, &topology(2, change));
    let caller = Caller::new("a");
    let (invite, ok) = rig.answered_call(&caller);
    rig.pass_ms(1_000);
    rig.skip();
    (rig, caller, invite, ok)
}

const FAX: &str = "v=0\r\no=um 1 2 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\nt=0 0\r\n\
                   m=image 5400 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n\
                   a=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";

/// What a party says when it speaks PCMA only.
fn pcma(body: &str) -> String {
    body.replace("RTP/AVP 0 8 101", "RTP/AVP 8 101")
        .replace("RTP/AVP 0 101", "RTP/AVP 8 101")
        .replace(" 1 1 IN", " 1 2 IN")
}

impl Rig {
    /// What the relay was told last of a side.
    fn told(&self, side: Leg) -> &um_media::Remote {
        let mut told = self.relays.iter().rev().filter_map(|command| match command {
            RelayCommand::SetRemote { leg, remote, .. } if *leg == side => Some(&**remote),
            RelayCommand::SetRemote { .. }
            | RelayCommand::Open(_)
            | RelayCommand::PlayTone { .. }
            | RelayCommand::Close { .. } => None,
        });
        told.next().expect("a far end")
    }

    /// The UM server sends a re-INVITE; ours goes to the caller.
    fn forwarded(&mut self, um: &Sent, offer: &str) -> Sent {
        self.receive(um.flow, um.inside("INVITE", 1, offer));
        self.request(&Method::Invite)
    }
}

fn media_line(sent: &Sent) -> String {
    sent.body().lines().find(|line| line.starts_with("m=")).unwrap_or_default().to_owned()
}

#[test]
fn a_codec_change_of_the_server_is_passed_on_to_the_caller() {
    let (mut rig, caller, um, ok) = call();
    let ours = rig.forwarded(&um, &pcma(ANSWER));
    assert_eq!(ours.flow.remote, caller.flow.remote);
    assert_eq!(ours.header(HeaderName::From), ok.header(HeaderName::To), "in the caller's dialog");
    assert_eq!(media_line(&ours), "m=audio 20000 RTP/AVP 8 101");
    rig.receive(caller.flow, ours.answer(200, &pcma(OFFER)));
    let ack = rig.request(&Method::Ack);
    assert_eq!(ack.flow.remote, caller.flow.remote);
    let answer = rig.response(200);
    assert_eq!(
        (answer.flow.remote, media_line(&answer)),
        (um.flow.remote, "m=audio 20002 RTP/AVP 8 101".into())
    );
    rig.receive(um.flow, um.inside("ACK", 1, ""));
    rig.silent();
    rig.pass_ms(40_000);
    rig.silent();
}

#[test]
fn a_refused_change_leaves_the_call_as_it_was() {
    for status in [488, 415, 606] {
        let (mut rig, caller, um, ok) = call();
        let ours = rig.forwarded(&um, FAX);
        assert_eq!(media_line(&ours), "m=image 20000 udptl t38");
        rig.receive(caller.flow, ours.answer(status, ""));
        rig.request(&Method::Ack);
        rig.response(488);
        assert!(matches!(rig.told(Leg::Outbound).payload, Payload::Rtp { .. }));
        assert!(matches!(rig.told(Leg::Inbound).payload, Payload::Rtp { .. }));
        rig.skip();
        // The caller's refresh is answered as before.
        rig.receive(caller.flow, caller.inside("INVITE", 2, &ok, OFFER));
        assert_eq!(media_line(&rig.response(200)), "m=audio 20000 RTP/AVP 0 101");
        assert!(rig.records.is_empty());
    }
}

#[test]
fn a_fax_is_switched_on_both_legs_and_back() {
    let (mut rig, caller, um, _) = call();
    let ours = rig.forwarded(&um, FAX);
    let fax_of_caller = FAX.replace("127.0.0.11", "127.0.0.2").replace("5400", "4400");
    rig.receive(caller.flow, ours.answer(200, &fax_of_caller));
    rig.request(&Method::Ack);
    let answer = rig.response(200);
    assert!(answer.body().contains("m=image 20002 udptl t38\r\na=T38FaxVersion:0\r\n"), "{}", answer.body());
    rig.receive(um.flow, um.inside("ACK", 1, ""));
    for (leg, media) in [(Leg::Inbound, "127.0.0.2:4400"), (Leg::Outbound, "127.0.0.11:5400")] {
        let remote = rig.told(leg);
        assert_eq!((remote.payload.clone(), remote.media.rtp), (Payload::Opaque, media.parse().unwrap()));
    }
    // The session is refreshed with the same description: the answer is the same, and the caller hears nothing.
    rig.receive(um.flow, um.inside("INVITE", 2, FAX));
    let again = rig.response(200);
    assert_eq!(again.body(), answer.body());
    rig.receive(um.flow, um.inside("ACK", 2, ""));
    rig.pass_ms(1_000);
    rig.silent();
    rig.receive(um.flow, um.inside("INVITE", 3, ANSWER));
    let back = rig.request(&Method::Invite);
    assert_eq!(media_line(&back), "m=audio 20000 RTP/AVP 0 101");
    rig.receive(
        caller.flow,
        back.answer(200, &ANSWER.replace("127.0.0.11", "127.0.0.2").replace("5000", "4000")),
    );
    rig.request(&Method::Ack);
    assert_eq!(media_line(&rig.response(200)), "m=audio 20002 RTP/AVP 0 101");
    assert!(matches!(rig.told(Leg::Inbound).payload, Payload::Rtp { .. }));
}

#[test]
fn a_fax_is_refused_where_a_line_takes_none() {
    let (mut rig, _, um, _) = call_in(|parts| parts.line.fax_protocol = Some(um_topology::FaxProtocol::None));
    rig.receive(um.flow, um.inside("INVITE", 1, FAX));
    rig.response(488);
    rig.silent();
}

#[test]
fn a_hold_is_passed_on_where_the_line_says_so() {
    let (mut rig, caller, um, ok) =
        call_in(|parts| parts.line.session.hold_mode = Some(um_topology::HoldMode::Forward));
    let hold = OFFER.replace("pbx 1 1", "pbx 1 2") + "a=sendonly\r\n";
    rig.receive(caller.flow, caller.inside("INVITE", 2, &ok, &hold));
    let ours = rig.request(&Method::Invite);
    assert!(ours.flow.remote == um.flow.remote && ours.body().contains("a=sendonly"), "{}", ours.text());
    rig.receive(um.flow, ours.answer(200, &(ANSWER.replace("um 1 1", "um 1 2") + "a=recvonly\r\n")));
    rig.request(&Method::Ack);
    assert!(rig.response(200).body().contains("a=recvonly"));
    assert_eq!(rig.told(Leg::Inbound).direction, Direction::RecvOnly);
    assert_eq!(rig.told(Leg::Outbound).direction, Direction::SendOnly);
}

#[test]
fn an_old_style_hold_by_update_is_answered_here() {
    let (mut rig, caller, _, ok) = call();
    let hold = OFFER.replace("c=IN IP4 127.0.0.2", "c=IN IP4 0.0.0.0");
    rig.receive(caller.flow, caller.inside("UPDATE", 2, &ok, &hold));
    let held = rig.response(200);
    assert!(held.body().contains("a=recvonly") && !held.body().contains("0.0.0.0"), "{}", held.body());
    assert_eq!(rig.told(Leg::Inbound).direction, Direction::RecvOnly);
    rig.receive(caller.flow, caller.inside("UPDATE", 3, &ok, ""));
    assert_eq!(rig.response(200).body(), "", "without an offer it only says that he is there");
    rig.silent();
}

#[test]
fn a_request_for_an_offer_gets_ours_and_its_answer_in_the_ack() {
    let (mut rig, caller, _, ok) = call();
    rig.receive(caller.flow, caller.inside("INVITE", 2, &ok, ""));
    let offer = rig.response(200);
    assert_eq!(media_line(&offer), "m=audio 20000 RTP/AVP 0 101");
    let moved = OFFER.replace("m=audio 4000", "m=audio 4444");
    rig.receive(caller.flow, caller.inside("ACK", 2, &offer, &moved));
    assert_eq!(rig.told(Leg::Inbound).media.rtp.port(), 4444);
    rig.pass_ms(2_000);
    rig.silent();
}

#[test]
fn no_answer_in_the_ack_hangs_up_both() {
    let (mut rig, caller, _, ok) = call();
    rig.receive(caller.flow, caller.inside("INVITE", 2, &ok, ""));
    let offer = rig.response(200);
    rig.receive(caller.flow, caller.inside("ACK", 2, &offer, ""));
    rig.request(&Method::Bye);
    rig.request(&Method::Bye);
    assert_eq!(rig.records[0].reason.as_str(), "answer_missing");
}

#[test]
fn a_glare_is_backed_off_and_tried_again() {
    let (mut rig, caller, um, _) = call();
    let ours = rig.forwarded(&um, &pcma(ANSWER));
    rig.receive(caller.flow, ours.answer(491, ""));
    rig.request(&Method::Ack);
    // He chose the Call-ID, so we wait 0 to 2 s, behind the 750 ms of the line.
    rig.pass_ms(749);
    rig.response(100);
    rig.silent();
    rig.pass_ms(2_001);
    let again = rig.request(&Method::Invite);
    rig.skip();
    assert_eq!(media_line(&again), "m=audio 20000 RTP/AVP 8 101");
    rig.receive(caller.flow, again.answer(200, &pcma(OFFER)));
    rig.request(&Method::Ack);
    rig.response(200);
}

#[test]
fn a_dialog_that_the_peer_has_lost_ends_the_call() {
    for status in [481, 408] {
        let (mut rig, caller, um, _) = call();
        let ours = rig.forwarded(&um, &pcma(ANSWER));
        rig.receive(caller.flow, ours.answer(status, ""));
        rig.request(&Method::Ack);
        rig.response(487);
        rig.pass_ms(10);
        assert_eq!(rig.records[0].reason.as_str(), "dialog_lost");
    }
}

#[test]
fn silence_on_a_re_invite_ends_the_call() {
    let (mut rig, _, um, _) = call();
    rig.forwarded(&um, &pcma(ANSWER));
    rig.pass_ms(33_000);
    assert_eq!(rig.records[0].reason.as_str(), "dialog_lost");
}

#[test]
fn a_cancelled_re_invite_is_withdrawn_on_the_other_leg() {
    let (mut rig, caller, um, _) = call();
    let ours = rig.forwarded(&um, FAX);
    rig.receive(caller.flow, ours.answer(100, ""));
    rig.receive(um.flow, um.inside("CANCEL", 1, ""));
    rig.response(200);
    rig.response(487);
    let cancel = rig.request(&Method::Cancel);
    rig.receive(caller.flow, cancel.answer(200, ""));
    rig.receive(caller.flow, ours.answer(487, ""));
    rig.request(&Method::Ack);
    rig.pass_ms(5_000);
    assert!(rig.records.is_empty());
}

#[test]
fn a_bye_ends_what_waits() {
    let (mut rig, caller, um, ok) = call();
    rig.forwarded(&um, FAX);
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    rig.response(487);
    rig.receive(um.flow, bye.answer(200, ""));
    rig.receive(um.flow, um.inside("ACK", 1, ""));
    rig.assert_at_rest();
}

#[test]
fn a_digit_in_an_info_is_a_telephone_event_for_the_other_side() {
    let (mut rig, caller, um, ok) = call();
    let kind = |text: String, kind: &str| text.replace("application/sdp", kind);
    let info = kind(caller.inside("INFO", 2, &ok, "Signal=5\r\nDuration=200\r\n"), "application/dtmf-relay");
    rig.receive(caller.flow, info);
    rig.response(200);
    rig.receive(um.flow, kind(um.inside("INFO", 1, "#"), "application/dtmf"));
    rig.response(200);
    let tones = rig.relays.iter().filter_map(|command| match command {
        RelayCommand::PlayTone { leg, tone, .. } => Some((*leg, *tone)),
        RelayCommand::SetRemote { .. } | RelayCommand::Open(_) | RelayCommand::Close { .. } => None,
    });
    let tones: Vec<_> = tones.collect();
    let tone = |event, milliseconds| Tone { event, milliseconds };
    assert_eq!(tones, [(Leg::Outbound, tone(5, 200)), (Leg::Inbound, tone(11, 160))]);
    rig.receive(caller.flow, kind(caller.inside("INFO", 3, &ok, "Signal=?"), "application/dtmf-relay"));
    rig.response(400);
    rig.receive(caller.flow, caller.inside("INFO", 4, &ok, ""));
    rig.response(200);
    let packaged =
        caller.inside("INFO", 5, &ok, "").replace("Content-Length", "Info-Package: foo\r\nContent-Length");
    rig.receive(caller.flow, packaged);
    rig.response(469);
}

#[test]
fn any_other_info_is_passed_on_with_its_body_and_its_answer_comes_back() {
    for (status, told) in [(200, 200), (405, 415), (481, 500), (603, 603)] {
        let (mut rig, caller, um, ok) = call();
        let info =
            caller.inside("INFO", 2, &ok, "<x/>").replace("application/sdp", "application/media_control+xml");
        rig.receive(caller.flow, info);
        let passed = rig.request(&Method::Info);
        assert_eq!((passed.flow.remote, passed.body()), (um.flow.remote, "<x/>".to_owned()));
        assert_eq!(passed.header(HeaderName::ContentType), "application/media_control+xml");
        rig.receive(um.flow, passed.answer(status, ""));
        rig.response(told);
    }
}

#[test]
fn an_early_answer_to_a_change_counts_when_the_2xx_comes() {
    let (mut rig, caller, um, _) = call();
    let ours = rig.forwarded(&um, &pcma(ANSWER));
    let early = ours.answer_as(183, &pcma(OFFER), "", "Require: 100rel\r\nRSeq: 3\r\n");
    rig.receive(caller.flow, early);
    let prack = rig.request(&Method::Prack);
    assert!(prack.header(HeaderName::RAck).starts_with("3 "), "{}", prack.text());
    rig.receive(caller.flow, prack.answer(200, ""));
    rig.silent();
    rig.receive(caller.flow, ours.answer(200, ""));
    rig.request(&Method::Ack);
    assert_eq!(media_line(&rig.response(200)), "m=audio 20002 RTP/AVP 8 101");
}
