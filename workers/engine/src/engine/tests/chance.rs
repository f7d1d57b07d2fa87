//! Parties that do anything at any time, by seed: whatever comes, every INVITE has one final response and
//! in the end nothing is left. The whole network with its oracles is `tests/simulation`.

use std::collections::BTreeMap;

use super::*;

/// A worker among parties without manners.
struct Chaos {
    rig: Rig,
    chance: Draw,
    callers: Vec<Caller>,
    /// INVITEs that went out, newest last.
    invites: Vec<Sent>,
    /// Final responses that each caller got, by Call-ID.
    finals: BTreeMap<String, Vec<u16>>,
    /// Our 2xx to callers.
    answers: Vec<(usize, Sent)>,
    connections: Vec<ConnectionId>,
    cseq: u32,
}

impl Chaos {
    fn new(seed: u8, shards: u16, protocol: um_topology::Transport) -> Self {
        let change = |parts: &mut Parts| parts.line.transport.protocol = Some(protocol);
        let mut rig = Rig::with(shards, &topology(3, change));
        rig.relays_open = true;
        Self {
            rig,
            chance: Draw::new([seed; 32]),
            callers: Vec::new(),
            invites: Vec::new(),
            finals: BTreeMap::new(),
            answers: Vec::new(),
            connections: Vec::new(),
            cseq: 2,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.chance.next() % bound as u64).unwrap()
    }

    fn step(&mut self) {
        match self.below(12) {
            0 | 1 => self.place_call(),
            2..=5 => self.server_answers(),
            6 => self.caller_speaks(),
            7 => self.server_hangs_up(),
            8 => self.network_fails(),
            9 => self.rig.probes_answered = self.below(4) > 0,
            _ => {
                let millis = [1, 20, 400, 2_500, 9_000][self.below(5)];
                self.rig.pass_ms(millis);
            }
        }
        self.connect();
        self.collect();
    }

    fn place_call(&mut self) {
        let mut caller = Caller::new(&format!("c{}", self.callers.len()));
        if self.rig.engines[0].configuration.lines[0].transport == um_topology::Transport::Tcp {
            caller.flow.transport = Transport::Tcp;
            caller.flow.connection = Some(ConnectionId { shard: 0, serial: self.callers.len() as u64 % 3 });
        }
        self.rig.relays_open = self.below(8) > 0;
        self.rig.receive(caller.flow, caller.invite());
        self.callers.push(caller);
    }

    fn server_answers(&mut self) {
        if self.invites.is_empty() {
            return;
        }
        // Mostly a recent one, sometimes one that is long over.
        let back = self.below(3).min(self.invites.len() - 1);
        let at =
            if self.below(5) == 0 { self.below(self.invites.len()) } else { self.invites.len() - 1 - back };
        let invite = self.invites[at].clone();
        let tag = ["um", "um", "fork"][self.below(3)];
        let (status, body, extra) = match self.below(12) {
            0 | 1 => (100, "", ""),
            2 | 3 => (180, "", ""),
            4 => (183, ANSWER, ""),
            5 => (200, "", ""),
            6 => (302, "", "Contact: <sip:6000@127.0.0.12:5070>;q=0.5, <sip:6000@127.0.0.13:5070>\r\n"),
            7 => (503, "", "Retry-After: 3\r\n"),
            8 => ([486, 480, 500, 487, 404, 407][self.below(6)], "", ""),
            _ => (200, ANSWER, ""),
        };
        self.rig.receive(invite.flow, invite.answer_as(status, body, tag, extra));
    }

    fn caller_speaks(&mut self) {
        if self.callers.is_empty() {
            return;
        }
        let at = self.below(self.callers.len());
        let answered: Vec<Sent> =
            self.answers.iter().filter(|(caller, _)| *caller == at).map(|(_, ok)| ok.clone()).collect();
        self.cseq += 1;
        let caller = &self.callers[at];
        // A final response that came long ago: the same INVITE would be a new call.
        let is_final = self.finals.contains_key(&caller.call_id);
        let text = match (answered.first(), self.chance.next() % 6) {
            (None, 0..=3) => caller.cancel(),
            (None, _) if is_final => caller.cancel(),
            (None, _) => caller.invite(),
            (Some(ok), 0 | 1) => caller.ack(ok),
            (Some(ok), 2) => caller.inside("BYE", self.cseq, ok, ""),
            (Some(ok), 3) => caller.inside("INVITE", self.cseq, ok, OFFER),
            (Some(ok), 4) => caller.inside("INFO", self.cseq, ok, ""),
            (Some(_), _) => caller.cancel(),
        };
        let flow = caller.flow;
        self.rig.receive(flow, text);
    }

    fn server_hangs_up(&mut self) {
        if let Some(invite) = self.invites.last().cloned() {
            self.cseq += 1;
            self.rig.receive(invite.flow, invite.inside("BYE", self.cseq, ""));
        }
    }

    fn network_fails(&mut self) {
        if self.below(2) == 0 {
            if let Some(invite) = self.invites.last() {
                let flow = invite.flow;
                self.rig.input_all(&Input::SendFailed { flow });
            }
        } else if !self.connections.is_empty() {
            let at = self.below(self.connections.len());
            let connection = self.connections.swap_remove(at);
            self.rig.input_all(&Input::ConnectionClosed { connection });
        }
    }

    /// Connections come up, are refused, or stay silent.
    fn connect(&mut self) {
        while let Some((connection, _)) = self.rig.opens.pop_front() {
            let owner = usize::from(connection.shard);
            let input = match self.below(6) {
                0 => Input::ConnectionFailed { connection, error: ConnectError::Refused },
                1 => continue,
                _ => {
                    self.connections.push(connection);
                    Input::ConnectionOpened { connection, local: address(1, 40_000) }
                }
            };
            let now = self.rig.now;
            self.rig.engines[owner].handle_input(now, input);
            self.rig.drain(owner);
        }
    }

    fn collect(&mut self) {
        while let Some(sent) = self.rig.sent.pop_front() {
            match sent.message.status() {
                None if sent.is(&Method::Invite) => self.invites.push(sent),
                None if sent.is(&Method::Bye) && self.below(3) > 0 => {
                    let answer = sent.answer(200, "");
                    self.rig.receive(sent.flow, answer);
                }
                Some(status)
                    if status.is_final() && sent.is(&Method::Invite) && sent.message.cseq().number == 1 =>
                {
                    self.note_final(status.code(), sent);
                }
                None | Some(_) => {}
            }
        }
    }

    /// Repetitions are the same response; the caller acknowledges a failure, an answer sometimes.
    fn note_final(&mut self, status: u16, sent: Sent) {
        let at = self
            .callers
            .iter()
            .position(|caller| caller.call_id == sent.message.call_id())
            .expect("a caller");
        let finals = self.finals.entry(self.callers[at].call_id.clone()).or_default();
        if !finals.contains(&status) {
            finals.push(status);
        }
        let caller = &self.callers[at];
        let (flow, ack) = match status {
            200 => (caller.flow, caller.ack(&sent)),
            _ => (caller.flow, caller.ack_failure(&sent)),
        };
        if status == 200 {
            self.answers.push((at, sent));
        }
        if status != 200 || !self.chance.next().is_multiple_of(4) {
            self.rig.receive(flow, ack);
        }
    }

    /// Everybody stops; the operator ends what is left.
    fn finish(mut self) -> Rig {
        self.rig.input_all(&Input::Drain(Drain::Force));
        for _ in 0..40 {
            self.connect();
            self.collect();
            self.rig.pass_ms(10_000);
        }
        for caller in &self.callers {
            let finals = self.finals.get(&caller.call_id).map_or(0, Vec::len);
            assert_eq!(finals, 1, "{}: {:?}", caller.call_id, self.finals.get(&caller.call_id));
        }
        self.rig
    }
}

fn run(shards: u16, protocol: um_topology::Transport) {
    let mut answered = 0;
    for seed in 0..25 {
        let mut chaos = Chaos::new(seed, shards, protocol);
        for _ in 0..150 {
            chaos.step();
        }
        let mut rig = chaos.finish();
        rig.relays_open = true;
        for engine in &rig.engines {
            let usage = engine.usage();
            let held = (usage.calls, usage.transactions, usage.dialogs, usage.ports);
            assert!(held.0 == 0 && held.2 == 0 && held.3 == 0, "seed {seed}: {usage:?}");
            assert!(held.1 <= 6, "seed {seed}: more transactions than probes need: {usage:?}");
            assert!(usage.waiting <= 6 && usage.relays == 0, "seed {seed}: {usage:?}");
        }
        let started = rig.seen.iter().filter(|seen| matches!(seen, Observation::CallStarted { .. })).count();
        assert_eq!(started, rig.records.len(), "seed {seed}: every call that began has ended");
        answered += rig.records.iter().filter(|record| record.talk.is_some()).count();
    }
    assert!(answered > 100, "chance must let calls be answered, not {answered}");
}

#[test]
fn whatever_happens_over_udp_nothing_is_left() {
    run(1, um_topology::Transport::Udp);
}

#[test]
fn whatever_happens_over_tcp_nothing_is_left() {
    run(1, um_topology::Transport::Tcp);
}

#[test]
fn whatever_happens_to_three_shards_nothing_is_left() {
    run(3, um_topology::Transport::Udp);
}
