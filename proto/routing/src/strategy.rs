//! How entries of equal priority share load: one strategy per file. Each returns all members, the first to be tried
//! first; the others are the failover order behind it.

use um_topology::Strategy;

use crate::rotation::Turn;
use crate::view::TargetId;

mod hash;
mod least_calls;
mod ordered;
mod round_robin;
mod weighted;

/// One of the targets that share load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    /// Which one.
    pub(crate) id: &'a TargetId,
    /// Its share.
    pub(crate) weight: u32,
    /// Its calls now.
    pub(crate) calls: u32,
}

/// Returns the places of all members in the order of attempts.
pub(crate) fn order(
    strategy: Strategy,
    members: &[Member<'_>],
    hash_key: &str,
    turn: &mut Turn,
) -> Vec<usize> {
    match strategy {
        Strategy::Ordered => ordered::order(members),
        Strategy::RoundRobin => round_robin::order(members, turn),
        Strategy::Weighted => weighted::order(members, turn),
        Strategy::LeastCalls => least_calls::order(members, turn),
        Strategy::Hash => hash::order(members, hash_key),
    }
}

#[cfg(test)]
mod tests;
