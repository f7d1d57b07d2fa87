//! LEAST_CALLS: the member with the fewest calls first; among equals they take turns.

use super::Member;
use crate::rotation::Turn;

pub(super) fn order(members: &[Member<'_>], turn: &mut Turn) -> Vec<usize> {
    let first = turn.advance(members.len());
    let mut order: Vec<usize> = (first..members.len()).chain(0..first).collect();
    order.sort_by_key(|place| members[*place].calls);
    order
}
