//! One run: callers, the worker, UM servers, the network between them, and virtual time. Every step is judged; the first
//! fault ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_engine::{Engine, Input};
use um_sip::{ConnectionId, LineIndex, Message};

use crate::caller::Caller;
use crate::ledger::{Birth, Fault, Ledger};
use crate::plant::Plant;
use crate::random::Random;
use crate::reference::Reference;
use crate::scenario::{Act, Scenario};
use crate::server::Server;
use crate::site::Site;
use crate::talk::Talk;
use crate::trace::Trace;
use crate::wire::Path;

mod acts;
mod births;
mod network;
mod verdict;
mod worker;

use network::Link;

/// A run under way.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    plant: Plant,
    random: Random,
    origin: Instant,
    now: Instant,
    site: Site,
    engines: Vec<Engine>,
    servers: Vec<Server>,
    /// Since when each server has conducted itself as it does.
    since: Vec<Instant>,
    callers: Vec<Caller>,
    queue: BTreeMap<(Instant, u64), Happening>,
    queued: u64,
    links: BTreeMap<ConnectionId, Link>,
    accepted: u64,
    /// How many copies of a message were lost, by its fingerprint.
    lost: BTreeMap<u64, u8>,
    /// How many relays in a row did not open.
    refused_relays: u8,
    resolver_failed: bool,
    idle: BTreeSet<(LineIndex, u16)>,
    draining: bool,
    /// Call-IDs of attempts of which the worker has heard a provisional.
    heard: BTreeSet<String>,
    /// A caller's INVITE that is being handled, and how things stood when it came.
    born: Option<(usize, Birth)>,
    ledger: Ledger,
    reference: Reference,
    trace: Trace,
    steps: Steps,
    fault: Option<Fault>,
}

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    /// The worker is told something: one shard, or all.
    Tell(Option<u16>, Box<Input>),
    /// A message reaches a party.
    Deliver(Path, Arc<Message>),
    /// A connection of a party is gone.
    Closed(Path),
    /// Somebody does something.
    Act(Act),
    /// The connection of a caller breaks.
    BreakCaller(usize),
}

/// Steps within one second of virtual time.
#[derive(Debug)]
struct Steps {
    second: u64,
    taken: u32,
}

/// How a run ended that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls that were placed.
    pub calls: usize,
    /// Calls that were answered.
    pub answered: usize,
    /// Attempts at UM servers.
    pub attempts: usize,
    /// Requests in the middle of a call that were accepted.
    pub changes: usize,
}

/// How a run ended that did not.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was wrong.
    pub fault: Fault,
    /// The last events.
    pub events: String,
}

impl World {
    /// Prepares a run.
    #[must_use]
    pub fn new(scenario: Scenario, plant: Plant) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a run needs some instant to begin with; only differences are looked at"
        )]
        let origin = Instant::now();
        let site = Site::new(&scenario);
        let engines = (0..scenario.shards).map(|shard| Engine::new(site.engine(shard))).collect();
        let servers = scenario.servers.iter().enumerate();
        let servers: Vec<_> = servers
            .map(|(number, conduct)| {
                Server::new(number, *conduct, scenario.names, scenario.routed, scenario.servers_talk)
            })
            .collect();
        let callers = scenario.calls.iter().enumerate();
        let mut world = Self {
            plant,
            random: Random::new(scenario.seed.wrapping_mul(3)),
            origin,
            now: origin,
            engines,
            since: vec![origin; servers.len()],
            servers,
            callers: callers
                .map(|(number, plan)| {
                    Caller::new(number, origin, *plan, scenario.routed, scenario.callers_talk)
                })
                .collect(),
            queue: BTreeMap::new(),
            queued: 0,
            links: BTreeMap::new(),
            accepted: 0,
            lost: BTreeMap::new(),
            refused_relays: 0,
            resolver_failed: false,
            idle: BTreeSet::new(),
            draining: false,
            heard: BTreeSet::new(),
            born: None,
            ledger: Ledger::new(&scenario.calls, scenario.strategy),
            reference: Reference::default(),
            trace: Trace::new(origin),
            steps: Steps { second: 0, taken: 0 },
            fault: None,
            site,
            scenario,
        };
        world.prepare();
        world
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first fault that was found.
    pub fn run(mut self) -> Result<Summary, Failure> {
        let over = self.now + LONGEST;
        while self.now < over && self.fault.is_none() && self.is_busy() {
            self.pass(Duration::from_secs(5));
        }
        self.pass(AFTERMATH);
        if self.fault.is_none() {
            self.site.retire();
            self.trace.note(self.now, "the list is retired".to_owned());
            self.configure();
            self.pass(SETTLING);
        }
        if self.fault.is_none() {
            self.fault = self.verdict().err();
        }
        match self.fault {
            None => Ok(self.summary()),
            Some(fault) => Err(Failure { fault, events: self.trace.tell() }),
        }
    }

    fn prepare(&mut self) {
        self.configure();
        for (at, act) in self.scenario.acts.clone() {
            self.after(at, Happening::Act(act));
        }
        for (number, plan) in self.scenario.calls.clone().into_iter().enumerate() {
            if let Some(breaks) = plan.breaks {
                self.after(plan.at + breaks, Happening::BreakCaller(number));
            }
        }
    }

    /// Lets time pass, event by event, until nothing can be left or the time is up.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.fault.is_none() {
            let Some(next) = self.next_moment().filter(|next| *next <= until) else { break };
            self.now = next.max(self.now);
            self.step();
        }
        self.now = until.max(self.now);
    }

    /// Whether anything is still to come, or any party has a call that it has not ended.
    fn is_busy(&self) -> bool {
        let last = self.scenario.acts.last().map_or(Duration::ZERO, |(at, _)| *at);
        let calls = self.callers.iter().any(|caller| caller.state() != crate::caller::State::Over);
        let legs = self.servers.iter().flat_map(Server::legs).any(|leg| leg.phase().is_open());
        self.now < self.origin + last || calls || legs
    }

    fn next_moment(&self) -> Option<Instant> {
        let engines = self.engines.iter().filter_map(Engine::poll_timeout);
        let servers = self.servers.iter().filter_map(Server::poll_timeout);
        let callers = self.callers.iter().filter_map(Caller::poll_timeout);
        let queue = self.queue.first_key_value().map(|((at, _), _)| *at);
        engines.chain(servers).chain(callers).chain(queue).min()
    }

    /// Does everything that is due now.
    fn step(&mut self) {
        self.count();
        for shard in 0..self.engines.len() {
            if self.engines[shard].poll_timeout().is_some_and(|due| due <= self.now) {
                self.engines[shard].handle_timeout(self.now);
                self.drain_engine(shard);
                let late = self.engines[shard].poll_timeout().is_some_and(|due| due <= self.now);
                self.expect(!late, || format!("shard {shard} has a deadline in the past after its turn"));
            }
        }
        for number in 0..self.servers.len() {
            if self.servers[number].poll_timeout().is_some_and(|due| due <= self.now) {
                self.servers[number].handle_timeout(self.now);
                self.drain_server(number);
            }
        }
        for number in 0..self.callers.len() {
            if self.callers[number].poll_timeout().is_some_and(|due| due <= self.now) {
                self.callers[number].handle_timeout(self.now);
                self.drain_caller(number);
            }
        }
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let happening = entry.remove();
            self.happen(happening);
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.count();
        match happening {
            Happening::Tell(Some(shard), input) => self.tell(usize::from(shard), *input),
            Happening::Tell(None, input) => self.tell_all(&input),
            Happening::Deliver(path, message) => self.deliver(path, &message),
            Happening::Closed(path) => self.on_closed(path),
            Happening::Act(act) => self.act(&act),
            Happening::BreakCaller(number) => {
                if let Some(link) = self.callers[number].link() {
                    self.break_link(link);
                }
            }
        }
    }

    fn after(&mut self, delay: Duration, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    fn at(&mut self, at: Instant, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    /// Finds a livelock: more steps in a second than all parties together can have reason for.
    fn count(&mut self) {
        let second = (self.now - self.origin).as_secs();
        if second != self.steps.second {
            self.steps = Steps { second, taken: 0 };
        }
        self.steps.taken += 1;
        let taken = self.steps.taken;
        self.expect(taken < MOST_STEPS, || format!("livelock: {taken} steps in one second"));
    }

    fn expect(&mut self, holds: bool, fault: impl FnOnce() -> Fault) {
        if !holds && self.fault.is_none() {
            self.fault = Some(fault());
        }
    }

    fn judge(&mut self, judgement: Result<(), Fault>) {
        if let Err(fault) = judgement {
            self.expect(false, || fault);
        }
    }

    /// Both ends of every dialog that was up.
    fn talks(&self) -> impl Iterator<Item = &Talk> {
        let legs = self.servers.iter().flat_map(Server::legs).filter_map(|leg| leg.talking());
        self.callers.iter().filter_map(Caller::talking).chain(legs)
    }

    fn summary(&self) -> Summary {
        let records = self.ledger.calls.iter().flat_map(|facts| &facts.records);
        Summary {
            calls: self.callers.len(),
            answered: records.clone().filter(|record| record.answered_by.is_some()).count(),
            attempts: records.map(|record| usize::from(record.attempts)).sum(),
            changes: self.talks().map(Talk::accepted).sum(),
        }
    }
}

/// A message that somebody sends, parsed; `None` if it is no SIP.
fn parse(bytes: &Bytes) -> Option<Message> {
    Message::parse(bytes.clone(), &um_sip::Limits::default()).ok()
}

/// The latest call begins after 20 s, rings for 180 s at most, talks for 10 s; faults may add a minute.
const LONGEST: Duration = Duration::from_secs(300);
/// What may still come back from the dead.
const AFTERMATH: Duration = Duration::from_secs(10);
/// Every transaction is over after 64·T1 and Timer D; an unused connection after 2 min.
const SETTLING: Duration = Duration::from_secs(200);
/// Far above what a few calls over a bad network need.
const MOST_STEPS: u32 = 5_000;
