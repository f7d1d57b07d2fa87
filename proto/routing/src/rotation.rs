//! Where the turns of ROUND_ROBIN, WEIGHTED and LEAST_CALLS stand, per list and priority.
//!
//! The only state that a decision changes. Each signalling shard and each dry run has its own.

use std::collections::BTreeMap;

use um_topology::{Id, Topology};

use crate::view::TargetId;

/// The turns of all lists.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    turns: BTreeMap<(Id, u32), Turn>,
    /// Where a new turn begins.
    first: u32,
}

impl Rotation {
    /// Begins every turn with the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins every turn `first` entries further, so that shards that start together do not all begin with one server.
    #[must_use]
    pub fn starting_at(first: u32) -> Self {
        Self { turns: BTreeMap::new(), first }
    }

    /// Forgets the turns of lists that a topology does not have any more. To be called with each new topology: it is
    /// what keeps the turns bounded.
    pub fn retain(&mut self, topology: &Topology) {
        self.turns.retain(|(list, _), _| topology.proxy_list(list).is_some());
    }

    pub(crate) fn turn(&mut self, list: &Id, priority: u32) -> &mut Turn {
        let first = self.first;
        self.turns
            .entry((list.clone(), priority))
            .or_insert_with(|| Turn { next: first, credit: BTreeMap::new() })
    }
}

/// Whose turn it is among entries of equal priority.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// How many calls had their turn.
    pub(crate) next: u32,
    /// What WEIGHTED still owes each entry.
    pub(crate) credit: BTreeMap<TargetId, i64>,
}

impl Turn {
    /// Returns which of so many entries begins, and moves on.
    pub(crate) fn advance(&mut self, length: usize) -> usize {
        let turn = self.next;
        self.next = self.next.wrapping_add(1);
        usize::try_from(turn).unwrap_or_default().checked_rem(length).unwrap_or_default()
    }
}
