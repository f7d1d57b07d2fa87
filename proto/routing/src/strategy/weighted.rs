//! WEIGHTED: calls in proportion to the weights, spread evenly instead of in runs.
//!
//! Each call credits every member its weight; the one with the most credit begins and pays the sum of all. Behind it
//! come the others, the heaviest first. A member of weight 0 begins only where all have weight 0.

use std::cmp::Reverse;

use super::Member;
use crate::rotation::Turn;

pub(super) fn order(members: &[Member<'_>], turn: &mut Turn) -> Vec<usize> {
    // Members that are away now begin anew when they come back, without old credit.
    turn.credit.retain(|id, _| members.iter().any(|member| member.id == id));
    let total: i64 = members.iter().map(|member| i64::from(member.weight)).sum();
    let mut best: Option<(usize, i64)> = None;
    for (place, member) in members.iter().enumerate() {
        let credit = turn.credit.entry(member.id.clone()).or_insert(0);
        *credit += i64::from(member.weight);
        let may_begin = member.weight > 0 || total == 0;
        if may_begin && best.is_none_or(|(_, most)| *credit > most) {
            best = Some((place, *credit));
        }
    }
    let Some((first, _)) = best else { return Vec::new() };
    if let Some(credit) = turn.credit.get_mut(members[first].id) {
        *credit -= total;
    }
    let mut rest: Vec<usize> = (0..members.len()).filter(|place| *place != first).collect();
    rest.sort_by_key(|place| Reverse(members[*place].weight));
    rest.insert(0, first);
    rest
}
