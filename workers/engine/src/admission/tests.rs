//! Limits, drain and what shards tell each other.

use super::*;

fn id(text: &str) -> Id {
    Id::new(text)
}

fn target() -> TargetId {
    TargetId::Entry { list: id("um"), entry: id("one") }
}

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

#[test]
fn a_draining_worker_admits_nobody() {
    let mut admission = Admission::new(0, 1, 10);
    admission.set_draining(true);
    assert_eq!(admission.admit(start(), &id("a"), &LineLimits::default()), Err(Refusal::Draining));
    admission.set_draining(false);
    assert_eq!(admission.admit(start(), &id("a"), &LineLimits::default()), Ok(()));
}

#[test]
fn a_line_is_full_at_its_limit_and_free_again_when_a_call_leaves() {
    let mut admission = Admission::new(0, 1, 10);
    let limits = LineLimits { calls: Some(1), ..LineLimits::default() };
    assert_eq!(admission.admit(start(), &id("a"), &limits), Ok(()));
    assert_eq!(admission.admit(start(), &id("a"), &limits), Err(Refusal::LineFull));
    assert_eq!(admission.admit(start(), &id("b"), &limits), Ok(()));
    admission.leave(start(), &id("a"));
    assert_eq!(admission.admit(start(), &id("a"), &limits), Ok(()));
}

#[test]
fn each_direction_has_its_own_limit() {
    let mut admission = Admission::new(0, 1, 10);
    let limits = LineLimits { calls_in: Some(1), calls_out: Some(1), ..LineLimits::default() };
    assert!(!admission.is_full_outbound(&id("a"), &limits, SameLine::No));
    admission.begin_outbound(start(), &id("a"), SameLine::No);
    assert!(admission.is_full_outbound(&id("a"), &limits, SameLine::No));
    assert_eq!(admission.admit(start(), &id("a"), &limits), Ok(()));
    assert_eq!(admission.admit(start(), &id("a"), &limits), Err(Refusal::LineFull));
}

#[test]
fn a_call_with_both_legs_on_a_line_is_one_call() {
    let mut admission = Admission::new(0, 1, 10);
    let limits = LineLimits { calls: Some(1), ..LineLimits::default() };
    admission.admit(start(), &id("a"), &limits).unwrap();
    assert!(!admission.is_full_outbound(&id("a"), &limits, SameLine::Yes));
    admission.begin_outbound(start(), &id("a"), SameLine::Yes);
    assert_eq!(admission.admit(start(), &id("a"), &limits), Err(Refusal::LineFull));
    admission.end_outbound(start(), &id("a"), SameLine::Yes);
    admission.leave(start(), &id("a"));
    assert_eq!(admission.admit(start(), &id("a"), &limits), Ok(()));
}

#[test]
fn the_shard_has_a_limit_over_all_lines() {
    let mut admission = Admission::new(0, 1, 1);
    assert_eq!(admission.admit(start(), &id("a"), &LineLimits::default()), Ok(()));
    assert_eq!(admission.admit(start(), &id("b"), &LineLimits::default()), Err(Refusal::ShardFull));
    admission.leave(start(), &id("a"));
    assert_eq!(admission.calls, 0);
}

#[test]
fn a_rate_lets_its_number_through_each_second() {
    let mut admission = Admission::new(0, 1, 1_000);
    let limits = LineLimits { rate: Some(5), ..LineLimits::default() };
    let now = start();
    let mut admitted = |at| (0..20).filter(|_| admission.admit(at, &id("a"), &limits).is_ok()).count();
    assert_eq!(admitted(now), 5);
    assert_eq!(admitted(now + Duration::from_millis(199)), 0);
    assert_eq!(admitted(now + Duration::from_millis(400)), 2);
    assert_eq!(admitted(now + Duration::from_secs(60)), 5);
}

#[test]
fn counts_of_other_shards_weigh_as_much_as_ours() {
    let (mut one, mut two) = (Admission::new(0, 2, 10), Admission::new(1, 2, 10));
    let limits = LineLimits { calls: Some(1), ..LineLimits::default() };
    let now = start();
    one.admit(now, &id("a"), &limits).unwrap();
    one.begin_target(now, &target());
    let due = one.poll_timeout().unwrap();
    assert_eq!(one.handle_timeout(now), None);
    let Some(Gossip::Load { shard, targets, lines }) = one.handle_timeout(due) else { panic!("no gossip") };
    two.hear(shard, targets, lines);
    assert_eq!(two.target_calls(&target()), 1);
    assert_eq!(two.admit(due, &id("a"), &limits), Err(Refusal::LineFull));

    one.leave(due, &id("a"));
    one.end_target(due, &target());
    let due = one.poll_timeout().unwrap();
    let Some(Gossip::Load { shard, targets, lines }) = one.handle_timeout(due) else { panic!("no gossip") };
    two.hear(shard, targets, lines);
    assert_eq!(two.target_calls(&target()), 0);
    assert_eq!(two.admit(due, &id("a"), &limits), Ok(()));
}

#[test]
fn a_single_shard_tells_nobody() {
    let mut admission = Admission::new(0, 1, 10);
    admission.admit(start(), &id("a"), &LineLimits::default()).unwrap();
    assert_eq!(admission.poll_timeout(), None);
}
