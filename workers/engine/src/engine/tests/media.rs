//! Ports, relay commands and descriptions of a call.

use um_media::{Leg, Treatment};

use super::*;

fn open(rig: &Rig, index: usize) -> &um_media::OpenRelay {
    let opened = rig.relays.iter().filter_map(|command| match command {
        RelayCommand::Open(open) => Some(&**open),
        RelayCommand::SetRemote { .. } | RelayCommand::PlayTone { .. } | RelayCommand::Close { .. } => None,
    });
    opened.collect::<Vec<_>>()[index]
}

fn remotes(rig: &Rig) -> Vec<(Leg, SocketAddr)> {
    let set = rig.relays.iter().filter_map(|command| match command {
        RelayCommand::SetRemote { leg, remote, .. } => Some((*leg, remote.media.rtp)),
        RelayCommand::Open(_) | RelayCommand::PlayTone { .. } | RelayCommand::Close { .. } => None,
    });
    set.collect()
}

fn fail(rig: &mut Rig, relay: RelayId, error: OpenError) {
    rig.input_all(&Input::Relay(RelayEvent::Failed { relay, error }));
}

#[test]
fn both_sides_are_told_our_address_and_the_relay_theirs() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, ok) = rig.answered_call(&caller);
    let relay = open(&rig, 0);
    assert_eq!((relay.inbound.ports.rtp(), relay.outbound.ports.rtp()), (20_000, 20_002));
    assert_eq!(relay.treatment, Treatment::Terminated);
    assert!(
        ok.body().contains("c=IN IP4 127.0.0.1") && ok.body().contains("m=audio 20000 "),
        "{}",
        ok.body()
    );
    assert!(invite.body().contains("m=audio 20002 "), "{}", invite.body());
    assert_eq!(remotes(&rig), [(Leg::Outbound, address(11, 5000)), (Leg::Inbound, address(2, 4000))]);
}

#[test]
fn a_station_may_let_packets_pass_as_they_are() {
    let passthrough = |parts: &mut Parts| parts.station.session.disable_media_passthrough = Some(false);
    let mut rig = Rig::with(1, &topology(1, passthrough));
    rig.call(&Caller::new("a"));
    assert_eq!(open(&rig, 0).treatment, Treatment::Passthrough);
}

#[test]
fn ports_that_somebody_else_holds_are_replaced_a_few_times() {
    let mut rig = Rig::new();
    rig.relays_open = false;
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    let mut seen = Vec::new();
    for attempt in 0..4 {
        let relay = open(&rig, attempt);
        let (id, port) = (relay.relay, relay.inbound.ports.rtp());
        assert!(!seen.contains(&port));
        seen.push(port);
        fail(&mut rig, id, OpenError::PortInUse { port });
    }
    rig.response(503);
    assert_eq!(rig.records[0].reason.as_str(), "no_ports");
    assert_eq!(rig.engines[0].usage().ports, 0);
}

#[test]
fn the_invite_goes_out_when_a_later_try_finds_free_ports() {
    let mut rig = Rig::new();
    rig.relays_open = false;
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    let (relay, port) = (open(&rig, 0).relay, open(&rig, 0).inbound.ports.rtp());
    fail(&mut rig, relay, OpenError::PortInUse { port });
    rig.silent();
    let relay = open(&rig, 1).relay;
    rig.input_all(&Input::Relay(RelayEvent::Opened { relay }));
    rig.request(&Method::Invite);
}

#[test]
fn a_media_address_that_is_not_ours_is_no_reason_to_try_other_ports() {
    let mut rig = Rig::new();
    rig.relays_open = false;
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite());
    rig.response(100);
    let relay = open(&rig, 0).relay;
    fail(&mut rig, relay, OpenError::AddressNotAvailable { address: address(1, 0).ip() });
    rig.response(503);
}

#[test]
fn without_ports_the_caller_gets_503() {
    let mut rig = Rig::new();
    for index in 0..25 {
        rig.call(&Caller::new(&format!("c{index}")));
    }
    let caller = Caller::new("one too many");
    rig.receive(caller.flow, caller.invite().replace("one too many", "more"));
    rig.response(100);
    rig.response(503);
}

#[test]
fn when_all_ports_rest_those_that_rested_a_second_work_again() {
    let mut rig = Rig::new();
    let mut hung_up = Vec::new();
    for index in 0..25 {
        let caller = Caller::new(&format!("c{index}"));
        let (_, ok) = rig.answered_call(&caller);
        hung_up.push(caller.inside("BYE", 2, &ok, ""));
    }
    let flow = Caller::new("x").flow;
    for bye in hung_up {
        rig.receive(flow, bye);
    }
    rig.pass_ms(999);
    rig.skip();
    let early = Caller::new("early");
    rig.receive(early.flow, early.invite());
    rig.response(100);
    rig.response(503);
    rig.pass_ms(1);
    rig.skip();
    rig.call(&Caller::new("late"));
}

#[test]
fn the_relay_is_closed_once_and_the_ports_rest() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (_, ok) = rig.answered_call(&caller);
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    let closes = rig.relays.iter().filter(|command| matches!(command, RelayCommand::Close { .. })).count();
    assert_eq!((closes, rig.engines[0].usage().ports), (1, 0));
    rig.skip();
    rig.call(&Caller::new("b"));
    assert_eq!(open(&rig, 1).inbound.ports.rtp(), 20_004, "not the ports of the call before");
    assert!(rig.seen.iter().any(|seen| matches!(seen, Observation::MediaEnded { .. })));
}

#[test]
fn the_next_server_is_offered_the_same_ports() {
    let mut rig = Rig::new();
    let first = rig.call(&Caller::new("a"));
    rig.input_all(&Input::SendFailed { flow: first.flow });
    let second = rig.request(&Method::Invite);
    assert!(second.body().contains("m=audio 20002 "));
    assert_eq!(rig.relays.len(), 1);
}

#[test]
fn hold_is_answered_here() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (_, ok) = rig.answered_call(&caller);
    let hold = OFFER.replace("o=pbx 1 1", "o=pbx 1 2") + "a=sendonly\r\n";
    rig.receive(caller.flow, caller.inside("INVITE", 2, &ok, &hold));
    let held = rig.response(200);
    assert!(held.body().contains("a=recvonly"), "{}", held.body());
    assert_eq!(remotes(&rig).len(), 3, "the caller's was set anew");
    rig.receive(caller.flow, caller.inside("ACK", 2, &held, ""));
    rig.silent();
    assert!(rig.records.is_empty());
}

#[test]
fn an_offer_inside_the_call_that_cannot_be_served_is_refused_and_the_call_goes_on() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (_, ok) = rig.answered_call(&caller);
    let video = OFFER.replace("m=audio 4000 RTP/AVP 0 8 101", "m=audio 4000 RTP/AVP 96");
    rig.receive(caller.flow, caller.inside("INVITE", 2, &ok, &video));
    rig.pass_ms(750);
    rig.response(100);
    let passed_on = rig.request(&Method::Invite);
    rig.receive(passed_on.flow, passed_on.answer(488, ""));
    rig.request(&Method::Ack);
    rig.response(488);
    rig.silent();
    assert!(rig.records.is_empty());
}
