//! ROUND_ROBIN: each call begins one member further and goes round.

use super::Member;
use crate::rotation::Turn;

pub(super) fn order(members: &[Member<'_>], turn: &mut Turn) -> Vec<usize> {
    let first = turn.advance(members.len());
    (first..members.len()).chain(0..first).collect()
}
