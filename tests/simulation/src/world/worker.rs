//! The worker's side of the world: its shards are told things, and what they put out is judged and carried out.

use std::time::Duration;

use um_engine::{Input, Output, QueryId, Record, RecordKind, Resolution, ResolveError};
use um_media::{OpenError, RelayCommand, RelayEvent};

use super::{Happening, World, parse};
use crate::wire;

impl World {
    /// Hands the configuration to every shard.
    pub(super) fn configure(&mut self) {
        let configuration = self.site.configuration();
        self.tell_all(&Input::Configure(configuration));
    }

    pub(super) fn tell_all(&mut self, input: &Input) {
        for shard in 0..self.engines.len() {
            self.tell(shard, input.clone());
        }
    }

    /// Tells one shard something, and lets it have its say.
    pub(super) fn tell(&mut self, shard: usize, input: Input) {
        if let Input::Message { flow, bytes } = &input {
            let open =
                flow.line == crate::site::UM_LINE || self.site.pbx.is_some_and(|(i, _)| i == flow.line);
            if !open {
                return;
            }
            self.born = self.birth_of(shard, bytes);
            if let Some(message) = parse(bytes) {
                self.reference.on_received(self.now, &message);
            }
            if bytes.starts_with(b"SIP/2.0 1") {
                self.heard.extend(parse(bytes).map(|message| message.call_id().to_owned()));
            }
        }
        if let Input::Relay(event) = &input {
            self.ledger.on_relay_event(self.now, event);
        }
        self.engines[shard].handle_input(self.now, input);
        self.drain_engine(shard);
        self.born = None;
        let late = self.engines[shard].poll_timeout().is_some_and(|due| due < self.now);
        self.expect(!late, || format!("shard {shard} has a deadline in the past after an input"));
    }

    pub(super) fn drain_engine(&mut self, shard: usize) {
        while let Some(output) = self.engines[shard].poll_output() {
            self.on_output(shard, output);
        }
    }

    fn on_output(&mut self, shard: usize, output: Output) {
        match output {
            Output::Send { flow, bytes } => {
                let Some(message) = parse(&bytes) else {
                    return self.expect(false, || format!("no SIP: {}", String::from_utf8_lossy(&bytes)));
                };
                for bytes in self.plant.spoil(&flow, &message, &bytes) {
                    self.on_sent(shard, flow, &bytes);
                }
            }
            Output::Open { connection, line, remote, deadline } => {
                self.open_link(connection, line, remote, deadline);
            }
            Output::Close { connection } => self.close_link(connection),
            Output::Resolve { query, name, kind } => self.resolve(shard, query, &name, kind),
            Output::Relay(command) => self.on_relay_command(shard, &command),
            Output::Gossip(gossip) => {
                for other in (0..self.engines.len()).filter(|other| *other != shard) {
                    let delay = Duration::from_micros(50);
                    let other = u16::try_from(other).expect("few shards");
                    let input = Input::Gossip(gossip.clone());
                    self.after(delay, Happening::Tell(Some(other), Box::new(input)));
                }
            }
            Output::Observe(seen) => {
                let born = self.born.clone();
                let judgement = self.ledger.on_observation(born, seen);
                self.judge(judgement);
            }
            Output::LineIdle { line } => self.on_line_idle(shard, line),
        }
    }

    fn on_sent(&mut self, shard: usize, flow: um_sip::Flow, bytes: &bytes::Bytes) {
        if let Some(message) = parse(bytes) {
            let judgement = self.ledger.on_sent(self.now, &flow, &message);
            self.judge(judgement);
            let judgement = self.reference.on_sent(self.now, &flow, &message);
            self.judge(judgement);
            self.judge_refusal(shard, &message);
        }
        self.send_to_party(flow, bytes);
    }

    /// A line that drains may close when no shard needs it any more.
    fn on_line_idle(&mut self, shard: usize, line: um_sip::LineIndex) {
        self.idle.insert((line, u16::try_from(shard).expect("few shards")));
        let all = (0..self.scenario.shards).all(|shard| self.idle.contains(&(line, shard)));
        if all {
            self.trace.note(self.now, format!("{line:?} closes"));
            self.site.close_line(line);
            self.break_links(|link| link.line == line);
            let configuration = self.site.configuration();
            self.after(
                Duration::from_micros(10),
                Happening::Tell(None, Box::new(Input::Configure(configuration))),
            );
        }
    }

    fn on_relay_command(&mut self, shard: usize, command: &RelayCommand) {
        let judgement = self.ledger.on_relay(command);
        self.judge(judgement);
        let relay = command.relay();
        let event = match command {
            RelayCommand::Open(open) => {
                let fails = self.random.chance(self.scenario.services.relay_failures);
                if fails && self.refused_relays < 2 {
                    self.refused_relays += 1;
                    let error = OpenError::PortInUse { port: open.inbound.ports.rtp() };
                    RelayEvent::Failed { relay, error }
                } else {
                    self.refused_relays = 0;
                    RelayEvent::Opened { relay }
                }
            }
            RelayCommand::Close { .. } => RelayEvent::Closed { relay, counters: Box::default() },
            RelayCommand::SetRemote { .. } | RelayCommand::PlayTone { .. } => return,
        };
        // The media side does one thing after the other.
        let delay = if self.scenario.services.slow_relays { 200 } else { 0 };
        let shard = u16::try_from(shard).expect("few shards");
        self.after(Duration::from_millis(delay), Happening::Tell(Some(shard), Box::new(Input::Relay(event))));
    }

    fn resolve(&mut self, shard: usize, query: QueryId, name: &str, kind: RecordKind) {
        let fails = self.random.chance(self.scenario.services.resolver_failures);
        let server = wire::server_named(name).filter(|_| kind == RecordKind::A);
        let (delay, result) = match server {
            Some(_) if fails => {
                self.resolver_failed = true;
                let error = self.random.pick(&[ResolveError::TimedOut, ResolveError::NotFound]);
                (self.random.millis(5, 2_000), Err(error))
            }
            Some(server) => {
                let records = vec![Record::Address(wire::server_address(server).ip())];
                let ttl = self.random.millis(1_000, 60_000);
                (self.random.millis(1, 100), Ok(Resolution { records, ttl }))
            }
            None => (self.random.millis(1, 100), Err(ResolveError::NotFound)),
        };
        let shard = u16::try_from(shard).expect("few shards");
        self.after(delay, Happening::Tell(Some(shard), Box::new(Input::Resolved { query, result })));
    }
}
