//! Shards under test: real threads and sockets, the media side and the observer played by the test.

use std::{net::UdpSocket, sync::Arc, sync::Mutex, time::Duration};

use clap::Parser;
use um_engine::{Configuration, EngineLimits, Observation, Output};
use um_media::{RelayCommand, RelayEvent};
use um_topology::{
    AddressMode, Change, Entry, Host, Id, Line, ProxyList, Resource, SipAddress, Station, Topology,
    Transport, User, UserUm,
};

use super::super::{
    Command, LineIndex, Mailbox, Pulse, Signalling, Surroundings,
    listeners::{LineFailure, Listeners},
    prepare,
};
use crate::{config::Config, surroundings::engine_config};

/// Polls for a condition; only a failing test polls so often.
const POLLS: usize = 400;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Rig {
    pub(super) signalling: Arc<Signalling>,
    listeners: Listeners,
    shards: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    pulses: Vec<Option<Pulse>>,
    idle: Vec<(u16, LineIndex)>,
}

impl Rig {
    pub(super) fn new(shards: u16) -> Self {
        let threads = shards.to_string();
        let config = ["um-worker", "--id", "w1", "--signalling-threads", &threads];
        let config = Config::try_parse_from(config).unwrap();
        let seen = Arc::new(Mutex::new(Seen { pulses: vec![None; shards.into()], idle: Vec::new() }));
        let prepared = prepare(shards).unwrap();
        let mailboxes = prepared.mailboxes().to_vec();
        let limits = EngineLimits::default();
        let signalling = prepared.start(
            |shard| engine_config(&config, shard, &limits),
            |shard| Around { shard, mailbox: mailboxes[usize::from(shard)].clone(), seen: Arc::clone(&seen) },
        );
        let signalling = Arc::new(signalling.unwrap());
        Self { signalling, listeners: Listeners::new(config), shards, seen }
    }

    /// Puts a topology in force as the discovery task does.
    pub(super) fn apply(&mut self, topology: &Topology) -> Vec<LineFailure> {
        let reconciled = self.listeners.reconcile(topology);
        for (line, sockets) in reconciled.opened {
            self.signalling.listen(line, sockets);
        }
        self.configure(topology);
        reconciled.failures
    }

    fn configure(&self, topology: &Topology) {
        let configuration = Configuration { topology: topology.clone(), lines: self.listeners.lines() };
        self.signalling.tell(&um_engine::Input::Configure(Arc::new(configuration)));
    }

    /// Waits until the shards' latest pulses are as wanted.
    pub(super) fn until(&self, what: &str, wanted: impl Fn(&[Pulse]) -> bool) {
        for _ in 0..POLLS {
            let pulses: Option<Vec<Pulse>> = self.seen.lock().unwrap().pulses.iter().copied().collect();
            if pulses.is_some_and(|pulses| wanted(&pulses)) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("never: {what}");
    }

    /// Closes the lines that are idle, as the discovery task does, until nobody holds `port` any more.
    pub(super) fn until_closed(&mut self, port: u16) {
        for _ in 0..POLLS {
            for (shard, line) in std::mem::take(&mut self.seen.lock().unwrap().idle) {
                assert!(shard < self.shards);
                if self.listeners.on_idle(line, shard) {
                    self.signalling.unlisten(line);
                }
            }
            if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("port {port} is never closed");
    }

    pub(super) fn assert_alive(&self) {
        assert!(!self.signalling.has_died());
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.signalling.stop();
    }
}

struct Around {
    shard: u16,
    mailbox: Mailbox,
    seen: Arc<Mutex<Seen>>,
}

impl Surroundings for Around {
    fn resolve(&mut self, _: Output) {}

    fn relay(&mut self, command: RelayCommand) {
        let relay = command.relay();
        let event = match command {
            RelayCommand::Open(_) => RelayEvent::Opened { relay },
            RelayCommand::Close { .. } => RelayEvent::Closed { relay, counters: Box::default() },
            RelayCommand::SetRemote { .. } | RelayCommand::PlayTone { .. } => return,
        };
        self.mailbox.post(Command::Input(um_engine::Input::Relay(event)));
    }

    fn observe(&mut self, _: Observation) {}

    fn pulse(&mut self, pulse: Pulse) {
        self.seen.lock().unwrap().pulses[usize::from(self.shard)] = Some(pulse);
    }

    fn line_idle(&mut self, line: LineIndex) {
        self.seen.lock().unwrap().idle.push((self.shard, line));
    }
}

/// A port that was free a moment ago, for UDP and TCP.
pub(super) fn free_port() -> u16 {
    loop {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(super) fn line(id: &str, port: u16, protocol: &str) -> Line {
    let mut line = Line::new(id, "127.0.0.1".parse().unwrap());
    line.transport.receive_port = Some(port);
    line.transport.protocol = Some(if protocol == "tcp" { Transport::Tcp } else { Transport::Udp });
    line
}

pub(super) fn topology(lines: impl IntoIterator<Item = Line>) -> Topology {
    let changes: Vec<Change> = lines.into_iter().map(|line| Change::Put(line.into())).collect();
    Topology::new().apply(1, &changes).unwrap()
}

/// One line for callers and the UM server, which answers user 2001's calls.
pub(super) fn with_call(port: u16, server: u16) -> Topology {
    let mut line = line("trunk", port, "udp");
    line.proxy_list = Some(Id::new("um"));
    let entry = Entry::new(Id::new("um1"), Host::Ip([127, 0, 0, 1].into()), Some(server));
    let pilot = SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), None);
    let mut station = Station::new("voicemail", pilot);
    station.extension = Some("6000".into());
    station.contact_line = Some(Id::new("trunk"));
    let mut user = User::new("dana", "2001");
    user.um = UserUm {
        destination: Some(Id::new("voicemail")),
        address_mode: Some(AddressMode::InternalExtension),
        address: None,
    };
    let resources = [
        Resource::ProxyList(ProxyList::new("um", vec![entry]).into()),
        Resource::Line(line.into()),
        Resource::Station(station.into()),
        Resource::User(user.into()),
    ];
    Topology::new().apply(1, &resources.map(Change::Put)).unwrap()
}

/// The same with every line inactive.
pub(super) fn deactivated(topology: &Topology) -> Topology {
    let lines = topology.lines().map(|line| {
        let mut line = Line::clone(line);
        line.active = Some(false);
        Change::Put(line.into())
    });
    topology.apply(2, &lines.collect::<Vec<_>>()).unwrap()
}
