//! The media threads over real sockets on loopback: packets both ways, refusals, bursts, floods, full queues.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use um_media::{
    Direction, Leg, LegPlan, OpenError, OpenRelay, Own, Payload, PortPair, PortPool, PortRange,
    RelayCounters, RelayId, Remote, RemoteMedia, Treatment,
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// Reports into a channel, after refusing a number of times.
struct Channel {
    events: Sender<RelayEvent>,
    refusals: usize,
}

impl EventSink for Channel {
    fn deliver(&mut self, event: RelayEvent) -> Result<(), RelayEvent> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(event);
        }
        self.events.try_send(event).map_err(crossbeam_channel::TrySendError::into_inner)
    }
}

/// Media threads, their events, and ports on a loopback address that no other test process uses.
struct Rig {
    media: Media,
    events: Receiver<RelayEvent>,
    ports: PortPool,
    address: IpAddr,
    serial: u64,
}

impl Rig {
    fn new(threads: u16, refusals: usize) -> Self {
        static BLOCK: AtomicU16 = AtomicU16::new(10);
        let (sender, events) = bounded(4096);
        let config = MediaConfig { threads, most_relays: 500 };
        let media = Media::start(&config, || Channel { events: sender.clone(), refusals }).unwrap();
        let [_, high, middle, low] = std::process::id().to_be_bytes();
        let first = BLOCK.fetch_add(1, Ordering::Relaxed) * 1000;
        let ports = PortPool::new(PortRange { first, last: first + 999 }, Duration::ZERO);
        let address = Ipv4Addr::new(127, 64 | high & 0x3F, middle, low).into();
        Self { media, events, ports, address, serial: 0 }
    }

    fn plan(&mut self, treatment: Treatment) -> OpenRelay {
        self.serial += 1;
        let mut leg = || LegPlan { address: self.address, ports: self.ports.reserve(clock::now()).unwrap() };
        let (inbound, outbound) = (leg(), leg());
        let relay = RelayId { shard: 0, serial: self.serial };
        OpenRelay { relay, inbound, outbound, treatment, seed: self.serial }
    }

    fn give(&self, command: RelayCommand) {
        self.media.orders().give(command).unwrap();
    }

    fn event(&self) -> RelayEvent {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    fn open(&self, plan: &OpenRelay) -> RelayEvent {
        self.give(RelayCommand::Open(Box::new(plan.clone())));
        self.event()
    }

    fn close(&self, relay: RelayId) -> RelayCounters {
        self.give(RelayCommand::Close { relay });
        match self.event() {
            RelayEvent::Closed { relay: closed, counters } => {
                assert_eq!(closed, relay);
                *counters
            }
            other @ (RelayEvent::Opened { .. } | RelayEvent::Failed { .. }) => panic!("{other:?}"),
        }
    }

    /// Opens a relay between two new far ends, and waits until it is ready.
    fn call(&mut self, treatment: Treatment) -> Call {
        let plan = self.plan(treatment);
        assert_eq!(self.open(&plan), RelayEvent::Opened { relay: plan.relay });
        let call = Call { caller: FarEnd::new(self.address), server: FarEnd::new(self.address), plan };
        self.connect(&call.plan, Leg::Inbound, &call.caller);
        self.connect(&call.plan, Leg::Outbound, &call.server);
        // Orders are carried out in order, so the refusal of a second opening tells that the far ends are set.
        assert_eq!(
            self.open(&call.plan),
            RelayEvent::Failed { relay: call.plan.relay, error: OpenError::Duplicate }
        );
        call
    }

    fn connect(&self, plan: &OpenRelay, leg: Leg, far: &FarEnd) {
        let media = RemoteMedia { rtp: far.rtp.local_addr().unwrap(), rtcp: far.rtcp.local_addr().unwrap() };
        let remote = Remote {
            media,
            direction: Direction::SendRecv,
            signalling: media.rtp.ip(),
            allow: Arc::from([]),
            payload: rtp_payload(),
        };
        self.give(RelayCommand::SetRemote { relay: plan.relay, leg, remote: Box::new(remote) });
    }
}

fn rtp_payload() -> Payload {
    Payload::Rtp { maps: Box::default(), clock_rate: 8000, own: Own::default() }
}

/// A telephone or UM server: two sockets.
struct FarEnd {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl FarEnd {
    fn new(address: IpAddr) -> Self {
        let bind = || {
            let socket = UdpSocket::bind((address, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        Self { rtp: bind(), rtcp: bind() }
    }
}

struct Call {
    plan: OpenRelay,
    caller: FarEnd,
    server: FarEnd,
}

impl Call {
    fn port(&self, leg: Leg) -> SocketAddr {
        let LegPlan { address, ports } = match leg {
            Leg::Inbound => self.plan.inbound,
            Leg::Outbound => self.plan.outbound,
        };
        SocketAddr::new(address, ports.rtp())
    }
}

fn rtp(sequence: u16, mark: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet.extend([mark; 160]);
    packet
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 4096];
    let (length, source) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), source)
}

#[test]
fn rtp_and_rtcp_pass_both_ways() {
    let mut rig = Rig::new(1, 0);
    let call = rig.call(Treatment::Passthrough);
    let (inbound, outbound) = (call.port(Leg::Inbound), call.port(Leg::Outbound));
    let next = |address: SocketAddr| SocketAddr::new(address.ip(), address.port() + 1);
    let report = [0x80, 201, 0, 1, 1, 2, 3, 4];
    call.caller.rtp.send_to(&rtp(1, 7), inbound).unwrap();
    assert_eq!(receive(&call.server.rtp), (rtp(1, 7), outbound));
    call.server.rtp.send_to(&rtp(9, 8), outbound).unwrap();
    assert_eq!(receive(&call.caller.rtp), (rtp(9, 8), inbound));
    call.caller.rtcp.send_to(&report, next(inbound)).unwrap();
    assert_eq!(receive(&call.server.rtcp), (report.to_vec(), next(outbound)));
    call.server.rtcp.send_to(&report, next(outbound)).unwrap();
    assert_eq!(receive(&call.caller.rtcp), (report.to_vec(), next(inbound)));
    let counters = rig.close(call.plan.relay);
    for leg in Leg::ALL {
        let leg = counters.leg(leg);
        assert_eq!((leg.rtp_received, leg.rtp_sent, leg.rtcp_received, leg.rtcp_sent), (1, 1, 1, 1));
        assert_eq!(leg.discarded(), 0);
    }
}

#[test]
fn a_terminated_relay_sends_its_own_stream() {
    let mut rig = Rig::new(1, 0);
    let call = rig.call(Treatment::Terminated);
    call.caller.rtp.send_to(&rtp(1, 7), call.port(Leg::Inbound)).unwrap();
    let (packet, _) = receive(&call.server.rtp);
    assert_ne!(packet[8..12], [1, 2, 3, 4]);
    assert_eq!(packet[12..], rtp(1, 7)[12..]);
}

#[test]
fn a_port_in_use_is_named_and_nothing_stays_bound() {
    let mut rig = Rig::new(1, 0);
    let plan = rig.plan(Treatment::Passthrough);
    let taken = UdpSocket::bind((plan.outbound.address, plan.outbound.ports.rtcp())).unwrap();
    let (relay, port) = (plan.relay, plan.outbound.ports.rtcp());
    assert_eq!(rig.open(&plan), RelayEvent::Failed { relay, error: OpenError::PortInUse { port } });
    for port in [plan.inbound.ports.rtp(), plan.inbound.ports.rtcp(), plan.outbound.ports.rtp()] {
        UdpSocket::bind((rig.address, port)).unwrap();
    }
    drop(taken);
    assert_eq!(rig.open(&plan), RelayEvent::Opened { relay });
}

#[test]
fn an_address_that_is_not_ours_is_named() {
    let mut rig = Rig::new(1, 0);
    let mut plan = rig.plan(Treatment::Passthrough);
    plan.inbound.address = "192.0.2.1".parse().unwrap();
    let error = OpenError::AddressNotAvailable { address: plan.inbound.address };
    assert_eq!(rig.open(&plan), RelayEvent::Failed { relay: plan.relay, error });
}

#[test]
fn the_next_relay_on_a_port_never_sees_what_came_between() {
    let mut rig = Rig::new(1, 0);
    let first = rig.call(Treatment::Passthrough);
    rig.close(first.plan.relay);
    for mark in 0..50 {
        first.caller.rtp.send_to(&rtp(1, mark), first.port(Leg::Inbound)).unwrap();
    }
    let mut plan = first.plan;
    for serial in 100..120 {
        plan.relay.serial = serial;
        assert_eq!(rig.open(&plan), RelayEvent::Opened { relay: plan.relay });
        let counters = rig.close(plan.relay);
        assert_eq!(counters.inbound.rtp_received, 0);
    }
}

#[test]
fn a_port_that_is_sent_to_on_and_on_after_its_relay_is_closed() {
    let mut rig = Rig::new(1, 0);
    let call = rig.call(Treatment::Passthrough);
    let port = call.port(Leg::Inbound);
    rig.close(call.plan.relay);
    assert!(UdpSocket::bind(port).is_err(), "kept for the next relay");
    let begun = clock::now();
    // Refused at last: the system says that nobody listens.
    while UdpSocket::bind(port).is_err() {
        assert!(clock::now() - begun < PATIENCE, "never closed");
        let _ = call.caller.rtp.send_to(&rtp(1, 0), port);
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn orders_about_unknown_relays_are_ignored() {
    let mut rig = Rig::new(1, 0);
    let far = FarEnd::new(rig.address);
    let unknown = rig.plan(Treatment::Passthrough);
    rig.connect(&unknown, Leg::Inbound, &far);
    rig.give(RelayCommand::Close { relay: unknown.relay });
    let plan = rig.plan(Treatment::Passthrough);
    assert_eq!(rig.open(&plan), RelayEvent::Opened { relay: plan.relay });
}

#[test]
fn two_hundred_relays_keep_to_themselves() {
    let mut rig = Rig::new(2, 0);
    let calls: Vec<_> = (0..200_u16).map(|_| rig.call(Treatment::Passthrough)).collect();
    for (mark, call) in (0_u8..).zip(&calls) {
        call.caller.rtp.send_to(&rtp(1, mark), call.port(Leg::Inbound)).unwrap();
        call.server.rtp.send_to(&rtp(2, !mark), call.port(Leg::Outbound)).unwrap();
    }
    for (mark, call) in (0_u8..).zip(&calls) {
        assert_eq!(receive(&call.server.rtp), (rtp(1, mark), call.port(Leg::Outbound)));
        assert_eq!(receive(&call.caller.rtp), (rtp(2, !mark), call.port(Leg::Inbound)));
    }
    for call in &calls {
        let counters = rig.close(call.plan.relay);
        assert_eq!((counters.inbound.rtp_received, counters.outbound.rtp_received), (1, 1));
        call.caller.rtp.set_nonblocking(true).unwrap();
        assert!(call.caller.rtp.recv_from(&mut [0; 8]).is_err(), "nothing else arrived");
    }
}

#[test]
fn a_burst_passes_whole_and_in_order() {
    let mut rig = Rig::new(1, 0);
    let call = rig.call(Treatment::Passthrough);
    for sequence in 0..100 {
        call.caller.rtp.send_to(&rtp(sequence, 1), call.port(Leg::Inbound)).unwrap();
    }
    for sequence in 0..100 {
        assert_eq!(receive(&call.server.rtp).0, rtp(sequence, 1), "{sequence}");
    }
}

#[test]
fn a_flood_of_garbage_does_not_stop_a_call() {
    let mut rig = Rig::new(1, 0);
    let (flooded, call) = (rig.call(Treatment::Passthrough), rig.call(Treatment::Passthrough));
    let stranger = UdpSocket::bind((rig.address, 0)).unwrap();
    for sequence in 0..200 {
        for _ in 0..20 {
            stranger.send_to(b"GET / HTTP/1.1\r\n\r\n", flooded.port(Leg::Inbound)).unwrap();
            stranger.send_to(&rtp(sequence, 6), flooded.port(Leg::Inbound)).unwrap();
        }
        call.caller.rtp.send_to(&rtp(sequence, 1), call.port(Leg::Inbound)).unwrap();
        assert_eq!(receive(&call.server.rtp).0, rtp(sequence, 1));
    }
    // The stranger shares the loopback address, so its first packet latches; the garbage never does.
    let counters = rig.close(flooded.plan.relay).inbound;
    assert!(counters.malformed > 0, "{counters:?}");
    assert_eq!(rig.close(call.plan.relay).inbound.rtp_received, 200);
}

#[test]
fn a_datagram_longer_than_any_media_packet_is_not_cut_and_passed_on() {
    let mut rig = Rig::new(1, 0);
    let call = rig.call(Treatment::Passthrough);
    let mut long = rtp(1, 1);
    long.resize(3000, 1);
    call.caller.rtp.send_to(&long, call.port(Leg::Inbound)).unwrap();
    call.caller.rtp.send_to(&rtp(2, 2), call.port(Leg::Inbound)).unwrap();
    assert_eq!(receive(&call.server.rtp).0, rtp(2, 2));
    assert_eq!(rig.close(call.plan.relay).inbound.malformed, 1);
}

#[test]
fn a_packet_that_cannot_be_sent_costs_only_itself() {
    let mut rig = Rig::new(1, 0);
    let call = rig.call(Treatment::Passthrough);
    // A documentation address: the loopback socket has no route to it.
    let nowhere: SocketAddr = "192.0.2.1:9".parse().unwrap();
    let remote = Remote {
        media: RemoteMedia { rtp: nowhere, rtcp: nowhere },
        direction: Direction::SendRecv,
        signalling: nowhere.ip(),
        allow: Arc::from([]),
        payload: rtp_payload(),
    };
    let (relay, leg) = (call.plan.relay, Leg::Outbound);
    rig.give(RelayCommand::SetRemote { relay, leg, remote: Box::new(remote) });
    assert_eq!(rig.open(&call.plan), RelayEvent::Failed { relay, error: OpenError::Duplicate });
    call.caller.rtp.send_to(&rtp(1, 1), call.port(Leg::Inbound)).unwrap();
    // Orders come before the packets of their turn, and answers after them: the packet is gone once this is refused.
    assert_eq!(rig.open(&call.plan), RelayEvent::Failed { relay, error: OpenError::Duplicate });
    rig.connect(&call.plan, Leg::Outbound, &call.server);
    assert_eq!(rig.open(&call.plan), RelayEvent::Failed { relay, error: OpenError::Duplicate });
    call.caller.rtp.send_to(&rtp(2, 2), call.port(Leg::Inbound)).unwrap();
    assert_eq!(receive(&call.server.rtp).0, rtp(2, 2));
    assert_eq!(rig.close(relay).outbound.send_failed, 1);
}

#[test]
fn a_call_may_join_ipv4_and_ipv6() {
    let mut rig = Rig::new(1, 0);
    let mut plan = rig.plan(Treatment::Passthrough);
    let six: IpAddr = "::1".parse().unwrap();
    let far = FarEnd::new(six);
    // Two free ports that follow each other, found by asking for them.
    let pair = std::iter::repeat_with(|| UdpSocket::bind((six, 0)).unwrap().local_addr().unwrap().port())
        .filter_map(PortPair::new)
        .find(|pair| UdpSocket::bind((six, pair.rtcp())).is_ok())
        .unwrap();
    plan.outbound = LegPlan { address: six, ports: pair };
    assert_eq!(rig.open(&plan), RelayEvent::Opened { relay: plan.relay });
    let call = Call { caller: FarEnd::new(rig.address), server: far, plan };
    rig.connect(&call.plan, Leg::Inbound, &call.caller);
    rig.connect(&call.plan, Leg::Outbound, &call.server);
    let relay = call.plan.relay;
    assert_eq!(rig.open(&call.plan), RelayEvent::Failed { relay, error: OpenError::Duplicate });
    for sequence in 0..40 {
        call.caller.rtp.send_to(&rtp(sequence, 4), call.port(Leg::Inbound)).unwrap();
        call.server.rtp.send_to(&rtp(sequence, 6), call.port(Leg::Outbound)).unwrap();
    }
    for sequence in 0..40 {
        assert_eq!(receive(&call.server.rtp), (rtp(sequence, 4), call.port(Leg::Outbound)));
        assert_eq!(receive(&call.caller.rtp), (rtp(sequence, 6), call.port(Leg::Inbound)));
    }
}

#[test]
fn events_wait_for_a_shard_that_has_no_room() {
    let mut rig = Rig::new(1, 50);
    let plans: Vec<_> = (0..10).map(|_| rig.plan(Treatment::Passthrough)).collect();
    for plan in &plans {
        rig.give(RelayCommand::Open(Box::new(plan.clone())));
    }
    for plan in &plans {
        assert_eq!(rig.event(), RelayEvent::Opened { relay: plan.relay });
    }
}

#[test]
fn more_relays_than_allowed_are_refused() {
    let mut rig = Rig::new(1, 0);
    let (sender, events) = bounded(16);
    let config = MediaConfig { threads: 1, most_relays: 1 };
    rig.media = Media::start(&config, || Channel { events: sender.clone(), refusals: 0 }).unwrap();
    rig.events = events;
    let (first, second) = (rig.plan(Treatment::Passthrough), rig.plan(Treatment::Passthrough));
    assert_eq!(rig.open(&first), RelayEvent::Opened { relay: first.relay });
    assert_eq!(rig.open(&second), RelayEvent::Failed { relay: second.relay, error: OpenError::Full });
    rig.close(first.relay);
    assert_eq!(rig.open(&second), RelayEvent::Opened { relay: second.relay });
}

#[test]
fn the_board_knows_what_passed_when_the_threads_end() {
    let mut rig = Rig::new(2, 0);
    let (call, gone) = (rig.call(Treatment::Passthrough), rig.call(Treatment::Passthrough));
    call.caller.rtp.send_to(&rtp(1, 1), call.port(Leg::Inbound)).unwrap();
    receive(&call.server.rtp);
    rig.close(gone.plan.relay);
    let board = rig.media.board();
    drop(rig);
    let totals = board.read();
    assert_eq!((totals.get(Counter::RelaysOpened), totals.get(Counter::RelaysOpen)), (2, 1));
    assert_eq!(totals.get(Counter::RelaysFailed), 2, "the two that `call` uses to wait");
    assert_eq!((totals.get(Counter::ReceivedInbound), totals.get(Counter::SentOutbound)), (1, 1));
}
