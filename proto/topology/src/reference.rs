//! What resources refer to.

use crate::id::{Id, Kind, Name};
use crate::resource::Resource;

/// One reference of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What is referred to.
    pub target: Name,
    /// Path of the field.
    pub field: &'static str,
}

/// Returns what a resource refers to.
#[must_use]
pub fn references(resource: &Resource) -> Vec<Reference> {
    let (kind, id, field): (Kind, Option<&Id>, &'static str) = match resource {
        Resource::Line(line) => (Kind::ProxyList, line.proxy_list.as_ref(), "proxy_list"),
        Resource::Station(station) => (Kind::Line, station.contact_line.as_ref(), "contact_line"),
        Resource::User(user) => (Kind::Station, user.um.destination.as_ref(), "um.destination"),
        Resource::Settings(settings) => {
            (Kind::Line, settings.station_defaults.contact_line.as_ref(), "station_defaults.contact_line")
        }
        Resource::ProxyList(_) => return Vec::new(),
    };
    id.map(|id| Reference { target: Name::new(kind, id.clone()), field }).into_iter().collect()
}
