//! The whole engine: bytes of callers and UM servers in, bytes out, on a virtual clock. A [`Rig`] is one
//! worker with its shards, the media side and the network; the parties speak by hand.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use um_media::{OpenError, RelayCommand, RelayEvent, RelayId};
use um_sip::{ConnectionId, Flow, HeaderName, Limits as SipLimits, LineIndex, Message, Method, Transport};
use um_topology::{
    AddressMode, Change, Entry, Host, Id, Line, ProxyList, Resource, SipAddress, Station, Topology, User,
    UserUm,
};

use super::*;
use crate::configuration::{Advertised, BoundLine, EngineLimits, LinePhase};
use crate::input::{ConnectError, Record, RecordKind, Resolution, ResolveError};
use crate::observation::CallRecord;
use crate::output::QueryId;

mod calls;
mod chance;
mod configuring;
mod connections;
mod early;
mod failing;
mod hanging_up;
mod headers;
mod large;
mod media;
mod offers;
mod parties;
mod probing;
mod refusing;
mod replacing;
mod session_timers;
mod shards;
mod transfer;

use parties::{Caller, Sent, content};

/// A worker under test.
struct Rig {
    engines: Vec<Engine>,
    now: Instant,
    /// What was sent and not looked at yet.
    sent: VecDeque<Sent>,
    relays: Vec<RelayCommand>,
    /// Relays open by themselves.
    relays_open: bool,
    opens: VecDeque<(ConnectionId, SocketAddr)>,
    closes: Vec<ConnectionId>,
    questions: VecDeque<(QueryId, String, RecordKind)>,
    records: Vec<CallRecord>,
    seen: Vec<Observation>,
    idle_lines: Vec<LineIndex>,
    /// Probes are answered 200; else nobody hears them.
    probes_answered: bool,
    /// Probes are among what was sent, and the test answers them.
    probes_shown: bool,
    /// OPTIONS within a dialog are among what was sent.
    pulses_shown: bool,
}

impl Rig {
    /// One shard, two UM servers, everything over UDP.
    fn new() -> Self {
        Self::with(1, &topology(2, |_| {}))
    }

    fn with(shards: u16, topology: &Topology) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test needs some instant; only differences are looked at"
        )]
        let now = Instant::now();
        let engines = (0..shards).map(|shard| Engine::new(config(shard, shards))).collect();
        let mut rig = Self {
            engines,
            now,
            sent: VecDeque::new(),
            relays: Vec::new(),
            relays_open: true,
            opens: VecDeque::new(),
            closes: Vec::new(),
            questions: VecDeque::new(),
            records: Vec::new(),
            seen: Vec::new(),
            idle_lines: Vec::new(),
            probes_answered: true,
            probes_shown: false,
            pulses_shown: false,
        };
        rig.configure(configuration(topology, LinePhase::Open));
        rig
    }

    fn configure(&mut self, configuration: Configuration) {
        self.input_all(&Input::Configure(Arc::new(configuration)));
    }

    /// Gives the line a TCP socket beside the one it has.
    fn accompany(&mut self, index: LineIndex) {
        let mut configuration = configuration(&topology(2, |_| {}), LinePhase::Open);
        let beside = BoundLine {
            index,
            transport: um_topology::Transport::Tcp,
            ..configuration.lines.first().cloned().expect("a line")
        };
        configuration.lines.push(beside);
        self.configure(configuration);
    }

    /// The resolver knows one name, and of it one kind of record.
    fn resolve(&mut self, known: &str, of: RecordKind, result: Result<Resolution, ResolveError>) {
        let mut told = false;
        while let Some((query, name, kind)) = self.questions.pop_front() {
            let is_known = name == known && kind == of;
            told |= is_known;
            let result = if is_known { result.clone() } else { Err(ResolveError::NotFound) };
            self.input_all(&Input::Resolved { query, result });
        }
        assert!(told, "{known} was not asked for");
    }

    /// Something that every shard is told.
    fn input_all(&mut self, input: &Input) {
        for shard in 0..self.engines.len() {
            self.engines[shard].handle_input(self.now, input.clone());
            self.drain(shard);
        }
    }

    /// A datagram or stream message from the network, handed to the shard that owns it.
    fn receive(&mut self, flow: Flow, text: impl Into<Bytes>) {
        let bytes = text.into();
        let shards = u16::try_from(self.engines.len()).unwrap();
        let owner = usize::from(um_sip::shard::owner(&bytes, shards));
        self.engines[owner].handle_input(self.now, Input::Message { flow, bytes });
        self.drain(owner);
    }

    fn drain(&mut self, shard: usize) {
        while let Some(output) = self.engines[shard].poll_output() {
            self.on_output(shard, output);
        }
        let due = self.engines[shard].poll_timeout();
        assert!(
            due.is_none_or(|due| due > self.now) || self.engines.len() > 1,
            "a deadline lies in the past"
        );
    }

    fn on_output(&mut self, shard: usize, output: Output) {
        match output {
            Output::Send { flow, bytes } => self.on_sent(flow, bytes),
            Output::Open { connection, remote, .. } => self.opens.push_back((connection, remote)),
            Output::Close { connection } => self.closes.push(connection),
            Output::Resolve { query, name, kind } => self.questions.push_back((query, name, kind)),
            Output::Relay(command) => self.on_relay_command(shard, command),
            Output::Gossip(gossip) => {
                for other in (0..self.engines.len()).filter(|other| *other != shard) {
                    self.engines[other].handle_input(self.now, Input::Gossip(gossip.clone()));
                    self.drain(other);
                }
            }
            Output::Observe(Observation::CallEnded(record)) => self.records.push(*record),
            Output::Observe(observation) => self.seen.push(observation),
            Output::LineIdle { line } => self.idle_lines.push(line),
        }
    }

    fn on_sent(&mut self, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes, &SipLimits::default()).expect("what we send is well formed");
        let sent = Sent { flow, message };
        let shown = self.probes_shown || (self.pulses_shown && sent.message.to_tag().is_some());
        if sent.is(&Method::Options) && sent.message.is_request() && !shown {
            if self.probes_answered {
                let answer = sent.answer(200, "");
                self.receive(sent.flow, answer);
            }
            return;
        }
        self.sent.push_back(sent);
    }

    fn on_relay_command(&mut self, shard: usize, command: RelayCommand) {
        let relay = command.relay();
        let event = match &command {
            RelayCommand::Open(_) if self.relays_open => Some(RelayEvent::Opened { relay }),
            RelayCommand::Close { .. } => Some(RelayEvent::Closed { relay, counters: Box::default() }),
            RelayCommand::Open(_) | RelayCommand::SetRemote { .. } | RelayCommand::PlayTone { .. } => None,
        };
        self.relays.push(command);
        if let Some(event) = event {
            self.engines[shard].handle_input(self.now, Input::Relay(event));
            self.drain(shard);
        }
    }

    /// Lets time pass, deadline by deadline.
    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        for _ in 0..100_000 {
            let next = self.engines.iter().filter_map(Engine::poll_timeout).min();
            let Some(at) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = at.max(self.now);
            for shard in 0..self.engines.len() {
                self.engines[shard].handle_timeout(self.now);
                self.drain(shard);
            }
        }
        panic!("the clock does not get on");
    }

    fn pass_ms(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }

    /// The next message that was sent.
    fn next(&mut self) -> Sent {
        self.sent.pop_front().expect("something was sent")
    }

    /// The next message, which must be this request.
    fn request(&mut self, method: &Method) -> Sent {
        let sent = self.next();
        assert!(sent.message.is_request() && sent.is(method), "{}", sent.text());
        sent
    }

    /// The next message, which must be this response.
    fn response(&mut self, status: u16) -> Sent {
        let sent = self.next();
        assert_eq!(sent.message.status().map(um_sip::StatusCode::code), Some(status), "{}", sent.text());
        sent
    }

    fn silent(&mut self) {
        assert!(self.sent.is_empty(), "{}", self.sent[0].text());
    }

    /// Everything sent until now is of no interest.
    fn skip(&mut self) {
        self.sent.clear();
    }

    /// The caller's INVITE for the pilot, up to the INVITE that goes out for it.
    fn call(&mut self, caller: &Caller) -> Sent {
        self.receive(caller.flow, caller.invite());
        self.response(100);
        self.request(&Method::Invite)
    }

    /// An answered and acknowledged call: the INVITE that went out, and our 200.
    fn answered_call(&mut self, caller: &Caller) -> (Sent, Sent) {
        let invite = self.call(caller);
        self.receive(invite.flow, invite.answer(200, ANSWER));
        self.request(&Method::Ack);
        let ok = self.response(200);
        self.receive(caller.flow, caller.ack(&ok));
        (invite, ok)
    }

    /// Everything that a call uses is given back, once all transactions have ended.
    fn assert_at_rest(&mut self) {
        self.pass(Duration::from_secs(200));
        for engine in &self.engines {
            let usage = engine.usage();
            let idle = Usage { ports_limit: usage.ports_limit, waiting: usage.waiting, ..Usage::default() };
            assert_eq!(usage, idle);
            assert!(usage.waiting <= engine.probes.len(), "only probes wait: {usage:?}");
        }
    }
}

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], port))
}

fn config(shard: u16, shards: u16) -> EngineConfig {
    let first = 20_000 + 1_000 * shard;
    EngineConfig {
        shard,
        shards,
        seed: [u8::try_from(shard).unwrap() + 7; 32],
        limits: EngineLimits { calls: 1_000, ..EngineLimits::default() },
        media_ports: (first, first + 99),
    }
}

/// A line towards PBX and UM alike, `servers` UM servers, one station with pilot 6000, one user 2001.
fn topology(servers: u8, change: impl FnOnce(&mut Parts)) -> Topology {
    let entry = |index: u8| {
        Entry::new(Id::new(&format!("um{index}")), Host::Ip(address(10 + index, 0).ip()), Some(5060))
    };
    let mut line = Line::new("trunk", "127.0.0.1".parse().unwrap());
    line.proxy_list = Some(Id::new("um"));
    line.domain = Some("pbx.example.com".parse().unwrap());
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
    let list = ProxyList::new("um", (1..=servers).map(entry).collect());
    let mut parts = Parts { line, list, station, user };
    change(&mut parts);
    let resources = [
        Resource::ProxyList(parts.list.into()),
        Resource::Line(parts.line.into()),
        Resource::Station(parts.station.into()),
        Resource::User(parts.user.into()),
    ];
    let changes: Vec<Change> = resources.into_iter().map(Change::Put).collect();
    Topology::new().apply(1, &changes).unwrap()
}

/// The resources of [`topology`], to change before they are used.
struct Parts {
    line: Line,
    list: ProxyList,
    station: Station,
    user: User,
}

fn configuration(topology: &Topology, phase: LinePhase) -> Configuration {
    let protocol =
        topology.line("trunk").map_or(um_topology::Transport::Udp, |line| line.effective_protocol());
    let line = BoundLine {
        index: LineIndex(0),
        id: Id::new("trunk"),
        transport: protocol,
        local: address(1, 5060),
        advertised: Advertised { host: "127.0.0.1".to_owned(), port: 5060 },
        media_local: address(1, 0).ip(),
        media_advertised: address(1, 0).ip(),
        phase,
    };
    Configuration { topology: topology.clone(), lines: vec![line] }
}

const OFFER: &str = "v=0\r\no=pbx 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
const ANSWER: &str = "v=0\r\no=um 1 1 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\nt=0 0\r\n\
                      m=audio 5000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
