//! Whole bursts in virtual time: one server with a cost per call, more offered than it can do.

use std::net::{IpAddr, SocketAddr};

use um_sip::{LineIndex, Transport};

use super::*;

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

fn flow(source: [u8; 4]) -> Flow {
    let at = |ip| SocketAddr::new(IpAddr::from(ip), 5060);
    Flow {
        line: LineIndex(0),
        transport: Transport::Udp,
        local: at([127, 0, 0, 1]),
        remote: at(source),
        connection: None,
    }
}

fn waiting(arrived: Instant, source: [u8; 4], kind: Glance) -> Waiting {
    Waiting { arrived, flow: flow(source), bytes: Bytes::from_static(b"INVITE"), kind }
}

/// A server that spends `SERVE` on a call and `REFUSE` on a refusal.
struct Server {
    lobby: Lobby,
    now: Instant,
    served: Vec<(Instant, [u8; 4])>,
    refused: Vec<(Instant, ShedReason)>,
    longest: Duration,
}

const SERVE: Duration = Duration::from_micros(1_000);
const REFUSE: Duration = Duration::from_micros(50);

impl Server {
    fn new() -> Self {
        let lobby = Lobby::new([1; 32], None);
        Self { lobby, now: start(), served: Vec::new(), refused: Vec::new(), longest: Duration::ZERO }
    }

    /// Offers newcomers of each source at its rate a second, for some seconds.
    fn offer(&mut self, sources: &[([u8; 4], u32)], seconds: u64) {
        let from = self.now;
        let until = from + Duration::from_secs(seconds);
        let mut next: Vec<(Instant, [u8; 4], Duration)> =
            sources.iter().map(|(source, rate)| (from, *source, Duration::from_secs(1) / *rate)).collect();
        while self.now < until {
            for (at, source, every) in &mut next {
                while *at <= self.now && *at < until {
                    if self.lobby.enter(waiting(*at, *source, Glance::Invite)).is_some() {
                        self.refused.push((self.now, ShedReason::Full));
                    }
                    *at += *every;
                }
            }
            self.turn();
        }
    }

    fn turn(&mut self) {
        let Some((waiting, verdict)) = self.lobby.call(self.now) else {
            self.now += Duration::from_micros(100);
            return;
        };
        match verdict {
            Verdict::Serve => {
                let IpAddr::V4(source) = waiting.flow.remote.ip() else { panic!("IPv4 only") };
                self.longest = self.longest.max(self.now - waiting.arrived);
                self.served.push((self.now, source.octets()));
                self.now += SERVE;
            }
            Verdict::Refuse(reason) => {
                self.refused.push((self.now, reason));
                self.now += REFUSE;
            }
            Verdict::Drop => {}
        }
    }

    fn served_since(&self, from: Instant) -> u32 {
        u32::try_from(self.served.iter().filter(|(at, _)| *at >= from).count()).unwrap()
    }
}

#[test]
fn at_twice_the_rate_goodput_stays_above_nine_tenths_and_two_seconds_later_nobody_is_refused() {
    for factor in [2, 4] {
        let mut server = Server::new();
        server.offer(&[([192, 0, 2, 1], 950)], 5);
        assert_eq!(server.refused, [], "below the limit");
        let burst = server.now;
        server.offer(&[([192, 0, 2, 1], factor * 1_000)], 30);
        let served = server.served_since(burst);
        // What refusals cost is lost; nothing else may be.
        let most = 30_000 - 30 * 50 * (factor - 1);
        assert!(served >= most * 97 / 100, "{served} of {most}");
        assert!(server.longest <= Duration::from_millis(700), "{:?}", server.longest);
        server.offer(&[([192, 0, 2, 1], 900)], 2);
        let (calm, refused) = (server.now, server.refused.len());
        server.offer(&[([192, 0, 2, 1], 900)], 4);
        assert_eq!(server.refused.len(), refused);
        assert!(!server.lobby.is_shedding());
        assert!(server.served_since(calm) >= 3_590);
    }
}

#[test]
fn those_who_are_let_in_during_an_overload_have_waited_shortly() {
    let mut server = Server::new();
    server.offer(&[([192, 0, 2, 1], 3_000)], 3);
    server.longest = Duration::ZERO;
    server.offer(&[([192, 0, 2, 1], 3_000)], 10);
    assert!(server.longest <= Duration::from_millis(41), "{:?}", server.longest);
}

#[test]
fn a_flood_from_one_source_leaves_the_others_their_calls() {
    let (loud, quiet) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let mut server = Server::new();
    server.offer(&[(loud, 5_000), (quiet, 200)], 2);
    let from = server.now;
    server.offer(&[(loud, 5_000), (quiet, 200)], 10);
    let of_quiet = server.served.iter().filter(|(at, source)| *at >= from && *source == quiet).count();
    assert!(of_quiet >= 1_960, "{of_quiet} of 2000");
    assert!(server.served_since(from) >= 6_500, "{}", server.served_since(from));
}

#[test]
fn the_lobby_is_bounded_and_says_what_found_no_room() {
    let (mut lobby, now) = (Lobby::new([1; 32], None), start());
    let mut full = 0;
    for _ in 0..2 * MAX_NEWCOMERS {
        let given = lobby.enter(waiting(now, [192, 0, 2, 1], Glance::Invite));
        full += usize::from(given.is_some_and(|(_, verdict)| verdict == Verdict::Refuse(ShedReason::Full)));
    }
    assert_eq!(full, MAX_NEWCOMERS);
    let mut dropped = 0;
    for _ in 0..2 * MAX_OTHERS {
        let given = lobby.enter(waiting(now, [192, 0, 2, 1], Glance::Other));
        dropped += usize::from(given.is_some_and(|(_, verdict)| verdict == Verdict::Drop));
    }
    assert_eq!(dropped, MAX_OTHERS);
    let mut big = Lobby::new([1; 32], None);
    let bytes = Bytes::from(vec![b'a'; 65_000]);
    let taken = (0..1_000).filter(|_| {
        big.enter(Waiting { bytes: bytes.clone(), ..waiting(now, [192, 0, 2, 1], Glance::Invite) }).is_none()
    });
    assert_eq!(taken.count(), MAX_OCTETS / 65_000);
}

#[test]
fn others_take_turns_with_newcomers_and_a_cancel_follows_its_invite() {
    let (mut lobby, now) = (Lobby::new([1; 32], None), start());
    for kind in [Glance::Invite, Glance::Cancel, Glance::Other, Glance::Other, Glance::Other] {
        assert!(lobby.enter(waiting(now, [192, 0, 2, 1], kind)).is_none());
    }
    let called: Vec<Glance> =
        std::iter::from_fn(|| lobby.call(now).map(|(waiting, _)| waiting.kind)).collect();
    assert_eq!(called, [Glance::Other, Glance::Invite, Glance::Other, Glance::Cancel, Glance::Other]);
    assert!(lobby.is_empty());
}

#[test]
fn a_source_above_its_rate_is_refused_whether_or_not_there_is_room() {
    let (mut lobby, now) = (Lobby::new([1; 32], Some(3)), start());
    let mut verdicts = Vec::new();
    for _ in 0..5 {
        assert!(lobby.enter(waiting(now, [192, 0, 2, 1], Glance::Register)).is_none());
        verdicts.extend(lobby.call(now).map(|(_, verdict)| verdict));
    }
    let refused = Verdict::Refuse(ShedReason::Source);
    assert_eq!(verdicts, [Verdict::Serve, Verdict::Serve, Verdict::Serve, refused, refused]);
}
