//! The owner of each unique value, one persistent map per space.

use std::sync::Arc;

use imbl::OrdMap;

use crate::id::Name;
use crate::unique::Space;

/// Owners of unique values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UniqueIndex {
    ext: OrdMap<Arc<str>, Name>,
    sip_id: OrdMap<Arc<str>, Name>,
    mailbox: OrdMap<Arc<str>, Name>,
    alias: OrdMap<Arc<str>, Name>,
    listen: OrdMap<Arc<str>, Name>,
    login: OrdMap<Arc<str>, Name>,
    position: OrdMap<Arc<str>, Name>,
}

impl UniqueIndex {
    pub(super) fn holder(&self, space: Space, value: &str) -> Option<&Name> {
        self.space(space).get(value)
    }

    pub(super) fn insert(&mut self, space: Space, value: Arc<str>, owner: Name) {
        self.space_mut(space).insert(value, owner);
    }

    /// Removes a value if it belongs to `owner`.
    pub(super) fn remove(&mut self, space: Space, value: &str, owner: &Name) {
        if self.holder(space, value) == Some(owner) {
            self.space_mut(space).remove(value);
        }
    }

    const fn space(&self, space: Space) -> &OrdMap<Arc<str>, Name> {
        match space {
            Space::Ext => &self.ext,
            Space::SipId => &self.sip_id,
            Space::Mailbox => &self.mailbox,
            Space::Alias => &self.alias,
            Space::Listen => &self.listen,
            Space::Login => &self.login,
            Space::Position => &self.position,
        }
    }

    const fn space_mut(&mut self, space: Space) -> &mut OrdMap<Arc<str>, Name> {
        match space {
            Space::Ext => &mut self.ext,
            Space::SipId => &mut self.sip_id,
            Space::Mailbox => &mut self.mailbox,
            Space::Alias => &mut self.alias,
            Space::Listen => &mut self.listen,
            Space::Login => &mut self.login,
            Space::Position => &mut self.position,
        }
    }
}
