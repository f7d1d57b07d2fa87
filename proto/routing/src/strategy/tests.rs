//! Tests of the strategies: shares, order behind the first, stability.

use std::collections::BTreeMap;

use super::*;

fn ids(count: usize) -> Vec<TargetId> {
    let entry = |n| TargetId::Entry { list: "um".into(), entry: format!("um{n}").as_str().into() };
    (0..count).map(entry).collect()
}

fn members<'a>(ids: &'a [TargetId], weights: &[u32], calls: &[u32]) -> Vec<Member<'a>> {
    let member = |(n, id): (usize, &'a TargetId)| Member { id, weight: weights[n], calls: calls[n] };
    ids.iter().enumerate().map(member).collect()
}

/// The order of each of a number of calls.
fn orders(strategy: Strategy, members: &[Member<'_>], calls: usize) -> Vec<Vec<usize>> {
    let mut turn = Turn::default();
    (0..calls).map(|_| order(strategy, members, "key", &mut turn)).collect()
}

fn firsts(orders: &[Vec<usize>]) -> Vec<usize> {
    orders.iter().map(|order| order[0]).collect()
}

#[test]
fn ordered_keeps_the_list() {
    let ids = ids(3);
    let members = members(&ids, &[1, 100, 5], &[9, 0, 0]);
    assert_eq!(orders(Strategy::Ordered, &members, 2), [[0, 1, 2], [0, 1, 2]]);
}

#[test]
fn round_robin_begins_one_further_each_call_and_goes_round() {
    let ids = ids(3);
    let members = members(&ids, &[100; 3], &[0; 3]);
    assert_eq!(orders(Strategy::RoundRobin, &members, 4), [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
}

#[test]
fn weighted_shares_calls_in_proportion_without_runs() {
    let ids = ids(3);
    let members = members(&ids, &[5, 1, 1], &[0; 3]);
    let orders = orders(Strategy::Weighted, &members, 7);
    assert_eq!(firsts(&orders), [0, 0, 1, 0, 2, 0, 0]);
    assert_eq!(orders[2], [1, 0, 2]);
}

#[test]
fn weight_zero_comes_last_unless_all_have_it() {
    let ids = ids(3);
    let some = members(&ids, &[0, 100, 50], &[0; 3]);
    for order in orders(Strategy::Weighted, &some, 10) {
        assert_eq!(order[2], 0);
    }
    let none = members(&ids, &[0; 3], &[0; 3]);
    assert_eq!(orders(Strategy::Weighted, &none, 1), [[0, 1, 2]]);
}

#[test]
fn a_member_that_was_away_does_not_come_back_with_old_credit() {
    let ids = ids(2);
    let both = members(&ids, &[100, 100], &[0; 2]);
    let mut turn = Turn::default();
    order(Strategy::Weighted, &both, "", &mut turn);
    for _ in 0..50 {
        order(Strategy::Weighted, &both[..1], "", &mut turn);
    }
    let firsts: Vec<usize> = (0..4).map(|_| order(Strategy::Weighted, &both, "", &mut turn)[0]).collect();
    assert_eq!(firsts, [1, 0, 1, 0]);
}

#[test]
fn least_calls_prefers_the_idle_and_takes_turns_among_equals() {
    let ids = ids(3);
    let busy = members(&ids, &[100; 3], &[7, 2, 4]);
    assert_eq!(orders(Strategy::LeastCalls, &busy, 2), [[1, 2, 0], [1, 2, 0]]);
    let equal = members(&ids, &[100; 3], &[3; 3]);
    assert_eq!(firsts(&orders(Strategy::LeastCalls, &equal, 4)), [0, 1, 2, 0]);
}

#[test]
fn hash_keeps_a_key_where_it_is_when_another_member_goes() {
    let ids = ids(4);
    let all = members(&ids, &[100; 4], &[0; 4]);
    let mut turn = Turn::default();
    let mut shares: BTreeMap<usize, u32> = BTreeMap::new();
    for n in 0..1000 {
        let key = format!("call-{n}@pbx");
        let full = order(Strategy::Hash, &all, &key, &mut turn);
        assert_eq!(order(Strategy::Hash, &all, &key, &mut turn), full);
        *shares.entry(full[0]).or_default() += 1;
        let less = order(Strategy::Hash, &all[..3], &key, &mut turn);
        let expected: Vec<usize> = full.iter().copied().filter(|place| *place < 3).collect();
        assert_eq!(less, expected);
    }
    assert!(shares.len() == 4 && shares.values().all(|share| (200..300).contains(share)), "{shares:?}");
}

#[test]
fn the_hash_is_the_same_in_every_release() {
    let ids = ids(4);
    let members = members(&ids, &[100; 4], &[0; 4]);
    let order = order(Strategy::Hash, &members, "a84b4c76e66710@pbx.example.com", &mut Turn::default());
    assert_eq!(order, FROZEN);
}

#[test]
fn every_strategy_names_every_member_once_and_bears_none() {
    let ids = ids(5);
    let members = members(&ids, &[3, 0, 9, 1, 1], &[1, 2, 0, 0, 5]);
    for strategy in
        [Strategy::Ordered, Strategy::RoundRobin, Strategy::Weighted, Strategy::LeastCalls, Strategy::Hash]
    {
        for mut order in orders(strategy, &members, 20) {
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4], "{strategy:?}");
        }
        assert_eq!(order(strategy, &[], "key", &mut Turn::default()), [0; 0]);
    }
}

const FROZEN: [usize; 4] = [1, 3, 2, 0];
