//! Everything at one revision: the resources as stored, and the topology that they make.
//!
//! A picture never changes and costs next to nothing to keep, because consecutive ones share what did not change.

use std::sync::Arc;

use bytes::Bytes;
use imbl::ordmap::DiffItem;
use um_discovery::{Resources, Snapshot};
use um_store::{Batch, Event};
use um_topology::{Change, Kind, Name, Topology, Violation};

use crate::{
    keys::Keys,
    stored::{Shared, Stored, Unreadable},
};

/// Everything at one revision.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The store that counts the revisions.
    pub store_id: Arc<str>,
    /// The value of the store's schema: a write must meet the very store that this picture is of.
    pub schema: Bytes,
    /// Revision of the last change of any resource.
    pub revision: i64,
    /// Revision of the last change of anything but users.
    pub topology_revision: i64,
    /// All resources, by name.
    pub resources: Resources<Shared>,
    /// What they mean together.
    pub topology: Topology,
}

/// What one revision changed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The resource.
    pub name: Name,
    /// How it was.
    pub before: Option<Shared>,
    /// How it is; nothing when it was deleted.
    pub after: Option<Shared>,
}

/// Why a batch of the store makes no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A value cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The resources contradict each other, which no write of ours can bring about.
    #[error("revision {revision} of the store is not consistent: {}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Inconsistent {
        /// The revision.
        revision: i64,
        /// What is wrong.
        violations: Vec<Violation>,
    },
}

impl Picture {
    /// Nothing at all.
    #[must_use]
    pub fn empty(store_id: Arc<str>, schema: Bytes) -> Self {
        Self {
            store_id,
            schema,
            revision: 0,
            topology_revision: 0,
            resources: Resources::new(),
            topology: Topology::new(),
        }
    }

    /// Finds a resource.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Shared> {
        self.resources.get(name.to_string().as_str())
    }

    /// The resources of one kind whose names follow `after`, in name order.
    pub fn of_kind<'a>(
        &'a self,
        kind: Kind,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Shared> + use<'a> {
        let first: Arc<str> = Arc::from(after.unwrap_or_else(|| kind.collection()));
        let skip = after.map(str::to_owned);
        self.resources
            .range(first..)
            .skip_while(move |(name, _)| skip.as_deref() == Some(&***name))
            .map(|(_, stored)| stored)
            .take_while(move |stored| stored.name.kind == kind)
    }

    /// What the workers get of it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<Shared> {
        Snapshot {
            store_id: Arc::clone(&self.store_id),
            revision: self.revision,
            resources: self.resources.clone(),
        }
    }

    /// The picture after `changes` at `revision`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the result.
    pub fn after(&self, revision: i64, changes: &[Changed]) -> Result<Self, PictureError> {
        let mut resources = self.resources.clone();
        let mut model = Vec::with_capacity(changes.len());
        for change in changes {
            match &change.after {
                Some(stored) => {
                    resources.insert(Arc::from(change.name.to_string()), Arc::clone(stored));
                    model.push(Change::Put(stored.model.clone()));
                }
                None => {
                    resources.remove(change.name.to_string().as_str());
                    model.push(Change::Delete(change.name.clone()));
                }
            }
        }
        let topology = self
            .topology
            .apply(revision, &model)
            .map_err(|violations| PictureError::Inconsistent { revision, violations })?;
        let users_only = changes.iter().all(|change| change.name.kind == Kind::User);
        let topology_revision = if users_only { self.topology_revision } else { revision };
        let (store_id, schema) = (Arc::clone(&self.store_id), self.schema.clone());
        Ok(Self { store_id, schema, revision, topology_revision, resources, topology })
    }

    /// Reads what a revision of the store changed.
    ///
    /// # Errors
    ///
    /// A value cannot be read.
    pub fn read(&self, keys: &Keys, batch: &Batch) -> Result<Vec<Changed>, Unreadable> {
        let mut changes = Vec::with_capacity(batch.events.len());
        for event in &batch.events {
            let Some(name) = keys.parse_spec(event.key()) else {
                tracing::warn!(key = %String::from_utf8_lossy(event.key()), "a key of the store is not ours");
                continue;
            };
            let after = match event {
                Event::Put { item, .. } => Some(Arc::new(Stored::decode(
                    name.clone(),
                    &item.value,
                    item.mod_revision,
                    keys.vault(),
                )?)),
                Event::Delete { .. } => None,
            };
            changes.push(Changed { before: self.get(&name).cloned(), after, name });
        }
        Ok(changes)
    }

    /// What turns this picture into `next`.
    #[must_use]
    pub fn difference(&self, next: &Self) -> Vec<Changed> {
        let changed = |before: Option<&Shared>, after: Option<&Shared>| {
            let name = before.or(after)?.name.clone();
            Some(Changed { name, before: before.cloned(), after: after.cloned() })
        };
        let difference = self.resources.diff(&next.resources);
        difference
            .filter_map(|item| match item {
                DiffItem::Add(_, after) => changed(None, Some(after)),
                DiffItem::Update { old: (_, before), new: (_, after) } => changed(Some(before), Some(after)),
                DiffItem::Remove(_, before) => changed(Some(before), None),
            })
            .filter(|change| change.before != change.after)
            .collect()
    }
}
