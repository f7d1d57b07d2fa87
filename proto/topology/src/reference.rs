//! What resources refer to.

use std::borrow::Cow;

use crate::id::{Id, Kind, Name};
use crate::resource::Resource;

/// One reference of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What is referred to.
    pub target: Name,
    /// Path of the field.
    pub field: Cow<'static, str>,
}

/// Returns what a resource refers to.
#[must_use]
pub fn references(resource: &Resource) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut add = |kind: Kind, id: Option<&Id>, field: Cow<'static, str>| {
        found.extend(id.map(|id| Reference { target: Name::new(kind, id.clone()), field }));
    };
    match resource {
        Resource::Line(line) => {
            add(Kind::ProxyList, line.proxy_list.as_ref(), "proxy_list".into());
            for (index, id) in line.authentication.outbound_credentials.iter().enumerate() {
                let field = format!("authentication.outbound_credentials[{index}]");
                add(Kind::Credential, Some(id), field.into());
            }
        }
        Resource::Station(station) => {
            add(Kind::Line, station.contact_line.as_ref(), "contact_line".into());
            add(Kind::Credential, station.authentication.as_ref(), "authentication".into());
        }
        Resource::User(user) => add(Kind::Station, user.um.destination.as_ref(), "um.destination".into()),
        Resource::Route(row) => add(Kind::ProxyList, row.proxy_list.as_ref(), "proxy_list".into()),
        Resource::Settings(settings) => {
            let line = settings.station_defaults.contact_line.as_ref();
            add(Kind::Line, line, "station_defaults.contact_line".into());
        }
        Resource::ProxyList(_) | Resource::Credential(_) => {}
    }
    found
}
