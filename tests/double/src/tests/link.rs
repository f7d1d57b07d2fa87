//! A network of two agents in virtual time: every message and packet takes 5 ms.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use um_media::PortRange;
use um_sip::{
    ConnectionId, Diversion, DiversionReason, Flow, LineIndex, NameAddr, Transport, Uri, transaction::Timing,
};

use crate::{
    Agent, CallNumber, CallerAgent, CallerConfig, Input, Listen, Output, Plan, Report, ServerAgent,
    ServerConfig,
};

pub(super) struct Link {
    pub(super) now: Instant,
    pub(super) caller: CallerAgent,
    pub(super) server: ServerAgent,
    pub(super) notes: Vec<String>,
    /// Answers to messages that no agent sent.
    pub(super) stray: Vec<Bytes>,
    transport: Transport,
    queue: BTreeMap<(Instant, u64), (SocketAddr, Input)>,
    sent: u64,
    lose_every: Option<u64>,
    /// Media addresses that another program has.
    pub(super) taken: Vec<SocketAddr>,
}

impl Link {
    pub(super) fn new(transport: Transport) -> Self {
        let now = *EPOCH;
        let server = ServerConfig {
            name: "um1".into(),
            listens: SERVER.map(|address| Listen { transport, address: parse(address) }).to_vec(),
            pilots: vec!["6000".into()],
            mailboxes: vec!["2001".into(), "lee@example.com".into()],
            media_address: parse(SERVER[0]).ip(),
            media_ports: PortRange { first: 40_000, last: 40_099 },
            answer_after: Duration::from_millis(200),
            max_calls: 3,
            timing: Timing::STANDARD,
            seed: [1; 32],
        };
        let caller = CallerConfig {
            says: "caller/5551234".into(),
            listens: vec![Listen { transport, address: parse(CALLER) }],
            media_address: parse(CALLER).ip(),
            media_ports: PortRange { first: 30_000, last: 30_099 },
            timing: Timing::FAST_FAILOVER,
            seed: [2; 32],
        };
        Self {
            now,
            caller: CallerAgent::new(now, caller),
            server: ServerAgent::new(now, server),
            notes: Vec::new(),
            stray: Vec::new(),
            transport,
            queue: BTreeMap::new(),
            sent: 0,
            lose_every: None,
            taken: Vec::new(),
        }
    }

    pub(super) fn lose_every(&mut self, nth: u64) {
        self.lose_every = Some(nth);
    }

    /// The flow on which the caller reaches a listener of the server.
    pub(super) fn flow(&self, listener: usize) -> Flow {
        Flow {
            line: LineIndex(0),
            transport: self.transport,
            local: parse(CALLER),
            remote: parse(SERVER[listener]),
            connection: self.transport.is_reliable().then_some(CONNECTION),
        }
    }

    /// Places a call, runs until it is over and everything is quiet, and returns its report.
    pub(super) fn call(&mut self, plan: Plan) -> Report {
        let number = self.place(0, plan);
        self.run(Duration::from_secs(300));
        self.caller.take_report(number).expect("the call is over")
    }

    pub(super) fn place(&mut self, listener: usize, plan: Plan) -> CallNumber {
        let number = self.caller.place(self.now, self.flow(listener), plan).expect("a call can be placed");
        self.drain();
        number
    }

    /// Sends bytes to the first listener of the server from an address that is not the caller's.
    pub(super) fn inject(&mut self, text: &str) {
        let connection = self.transport.is_reliable().then_some(ConnectionId { shard: 0, serial: 9 });
        let (local, remote) = (parse(SERVER[0]), parse(STRANGER));
        let flow = Flow { line: LineIndex(0), transport: self.transport, local, remote, connection };
        self.push(local, Input::Message { flow, bytes: Bytes::from(text.to_owned()) });
    }

    /// Goes on for so long, or until nothing more will happen.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drain();
            let arrival = self.queue.keys().next().map(|(at, _)| *at);
            let deadline =
                [self.caller.poll_timeout(), self.server.poll_timeout()].into_iter().flatten().min();
            let Some(at) = arrival.into_iter().chain(deadline).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (to, input) = entry.remove();
                self.deliver(to, input);
            }
            self.caller.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
    }

    fn deliver(&mut self, to: SocketAddr, input: Input) {
        if to.ip() == parse(CALLER).ip() {
            self.caller.handle(self.now, input);
        } else if to.ip() == parse(SERVER[0]).ip() {
            self.server.handle(self.now, input);
        } else if let Input::Message { bytes, .. } = input {
            self.stray.push(bytes);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.caller.poll_output() {
            self.on_output(output);
        }
        while let Some(output) = self.server.poll_output() {
            self.on_output(output);
        }
    }

    fn on_output(&mut self, output: Output) {
        match output {
            Output::Send { flow, bytes } => {
                let remote = flow.remote;
                let line = SERVER.iter().position(|address| parse(address) == remote).unwrap_or(0);
                let line = LineIndex(u32::try_from(line).expect("few"));
                let flow = Flow { line, local: remote, remote: flow.local, ..flow };
                self.push(remote, Input::Message { flow, bytes });
            }
            Output::Rtp { local, remote, packet } => {
                if self.lose_every.is_some_and(|nth| self.sent.is_multiple_of(nth)) {
                    self.sent += 1;
                    return;
                }
                self.push(remote, Input::Rtp { local: remote, source: local, packet });
            }
            Output::Close(connection) => self.push(parse(CALLER), Input::ConnectionLost(connection)),
            Output::Note(note) => self.notes.push(note),
            Output::OpenMedia(local) if self.taken.contains(&local) => {
                self.server.handle(self.now, Input::MediaRefused(local));
            }
            Output::OpenMedia(_) | Output::CloseMedia(_) => {}
        }
    }

    fn push(&mut self, to: SocketAddr, input: Input) {
        self.sent += 1;
        self.queue.insert((self.now + Duration::from_millis(5), self.sent), (to, input));
    }
}

/// The call of the example: 2001 did not answer, the PBX diverts to the pilot.
pub(super) fn diverted(party: &str) -> Plan {
    let mut plan = to_pilot("5551234");
    plan.diversions = vec![Diversion::new(uri(party), DiversionReason::NoAnswer)];
    plan
}

/// A call to the pilot without Diversion.
pub(super) fn to_pilot(from: &str) -> Plan {
    let from = NameAddr::new(uri(&format!("sip:{from}@pbx.example.com")));
    Plan::new(uri("sip:6000@um.example.com"), from)
}

pub(super) fn uri(text: &str) -> Uri {
    text.parse().expect("a URI")
}

/// The start lines that the caller saw.
pub(super) fn lines(report: &Report) -> Vec<&str> {
    report.ladder.iter().map(|rung| rung.line.as_str()).collect()
}

fn parse(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

const CALLER: &str = "192.0.2.1:5060";
const SERVER: [&str; 3] = ["192.0.2.2:5060", "192.0.2.2:5062", "192.0.2.2:5065"];
const STRANGER: &str = "192.0.2.99:5060";
const CONNECTION: ConnectionId = ConnectionId { shard: 0, serial: 1 };

#[expect(
    clippy::disallowed_methods,
    reason = "an instant can only be had from the clock; the tests add to it"
)]
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
