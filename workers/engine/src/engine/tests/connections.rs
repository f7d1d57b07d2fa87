//! TCP: connections towards UM servers and callers, reused, refused, lost.

use super::*;

/// A worker whose line and servers speak TCP.
fn rig() -> Rig {
    let tcp = |parts: &mut Parts| {
        parts.line.transport.protocol = Some(um_topology::Transport::Tcp);
        // Probes would keep connections in use.
        for entry in &mut parts.list.entries {
            entry.health.options_interval = Some(Duration::from_secs(3_600));
        }
    };
    let mut rig = Rig::with(1, &topology(2, tcp));
    rig.probes_answered = false;
    rig
}

fn caller(call_id: &str) -> Caller {
    let mut caller = Caller::new(call_id);
    caller.flow.transport = Transport::Tcp;
    caller.flow.connection = Some(ConnectionId { shard: 0, serial: 7 });
    caller
}

fn begin(rig: &mut Rig, caller: &Caller) {
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
}

/// Lets the next connection come up.
fn open(rig: &mut Rig) -> ConnectionId {
    let (connection, _) = rig.opens.pop_front().expect("a connection was asked for");
    rig.input_all(&Input::ConnectionOpened { connection, local: address(1, 40_000) });
    connection
}

fn refuse(rig: &mut Rig) -> SocketAddr {
    let (connection, remote) = rig.opens.pop_front().expect("a connection was asked for");
    rig.input_all(&Input::ConnectionFailed { connection, error: ConnectError::Refused });
    remote
}

fn lose(rig: &mut Rig, connection: ConnectionId) {
    rig.input_all(&Input::ConnectionClosed { connection });
}

/// A rig whose first connection towards the first server has served a call already.
fn used() -> (Rig, ConnectionId) {
    let mut rig = rig();
    let first = caller("first");
    begin(&mut rig, &first);
    let connection = open(&mut rig);
    let invite = rig.request(&Method::Invite);
    assert_eq!(invite.flow.connection, Some(connection));
    rig.receive(invite.flow, invite.answer(486, ""));
    rig.request(&Method::Ack);
    rig.response(486);
    (rig, connection)
}

#[test]
fn the_invite_waits_for_its_connection() {
    let mut rig = rig();
    begin(&mut rig, &caller("a"));
    rig.silent();
    let connection = open(&mut rig);
    let invite = rig.request(&Method::Invite);
    assert_eq!((invite.flow.connection, invite.flow.remote), (Some(connection), address(11, 5060)));
    assert!(invite.header(HeaderName::Via).starts_with("SIP/2.0/TCP 127.0.0.1:5060"));
    assert!(invite.header(HeaderName::Contact).contains("transport=tcp"));
}

#[test]
fn a_refused_connection_moves_on_at_once() {
    let mut rig = rig();
    begin(&mut rig, &caller("a"));
    assert_eq!(refuse(&mut rig), address(11, 5060));
    open(&mut rig);
    assert_eq!(rig.request(&Method::Invite).flow.remote, address(12, 5060));
}

#[test]
fn a_connection_that_does_not_come_up_in_time_moves_on() {
    let mut rig = rig();
    rig.pass_ms(1_500);
    rig.opens.clear();
    let (start, caller) = (rig.now, caller("a"));
    begin(&mut rig, &caller);
    rig.opens.clear();
    rig.pass_ms(2_000);
    assert_eq!((rig.now - start).as_millis(), 2_000);
    assert!(rig.opens.iter().any(|(_, remote)| *remote == address(12, 5060)), "{:?}", rig.opens);
}

#[test]
fn a_connection_is_used_again() {
    let (mut rig, connection) = used();
    begin(&mut rig, &caller("b"));
    assert!(rig.opens.is_empty());
    assert_eq!(rig.request(&Method::Invite).flow.connection, Some(connection));
}

#[test]
fn a_reused_connection_that_breaks_is_replaced_for_the_same_server() {
    let (mut rig, connection) = used();
    begin(&mut rig, &caller("b"));
    let first = rig.request(&Method::Invite);
    lose(&mut rig, connection);
    let fresh = open(&mut rig);
    let second = rig.request(&Method::Invite);
    assert_eq!((second.flow.connection, second.flow.remote), (Some(fresh), address(11, 5060)));
    assert_ne!(first.message.call_id(), second.message.call_id());
    lose(&mut rig, fresh);
    open(&mut rig);
    assert_eq!(rig.request(&Method::Invite).flow.remote, address(12, 5060));
}

#[test]
fn a_fresh_connection_that_breaks_before_any_response_moves_on() {
    let mut rig = rig();
    begin(&mut rig, &caller("a"));
    let connection = open(&mut rig);
    rig.request(&Method::Invite);
    lose(&mut rig, connection);
    open(&mut rig);
    assert_eq!(rig.request(&Method::Invite).flow.remote, address(12, 5060));
}

#[test]
fn a_connection_that_breaks_after_a_provisional_changes_nothing() {
    let mut rig = rig();
    let caller = caller("a");
    begin(&mut rig, &caller);
    let connection = open(&mut rig);
    let invite = rig.request(&Method::Invite);
    rig.receive(invite.flow, invite.answer(180, ""));
    rig.response(180);
    lose(&mut rig, connection);
    rig.silent();
    let other = Flow { connection: Some(ConnectionId { shard: 0, serial: 9 }), ..invite.flow };
    rig.receive(other, invite.answer(200, ANSWER));
    open(&mut rig);
    rig.response(200);
    rig.request(&Method::Ack);
}

#[test]
fn ack_and_bye_go_where_the_contact_says_over_the_connection_that_is_there() {
    let mut rig = rig();
    let caller = caller("a");
    begin(&mut rig, &caller);
    let connection = open(&mut rig);
    let invite = rig.request(&Method::Invite);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    let ack = rig.request(&Method::Ack);
    assert_eq!(ack.flow.connection, Some(connection));
    let ok = rig.response(200);
    assert_eq!(ok.flow.connection, caller.flow.connection);
    rig.receive(caller.flow, caller.ack(&ok));
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    assert_eq!(rig.request(&Method::Bye).flow.connection, Some(connection));
}

#[test]
fn a_bye_to_a_caller_who_takes_no_connection_goes_over_his() {
    let mut rig = rig();
    let caller = caller("a");
    begin(&mut rig, &caller);
    open(&mut rig);
    let invite = rig.request(&Method::Invite);
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    let ok = rig.response(200);
    rig.receive(caller.flow, caller.ack(&ok));
    rig.receive(invite.flow, invite.inside("BYE", 1, ""));
    rig.response(200);
    assert_eq!(refuse(&mut rig), address(2, 5070));
    assert_eq!(rig.request(&Method::Bye).flow.connection, caller.flow.connection);
}

#[test]
fn an_answer_whose_connection_is_gone_goes_over_a_new_one() {
    let mut rig = rig();
    let caller = caller("a");
    begin(&mut rig, &caller);
    open(&mut rig);
    let invite = rig.request(&Method::Invite);
    lose(&mut rig, caller.flow.connection.unwrap());
    rig.receive(invite.flow, invite.answer(180, ""));
    rig.silent();
    let connection = open(&mut rig);
    assert_eq!(rig.response(180).flow.connection, Some(connection));
}

#[test]
fn unused_connections_are_closed_and_nothing_remains() {
    let (mut rig, connection) = used();
    rig.pass_ms(5_000);
    rig.pass(Duration::from_secs(110));
    assert!(!rig.closes.contains(&connection));
    rig.pass(Duration::from_secs(10));
    assert!(rig.closes.contains(&connection));
}

#[test]
fn a_line_of_udp_reaches_a_server_of_tcp() {
    let mixed = |parts: &mut Parts| parts.list.entries[0].transport = Some(um_topology::Transport::Tcp);
    let mut rig = Rig::with(1, &topology(2, mixed));
    rig.probes_answered = false;
    begin(&mut rig, &Caller::new("a"));
    open(&mut rig);
    let invite = rig.request(&Method::Invite);
    assert_eq!((invite.flow.transport, invite.flow.remote), (Transport::Tcp, address(11, 5060)));
}
