//! A consistent set of resources at one revision.
//!
//! Persistent: a clone is cheap, a change shares everything that it does not touch, so that one user among a million is
//! replaced in microseconds while calls go on with the topology that they began with. Every reference has a target and
//! every unique value one owner; [`Topology::apply`] is the only way to a new one and finds every violation at once.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::credential::Credential;
use crate::id::{Id, Kind, Name};
use crate::line::Line;
use crate::proxy_list::ProxyList;
use crate::resource::{Change, Resource};
use crate::route_row::RouteRow;
use crate::settings::Settings;
use crate::station::Station;
use crate::user::User;
use crate::violation::Violation;

mod apply;
mod compile;
mod index;
mod lookup;
mod um_servers;
mod unique_index;

pub use lookup::Called;
pub use um_servers::UmServers;

use unique_index::UniqueIndex;

/// A consistent set of resources; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    revision: i64,
    proxy_lists: OrdMap<Id, Arc<ProxyList>>,
    lines: OrdMap<Id, Arc<Line>>,
    stations: OrdMap<Id, Arc<Station>>,
    users: OrdMap<Id, Arc<User>>,
    credentials: OrdMap<Id, Arc<Credential>>,
    routes: OrdMap<Id, Arc<RouteRow>>,
    settings: Option<Arc<Settings>>,
    /// Owner of each unique value.
    unique: UniqueIndex,
    /// Who refers to each target.
    referents: OrdMap<Name, OrdSet<Name>>,
    /// Route rows by position.
    table: OrdMap<u32, Arc<RouteRow>>,
    /// Users by the user part of their SIP aliases.
    alias_users: OrdMap<Arc<str>, OrdSet<Id>>,
    /// Stations by pilot.
    pilots: OrdMap<Arc<str>, OrdSet<Id>>,
    /// Where UM servers are; made anew when anything but users changed.
    um_servers: Arc<UmServers>,
}

impl Topology {
    /// Makes the empty topology at revision 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the topology that follows from this one by a change of any number of resources, at the store's `revision`.
    ///
    /// Changes act together: a value may move from one resource to another, and what is referred to may be added or,
    /// with its last referent, deleted by the same call. Where a name occurs several times the last change counts.
    ///
    /// # Errors
    /// All violations, in the order of resource names; this topology stays as it is.
    pub fn apply(&self, revision: i64, changes: &[Change]) -> Result<Self, Vec<Violation>> {
        apply::apply(self, revision, changes)
    }

    /// Returns the store's revision that this topology is of.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// Says that nothing changed between this topology and the store's `revision`.
    #[must_use]
    pub fn at_revision(&self, revision: i64) -> Self {
        Self { revision, ..self.clone() }
    }

    /// Returns how many resources of a kind there are.
    #[must_use]
    pub fn len(&self, kind: Kind) -> usize {
        match kind {
            Kind::ProxyList => self.proxy_lists.len(),
            Kind::Credential => self.credentials.len(),
            Kind::Line => self.lines.len(),
            Kind::Station => self.stations.len(),
            Kind::User => self.users.len(),
            Kind::Route => self.routes.len(),
            Kind::Settings => usize::from(self.settings.is_some()),
        }
    }

    /// Says whether there is no resource at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Kind::ALL.into_iter().all(|kind| self.len(kind) == 0)
    }

    /// Returns a proxy list.
    #[must_use]
    pub fn proxy_list(&self, id: &str) -> Option<&Arc<ProxyList>> {
        self.proxy_lists.get(id)
    }

    /// Returns a line.
    #[must_use]
    pub fn line(&self, id: &str) -> Option<&Arc<Line>> {
        self.lines.get(id)
    }

    /// Returns a station.
    #[must_use]
    pub fn station(&self, id: &str) -> Option<&Arc<Station>> {
        self.stations.get(id)
    }

    /// Returns a user.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.users.get(id)
    }

    /// Returns a credential.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<&Arc<Credential>> {
        self.credentials.get(id)
    }

    /// Returns the settings, if the object exists.
    #[must_use]
    pub const fn settings(&self) -> Option<&Arc<Settings>> {
        self.settings.as_ref()
    }

    /// Returns a resource of any kind.
    #[must_use]
    pub fn resource(&self, name: &Name) -> Option<Resource> {
        match name.kind {
            Kind::ProxyList => self.proxy_list(&name.id).cloned().map(Resource::ProxyList),
            Kind::Credential => self.credential(&name.id).cloned().map(Resource::Credential),
            Kind::Line => self.line(&name.id).cloned().map(Resource::Line),
            Kind::Station => self.station(&name.id).cloned().map(Resource::Station),
            Kind::User => self.user(&name.id).cloned().map(Resource::User),
            Kind::Route => self.routes.get(&name.id).cloned().map(Resource::Route),
            Kind::Settings => self.settings.clone().map(Resource::Settings),
        }
    }

    /// Returns all proxy lists in id order.
    pub fn proxy_lists(&self) -> impl Iterator<Item = &Arc<ProxyList>> {
        self.proxy_lists.values()
    }

    /// Returns all lines in id order.
    pub fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.lines.values()
    }

    /// Returns all stations in id order.
    pub fn stations(&self) -> impl Iterator<Item = &Arc<Station>> {
        self.stations.values()
    }

    /// Returns all credentials in id order.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.credentials.values()
    }

    /// Returns all route rows in id order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<RouteRow>> {
        self.routes.values()
    }

    /// Returns all route rows in the order of the table.
    pub fn route_table(&self) -> impl Iterator<Item = &Arc<RouteRow>> {
        self.table.values()
    }

    /// Returns all users in id order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// Returns the users after an id, in id order; for pages.
    pub fn users_after(&self, id: &str) -> impl Iterator<Item = &Arc<User>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.users.range::<_, str>((Excluded(id), Unbounded)).map(|(_, user)| user)
    }

    /// Returns all resources in apply order: by kind, then by id.
    pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        let lists = self.proxy_lists().cloned().map(Resource::ProxyList);
        let lines = self.lines().cloned().map(Resource::Line);
        let stations = self.stations().cloned().map(Resource::Station);
        let users = self.users().cloned().map(Resource::User);
        let credentials = self.credentials().cloned().map(Resource::Credential);
        let routes = self.routes().cloned().map(Resource::Route);
        let before_users = lists.chain(credentials).chain(lines).chain(stations);
        before_users.chain(users).chain(routes).chain(self.settings.clone().map(Resource::Settings))
    }
}

#[cfg(test)]
mod tests;
