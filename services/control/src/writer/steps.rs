//! The order in which a change that no transaction can hold is written, step by step, each of which keeps every invariant.
//!
//! What is referred to comes first, deletions last. A unique value that passes from one resource to another has to be
//! given up before it is taken: its holder comes first, and resources that hand values round in a circle come together.

use std::collections::{BTreeMap, BTreeSet};

use um_topology::{Kind, Resource, unique_values};

use crate::{picture::Changed, stored::Stored};

/// Returns the changes in apply order, those together that only one transaction can make.
pub(super) fn units(changes: &[Changed]) -> Vec<Vec<Changed>> {
    let mut ordered = changes.to_vec();
    ordered.sort_by_key(|change| (change.after.is_none(), place(change), change.name.clone()));
    let first_deletion = ordered.partition_point(|change| change.after.is_some());
    ordered[first_deletion..].reverse();
    let circles = Circles::of(&holders(&ordered));
    circles.into_iter().map(|unit| unit.into_iter().map(|index| ordered[index].clone()).collect()).collect()
}

/// Where a change stands among steps: by kind, but the line that the settings name for all stations comes before them.
fn place(change: &Changed) -> (Kind, bool) {
    let names_a_line = change.after.as_ref().is_some_and(|after| match &after.model {
        Resource::Settings(settings) => settings.station_defaults.contact_line.is_some(),
        Resource::ProxyList(_)
        | Resource::Credential(_)
        | Resource::Line(_)
        | Resource::Station(_)
        | Resource::User(_)
        | Resource::Route(_) => false,
    });
    if names_a_line { (Kind::Line, true) } else { (change.name.kind, false) }
}

/// For each change those that give up what it takes.
fn holders(changes: &[Changed]) -> Vec<Vec<usize>> {
    let values = |stored: Option<&Stored>| -> BTreeSet<(&'static str, String)> {
        let of = |stored: &Stored| unique_values(&stored.model);
        let all = stored.map(of).unwrap_or_default().into_iter();
        all.map(|value| (value.space.as_str(), value.value.to_string())).collect()
    };
    let mut given_up = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        let kept = values(change.after.as_deref());
        for value in values(change.before.as_deref()).difference(&kept) {
            given_up.insert(value.clone(), index);
        }
    }
    let of = |change: &Changed| {
        let had = values(change.before.as_deref());
        let taken: Vec<_> = values(change.after.as_deref()).difference(&had).cloned().collect();
        taken.iter().filter_map(|value| given_up.get(value).copied()).collect()
    };
    changes.iter().map(of).collect()
}

/// The strongly connected components of a graph, each after those that it leads to, without recursion: a chain may be as
/// long as an import (R. Tarjan, Depth-first search and linear graph algorithms, 1972).
struct Circles<'a> {
    edges: &'a [Vec<usize>],
    /// When each node was entered; nothing before.
    entered: Vec<Option<usize>>,
    /// The earliest node on the stack that it leads back to.
    back: Vec<usize>,
    open: Vec<bool>,
    stack: Vec<usize>,
    count: usize,
    found: Vec<Vec<usize>>,
}

impl<'a> Circles<'a> {
    fn of(edges: &'a [Vec<usize>]) -> Vec<Vec<usize>> {
        let size = edges.len();
        let mut search = Self {
            edges,
            entered: vec![None; size],
            back: vec![0; size],
            open: vec![false; size],
            stack: Vec::new(),
            count: 0,
            found: Vec::new(),
        };
        for root in 0..size {
            if search.entered[root].is_none() {
                search.walk(root);
            }
        }
        search.found
    }

    fn walk(&mut self, root: usize) {
        let mut path = vec![(root, self.enter(root))];
        while let Some((node, edge)) = path.last_mut() {
            let node = *node;
            let Some(to) = self.edges[node].get(*edge).copied() else {
                path.pop();
                self.leave(node);
                if let Some((parent, _)) = path.last() {
                    self.back[*parent] = self.back[*parent].min(self.back[node]);
                }
                continue;
            };
            *edge += 1;
            match self.entered[to] {
                None => path.push((to, self.enter(to))),
                Some(at) if self.open[to] => self.back[node] = self.back[node].min(at),
                Some(_) => {}
            }
        }
    }

    /// Returns the first edge to follow.
    fn enter(&mut self, node: usize) -> usize {
        self.entered[node] = Some(self.count);
        self.back[node] = self.count;
        self.open[node] = true;
        self.stack.push(node);
        self.count += 1;
        0
    }

    fn leave(&mut self, node: usize) {
        if self.entered[node] != Some(self.back[node]) {
            return;
        }
        let start = self.stack.iter().rposition(|open| *open == node).unwrap_or_default();
        let mut unit = self.stack.split_off(start);
        for member in &unit {
            self.open[*member] = false;
        }
        unit.sort_unstable();
        self.found.push(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(edges: &[&[usize]]) -> Vec<Vec<usize>> {
        Circles::of(&edges.iter().map(|to| to.to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn without_edges_the_order_stays() {
        assert_eq!(circles(&[&[], &[], &[]]), [[0], [1], [2]]);
    }

    #[test]
    fn who_gives_up_a_value_comes_before_who_takes_it() {
        assert_eq!(circles(&[&[1], &[2], &[]]), [[2], [1], [0]]);
        assert_eq!(circles(&[&[], &[0], &[0, 1]]), [[0], [1], [2]]);
    }

    #[test]
    fn who_hands_values_round_comes_together() {
        assert_eq!(circles(&[&[2], &[], &[0]]), [vec![0, 2], vec![1]]);
        assert_eq!(circles(&[&[1], &[2], &[0], &[0]]), [vec![0, 1, 2], vec![3]]);
        assert_eq!(circles(&[&[1], &[0, 2], &[3], &[2]]), [vec![2, 3], vec![0, 1]]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_needs_no_stack() {
        let last = 100_000;
        let edges: Vec<Vec<usize>> =
            (0..=last).map(|node| if node < last { vec![node + 1] } else { Vec::new() }).collect();
        let found = Circles::of(&edges);
        assert_eq!((found.len(), &found[0][..]), (last + 1, &[last][..]));
    }
}
