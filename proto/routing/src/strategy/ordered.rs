//! ORDERED: in the order of the list.

use super::Member;

pub(super) fn order(members: &[Member<'_>]) -> Vec<usize> {
    (0..members.len()).collect()
}
