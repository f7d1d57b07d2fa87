//! One resource of any kind, and one change to a topology.

use std::sync::Arc;

use crate::credential::Credential;
use crate::id::{Id, Kind, Name};
use crate::line::Line;
use crate::meta::Meta;
use crate::proxy_list::ProxyList;
use crate::route_row::RouteRow;
use crate::settings::Settings;
use crate::station::Station;
use crate::user::User;

/// A resource of any kind; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A proxy list.
    ProxyList(Arc<ProxyList>),
    /// A credential.
    Credential(Arc<Credential>),
    /// A line.
    Line(Arc<Line>),
    /// A station.
    Station(Arc<Station>),
    /// A user.
    User(Arc<User>),
    /// A route row.
    Route(Arc<RouteRow>),
    /// The settings.
    Settings(Arc<Settings>),
}

impl Resource {
    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::ProxyList(_) => Kind::ProxyList,
            Self::Credential(_) => Kind::Credential,
            Self::Line(_) => Kind::Line,
            Self::Station(_) => Kind::Station,
            Self::User(_) => Kind::User,
            Self::Route(_) => Kind::Route,
            Self::Settings(_) => Kind::Settings,
        }
    }

    /// Returns the full name.
    #[must_use]
    pub fn name(&self) -> Name {
        let id: &Id = match self {
            Self::ProxyList(list) => &list.id,
            Self::Credential(credential) => &credential.id,
            Self::Line(line) => &line.id,
            Self::Station(station) => &station.id,
            Self::User(user) => &user.id,
            Self::Route(row) => &row.id,
            Self::Settings(_) => return Name::settings(),
        };
        Name { kind: self.kind(), id: id.clone() }
    }

    /// Returns the describing fields, if there are any.
    #[must_use]
    pub fn meta(&self) -> Option<&Meta> {
        match self {
            Self::ProxyList(list) => list.meta.as_deref(),
            Self::Credential(credential) => credential.meta.as_deref(),
            Self::Line(line) => line.meta.as_deref(),
            Self::Station(station) => station.meta.as_deref(),
            Self::User(user) => user.meta.as_deref(),
            Self::Route(row) => row.meta.as_deref(),
            Self::Settings(settings) => settings.meta.as_deref(),
        }
    }
}

impl From<ProxyList> for Resource {
    fn from(list: ProxyList) -> Self {
        Self::ProxyList(Arc::new(list))
    }
}

impl From<Credential> for Resource {
    fn from(credential: Credential) -> Self {
        Self::Credential(Arc::new(credential))
    }
}

impl From<RouteRow> for Resource {
    fn from(row: RouteRow) -> Self {
        Self::Route(Arc::new(row))
    }
}

impl From<Line> for Resource {
    fn from(line: Line) -> Self {
        Self::Line(Arc::new(line))
    }
}

impl From<Station> for Resource {
    fn from(station: Station) -> Self {
        Self::Station(Arc::new(station))
    }
}

impl From<User> for Resource {
    fn from(user: User) -> Self {
        Self::User(Arc::new(user))
    }
}

impl From<Settings> for Resource {
    fn from(settings: Settings) -> Self {
        Self::Settings(Arc::new(settings))
    }
}

/// One change to a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds a resource or replaces the one of its name.
    Put(Resource),
    /// Removes a resource; removing what is not there changes nothing.
    Delete(Name),
}

impl Change {
    /// Returns the name of the resource that is changed.
    #[must_use]
    pub fn name(&self) -> Name {
        match self {
            Self::Put(resource) => resource.name(),
            Self::Delete(name) => name.clone(),
        }
    }
}

impl<T: Into<Resource>> From<T> for Change {
    fn from(resource: T) -> Self {
        Self::Put(resource.into())
    }
}
