//! The change between two snapshots, as a pure function of both.

use std::sync::Arc;

use imbl::ordmap::DiffItem;

use crate::Resources;

/// A change of one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<R> {
    /// The resource is new, or different.
    Put(Arc<str>, R),
    /// The resource is gone.
    Delete(Arc<str>),
}

impl<R> Change<R> {
    /// Returns the name of the resource.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Put(name, _) | Self::Delete(name) => name,
        }
    }
}

/// Returns what leads from `before` to `after`, in the order of names. Costs as much as the two do not share.
#[must_use]
pub fn diff<R: Clone + PartialEq>(before: &Resources<R>, after: &Resources<R>) -> Vec<Change<R>> {
    before
        .diff(after)
        .map(|item| match item {
            DiffItem::Add(name, resource) | DiffItem::Update { new: (name, resource), .. } => {
                Change::Put(Arc::clone(name), resource.clone())
            }
            DiffItem::Remove(name, _) => Change::Delete(Arc::clone(name)),
        })
        .collect()
}

/// Makes one change in place. Deleting what is not there changes nothing.
pub fn apply<R: Clone>(resources: &mut Resources<R>, change: Change<R>) {
    match change {
        Change::Put(name, resource) => {
            resources.insert(name, resource);
        }
        Change::Delete(name) => {
            resources.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resources(from: &[(u8, u32)]) -> Resources<u32> {
        from.iter().map(|(name, value)| (Arc::from(format!("lines/{name}")), *value)).collect()
    }

    #[test]
    fn a_diff_names_only_what_differs() {
        let before = resources(&[(1, 10), (2, 20), (3, 30)]);
        let after = resources(&[(1, 10), (2, 21), (4, 40)]);
        let expected = [
            Change::Put(Arc::from("lines/2"), 21),
            Change::Delete(Arc::from("lines/3")),
            Change::Put(Arc::from("lines/4"), 40),
        ];
        assert_eq!(diff(&before, &after), expected);
        assert!(diff(&after, &after.clone()).is_empty());
    }

    proptest! {
        #[test]
        fn applying_a_diff_leads_to_the_target(
            before in prop::collection::vec((any::<u8>(), 0u32..4), 0..200),
            after in prop::collection::vec((any::<u8>(), 0u32..4), 0..200),
        ) {
            let (mut before, after) = (resources(&before), resources(&after));
            for change in diff(&before, &after) {
                apply(&mut before, change);
            }
            prop_assert_eq!(before, after);
        }
    }
}
