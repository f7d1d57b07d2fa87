//! The table of `health.rs`, row by row.

use um_topology::Id;

use super::*;

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

fn target() -> TargetId {
    TargetId::Entry { list: Id::new("um"), entry: Id::new("one") }
}

fn policy() -> Policy {
    Policy {
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        fall: 3,
        rise: 2,
        passive_fall: 1,
        dead: "408,500-599".parse().unwrap(),
    }
}

/// A health machine with one target, and a clock.
struct Watch {
    health: Health,
    now: Instant,
}

impl Watch {
    fn new() -> Self {
        let now = start();
        let mut health = Health::new(0, 1);
        health.configure(now, BTreeMap::from([(target(), policy())]));
        Self { health, now }
    }

    fn circuit(&self) -> Circuit {
        self.health.condition(&target(), self.now).circuit
    }

    fn mark(&mut self, evidence: Evidence) {
        self.health.mark(self.now, &target(), evidence);
    }

    /// Runs to the next probe and ends it so.
    fn probe(&mut self, evidence: Evidence) {
        let probe = self.next_probe();
        self.health.probed(self.now, probe, evidence);
    }

    fn next_probe(&mut self) -> ProbeId {
        for _ in 0..100 {
            while let Some(output) = self.health.poll_output() {
                if let HealthOutput::Probe(_, probe) = output {
                    return probe;
                }
            }
            self.now = self.health.poll_timeout().expect("a probe is due at some time").max(self.now);
            self.health.handle_timeout(self.now);
        }
        panic!("no probe");
    }
}

#[test]
fn a_failed_call_makes_a_target_suspect_and_probes_it_at_once() {
    let mut watch = Watch::new();
    watch.probe(Evidence::ProbeAnswered);
    watch.mark(Evidence::Failed);
    assert_eq!(watch.circuit(), Circuit::Suspect);
    let before = watch.now;
    watch.next_probe();
    assert_eq!(watch.now, before);
}

#[test]
fn a_suspect_is_up_again_after_an_answered_call_or_two_answered_probes() {
    let mut watch = Watch::new();
    watch.mark(Evidence::Failed);
    watch.mark(Evidence::Life);
    assert_eq!(watch.circuit(), Circuit::Up);
    watch.mark(Evidence::Failed);
    watch.probe(Evidence::ProbeAnswered);
    assert_eq!(watch.circuit(), Circuit::Suspect);
    watch.probe(Evidence::ProbeAnswered);
    assert_eq!(watch.circuit(), Circuit::Up);
}

#[test]
fn three_failed_probes_make_a_target_down_and_two_answers_bring_it_up() {
    let mut watch = Watch::new();
    for expected in [Circuit::Up, Circuit::Up, Circuit::Down] {
        watch.probe(Evidence::ProbeFailed);
        assert_eq!(watch.circuit(), expected);
    }
    watch.probe(Evidence::ProbeAnswered);
    assert_eq!(watch.circuit(), Circuit::Probing);
    watch.probe(Evidence::ProbeFailed);
    assert_eq!(watch.circuit(), Circuit::Down);
    watch.probe(Evidence::ProbeAnswered);
    watch.probe(Evidence::ProbeAnswered);
    assert_eq!(watch.circuit(), Circuit::Up);
}

#[test]
fn failed_calls_alone_never_make_a_target_down() {
    let mut watch = Watch::new();
    for _ in 0..100 {
        watch.mark(Evidence::Failed);
    }
    assert_eq!(watch.circuit(), Circuit::Suspect);
}

#[test]
fn a_server_that_ignores_options_but_answers_calls_stays_up() {
    let mut watch = Watch::new();
    for _ in 0..10 {
        let probe = watch.next_probe();
        watch.mark(Evidence::Life);
        watch.now += Duration::from_secs(2);
        watch.health.handle_timeout(watch.now);
        watch.health.probed(watch.now, probe, Evidence::ProbeAnswered);
        assert_eq!(watch.circuit(), Circuit::Up);
    }
}

#[test]
fn an_unanswered_probe_fails_by_itself() {
    let mut watch = Watch::new();
    for _ in 0..3 {
        let probe = watch.next_probe();
        let began = watch.now;
        watch.now = watch.health.poll_timeout().unwrap();
        assert_eq!(watch.now - began, Duration::from_secs(2));
        watch.health.handle_timeout(watch.now);
        assert_eq!(watch.health.poll_output(), Some(HealthOutput::ProbeOver(probe)));
    }
    assert_eq!(watch.circuit(), Circuit::Down);
}

#[test]
fn probes_start_one_interval_apart() {
    let mut watch = Watch::new();
    watch.probe(Evidence::ProbeAnswered);
    let first = watch.now;
    watch.probe(Evidence::ProbeAnswered);
    assert_eq!(watch.now - first, Duration::from_secs(10));
}

#[test]
fn a_block_lasts_as_long_as_asked_but_never_over_five_minutes() {
    let mut watch = Watch::new();
    watch.mark(Evidence::Blocked { for_: Duration::from_secs(3_600) });
    let condition = watch.health.condition(&target(), watch.now);
    assert_eq!(condition.blocked_until, Some(watch.now + Duration::from_secs(300)));
    assert_eq!(condition.circuit, Circuit::Up);
    let over = watch.now + Duration::from_secs(300);
    assert_eq!(watch.health.condition(&target(), over).blocked_until, None);
}

#[test]
fn a_target_that_stays_in_the_topology_keeps_its_state() {
    let mut watch = Watch::new();
    watch.mark(Evidence::Failed);
    watch.health.configure(watch.now, BTreeMap::from([(target(), policy())]));
    assert_eq!(watch.circuit(), Circuit::Suspect);
    watch.health.configure(watch.now, BTreeMap::new());
    assert_eq!((watch.circuit(), watch.health.poll_timeout()), (Circuit::Up, None));
}

#[test]
fn each_target_is_probed_by_one_shard_and_the_other_hears_of_it() {
    let now = start();
    let mut shards: Vec<Health> = (0..4).map(|shard| Health::new(shard, 4)).collect();
    for shard in &mut shards {
        shard.configure(now, BTreeMap::from([(target(), policy())]));
    }
    assert_eq!(shards.iter().filter(|shard| shard.poll_timeout().is_some()).count(), 1);
    shards[2].mark(now, &target(), Evidence::Failed);
    let told: Vec<_> = std::iter::from_fn(|| shards[2].poll_output())
        .filter_map(|output| match output {
            HealthOutput::Tell(target, evidence) => Some((target, evidence)),
            HealthOutput::Probe(..) | HealthOutput::ProbeOver(_) | HealthOutput::Changed(_) => None,
        })
        .collect();
    assert_eq!(told, [(target(), Evidence::Failed)]);
    assert!(shards[0].apply(now, &target(), Evidence::Failed, now));
    assert_eq!(shards[0].condition(&target(), now).circuit, Circuit::Suspect);
    shards[2].mark(now, &target(), Evidence::Failed);
    assert_eq!(shards[2].poll_output(), None, "nothing new to tell");
}

#[test]
fn dead_codes_are_those_of_the_entry() {
    let watch = Watch::new();
    for (status, dead) in [(408, true), (500, true), (599, true), (404, false), (480, false), (603, false)] {
        assert_eq!(watch.health.is_dead_code(&target(), status), dead, "{status}");
    }
}
