//! What happens in a run, drawn from its seed before it begins: the network, the worker, the servers and their faults, the
//! calls, and what the operator does meanwhile.

use std::time::Duration;

use um_sip::Transport;
use um_topology::Strategy;

use crate::caller::{Ack, Leave, Plan};
use crate::conduct::Conduct;
use crate::random::Random;
use crate::talk::{Move, Moves};
use crate::wire::SERVERS;

/// A whole run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What everything that is drawn during the run comes from.
    pub seed: u64,
    /// Shards of the worker.
    pub shards: u16,
    /// Transport towards UM servers.
    pub um_transport: Transport,
    /// Whether targets are configured by name.
    pub names: bool,
    /// How the list shares load.
    pub strategy: Strategy,
    /// Entries of the list at the start, as numbers of servers, in order.
    pub entries: Vec<usize>,
    /// Whether each entry has a priority of its own.
    pub ranked: bool,
    /// Whether the station is of another provider than Exchange.
    pub generic: bool,
    /// Whether a proxy stands in front of each party and stays in the path of its dialogs.
    pub routed: Routed,
    /// What callers do while they talk.
    pub callers_talk: Moves,
    /// What UM servers do meanwhile.
    pub servers_talk: Moves,
    /// Quality of the network for datagrams.
    pub network: Quality,
    /// How media and resolver of the worker do.
    pub services: Services,
    /// How each server begins.
    pub servers: [Conduct; SERVERS],
    /// What happens at which time, in order of time.
    pub acts: Vec<(Duration, Act)>,
    /// The calls.
    pub calls: Vec<Plan>,
}

/// How the proxy in front of a party keeps itself in the path (RFC 3261 §16.6, §12.2.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routed {
    /// There is none.
    #[default]
    Not,
    /// By a Record-Route with `lr`.
    Loosely,
    /// By one without: a strict router of RFC 2543.
    Strictly,
}

/// How datagrams fare. Of one message at most two copies are lost, so that repetition helps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Percent.
    pub lost: u64,
    /// Percent that come twice.
    pub doubled: u64,
    /// Percent that are overtaken: up to 300 ms late.
    pub late: u64,
}

/// How the rest of the worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Percent of relays that do not open at first; the third try does.
    pub relay_failures: u64,
    /// Percent of questions to the resolver that go wrong.
    pub resolver_failures: u64,
    /// Whether relays take their time.
    pub slow_relays: bool,
}

/// What somebody does at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A server changes its conduct.
    Behave(usize, Conduct),
    /// The operator sets the entries of the list.
    List(Vec<usize>),
    /// The operator deactivates the line of the callers; the worker drains it.
    DrainLine,
    /// The operator activates it again.
    OpenLine,
    /// The worker begins to drain.
    Drain,
    /// It stops doing so.
    Undrain,
    /// The time of the drain is up.
    Force,
    /// All connections with a server break.
    Break(usize),
    /// One datagram of rubbish comes from anywhere.
    Rubbish,
}

impl Scenario {
    /// Draws the run of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let random = &mut random;
        let um_transport = random.pick(&[Transport::Udp, Transport::Udp, Transport::Tcp]);
        let caller_transport = random.pick(&[Transport::Udp, Transport::Udp, Transport::Tcp]);
        let strategies =
            [Strategy::Ordered, Strategy::Ordered, Strategy::Ordered, Strategy::RoundRobin, Strategy::Hash];
        let mut scenario = Self {
            seed,
            shards: random.pick(&[1, 2]),
            um_transport,
            names: random.chance(25),
            strategy: random.pick(&strategies),
            entries: random.pick(&[[0, 1, 2], [0, 1, 2], [2, 0, 1]]).to_vec(),
            ranked: random.chance(30),
            generic: random.chance(30),
            routed: Routed::Not,
            callers_talk: [None; 2],
            servers_talk: [None; 2],
            network: quality(random),
            services: services(random),
            servers: [0; SERVERS].map(|_| conduct(random)),
            acts: Vec::new(),
            calls: Vec::new(),
        };
        let calls = 1 + random.below(6);
        scenario.calls = (0..calls).map(|_| call(random, caller_transport)).collect();
        for _ in 0..random.below(6) {
            let act = act(random);
            let later = matches!(act, Act::Drain | Act::DrainLine).then(|| closing(random, &act));
            let at = random.millis(0, 25_000);
            scenario.acts.push((at, act));
            scenario.acts.extend(later.into_iter().flatten().map(|(after, act)| (at + after, act)));
        }
        scenario.acts.sort_by_key(|(at, _)| *at);
        scenario.routed = random.pick(&[Routed::Not, Routed::Not, Routed::Loosely, Routed::Strictly]);
        (scenario.callers_talk, scenario.servers_talk) = (moves(random), moves(random));
        if random.chance(20) {
            // Both at once.
            scenario.servers_talk = scenario.callers_talk;
        }
        scenario
    }

    /// A run without anything unusual, to build on: one caller who talks for two seconds to the first of three servers.
    #[must_use]
    pub fn quiet() -> Self {
        Self {
            seed: 0,
            shards: 1,
            um_transport: Transport::Udp,
            names: false,
            strategy: Strategy::Ordered,
            entries: vec![0, 1, 2],
            ranked: false,
            generic: false,
            routed: Routed::Not,
            callers_talk: [None; 2],
            servers_talk: [None; 2],
            network: Quality::default(),
            services: Services::default(),
            servers: [Conduct::Answer { after: Duration::from_millis(100) }; SERVERS],
            acts: Vec::new(),
            calls: vec![Plan {
                at: Duration::from_secs(1),
                transport: Transport::Udp,
                diverted: true,
                leave: Leave::Talk(Duration::from_secs(2)),
                ack: Ack::Always,
                breaks: None,
            }],
        }
    }

    /// Whether every datagram arrives, and soon.
    #[must_use]
    pub fn network_is_sound(&self) -> bool {
        self.network.lost == 0 && self.network.late == 0
    }
}

fn moves(random: &mut Random) -> Moves {
    let what = [Move::Hold, Move::Hold, Move::Refresh, Move::Update, Move::Digit, Move::Probe];
    [30, 15].map(|percent| {
        let found = (random.millis(0, 4_000), random.pick(&what));
        random.chance(percent).then_some(found)
    })
}

fn quality(random: &mut Random) -> Quality {
    if random.chance(40) {
        return Quality::default();
    }
    Quality { lost: random.below(25), doubled: random.below(30), late: random.below(30) }
}

fn services(random: &mut Random) -> Services {
    Services {
        relay_failures: random.pick(&[0, 0, 30]),
        resolver_failures: random.pick(&[0, 0, 20]),
        slow_relays: random.chance(20),
    }
}

fn conduct(random: &mut Random) -> Conduct {
    let status = random.pick(&[480, 486, 500, 503, 503, 603, 404, 408, 488]);
    let retry_after = (status == 503 && random.chance(50)).then_some(5);
    let hops = random.pick(&[1, 2]);
    match random.below(28) {
        0 => Conduct::HangUp { after: random.millis(0, 5_000) },
        1 => Conduct::CallsOnly,
        2 => Conduct::ProbesOnly,
        3 => Conduct::BlackHole,
        4 => Conduct::Refusing,
        5 => Conduct::TryingOnly,
        6 => Conduct::RingsForever,
        7..=9 => Conduct::Refuse { status, retry_after },
        10 | 11 => Conduct::Redirect { hops },
        12 => Conduct::RedirectLoop,
        13 => Conduct::RedirectDead,
        14 | 15 => Conduct::Late { after: random.millis(1_500, 9_000) },
        16 => Conduct::Stubborn { after: random.millis(100, 20_000) },
        17 => Conduct::Fork { answers: random.pick(&[2, 3]) },
        18 => Conduct::NoSdp,
        19 => Conduct::CloseConnection,
        _ => Conduct::Answer { after: random.millis(0, 3_000) },
    }
}

fn call(random: &mut Random, transport: Transport) -> Plan {
    let leave = match random.below(10) {
        0..=2 => Leave::Cancel(random.millis(0, 9_000)),
        3 => Leave::Bye(random.millis(0, 9_000)),
        _ => Leave::Talk(random.millis(0, 10_000)),
    };
    let ack = match random.below(20) {
        0 => Ack::Never,
        1 => Ack::Late,
        _ => Ack::Always,
    };
    let breaks = (transport == Transport::Tcp && random.chance(15)).then(|| random.millis(1, 8_000));
    Plan { at: random.millis(0, 20_000), transport, diverted: random.chance(70), leave, ack, breaks }
}

fn act(random: &mut Random) -> Act {
    let server = usize::try_from(random.below(3)).expect("below three");
    match random.below(16) {
        0..=6 => Act::Behave(server, conduct(random)),
        7 => Act::List(vec![server]),
        8 => Act::List(vec![2, 1, 0]),
        9 => Act::List(vec![0, 1, 2]),
        10 => Act::List(vec![1, 2]),
        11 => Act::DrainLine,
        12 => Act::Drain,
        13 | 14 => Act::Break(server),
        _ => Act::Rubbish,
    }
}

/// What follows the start of a drain.
fn closing(random: &mut Random, act: &Act) -> Vec<(Duration, Act)> {
    let after = random.millis(500, 15_000);
    if *act == Act::DrainLine {
        return vec![(after, Act::OpenLine)];
    }
    if random.chance(50) {
        vec![(after, Act::Force), (after + Duration::from_secs(1), Act::Undrain)]
    } else {
        vec![(after, Act::Undrain)]
    }
}
