//! Calls between two endpoints whose users roll dice, over a network that rolls dice: each call ends, once, and nothing
//! stays behind.

use std::{collections::BTreeMap, time::Duration, time::Instant};

use super::pair::{Faults, Pair, Side};
use crate::{
    endpoint::{
        Body, ClientTransaction, DialogId, Event, Extra, Inside, Reply, Request, ResponseKind,
        ServerTransaction,
    },
    flow::Transport,
    header_name::HeaderName,
    method::Method,
    name_addr::NameAddr,
    status::StatusCode,
    transaction::Timing,
    uri::Uri,
};

/// What a user will do, and when.
#[derive(Clone, Debug)]
enum Plan {
    Cancel(ClientTransaction),
    Abandon(ClientTransaction),
    Ring(ServerTransaction),
    Answer(ServerTransaction, u16),
    HangUp(Side, DialogId),
}

/// How a call ended for the caller; set once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Rejected,
    TimedOut,
}

struct Call {
    pair: Pair,
    plans: BTreeMap<(Instant, usize), Plan>,
    planned: usize,
    outcome: Option<Outcome>,
    invite: Option<ClientTransaction>,
    abandoned: Option<ClientTransaction>,
    acknowledged: usize,
    pracks: usize,
}

impl Call {
    fn new(transport: Transport, faults: Faults, seed: u64, timing: Timing) -> Self {
        Self {
            pair: Pair::new(transport, faults, seed, timing),
            plans: BTreeMap::new(),
            planned: 0,
            outcome: None,
            invite: None,
            abandoned: None,
            acknowledged: 0,
            pracks: 0,
        }
    }

    fn plan(&mut self, within_ms: u64, plan: Plan) {
        let at = self.pair.now + Duration::from_millis(self.pair.dice.roll(within_ms));
        self.planned += 1;
        self.plans.insert((at, self.planned), plan);
    }

    fn plan_at(&mut self, secs: u64, plan: Plan) {
        self.planned += 1;
        self.plans.insert((self.pair.now + Duration::from_secs(secs), self.planned), plan);
    }

    fn start(&mut self) {
        let uri = Uri::parse(b"sip:6000@192.0.2.2").expect("a URI");
        let identity = self.pair.caller.new_identity();
        let request = Request {
            method: Method::Invite,
            uri: uri.clone(),
            to: NameAddr::new(uri),
            from: NameAddr::parse(b"<sip:2001@192.0.2.1>").expect("an address"),
            routes: Vec::new(),
            identity,
            max_forwards: 70,
            contact_user: None,
            headers: vec![Extra::Named(HeaderName::Supported, "100rel".into())],
            body: Some(sdp()),
        };
        let (now, flow) = (self.pair.now, self.pair.flow(Side::Caller));
        let id = self.pair.caller.request(now, flow, &request).expect("room");
        self.invite = Some(id);
        // The answer timeout that every user has to keep: a provisional response stops the give-up timer.
        self.plan_at(180, Plan::Abandon(id));
        match self.pair.dice.roll(4) {
            0 => self.plan(6_000, Plan::Cancel(id)),
            1 => self.plan(6_000, Plan::Abandon(id)),
            _ => {}
        }
    }

    fn run(&mut self) {
        self.start();
        for _ in 0..20_000 {
            let next = self.plans.keys().next().map(|(at, _)| *at);
            let moved = self.pair.step(next);
            while let Some((side, event)) = self.pair.events.pop_front() {
                self.on_event(side, event);
                self.pair.drain();
            }
            if next.is_some_and(|at| at <= self.pair.now)
                && let Some((_, plan)) = self.plans.pop_first()
            {
                self.carry_out(plan);
            } else if !moved {
                return;
            }
        }
        panic!("livelock");
    }

    fn carry_out(&mut self, plan: Plan) {
        let now = self.pair.now;
        // Every act may come too late; that must be harmless.
        match plan {
            Plan::Cancel(id) => {
                let _ = self.pair.caller.cancel(now, id);
            }
            Plan::Abandon(id) => {
                if self.outcome.is_none() {
                    self.abandoned = Some(id);
                }
                self.pair.caller.abandon(now, id);
            }
            Plan::Ring(id) => {
                let ringing = Reply::new(StatusCode::RINGING);
                let reply = match self.pair.dice.roll(3) {
                    0 => ringing,
                    1 => ringing.reliable(),
                    _ => Reply { body: Some(sdp()), ..ringing.reliable() },
                };
                let _ = self.pair.callee.respond(now, id, &reply);
            }
            Plan::Answer(id, status) => {
                let reply = Reply::new(StatusCode::new(status).expect("a status"));
                let _ = self.pair.callee.respond(now, id, &reply);
            }
            Plan::HangUp(side, dialog) => {
                let flow = self.pair.flow(side);
                let _ = self.pair.endpoint(side).bye(now, dialog, flow, Vec::new());
            }
        }
    }

    fn on_event(&mut self, side: Side, event: Event) {
        let (now, flow) = (self.pair.now, self.pair.flow(side));
        match event {
            Event::Request { transaction, message, .. } if *message.method() == Method::Invite => {
                for _ in 0..=self.pair.dice.roll(2) {
                    self.plan(300, Plan::Ring(transaction));
                }
                let status = [200, 200, 200, 486][self.pair.dice.roll(4) as usize];
                self.plan(5_000, Plan::Answer(transaction, status));
            }
            Event::Request { transaction, .. } => {
                let reply = Reply::new(StatusCode::OK);
                self.pair.endpoint(side).respond(now, transaction, &reply).expect("a BYE or PRACK to answer");
            }
            Event::Cancelled { transaction, .. } => {
                let reply = Reply::new(StatusCode::REQUEST_TERMINATED);
                self.pair.callee.respond(now, transaction, &reply).expect("an INVITE to answer");
            }
            Event::Acknowledged { dialog, .. } => {
                self.acknowledged += 1;
                // The media timeout of a user whose peer is gone without a BYE that arrived.
                self.plan_at(300, Plan::HangUp(side, dialog));
                if self.pair.dice.chance(50) {
                    self.plan(8_000, Plan::HangUp(side, dialog));
                }
            }
            // The user may have answered: then his 2xx was held back, and a BYE ends the INVITE.
            Event::ProvisionalMissing { transaction, dialog } => {
                let reply = Reply::new(StatusCode::SERVER_TIMEOUT);
                if self.pair.callee.bye(now, dialog, flow, Vec::new()).is_err() {
                    self.pair.callee.respond(now, transaction, &reply).expect("an INVITE to answer");
                }
            }
            Event::AckMissing { dialog } => {
                self.pair.callee.bye(now, dialog, flow, Vec::new()).expect("a dialog to end");
            }
            Event::Response { kind, dialog, transaction, message, reliable, .. } => {
                if let (Some(dialog), Some(reliable)) = (dialog, reliable) {
                    self.pracks += 1;
                    let pracked = self.pair.caller.prack(now, dialog, flow, &reliable, &Inside::default());
                    pracked.expect("an early dialog");
                }
                if *message.method() == Method::Invite {
                    assert_ne!(Some(transaction), self.abandoned.filter(|_| kind != ResponseKind::Late));
                    self.on_response(kind, dialog);
                }
            }
            Event::TimedOut { transaction } | Event::Unreachable { transaction } => {
                if self.outcome.is_none() && Some(transaction) == self.invite {
                    self.outcome = Some(Outcome::TimedOut);
                }
            }
            Event::FlowLost { .. } => panic!("no flow is ever lost here"),
            Event::StrayAnswer { flow, message } => {
                let dialog = self.pair.caller.adopt(flow.line, &message).expect("a dialog");
                self.pair.caller.bye(now, dialog, flow, Vec::new()).expect("a dialog to end");
            }
        }
    }

    fn on_response(&mut self, kind: ResponseKind, dialog: Option<DialogId>) {
        let (now, flow) = (self.pair.now, self.pair.flow(Side::Caller));
        match kind {
            ResponseKind::Provisional => {}
            ResponseKind::Success => {
                assert_eq!(self.outcome.replace(Outcome::Answered), None, "one final response");
                let dialog = dialog.expect("a dialog");
                self.pair.caller.ack(dialog, flow, &Inside::default()).expect("an ACK is owed");
                self.plan(8_000, Plan::HangUp(Side::Caller, dialog));
            }
            ResponseKind::Failure => {
                assert_eq!(self.outcome.replace(Outcome::Rejected), None, "one final response");
            }
            ResponseKind::Late | ResponseKind::Fork => {
                self.pair
                    .caller
                    .bye(now, dialog.expect("a dialog"), flow, Vec::new())
                    .expect("a dialog to end");
            }
            ResponseKind::Broken => panic!("our own 2xx is not broken"),
        }
    }
}

fn sdp() -> Body {
    Body { content_type: "application/sdp".into(), bytes: "v=0\r\n".into() }
}

/// Runs one call; returns what became of it.
fn call(transport: Transport, faults: Faults, seed: u64, timing: Timing) -> Call {
    let mut call = Call::new(transport, faults, seed, timing);
    call.run();
    assert!(
        call.pair.is_empty(),
        "seed {seed} on {transport}: caller {} {} callee {} {} after {:#?}",
        call.pair.caller.transactions(),
        call.pair.caller.dialogs(),
        call.pair.callee.transactions(),
        call.pair.callee.dialogs(),
        call.pair.ladder
    );
    assert!(call.outcome.is_some() || call.abandoned.is_some(), "seed {seed}: a call without an end");
    call
}

#[test]
fn every_call_ends_once_and_leaves_nothing_over_a_good_network() {
    let mut answered = 0;
    for seed in 0..200 {
        for transport in [Transport::Udp, Transport::Tcp] {
            let call = call(transport, Faults::NONE, seed, Timing::STANDARD);
            answered += usize::from(call.outcome == Some(Outcome::Answered));
            assert_ne!(call.outcome, Some(Outcome::TimedOut), "seed {seed} on {transport}");
        }
    }
    assert!(answered > 100, "only {answered} calls were answered");
}

#[test]
fn every_call_ends_once_and_leaves_nothing_over_a_bad_network() {
    let faults = Faults { loss: 20, repeat: 20, delay_ms: 1_500 };
    let (mut answered, mut acknowledged, mut pracks) = (0, 0, 0);
    for seed in 0..400 {
        for timing in [Timing::STANDARD, Timing::FAST_FAILOVER] {
            let call = call(Transport::Udp, faults, seed, timing);
            answered += usize::from(call.outcome == Some(Outcome::Answered));
            acknowledged += call.acknowledged;
            pracks += call.pracks;
        }
    }
    assert!(answered > 100, "only {answered} calls were answered");
    assert!(acknowledged > 100, "only {acknowledged} calls were acknowledged");
    assert!(pracks > 300, "only {pracks} provisional responses were acknowledged");
}

#[test]
fn every_call_ends_once_and_leaves_nothing_over_a_terrible_network() {
    let faults = Faults { loss: 70, repeat: 30, delay_ms: 6_000 };
    for seed in 0..400 {
        call(Transport::Udp, faults, seed, Timing::STANDARD);
    }
}

#[test]
fn every_call_ends_over_a_slow_stream() {
    let faults = Faults { loss: 0, repeat: 0, delay_ms: 4_000 };
    for seed in 0..200 {
        call(Transport::Tcp, faults, seed, Timing::FAST_FAILOVER);
    }
}

#[test]
fn the_same_seed_gives_the_same_ladder() {
    let faults = Faults { loss: 30, repeat: 20, delay_ms: 900 };
    let ladder = |seed| call(Transport::Udp, faults, seed, Timing::STANDARD).pair.ladder;
    assert_eq!(ladder(42), ladder(42));
}
