//! Both ends joined by a link that delays, breaks and reconnects, with publications, refusals, restarts of the worker
//! and a replaced store, by seed. After every step: one unanswered nonce at most, no revision goes back, a refused
//! resource keeps its previous version. When the trouble ends, the worker runs what was published last.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use um_discovery::client::{self, LastKnownGood, Session};
use um_discovery::message::{Applied, Failure, FromControl, FromWorker};
use um_discovery::server::{self, Subscription};
use um_discovery::{Change, Resources, Snapshot, delta};

/// Seeds per run; each is a history of 400 steps.
const SEEDS: u64 = 300;

#[test]
fn both_ends_converge_over_a_bad_link() {
    for seed in 0..SEEDS {
        World::new(seed).run();
    }
}

/// A link that stands. What is on its way is lost when it breaks.
struct Link {
    subscription: Subscription<u64>,
    down: VecDeque<FromControl<u64>>,
    up: VecDeque<FromWorker>,
    /// Nonces that the worker has got completely and not answered.
    unanswered: usize,
}

struct World {
    seed: u64,
    random: u64,
    now: Instant,
    published: Snapshot<u64>,
    /// Older snapshots of the same store, for resumption.
    history: Vec<Snapshot<u64>>,
    session: Session<u64>,
    /// What the driver has put in force, kept by itself.
    in_force: Resources<u64>,
    disk: Option<LastKnownGood<u64>>,
    connecting: bool,
    link: Option<Link>,
    applying: Option<client::Apply<u64>>,
    trouble: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an origin for virtual time; only differences matter")]
        let now = Instant::now();
        Self {
            seed,
            random: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1,
            now,
            published: Snapshot { store_id: Arc::from("store-0"), revision: 1, resources: Resources::new() },
            history: Vec::new(),
            session: Session::new(client::Config::default(), seed, None, now),
            in_force: Resources::new(),
            disk: None,
            connecting: false,
            link: None,
            applying: None,
            trouble: true,
        }
    }

    fn run(&mut self) {
        for _ in 0..400 {
            self.disturb();
            self.step();
        }
        // From here on nothing fails, and nothing new is published that would carry what was refused along.
        self.trouble = false;
        if let Some(link) = &mut self.link {
            // A replica that lagged catches up.
            link.subscription.handle_publish(self.now, self.published.clone());
        }
        for _ in 0..2_000 {
            self.step();
            if self.converged() {
                return;
            }
            self.now += Duration::from_millis(100);
        }
        panic!("seed {}: not converged: {:?} {:?}", self.seed, self.session, self.published);
    }

    fn converged(&self) -> bool {
        self.in_force == self.published.resources
            && self.session.applied().is_some_and(|applied| {
                !applied.partial
                    && applied.revision == self.published.revision
                    && applied.store_id == self.published.store_id
            })
    }

    /// One thing that happens in the world outside.
    fn disturb(&mut self) {
        let passed = self.below(300);
        self.now += Duration::from_millis(passed);
        match self.below(20) {
            0..6 => self.publish(),
            6 => self.lose_link(),
            7 => self.restart_worker(),
            8 if self.below(4) == 0 => self.replace_store(),
            9 => {
                let passed = self.below(70);
                self.now += Duration::from_secs(passed);
            }
            _ => {}
        }
    }

    fn publish(&mut self) {
        self.history.push(self.published.clone());
        self.published.revision += 1 + i64::try_from(self.below(3)).expect("below 3");
        for _ in 0..=self.below(4) {
            let name: Arc<str> = Arc::from(format!("lines/{}", self.below(8)));
            if self.below(3) == 0 {
                self.published.resources.remove(&name);
            } else {
                let value = self.below(1_000);
                self.published.resources.insert(name, value);
            }
        }
        if let Some(link) = &mut self.link {
            link.subscription.handle_publish(self.now, self.published.clone());
        }
    }

    /// A restored store: another id, a lower revision, other content.
    fn replace_store(&mut self) {
        self.history.clear();
        self.published.store_id = Arc::from(format!("store-{}", self.below(1_000_000)));
        self.published.revision = 1;
        self.publish();
    }

    fn lose_link(&mut self) {
        if self.link.take().is_some() || std::mem::take(&mut self.connecting) {
            self.session.handle_disconnected(self.now);
        }
    }

    fn restart_worker(&mut self) {
        self.link = None;
        self.connecting = false;
        self.applying = None;
        self.in_force = self.disk.as_ref().map(|disk| disk.resources.clone()).unwrap_or_default();
        let seed = self.random();
        self.session = Session::new(client::Config::default(), seed, self.disk.clone(), self.now);
    }

    /// Moves everything that can move, in random order and amount.
    fn step(&mut self) {
        self.session.handle_timeout(self.now);
        self.drain_session();
        self.connect();
        self.drive_link();
        self.finish_applying();
        self.drain_session();
        self.check();
    }

    fn connect(&mut self) {
        if !self.connecting || (self.trouble && self.below(3) == 0) {
            return;
        }
        self.connecting = false;
        if self.trouble && self.below(4) == 0 {
            return self.session.handle_disconnected(self.now);
        }
        let config = server::Config { chunk_items: 3, ..server::Config::new(|_| 8) };
        let mut subscription = Subscription::new(config, self.random(), self.now);
        // A replica may lag behind the one that the worker spoke to before.
        let lag = usize::try_from(self.below(3)).expect("below 3");
        let lagging = self.history.len().checked_sub(lag).and_then(|index| self.history.get(index));
        let first = lagging.filter(|_| self.trouble).unwrap_or(&self.published).clone();
        subscription.handle_publish(self.now, first);
        self.link = Some(Link { subscription, down: VecDeque::new(), up: VecDeque::new(), unanswered: 0 });
        self.session.handle_connected(self.now);
    }

    fn drive_link(&mut self) {
        let (rounds, now) = (1 + self.below(6), self.now);
        for _ in 0..rounds {
            let Some(link) = &mut self.link else { return };
            link.subscription.handle_timeout(now);
            while let Some(output) = link.subscription.poll_output() {
                match output {
                    server::Output::Send(message) => link.down.push_back(message),
                    server::Output::Acked { .. } | server::Output::Nacked { .. } => {}
                    server::Output::Close(reason) => {
                        assert!(
                            !matches!(reason, server::CloseReason::Violation(_)),
                            "seed {}: {reason}",
                            self.seed
                        );
                        self.link = None;
                        return self.session.handle_disconnected(now);
                    }
                }
            }
            self.deliver();
        }
    }

    /// Delivers one message each way.
    fn deliver(&mut self) {
        let (now, seed) = (self.now, self.seed);
        let Some(link) = &mut self.link else { return };
        if let Some(message) = link.up.pop_front() {
            match message {
                FromWorker::Hello(hello) => {
                    let known = hello.last_applied.as_ref().and_then(|applied| known(&self.history, applied));
                    link.subscription.handle_hello(now, &hello, known);
                }
                FromWorker::Ack { nonce, revision } => link.subscription.handle_ack(now, nonce, revision),
                FromWorker::Nack { nonce, revision, failures } => {
                    link.subscription.handle_nack(now, nonce, revision, failures);
                }
            }
        }
        if let Some(message) = link.down.pop_front() {
            match &message {
                FromControl::Snapshot { last, .. } | FromControl::Delta { last, .. } => {
                    link.unanswered += usize::from(*last);
                    assert!(link.unanswered <= 1, "seed {seed}: two updates unanswered");
                }
                FromControl::Bookmark { .. } => {}
            }
            self.session.handle_message(now, message);
            self.drain_session();
        }
    }

    fn drain_session(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                client::Output::Connect => self.connecting = true,
                client::Output::Send(message) => {
                    let link = self.link.as_mut().expect("messages are for a stream that stands");
                    if matches!(message, FromWorker::Ack { .. } | FromWorker::Nack { .. }) {
                        link.unanswered -= 1;
                    }
                    link.up.push_back(message);
                }
                client::Output::Apply(apply) => {
                    assert!(self.applying.is_none(), "seed {}: two updates at once", self.seed);
                    self.applying = Some(apply);
                }
                client::Output::Persist(persist) => self.persist(persist),
                client::Output::Disconnect(reason) => {
                    assert!(
                        !matches!(reason, client::DisconnectReason::Violation(_)),
                        "seed {}: {reason}",
                        self.seed
                    );
                    self.link = None;
                    self.connecting = false;
                }
            }
        }
    }

    fn finish_applying(&mut self) {
        if self.trouble && self.below(3) == 0 {
            return;
        }
        let Some(apply) = self.applying.take() else { return };
        let mut failures = Vec::new();
        for change in apply.changes {
            if self.trouble && self.below(6) == 0 {
                failures.push(Failure::new(Arc::clone(change.name()), "PORT_TAKEN", "taken"));
            } else {
                delta::apply(&mut self.in_force, change);
            }
        }
        self.session.handle_applied(self.now, failures);
    }

    fn persist(&mut self, persist: client::Persist<u64>) {
        let previous = self.disk.take();
        if let Some(previous) = &previous
            && previous.applied.store_id == persist.applied.store_id
        {
            let (from, to) = (previous.applied.revision, persist.applied.revision);
            assert!(from <= to, "seed {}: {from} to {to}", self.seed);
        }
        let mut resources = previous.map(|previous| previous.resources).unwrap_or_default();
        let changes: Vec<Change<u64>> = persist.changes;
        changes.into_iter().for_each(|change| delta::apply(&mut resources, change));
        self.disk = Some(LastKnownGood { applied: persist.applied, resources });
    }

    fn check(&self) {
        if self.applying.is_none() {
            assert_eq!(*self.session.in_force(), self.in_force, "seed {}", self.seed);
            if let Some(disk) = &self.disk {
                assert_eq!(disk.resources, self.in_force, "seed {}: the file lags", self.seed);
            }
        }
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random() % limit
    }
}

/// The snapshot that a worker says it runs, if it is still known.
fn known(history: &[Snapshot<u64>], applied: &Applied) -> Option<Snapshot<u64>> {
    history
        .iter()
        .find(|snapshot| snapshot.store_id == applied.store_id && snapshot.revision == applied.revision)
        .cloned()
}
