//! Requests too large for a datagram (RFC 3261 §18.1.1).

use super::*;

/// Where the line takes connections.
const STREAM: LineIndex = LineIndex(1);

/// A worker whose UDP line has a TCP socket beside it.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.accompany(STREAM);
    rig
}

/// A caller whose diversion makes our INVITE large.
fn talkative(call_id: &str) -> Caller {
    let mut caller = Caller::new(call_id);
    caller.extra =
        format!("Diversion: \"{}\" <sip:2001@pbx.example.com>;reason=no-answer\r\n", "Dana ".repeat(260));
    caller
}

fn begin(rig: &mut Rig, caller: &Caller) {
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
}

fn connected(rig: &mut Rig) -> ConnectionId {
    let (connection, remote) = rig.opens.pop_front().expect("a connection was asked for");
    assert_eq!(remote, address(11, 5060));
    rig.input_all(&Input::ConnectionOpened { connection, local: address(1, 40_000) });
    connection
}

#[test]
fn a_large_invite_goes_over_tcp_and_says_so_in_via() {
    let mut rig = rig();
    begin(&mut rig, &talkative("a"));
    rig.silent();
    let connection = connected(&mut rig);
    let invite = rig.request(&Method::Invite);
    assert!(invite.text().len() > 1_300, "{}", invite.text().len());
    assert_eq!((invite.flow.line, invite.flow.connection), (STREAM, Some(connection)));
    assert!(invite.header(HeaderName::Via).starts_with("SIP/2.0/TCP 127.0.0.1:5060"));
}

#[test]
fn a_small_invite_stays_a_datagram() {
    let mut rig = rig();
    begin(&mut rig, &Caller::new("a"));
    assert_eq!(rig.request(&Method::Invite).flow.transport, Transport::Udp);
    assert!(rig.opens.is_empty());
}

#[test]
fn a_server_without_tcp_gets_the_large_invite_as_a_datagram_at_once_and_is_not_asked_again() {
    let mut rig = rig();
    begin(&mut rig, &talkative("a"));
    let (connection, _) = rig.opens.pop_front().expect("a connection was asked for");
    rig.input_all(&Input::ConnectionFailed { connection, error: ConnectError::Refused });
    let invite = rig.request(&Method::Invite);
    assert_eq!((invite.flow.transport, invite.flow.remote), (Transport::Udp, address(11, 5060)));
    assert!(invite.header(HeaderName::Via).starts_with("SIP/2.0/UDP"));
    begin(&mut rig, &talkative("b"));
    assert_eq!(rig.request(&Method::Invite).flow.transport, Transport::Udp);
    assert!(rig.opens.is_empty());
}

#[test]
fn a_line_without_tcp_sends_large_datagrams() {
    let mut rig = Rig::new();
    begin(&mut rig, &talkative("a"));
    assert_eq!(rig.request(&Method::Invite).flow.transport, Transport::Udp);
}

/// Inside a dialog too: a long Contact makes every request of it large.
#[test]
fn a_large_bye_goes_over_tcp_and_after_a_refusal_over_udp() {
    for refused in [false, true] {
        let mut rig = rig();
        let caller = Caller::new("a");
        begin(&mut rig, &caller);
        let invite = rig.request(&Method::Invite);
        let contact = format!("Contact: <sip:{}@127.0.0.11:5060>\r\n", "u".repeat(1_200));
        rig.receive(invite.flow, invite.answer_as(200, ANSWER, "um", &contact));
        let answer = rig.response(200);
        let (connection, _) = rig.opens.pop_front().expect("the ACK asks for a connection");
        if refused {
            rig.input_all(&Input::ConnectionFailed { connection, error: ConnectError::Refused });
        } else {
            rig.input_all(&Input::ConnectionOpened { connection, local: address(1, 40_000) });
        }
        let wanted = if refused { Transport::Udp } else { Transport::Tcp };
        assert_eq!(rig.request(&Method::Ack).flow.transport, wanted);
        rig.receive(caller.flow, caller.ack(&answer));
        rig.receive(caller.flow, caller.inside("BYE", 2, &answer, ""));
        rig.response(200);
        assert_eq!(rig.request(&Method::Bye).flow.transport, wanted);
    }
}
