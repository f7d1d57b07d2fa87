//! A callee of two shards that share nothing: every message is handed to the shard that it names, and calls work as with one.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use super::alone::address;
use crate::{
    endpoint::{
        Config, DropReason, Endpoint, Event, Inside, LineProfile, Output, Reply, Request, ResponseKind,
    },
    flow::{Flow, LineIndex, Transport},
    host::HostPort,
    method::Method,
    name_addr::NameAddr,
    shard,
    status::StatusCode,
    transaction::{Timing, testing::epoch},
    uri::Uri,
};

const SHARDS: u16 = 2;

/// The caller is endpoint 0, the shards of the callee are 1 and 2.
struct World {
    now: Instant,
    endpoints: Vec<Endpoint>,
    wire: VecDeque<(usize, Bytes)>,
    /// Calls that were taken, by shard.
    taken: [usize; 2],
    ended: usize,
}

fn endpoint(config: Config, ours: &str) -> Endpoint {
    let mut endpoint = Endpoint::new(config);
    let sent_by = HostPort::parse(ours.as_bytes()).expect("a host");
    endpoint.set_line(LineIndex(0), LineProfile { timing: Timing::STANDARD, sent_by });
    endpoint
}

fn flow(from: usize) -> Flow {
    let (caller, callee) = (address("192.0.2.1:5060"), address("192.0.2.2:5060"));
    let (local, remote) = if from == 0 { (caller, callee) } else { (callee, caller) };
    Flow { line: LineIndex(0), transport: Transport::Udp, local, remote, connection: None }
}

impl World {
    fn new() -> Self {
        let shard = |number: u16| {
            let config = Config { shard: number, shards: SHARDS, seed: [3; 32], ..Config::default() };
            endpoint(config, "192.0.2.2:5060")
        };
        let caller = endpoint(Config { seed: [1; 32], ..Config::default() }, "192.0.2.1:5060");
        Self {
            now: epoch(),
            endpoints: vec![caller, shard(0), shard(1)],
            wire: VecDeque::new(),
            taken: [0; 2],
            ended: 0,
        }
    }

    fn call(&mut self) {
        let uri = Uri::parse(b"sip:6000@192.0.2.2").expect("a URI");
        let identity = self.endpoints[0].new_identity();
        let request = Request {
            method: Method::Invite,
            uri: uri.clone(),
            to: NameAddr::new(uri),
            from: NameAddr::parse(b"<sip:2001@192.0.2.1>").expect("an address"),
            routes: Vec::new(),
            identity,
            max_forwards: 70,
            contact_user: None,
            headers: Vec::new(),
            body: None,
        };
        self.endpoints[0].request(self.now, flow(0), &request).expect("room");
        self.run();
    }

    fn run(&mut self) {
        loop {
            for at in 0..self.endpoints.len() {
                while let Some(output) = self.endpoints[at].poll_output() {
                    match output {
                        Output::Send { bytes, .. } => {
                            let to = if at == 0 { 1 + usize::from(shard::owner(&bytes, SHARDS)) } else { 0 };
                            self.wire.push_back((to, bytes));
                        }
                        Output::Event(event) => self.on_event(at, event),
                    }
                }
            }
            let Some((to, bytes)) = self.wire.pop_front() else { return };
            let flow = flow(to);
            self.endpoints[to].handle_message(self.now, flow, bytes);
        }
    }

    fn on_event(&mut self, at: usize, event: Event) {
        let (now, flow) = (self.now, flow(at));
        let endpoint = &mut self.endpoints[at];
        match event {
            Event::Request { transaction, message, .. } => {
                if *message.method() == Method::Invite {
                    self.taken[at - 1] += 1;
                } else {
                    self.ended += 1;
                }
                endpoint.respond(now, transaction, &Reply::new(StatusCode::OK)).expect("a request to answer");
            }
            // Half of the calls are ended by each side.
            Event::Acknowledged { dialog, .. } => {
                if self.taken[at - 1].is_multiple_of(2) {
                    endpoint.bye(now, dialog, flow, Vec::new()).expect("a dialog to end");
                }
            }
            Event::Response { kind: ResponseKind::Success, dialog, message, .. }
                if *message.method() == Method::Invite =>
            {
                let dialog = dialog.expect("a dialog");
                endpoint.ack(dialog, flow, &Inside::default()).expect("an ACK is owed");
            }
            Event::Response { .. }
            | Event::Cancelled { .. }
            | Event::AckMissing { .. }
            | Event::ProvisionalMissing { .. }
            | Event::TimedOut { .. }
            | Event::Unreachable { .. }
            | Event::FlowLost { .. }
            | Event::StrayAnswer { .. } => {}
        }
    }
}

#[test]
fn calls_spread_over_the_shards_and_their_messages_find_them() {
    let mut world = World::new();
    for _ in 0..40 {
        world.call();
    }
    assert!(world.taken.iter().all(|taken| *taken > 8), "{:?}", world.taken);
    assert_eq!(world.taken.iter().sum::<usize>(), 40);
    for shard in &world.endpoints[1..] {
        assert_eq!(shard.counters().dropped(DropReason::Misrouted), 0);
        assert_eq!(shard.counters().dropped(DropReason::StrayAck), 0);
    }
    assert!(world.ended >= 10, "only {} were ended by the shards", world.ended);
}

#[test]
fn what_belongs_to_another_shard_is_dropped_and_not_answered() {
    let mut world = World::new();
    world.call();
    let [first, second] = world.taken;
    let wrong = if first > second { 2 } else { 1 };
    let dialog_tag = shard::tag(u16::from(wrong == 1), "0123");
    let text = format!(
        "INFO sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=f\r\n\
         To: <sip:c@d>;tag={dialog_tag}\r\nCall-ID: q\r\nCSeq: 9 INFO\r\nContent-Length: 0\r\n\r\n"
    );
    world.endpoints[wrong].handle_message(world.now, flow(wrong), Bytes::from(text));
    assert!(world.endpoints[wrong].poll_output().is_none());
    assert_eq!(world.endpoints[wrong].counters().dropped(DropReason::Misrouted), 1);
}
