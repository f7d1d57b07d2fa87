//! The indexes of a topology, kept in step with its resources: put adds a resource with all its keys, remove takes both
//! away. Conflicts are found by `apply` before anything overwrites a key.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::Topology;
use crate::id::{Id, Kind, Name};
use crate::number::dialled_key;
use crate::reference::references;
use crate::resource::Resource;
use crate::station::Station;
use crate::unique::{UniqueValue, unique_values};
use crate::uri::Uri;
use crate::user::User;

impl Topology {
    /// Removes a resource with its references and keys; returns it.
    pub(super) fn remove(&mut self, name: &Name) -> Option<Resource> {
        let old = self.resource(name)?;
        for reference in references(&old) {
            self.remove_referent(&reference.target, name);
        }
        for value in unique_values(&old) {
            self.unique.remove(value.space, &value.value, name);
        }
        match &old {
            Resource::ProxyList(list) => drop(self.proxy_lists.remove(&list.id)),
            Resource::Credential(credential) => drop(self.credentials.remove(&credential.id)),
            Resource::Line(line) => drop(self.lines.remove(&line.id)),
            Resource::Station(station) => {
                self.stations.remove(&station.id);
                self.index_pilot(station, remove_from);
            }
            Resource::User(user) => {
                self.users.remove(&user.id);
                self.index_aliases(user, remove_from);
            }
            Resource::Route(row) => {
                self.routes.remove(&row.id);
                let position = row.position.unwrap_or_default();
                if self.table.get(&position).is_some_and(|known| known.id == row.id) {
                    self.table.remove(&position);
                }
            }
            Resource::Settings(_) => self.settings = None,
        }
        Some(old)
    }

    /// Adds a resource with its references and free keys; the one of its name must have been removed. Returns the
    /// values that another resource has.
    pub(super) fn insert(&mut self, resource: &Resource) -> Vec<(UniqueValue, Name)> {
        let name = resource.name();
        for reference in references(resource) {
            self.referents.entry(reference.target).or_default().insert(name.clone());
        }
        let mut taken = Vec::new();
        for value in unique_values(resource) {
            match self.unique.holder(value.space, &value.value).cloned() {
                Some(holder) => taken.push((value, holder)),
                None => self.unique.insert(value.space, value.value, name.clone()),
            }
        }
        match resource {
            Resource::ProxyList(list) => drop(self.proxy_lists.insert(list.id.clone(), list.clone())),
            Resource::Credential(credential) => {
                self.credentials.insert(credential.id.clone(), credential.clone());
            }
            Resource::Line(line) => drop(self.lines.insert(line.id.clone(), line.clone())),
            Resource::Station(station) => {
                self.stations.insert(station.id.clone(), station.clone());
                self.index_pilot(station, insert_into);
            }
            Resource::User(user) => {
                self.users.insert(user.id.clone(), user.clone());
                self.index_aliases(user, insert_into);
            }
            Resource::Route(row) => {
                self.routes.insert(row.id.clone(), row.clone());
                self.table.insert(row.position.unwrap_or_default(), row.clone());
            }
            Resource::Settings(settings) => self.settings = Some(settings.clone()),
        }
        taken
    }

    /// Says whether a resource exists.
    pub(super) fn contains(&self, name: &Name) -> bool {
        match name.kind {
            Kind::ProxyList => self.proxy_lists.contains_key(&name.id),
            Kind::Credential => self.credentials.contains_key(&name.id),
            Kind::Line => self.lines.contains_key(&name.id),
            Kind::Station => self.stations.contains_key(&name.id),
            Kind::User => self.users.contains_key(&name.id),
            Kind::Route => self.routes.contains_key(&name.id),
            Kind::Settings => self.settings.is_some(),
        }
    }

    fn remove_referent(&mut self, target: &Name, source: &Name) {
        let Some(sources) = self.referents.get_mut(target) else { return };
        sources.remove(source);
        if sources.is_empty() {
            self.referents.remove(target);
        }
    }

    fn index_pilot(&mut self, station: &Station, act: fn(&mut IdsByText, Arc<str>, &Id)) {
        if let Some(pilot) = station.pilot() {
            act(&mut self.pilots, Arc::from(&*dialled_key(pilot)), &station.id);
        }
    }

    fn index_aliases(&mut self, user: &User, act: fn(&mut IdsByText, Arc<str>, &Id)) {
        for alias in &user.aliases {
            if let Some(part) =
                alias.parse::<Uri>().ok().and_then(|uri| uri.user.filter(|_| uri.host.is_some()))
            {
                act(&mut self.alias_users, Arc::from(part), &user.id);
            }
        }
    }
}

type IdsByText = OrdMap<Arc<str>, OrdSet<Id>>;

fn insert_into(index: &mut IdsByText, key: Arc<str>, id: &Id) {
    index.entry(key).or_default().insert(id.clone());
}

fn remove_from(index: &mut IdsByText, key: Arc<str>, id: &Id) {
    let Some(ids) = index.get_mut(&key) else { return };
    ids.remove(id);
    if ids.is_empty() {
        index.remove(&key);
    }
}
