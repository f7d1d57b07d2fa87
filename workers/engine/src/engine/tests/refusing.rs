//! What never becomes a call, and what the sender is told.

use um_sip::{Framer, Limits};

use super::*;
use crate::observation::Rejected;

fn told(rig: &mut Rig, caller: &Caller) -> Sent {
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    let refusal = rig.next();
    rig.silent();
    refusal
}

fn status(sent: &Sent) -> u16 {
    sent.message.status().unwrap().code()
}

#[test]
fn a_number_that_nobody_has_is_404_with_a_reason() {
    let mut rig = Rig::new();
    let refusal = told(&mut rig, &Caller::new("a").dialling("9999"));
    assert_eq!(status(&refusal), 404);
    assert!(refusal.text().starts_with("SIP/2.0 404 No Such Number"));
    assert!(matches!(
        rig.seen.last(),
        Some(Observation::Rejected { status: 404, reason: Rejected::Routing(_), explanation: Some(_), .. })
    ));
    rig.assert_at_rest();
}

#[test]
fn a_source_that_is_not_admitted_is_403() {
    let deny = |parts: &mut Parts| parts.line.access.deny = vec!["127.0.0.2".parse().unwrap()];
    let mut rig = Rig::with(1, &topology(1, deny));
    assert_eq!(status(&told(&mut rig, &Caller::new("a"))), 403);
}

#[test]
fn options_of_a_source_that_is_not_admitted_is_403_too() {
    let only_um = |parts: &mut Parts| parts.line.usage = Some(um_topology::Usage::Um);
    let mut rig = Rig::with(1, &topology(1, only_um));
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.start("OPTIONS", 1, "z9hG4bKo", None) + &content(""));
    assert_eq!(status(&rig.next()), 403);
    let mut server = Caller::new("b");
    server.flow.remote = address(11, 5060);
    rig.receive(server.flow, server.start("OPTIONS", 1, "z9hG4bKo", None) + &content(""));
    assert_eq!(status(&rig.next()), 200);
}

#[test]
fn a_line_may_carry_as_many_calls_as_its_limit_says_with_both_legs_on_it() {
    let mut rig = Rig::with(1, &topology(1, |parts| parts.line.limits.max_calls = Some(2)));
    rig.call(&Caller::new("a"));
    rig.call(&Caller::new("b"));
    assert_eq!(status(&told(&mut rig, &Caller::new("c"))), 503);
}

#[test]
fn a_diverting_party_without_mailbox_is_404() {
    let mut rig = Rig::new();
    let caller = Caller::new("a").with("Diversion: <sip:7777@pbx.example.com>;reason=no-answer");
    assert_eq!(status(&told(&mut rig, &caller)), 404);
}

#[test]
fn an_inactive_station_is_480() {
    let mut rig = Rig::with(1, &topology(1, |parts| parts.station.active = Some(false)));
    assert_eq!(status(&told(&mut rig, &Caller::new("a"))), 480);
}

#[test]
fn a_call_without_hops_left_is_483_unless_it_is_refused_anyway() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    rig.response(100);
    rig.response(483);
    let caller = Caller::new("b").dialling("9999");
    rig.receive(caller.flow, caller.invite().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    rig.response(100);
    rig.response(404);
}

#[test]
fn bodies_that_cannot_be_served_are_refused() {
    let cases = [
        ("v=0\r\nbroken", 400),
        (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=video 4000 RTP/AVP 96\r\n",
            488,
        ),
    ];
    for (body, expected) in cases {
        let mut rig = Rig::new();
        let mut caller = Caller::new("a");
        caller.body = body;
        assert_eq!(status(&told(&mut rig, &caller)), expected, "{body}");
        assert_eq!(rig.engines[0].usage().calls, 0);
    }
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite().replace("application/sdp", "text/plain"));
    assert_eq!(rig.response(415).header(HeaderName::Accept), "application/sdp");
}

#[test]
fn an_extension_that_is_required_is_420() {
    let mut rig = Rig::new();
    let caller = Caller::new("a").with("Require: timer, wings");
    rig.receive(caller.flow, caller.invite());
    let refusal = rig.next();
    let unsupported = refusal.header(HeaderName::Unsupported);
    assert_eq!((status(&refusal), unsupported.split(", ").last()), (420, Some("wings")));
    rig.silent();
}

#[test]
fn a_draining_worker_says_503_to_calls_and_options_and_finishes_what_it_has() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (_, ok) = rig.answered_call(&caller);
    rig.input_all(&Input::Drain(Drain::Start));
    let refusal = told(&mut rig, &Caller::new("b"));
    assert_eq!((status(&refusal), refusal.header(HeaderName::RetryAfter)), (503, "10"));
    let other = Caller::new("c");
    rig.receive(other.flow, other.start("OPTIONS", 1, "z9hG4bKo", None) + &content(""));
    assert_eq!(status(&rig.next()), 503);
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    rig.request(&Method::Bye);
    rig.input_all(&Input::Drain(Drain::End));
    rig.call(&Caller::new("d"));
}

#[test]
fn a_full_line_says_503_with_retry_after_5() {
    let mut rig = Rig::with(1, &topology(1, |parts| parts.line.limits.max_calls_in = Some(1)));
    rig.call(&Caller::new("a"));
    let refusal = told(&mut rig, &Caller::new("b"));
    assert_eq!((status(&refusal), refusal.header(HeaderName::RetryAfter)), (503, "5"));
}

#[test]
fn a_target_with_as_many_calls_as_it_may_have_is_passed_over() {
    let mut rig = Rig::with(1, &topology(2, |parts| parts.list.entries[0].max_calls = Some(1)));
    assert_eq!(rig.call(&Caller::new("a")).flow.remote, address(11, 5060));
    assert_eq!(rig.call(&Caller::new("b")).flow.remote, address(12, 5060));
}

#[test]
fn options_is_answered_with_what_is_allowed() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.start("OPTIONS", 1, "z9hG4bKo", None) + &content(""));
    let ok = rig.next();
    assert_eq!(status(&ok), 200);
    assert_eq!((ok.header(HeaderName::Allow), ok.header(HeaderName::Accept)), (ALLOW, "application/sdp"));
}

#[test]
fn other_methods_are_answered_with_what_is_allowed() {
    for (method, expected) in [("REGISTER", 405), ("SUBSCRIBE", 405), ("MESSAGE", 405), ("FROBNICATE", 501)] {
        let mut rig = Rig::new();
        let caller = Caller::new("a");
        rig.receive(caller.flow, caller.start(method, 1, "z9hG4bKx", None) + &content(""));
        let refusal = rig.next();
        assert_eq!(status(&refusal), expected);
        assert_eq!(refusal.message.allow(), Some(MethodSet::listed(ALLOW)));
    }
}

#[test]
fn requests_inside_a_call_that_are_not_served_leave_it_alone() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (_, ok) = rig.answered_call(&caller);
    for (cseq, (method, expected)) in
        (2..).zip([("SUBSCRIBE", 405), ("MESSAGE", 405), ("PUBLISH", 405), ("OPTIONS", 200), ("X", 501)])
    {
        rig.receive(caller.flow, caller.inside(method, cseq, &ok, ""));
        assert_eq!(status(&rig.next()), expected, "{method}");
    }
    assert!(rig.records.is_empty());
}

#[test]
fn nonsense_is_dropped_or_told_and_nothing_remains() {
    let mut rig = Rig::new();
    let flow = Caller::new("a").flow;
    for bytes in [
        &b""[..],
        b"\r\n\r\n",
        b"hello",
        b"\xff\xfe\x00",
        b"INVITE sip:a SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
    ] {
        rig.receive(flow, Bytes::copy_from_slice(bytes));
    }
    rig.silent();
    let stray = "BYE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKs\r\nMax-Forwards: 70\r\n\
                 From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: s\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n";
    rig.receive(flow, stray);
    rig.response(481);
    rig.assert_at_rest();
}

#[test]
fn a_lost_framing_closes_the_connection() {
    let mut rig = Rig::new();
    let connection = ConnectionId { shard: 0, serial: 4 };
    let flow = Flow { connection: Some(connection), transport: Transport::Tcp, ..Caller::new("a").flow };
    let mut framer = Framer::new(Limits::default());
    let request = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.2:5070;branch=z9hG4bKf\r\nMax-Forwards: 70\r\n\
                   From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: f\r\nCSeq: 1 OPTIONS\r\n\r\n";
    framer.push(request.as_bytes());
    let error = Box::new(framer.poll().unwrap_err());
    rig.input_all(&Input::FramingLost { flow, error });
    rig.response(400);
    assert_eq!(rig.closes, [connection]);
}
