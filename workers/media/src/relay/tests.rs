//! One relay with both legs: who hears whom, what is counted, what never crosses.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::{
    command::Silence,
    epoch::start,
    payload::PayloadMap,
    sdp::{Direction, RemoteMedia},
};

const CALLER: &str = "192.0.2.10:4000";
const SERVER: &str = "198.51.100.5:9000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn remote(rtp: &str) -> Remote {
    let rtp = address(rtp);
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
    Remote {
        media: RemoteMedia { rtp, rtcp },
        direction: Direction::SendRecv,
        signalling: rtp.ip(),
        allow: Arc::from([]),
        payload: rtp_of(PayloadMaps::default()),
    }
}

fn rtp_of(maps: PayloadMaps) -> Payload {
    let own = Own { events: Some(101), silence: Some(Silence { payload: 0, octet: 0xFF, octets: 160 }) };
    Payload::Rtp { maps: Box::new(maps), clock_rate: 8000, own }
}

fn relay(now: Instant, treatment: Treatment) -> Relay {
    let mut relay = Relay::new(now, treatment, 42);
    relay.set_remote(now, Leg::Inbound, remote(CALLER));
    relay.set_remote(now, Leg::Outbound, remote(SERVER));
    relay
}

fn rtp(ssrc: u32, sequence: u16, payload_type: u8) -> Vec<u8> {
    let mut packet = vec![0; 172];
    packet[0] = 0x80;
    packet[1] = payload_type;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    packet
}

/// A receiver report without blocks.
fn rtcp(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1], &ssrc.to_be_bytes()[..]].concat()
}

fn send(
    relay: &mut Relay,
    now: Instant,
    at: (Leg, Component),
    source: &str,
    packet: &[u8],
) -> Result<(Transmit, Vec<u8>), Discard> {
    let mut buffer = [0; 2048];
    buffer[..packet.len()].copy_from_slice(packet);
    let transmit = relay.handle_datagram(now, at, address(source), &mut buffer, packet.len())?;
    Ok((transmit, buffer[..transmit.length].to_vec()))
}

const INBOUND: (Leg, Component) = (Leg::Inbound, Component::Rtp);
const OUTBOUND: (Leg, Component) = (Leg::Outbound, Component::Rtp);

#[test]
fn passthrough_carries_packets_unchanged_both_ways() {
    let now = start();
    let mut relay = relay(now, Treatment::Passthrough);
    let packet = rtp(7, 1, 0);
    let (transmit, sent) = send(&mut relay, now, INBOUND, CALLER, &packet).unwrap();
    assert_eq!(
        (transmit.leg, transmit.component, transmit.destination),
        (Leg::Outbound, Component::Rtp, address(SERVER))
    );
    assert_eq!(sent, packet);
    let (transmit, sent) = send(&mut relay, now, OUTBOUND, SERVER, &packet).unwrap();
    assert_eq!((transmit.leg, transmit.destination), (Leg::Inbound, address(CALLER)));
    assert_eq!(sent, packet);
    let report = rtcp(7);
    let (transmit, sent) =
        send(&mut relay, now, (Leg::Inbound, Component::Rtcp), "192.0.2.10:4001", &report).unwrap();
    assert_eq!((transmit.component, transmit.destination), (Component::Rtcp, address("198.51.100.5:9001")));
    assert_eq!(sent, report);
    let counters = relay.counters();
    assert_eq!(
        (counters.inbound.rtp_received, counters.inbound.rtp_sent, counters.inbound.rtcp_received),
        (1, 1, 1)
    );
    assert_eq!((counters.outbound.rtp_octets_sent, counters.outbound.rtcp_sent), (172, 1));
}

#[test]
fn terminated_streams_are_ours_over_a_server_change() {
    let now = start();
    let mut relay = relay(now, Treatment::Terminated);
    let (_, first) = send(&mut relay, now, OUTBOUND, SERVER, &rtp(7, 100, 0)).unwrap();
    let second_server = "198.51.100.6:9200";
    relay.set_remote(now, Leg::Outbound, remote(second_server));
    assert_eq!(send(&mut relay, now, OUTBOUND, SERVER, &rtp(7, 101, 0)), Err(Discard::ForeignSource));
    let (transmit, next) = send(&mut relay, now, OUTBOUND, second_server, &rtp(8, 60_000, 0)).unwrap();
    assert_eq!(transmit.destination, address(CALLER));
    assert_eq!(first[8..12], next[8..12], "the caller sees one SSRC");
    assert_ne!(first[8..12], 7_u32.to_be_bytes());
    let sequence = |packet: &[u8]| u16::from_be_bytes([packet[2], packet[3]]);
    assert_eq!(sequence(&next), sequence(&first) + 1);
    assert_eq!(next[1] & 0x80, 0x80, "marker at the change");
    let (transmit, _) = send(&mut relay, now, INBOUND, CALLER, &rtp(9, 1, 0)).unwrap();
    assert_eq!(transmit.destination, address(second_server));
}

#[test]
fn payload_types_are_mapped_per_leg() {
    let now = start();
    let mut relay = relay(now, Treatment::Passthrough);
    let mut server = remote(SERVER);
    let mut sent = PayloadMap::identity();
    sent.insert(96, 101);
    let mut received = PayloadMap::identity();
    received.insert(101, 96);
    server.payload = rtp_of(PayloadMaps { received, sent });
    relay.set_remote(now, Leg::Outbound, server);
    let (_, to_server) = send(&mut relay, now, INBOUND, CALLER, &rtp(1, 1, 0x80 | 96)).unwrap();
    assert_eq!(to_server[1], 0x80 | 101);
    let (_, to_caller) = send(&mut relay, now, OUTBOUND, SERVER, &rtp(2, 1, 101)).unwrap();
    assert_eq!(to_caller[1], 96);
}

#[test]
fn latching_moves_sending_and_rtcp_finds_its_own_way() {
    let now = start();
    let mut relay = relay(now, Treatment::Passthrough);
    send(&mut relay, now, INBOUND, "192.0.2.10:61000", &rtp(1, 1, 0)).unwrap();
    let (transmit, _) = send(&mut relay, now, OUTBOUND, SERVER, &rtp(2, 1, 0)).unwrap();
    assert_eq!(transmit.destination, address("192.0.2.10:61000"));
    let (transmit, _) =
        send(&mut relay, now, (Leg::Outbound, Component::Rtcp), "198.51.100.5:9001", &rtcp(2)).unwrap();
    assert_eq!(transmit.destination, address("192.0.2.10:4001"), "RTCP was not latched yet");
    send(&mut relay, now, (Leg::Inbound, Component::Rtcp), "192.0.2.10:61001", &rtcp(1)).unwrap();
    let (transmit, _) =
        send(&mut relay, now, (Leg::Outbound, Component::Rtcp), "198.51.100.5:9001", &rtcp(2)).unwrap();
    assert_eq!(transmit.destination, address("192.0.2.10:61001"));
    assert_eq!(relay.counters().inbound.latched, 2);
}

#[test]
fn garbage_from_an_allowed_source_does_not_latch() {
    let now = start();
    let mut relay = relay(now, Treatment::Passthrough);
    assert_eq!(send(&mut relay, now, INBOUND, "192.0.2.10:666", b"GET / HTTP/1.1"), Err(Discard::Malformed));
    assert_eq!(
        send(&mut relay, now, INBOUND, "192.0.2.10:666", &[0x8F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Err(Discard::Malformed)
    );
    assert!(send(&mut relay, now, INBOUND, CALLER, &rtp(1, 1, 0)).is_ok());
}

#[test]
fn injected_packets_are_dropped_and_counted() {
    let now = start();
    let mut relay = relay(now, Treatment::Terminated);
    send(&mut relay, now, INBOUND, CALLER, &rtp(1, 1, 0)).unwrap();
    for source in ["203.0.113.66:4000", "192.0.2.10:4002", SERVER] {
        assert_eq!(
            send(&mut relay, now, INBOUND, source, &rtp(1, 2, 0)),
            Err(Discard::ForeignSource),
            "{source}"
        );
    }
    let counters = relay.counters();
    assert_eq!((counters.inbound.foreign_source, counters.inbound.discarded()), (3, 3));
    assert_eq!(counters.outbound.rtp_sent, 1);
}

#[test]
fn nothing_flows_before_both_far_ends_are_known() {
    let now = start();
    let mut relay = Relay::new(now, Treatment::Passthrough, 1);
    assert_eq!(send(&mut relay, now, INBOUND, CALLER, &rtp(1, 1, 0)), Err(Discard::ForeignSource));
    relay.set_remote(now, Leg::Inbound, remote(CALLER));
    assert_eq!(send(&mut relay, now, INBOUND, CALLER, &rtp(1, 1, 0)), Err(Discard::NoDestination));
    assert_eq!(relay.counters().inbound.no_destination, 1);
}

#[test]
fn direction_of_either_leg_stops_rtp_and_not_rtcp() {
    let now = start();
    let mut relay = relay(now, Treatment::Passthrough);
    relay.set_remote(now, Leg::Inbound, Remote { direction: Direction::RecvOnly, ..remote(CALLER) });
    assert!(send(&mut relay, now, INBOUND, CALLER, &rtp(1, 1, 0)).is_ok());
    assert_eq!(send(&mut relay, now, OUTBOUND, SERVER, &rtp(1, 1, 0)), Err(Discard::WrongDirection));
    relay.set_remote(now, Leg::Inbound, Remote { direction: Direction::SendOnly, ..remote(CALLER) });
    assert_eq!(send(&mut relay, now, INBOUND, CALLER, &rtp(1, 2, 0)), Err(Discard::WrongDirection));
    assert!(send(&mut relay, now, OUTBOUND, SERVER, &rtp(1, 2, 0)).is_ok());
    assert!(send(&mut relay, now, (Leg::Inbound, Component::Rtcp), "192.0.2.10:4001", &rtcp(1)).is_ok());
}

#[test]
fn rtp_on_the_rtcp_port_is_refused_and_rtcp_on_the_rtp_port_is_not() {
    let now = start();
    let mut relay = relay(now, Treatment::Passthrough);
    let wrong = send(&mut relay, now, (Leg::Inbound, Component::Rtcp), "192.0.2.10:4001", &rtp(1, 1, 0));
    assert_eq!(wrong, Err(Discard::Malformed));
    let (transmit, _) = send(&mut relay, now, INBOUND, CALLER, &rtcp(1)).unwrap();
    assert_eq!((transmit.component, transmit.destination), (Component::Rtcp, address("198.51.100.5:9001")));
}

#[test]
fn terminated_rtcp_names_our_streams() {
    let now = start();
    let mut relay = relay(now, Treatment::Terminated);
    let (_, media) = send(&mut relay, now, INBOUND, CALLER, &rtp(7, 1, 0)).unwrap();
    let (_, report) =
        send(&mut relay, now, (Leg::Inbound, Component::Rtcp), "192.0.2.10:4001", &rtcp(7)).unwrap();
    assert_eq!(report[4..8], media[8..12]);
}

#[test]
fn loss_and_refused_sends_show_in_the_counters() {
    let now = start();
    let mut relay = relay(now, Treatment::Passthrough);
    for sequence in [1, 2, 5] {
        send(&mut relay, now + Duration::from_millis(30), INBOUND, CALLER, &rtp(1, sequence, 0)).unwrap();
    }
    relay.on_send_blocked(Leg::Outbound);
    relay.on_send_failed(Leg::Outbound);
    let counters = relay.counters();
    assert_eq!(counters.inbound.rtp_lost, 2);
    assert_eq!((counters.outbound.send_blocked, counters.outbound.send_failed), (1, 1));
    assert_eq!(counters.inbound.last_rtp_after, Some(Duration::from_millis(30)));
    assert_eq!(counters.outbound.last_rtp_after, None);
}

#[test]
fn a_relay_is_small() {
    assert!(size_of::<Relay>() < 4096, "{}", size_of::<Relay>());
}

proptest! {
    /// Whatever comes from wherever, a packet only ever goes to the far end of the other leg, and fits its buffer.
    #[test]
    fn packets_never_go_astray(
        arrivals in proptest::collection::vec(
            (any::<bool>(), any::<bool>(), 0_usize..4, proptest::collection::vec(any::<u8>(), 0..80), any::<bool>()),
            1..60,
        ),
        terminated in any::<bool>(),
    ) {
        let now = start();
        let mut relay = relay(now, if terminated { Treatment::Terminated } else { Treatment::Passthrough });
        let sources = [CALLER, SERVER, "192.0.2.10:61000", "203.0.113.66:1"];
        for (inbound, odd, source, mut packet, looks_like_media) in arrivals {
            if looks_like_media && let [first, second, ..] = packet.as_mut_slice() {
                *first = 0x80 | *first & 0x1F;
                *second = if odd { 192 + *second % 32 } else { *second };
            }
            let leg = if inbound { Leg::Inbound } else { Leg::Outbound };
            let component = if odd { Component::Rtcp } else { Component::Rtp };
            if let Ok((transmit, sent)) = send(&mut relay, now, (leg, component), sources[source], &packet) {
                let far: IpAddr = address(if inbound { SERVER } else { CALLER }).ip();
                prop_assert_eq!((transmit.leg, transmit.destination.ip()), (leg.other(), far));
                prop_assert!(sent.len() <= packet.len());
            }
        }
    }
}

fn opaque(rtp: &str) -> Remote {
    Remote { payload: Payload::Opaque, ..remote(rtp) }
}

#[test]
fn a_fax_passes_unread_both_ways_and_audio_takes_its_place_again() {
    let now = start();
    let mut relay = relay(now, Treatment::Terminated);
    relay.set_remote(now, Leg::Inbound, opaque(CALLER));
    let datagram = [0, 1, 3, 0x80, 0, 0];
    assert_eq!(send(&mut relay, now, INBOUND, CALLER, &datagram), Err(Discard::NoDestination));
    relay.set_remote(now, Leg::Outbound, opaque(SERVER));
    let (transmit, sent) = send(&mut relay, now, INBOUND, CALLER, &datagram).unwrap();
    assert_eq!((transmit.destination, sent), (address(SERVER), datagram.to_vec()));
    let (transmit, sent) = send(&mut relay, now, OUTBOUND, SERVER, &datagram).unwrap();
    assert_eq!((transmit.destination, sent), (address(CALLER), datagram.to_vec()));
    let stranger = send(&mut relay, now, INBOUND, "203.0.113.66:4000", &datagram);
    assert_eq!(stranger, Err(Discard::ForeignSource));
    assert_eq!((relay.counters().inbound.opaque_received, relay.counters().inbound.opaque_sent), (2, 1));
    relay.set_remote(now, Leg::Inbound, remote(CALLER));
    relay.set_remote(now, Leg::Outbound, remote(SERVER));
    assert_eq!(send(&mut relay, now, INBOUND, CALLER, &datagram), Err(Discard::Malformed));
    assert!(send(&mut relay, now, INBOUND, CALLER, &rtp(7, 1, 0)).is_ok());
}

/// Everything that the relay sends by itself within `time`.
fn run(relay: &mut Relay, now: &mut Instant, time: Duration) -> Vec<(Leg, Vec<u8>)> {
    let (end, mut packets) = (*now + time, Vec::new());
    while let Some(at) = relay.poll_timeout().filter(|at| *at <= end) {
        *now = at.max(*now);
        let mut buffer = [0; 512];
        while let Some(transmit) = relay.handle_timeout(*now, &mut buffer) {
            packets.push((transmit.leg, buffer[..transmit.length].to_vec()));
        }
    }
    *now = end;
    packets
}

#[test]
fn a_hold_of_one_far_end_is_silence_for_the_other() {
    for direction in [Direction::RecvOnly, Direction::Inactive] {
        let mut now = start();
        let mut relay = relay(now, Treatment::Terminated);
        send(&mut relay, now, INBOUND, CALLER, &rtp(7, 1, 0)).unwrap();
        relay.set_remote(now, Leg::Inbound, Remote { direction, ..remote(CALLER) });
        let packets = run(&mut relay, &mut now, Duration::from_secs(1));
        assert_eq!(packets.len(), 48);
        assert!(packets.iter().all(|(leg, packet)| *leg == Leg::Outbound && packet.len() == 172));
        relay.set_remote(now, Leg::Inbound, remote(CALLER));
        assert!(run(&mut relay, &mut now, Duration::from_secs(1)).is_empty());
        // The stream goes on behind the silence.
        let (_, sent) = send(&mut relay, now, INBOUND, CALLER, &rtp(7, 50, 0)).unwrap();
        let sequence = |packet: &[u8]| u16::from_be_bytes([packet[2], packet[3]]);
        assert_eq!(sequence(&sent), sequence(&packets[47].1).wrapping_add(1));
        assert_eq!(sent[8..12], packets[0].1[8..12], "one SSRC");
    }
}

#[test]
fn an_injected_tone_stands_between_the_packets_of_the_far_end() {
    let mut now = start();
    let mut relay = relay(now, Treatment::Terminated);
    let sequence = |packet: &[u8]| u16::from_be_bytes([packet[2], packet[3]]);
    let (_, before) = send(&mut relay, now, INBOUND, CALLER, &rtp(7, 1, 0)).unwrap();
    relay.play_tone(now, Leg::Outbound, Tone { event: 5, milliseconds: 100 });
    let packets = run(&mut relay, &mut now, Duration::from_secs(1));
    assert_eq!(packets.len(), 7);
    assert!(packets.iter().all(|(leg, packet)| *leg == Leg::Outbound && packet[1] & 0x7F == 101));
    let (_, after) = send(&mut relay, now, INBOUND, CALLER, &rtp(7, 2, 0)).unwrap();
    assert_eq!(sequence(&after), sequence(&before).wrapping_add(8));
    let far = Remote { payload: Payload::Opaque, ..remote(SERVER) };
    relay.set_remote(now, Leg::Outbound, far);
    relay.play_tone(now, Leg::Outbound, Tone { event: 5, milliseconds: 100 });
    assert_eq!(relay.poll_timeout(), None, "a fax machine hears no digits");
}
