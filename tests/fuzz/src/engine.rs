//! One worker shard under arbitrary messages, answers of resolver, media and connections, orders of the operator, and timers.
//! The input is a list of steps; the parties know the tags and branches that we chose, so that a step reaches calls as they
//! stand. It never panics, stays within its bounds, is on time, sends only what is well formed; and when the operator has
//! hung up everything and time has passed, nothing is left.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use um_engine::{
    ConnectError, Drain, Engine, Input, Output, QueryId, Record, RecordKind, Resolution, ResolveError, Usage,
};
use um_media::{OpenError, RelayCommand, RelayEvent, RelayId};
use um_simulation::site::{Site, UM_LINE};
use um_simulation::{Scenario, wire};
use um_sip::{ConnectionId, Flow, Framer, Limits, LineIndex, Transport};

use crate::scene::{Place, Scene};
use crate::source::Source;

/// Runs the target.
pub fn run(input: &[u8]) {
    drop(play(input));
}

/// Runs the target and tells which messages we sent: methods of requests, status codes with the method of the request.
#[must_use]
pub fn play(input: &[u8]) -> Vec<String> {
    let mut source = Source::new(input);
    let mut rig = Rig::new(&mut source);
    for _ in 0..MOST_STEPS {
        if source.is_empty() {
            break;
        }
        rig.step(&mut source);
    }
    let sent = rig.scene.sent().to_vec();
    rig.leave();
    sent
}

/// An engine, and what surrounds it.
struct Rig {
    engine: Engine,
    site: Site,
    scene: Scene,
    now: Instant,
    /// What the engine waits for.
    errands: VecDeque<Errand>,
    /// Bits of what is not done at once, and of what goes wrong.
    trouble: u8,
    connections: Vec<ConnectionId>,
    flows: Vec<Flow>,
}

/// Something that the engine asked for.
#[derive(Debug)]
enum Errand {
    Open(RelayId),
    Close(RelayId),
    Resolve(QueryId, String, RecordKind),
    Connect(ConnectionId),
}

impl Rig {
    fn new(source: &mut Source<'_>) -> Self {
        let first = source.byte();
        let mut scenario = Scenario::quiet();
        let transport = |bit: u8| if first & bit == 0 { Transport::Udp } else { Transport::Tcp };
        (scenario.calls[0].transport, scenario.um_transport) = (transport(1), transport(2));
        scenario.names = first & 4 != 0;
        scenario.generic = first & 8 != 0;
        let site = Site::new(&scenario);
        let mut rig = Self {
            engine: Engine::new(site.engine(0)),
            scene: Scene::new(
                Place { line: LineIndex(0), transport: transport(1), local: wire::pbx_line() },
                Place { line: UM_LINE, transport: transport(2), local: wire::um_line() },
            ),
            site,
            now: start(),
            errands: VecDeque::new(),
            trouble: 0,
            connections: Vec::new(),
            flows: Vec::new(),
        };
        rig.tell(Input::Configure(rig.site.configuration()));
        rig
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(16) {
            0..=8 => {
                let (flow, bytes) = self.scene.incoming(source);
                self.flows.push(flow);
                self.tell(Input::Message { flow, bytes });
            }
            9 | 10 => self.time_out(),
            11 => {
                self.now += source.pick(PAUSES);
                self.engine.handle_timeout(self.now);
                self.drain();
            }
            12 => self.trouble = source.byte(),
            13 => self.do_errand(source.below(MOST_ERRANDS), source.byte()),
            14 => self.lose(source),
            _ => self.operate(source),
        }
        self.serve();
    }

    /// Does at once what is asked for, unless there is trouble.
    fn serve(&mut self) {
        for _ in 0..MOST_ERRANDS {
            let ready = self.errands.iter().position(|errand| self.trouble & errand.slow() == 0);
            let Some(index) = ready else { return };
            self.do_errand(index, self.trouble);
        }
    }

    fn do_errand(&mut self, index: usize, trouble: u8) {
        let Some(errand) = self.errands.remove(index) else { return };
        let fails = trouble & errand.failing() != 0;
        let input = match errand {
            Errand::Open(relay) if fails => {
                let error = OpenError::PortInUse { port: 20_000 };
                Input::Relay(RelayEvent::Failed { relay, error })
            }
            Errand::Open(relay) => Input::Relay(RelayEvent::Opened { relay }),
            Errand::Close(relay) => Input::Relay(RelayEvent::Closed { relay, counters: Box::default() }),
            Errand::Resolve(query, name, kind) => {
                let server = wire::server_named(&name).filter(|_| kind == RecordKind::A && !fails);
                let found = server.map(|server| {
                    let records = vec![Record::Address(wire::server_address(server).ip())];
                    Resolution { records, ttl: Duration::from_secs(20) }
                });
                let error = if fails { ResolveError::TimedOut } else { ResolveError::NotFound };
                Input::Resolved { query, result: found.ok_or(error) }
            }
            Errand::Connect(connection) if fails => {
                Input::ConnectionFailed { connection, error: ConnectError::Refused }
            }
            Errand::Connect(connection) => {
                self.connections.push(connection);
                Input::ConnectionOpened { connection, local: wire::um_line() }
            }
        };
        self.tell(input);
    }

    /// A connection breaks, a datagram is refused, or a stream loses its framing.
    fn lose(&mut self, source: &mut Source<'_>) {
        let choice = source.byte();
        let latest = |length: usize| usize::from(choice / 4).checked_rem(length);
        match choice % 4 {
            0 => {
                let Some(index) = latest(self.connections.len()) else { return };
                let connection = self.connections.remove(index);
                self.tell(Input::ConnectionClosed { connection });
            }
            1 | 2 => {
                let Some(index) = latest(self.flows.len()) else { return };
                let flow = self.flows[self.flows.len() - 1 - index];
                match flow.connection {
                    Some(connection) => self.tell(Input::ConnectionClosed { connection }),
                    None => self.tell(Input::SendFailed { flow }),
                }
            }
            _ => {
                let (flow, mut bytes) = self.scene.incoming(source);
                bytes.truncate(bytes.len() / 2);
                let mut framer = Framer::new(Limits { stream_message_bytes: 200, ..Limits::default() });
                framer.push(&bytes);
                while let Some(lost) =
                    framer.poll().map_or_else(|error| Some(Err(error)), |frame| frame.map(Ok))
                {
                    if let Err(error) = lost {
                        self.tell(Input::FramingLost { flow, error: Box::new(error) });
                    }
                }
            }
        }
    }

    fn operate(&mut self, source: &mut Source<'_>) {
        match source.below(8) {
            0 => self.tell(Input::Drain(Drain::Start)),
            1 | 2 => self.tell(Input::Drain(Drain::End)),
            3 => self.tell(Input::Drain(Drain::Force)),
            4 => self.site.drain_line(),
            5 => self.site.open_line(),
            6 => self.site.list(vec![source.below(3)]),
            _ => self.site.list(vec![0, 1, 2]),
        }
        self.tell(Input::Configure(self.site.configuration()));
    }

    fn tell(&mut self, input: Input) {
        self.engine.handle_input(self.now, input);
        self.drain();
        let late = self.engine.poll_timeout().is_some_and(|due| due < self.now);
        assert!(!late, "a deadline in the past after an input");
    }

    fn time_out(&mut self) {
        let Some(due) = self.engine.poll_timeout() else { return };
        self.now = self.now.max(due);
        self.engine.handle_timeout(self.now);
        self.drain();
        let late = self.engine.poll_timeout().is_some_and(|due| due <= self.now);
        assert!(!late, "a deadline in the past after its turn");
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            let Some(output) = self.engine.poll_output() else { return self.judge_usage() };
            if let Output::Send { flow, bytes } = &output {
                self.scene.on_sent(*flow, bytes);
                self.flows.push(*flow);
            } else if let Output::Open { connection, .. } = &output {
                self.errands.push_back(Errand::Connect(*connection));
            } else if let Output::Close { connection } = &output {
                self.connections.retain(|open| open != connection);
            } else if let Output::Resolve { query, name, kind } = output {
                self.errands.push_back(Errand::Resolve(query, name, kind));
            } else if let Output::Relay(command) = &output {
                if let RelayCommand::Open(open) = command {
                    self.errands.push_back(Errand::Open(open.relay));
                } else if let RelayCommand::Close { relay } = command {
                    self.errands.push_back(Errand::Close(*relay));
                }
            } else if let Output::LineIdle { line } = output {
                self.site.close_line(line);
            }
        }
        panic!("no end of outputs");
    }

    fn judge_usage(&self) {
        let usage = self.engine.usage();
        assert!(usage.calls <= 100 && usage.dialogs <= 400 && usage.transactions <= 1_600, "{usage:?}");
        assert!(usage.ports <= usage.ports_limit && usage.relays <= 100 + MOST_STEPS, "{usage:?}");
    }

    /// The operator hangs up every call and retires every server; nobody says anything any more, and time passes.
    fn leave(&mut self) {
        self.trouble = 0;
        self.serve();
        self.tell(Input::Drain(Drain::Force));
        self.site.retire();
        self.tell(Input::Configure(self.site.configuration()));
        let end = self.now + SETTLING;
        for _ in 0..MOST_TURNS {
            self.serve();
            if self.engine.poll_timeout().is_none_or(|due| due > end) {
                break;
            }
            self.time_out();
        }
        let usage = self.engine.usage();
        let idle = Usage { ports_limit: usage.ports_limit, ..Usage::default() };
        assert_eq!(usage, idle, "something is left {SETTLING:?} after everything was hung up");
    }
}

impl Errand {
    /// The bit of trouble that keeps it waiting.
    fn slow(&self) -> u8 {
        match self {
            Self::Open(_) => 0x01,
            Self::Close(_) => 0x02,
            Self::Resolve(..) => 0x04,
            Self::Connect(_) => 0x08,
        }
    }

    /// The bit of trouble that makes it fail.
    fn failing(&self) -> u8 {
        self.slow() << 4
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a run needs some instant to begin with; only differences are looked at"
)]
fn start() -> Instant {
    Instant::now()
}

/// INVITE to 64·T1 of its last repetition, three minutes of ringing, an unused connection.
const SETTLING: Duration = Duration::from_secs(600);
const MOST_STEPS: usize = 64;
const MOST_TURNS: usize = 20_000;
const MOST_OUTPUTS: usize = 4_000;
const MOST_ERRANDS: usize = 32;
const PAUSES: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(33),
    Duration::from_secs(91),
    Duration::from_secs(1_801),
];
