//! Port pairs: parity, exhaustion, rest, slices.

use super::*;
use crate::epoch::start;

const REST: Duration = Duration::from_secs(5);

fn pool(first: u16, last: u16) -> PortPool {
    PortPool::new(PortRange { first, last }, REST)
}

#[test]
fn pairs_are_even_then_odd_and_stay_in_the_range() {
    let now = start();
    let mut pool = pool(20001, 20010);
    let mut seen = Vec::new();
    while let Ok(pair) = pool.reserve(now) {
        seen.push((pair.rtp(), pair.rtcp()));
    }
    assert_eq!(seen, [(20002, 20003), (20004, 20005), (20006, 20007), (20008, 20009)]);
}

#[test]
fn exhaustion_names_the_limit_and_ends_with_a_rested_pair() {
    let now = start();
    let mut pool = pool(20000, 20003);
    let first = pool.reserve(now).unwrap();
    pool.reserve(now).unwrap();
    assert_eq!(pool.reserve(now), Err(Exhausted { limit: 2 }));
    pool.release(now, first);
    assert_eq!(pool.used(), 1);
    assert_eq!(pool.reserve(now + REST - Duration::from_millis(1)), Err(Exhausted { limit: 2 }));
    assert_eq!(pool.reserve(now + REST), Ok(first));
}

#[test]
fn a_resting_pair_can_be_had_early_but_not_at_once() {
    let now = start();
    let mut pool = pool(20000, 20003);
    let (first, second) = (pool.reserve(now).unwrap(), pool.reserve(now).unwrap());
    let least = Duration::from_secs(1);
    pool.release(now, second);
    pool.release(now + least, first);
    assert_eq!(pool.reserve_rested(now + Duration::from_millis(999), least), Err(Exhausted { limit: 2 }));
    assert_eq!(pool.reserve_rested(now + least, least), Ok(second));
    assert_eq!(pool.used(), 1);
    assert_eq!(pool.reserve_rested(now + least, least), Err(Exhausted { limit: 2 }));
}

#[test]
fn each_pair_rests_as_long_as_its_call_says() {
    let now = start();
    let mut pool = pool(20000, 20003);
    let (first, second) = (pool.reserve(now).unwrap(), pool.reserve(now).unwrap());
    pool.release_after(now, first, Duration::from_secs(60));
    pool.release_after(now, second, Duration::ZERO);
    assert_eq!(pool.reserve(now), Ok(second));
    assert_eq!(pool.reserve(now + Duration::from_millis(59_999)), Err(Exhausted { limit: 2 }));
    assert_eq!(pool.reserve(now + Duration::from_secs(60)), Ok(first));
}

#[test]
fn a_pair_that_has_rested_comes_before_one_never_used() {
    let now = start();
    let mut pool = pool(20000, 20005);
    let first = pool.reserve(now).unwrap();
    pool.release(now, first);
    let later = now + REST;
    let order: Vec<_> = std::iter::from_fn(|| pool.reserve(later).ok()).map(PortPair::rtp).collect();
    assert_eq!(order, [20000, 20002, 20004]);
}

#[test]
fn a_pair_released_twice_is_in_the_pool_once() {
    let now = start();
    let mut pool = pool(20000, 20001);
    let pair = pool.reserve(now).unwrap();
    pool.release(now, pair);
    pool.release(now, pair);
    pool.release(now, PortPair::new(40000).unwrap());
    assert_eq!(pool.used(), 0);
    assert_eq!(pool.reserve(now + REST), Ok(pair));
    assert_eq!(pool.reserve(now + REST), Err(Exhausted { limit: 1 }));
}

#[test]
fn slices_of_a_range_cover_it_without_overlap() {
    for shards in 1..=7 {
        let range = PortRange { first: 20000, last: 20099 };
        let mut ports = Vec::new();
        for shard in 0..shards {
            let slice = range.slice(shard, shards).unwrap();
            let mut pool = PortPool::new(slice, REST);
            assert_eq!(pool.limit(), slice.pairs());
            ports.extend(std::iter::from_fn(|| pool.reserve(start()).ok()).map(PortPair::rtp));
        }
        assert_eq!(ports, (20000..20100).step_by(2).collect::<Vec<_>>(), "{shards} shards");
    }
}

#[test]
fn a_range_with_fewer_pairs_than_shards_has_no_slices() {
    let range = PortRange { first: 20000, last: 20003 };
    assert_eq!(range.slice(0, 3), None);
    assert_eq!(range.slice(2, 2), None);
}

#[test]
fn the_edges_of_the_port_space_hold_no_half_pair() {
    assert_eq!(PortRange { first: 0, last: 3 }.pairs(), 1);
    assert_eq!(pool(0, 3).limit(), 1);
    assert_eq!(PortRange { first: 65534, last: 65535 }.pairs(), 1);
    assert_eq!(pool(65534, 65535).limit(), 1);
    assert_eq!(pool(65535, 65535).limit(), 0);
    assert_eq!(PortRange { first: 9, last: 8 }.pairs(), 0);
    assert_eq!(pool(9, 8).limit(), 0);
}
