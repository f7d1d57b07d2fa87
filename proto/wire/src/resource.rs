//! The envelope of all kinds, to and from the model.

use std::sync::Arc;

use um_topology as model;
use um_topology::{FieldViolation, Kind};

use crate::v1::resource::Spec;
use crate::{Common, Invalid, v1};

impl TryFrom<&v1::Resource> for model::Resource {
    type Error = Invalid;

    fn try_from(from: &v1::Resource) -> Result<Self, Invalid> {
        match &from.spec {
            Some(Spec::Line(line)) => Ok(model::Line::try_from(line)?.into()),
            Some(Spec::ProxyList(list)) => Ok(model::ProxyList::try_from(list)?.into()),
            Some(Spec::Station(station)) => Ok(model::Station::try_from(station)?.into()),
            Some(Spec::User(user)) => Ok(model::User::try_from(user)?.into()),
            Some(Spec::Credential(credential)) => Ok(model::Credential::try_from(credential)?.into()),
            Some(Spec::Route(route)) => Ok(model::RouteRow::try_from(route)?.into()),
            Some(Spec::Settings(settings)) => Ok(model::Settings::try_from(settings)?.into()),
            None => Err(Invalid {
                violations: vec![FieldViolation::new("spec", "is of a kind that this version does not know")],
            }),
        }
    }
}

impl From<&model::Resource> for v1::Resource {
    fn from(from: &model::Resource) -> Self {
        Self {
            spec: Some(match from {
                model::Resource::Line(line) => Spec::Line((&**line).into()),
                model::Resource::ProxyList(list) => Spec::ProxyList((&**list).into()),
                model::Resource::Station(station) => Spec::Station((&**station).into()),
                model::Resource::User(user) => Spec::User((&**user).into()),
                model::Resource::Credential(credential) => Spec::Credential((&**credential).into()),
                model::Resource::Route(row) => Spec::Route((&**row).into()),
                model::Resource::Settings(settings) => Spec::Settings((&**settings).into()),
            }),
        }
    }
}

impl v1::Resource {
    /// Returns the kind; nothing for an empty envelope.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        match &self.spec {
            Some(Spec::Line(_)) => Some(Kind::Line),
            Some(Spec::ProxyList(_)) => Some(Kind::ProxyList),
            Some(Spec::Station(_)) => Some(Kind::Station),
            Some(Spec::User(_)) => Some(Kind::User),
            Some(Spec::Credential(_)) => Some(Kind::Credential),
            Some(Spec::Route(_)) => Some(Kind::Route),
            Some(Spec::Settings(_)) => Some(Kind::Settings),
            None => None,
        }
    }

    /// Returns the common fields; nothing for an empty envelope.
    #[must_use]
    pub fn common(&self) -> Option<&dyn Common> {
        match self.spec.as_ref()? {
            Spec::Line(line) => Some(line),
            Spec::ProxyList(list) => Some(list),
            Spec::Station(station) => Some(station),
            Spec::User(user) => Some(user),
            Spec::Credential(credential) => Some(credential),
            Spec::Route(route) => Some(route),
            Spec::Settings(settings) => Some(settings),
        }
    }

    /// Returns the common fields to change them; nothing for an empty envelope.
    pub fn common_mut(&mut self) -> Option<&mut dyn Common> {
        match self.spec.as_mut()? {
            Spec::Line(line) => Some(line),
            Spec::ProxyList(list) => Some(list),
            Spec::Station(station) => Some(station),
            Spec::User(user) => Some(user),
            Spec::Credential(credential) => Some(credential),
            Spec::Route(route) => Some(route),
            Spec::Settings(settings) => Some(settings),
        }
    }

    /// Returns the full name, `lines/um-plain`; empty for an empty envelope.
    #[must_use]
    pub fn name(&self) -> &str {
        self.common().map_or("", Common::name)
    }
}

macro_rules! envelope {
    ($message:ident) => {
        impl From<v1::$message> for v1::Resource {
            fn from(from: v1::$message) -> Self {
                Self { spec: Some(Spec::$message(from)) }
            }
        }

        impl TryFrom<v1::Resource> for v1::$message {
            type Error = v1::Resource;

            /// Takes the resource out; gives the envelope back when it holds another kind.
            fn try_from(from: v1::Resource) -> Result<Self, v1::Resource> {
                match from.spec {
                    Some(Spec::$message(message)) => Ok(message),
                    spec => Err(v1::Resource { spec }),
                }
            }
        }
    };
}

envelope!(Line);
envelope!(ProxyList);
envelope!(Station);
envelope!(User);
envelope!(Credential);
envelope!(Route);
envelope!(Settings);

/// Returns a kind of the wire.
#[must_use]
pub const fn kind_to_proto(kind: Kind) -> v1::resource::Kind {
    match kind {
        Kind::Line => v1::resource::Kind::Line,
        Kind::ProxyList => v1::resource::Kind::ProxyList,
        Kind::Station => v1::resource::Kind::Station,
        Kind::User => v1::resource::Kind::User,
        Kind::Credential => v1::resource::Kind::Credential,
        Kind::Route => v1::resource::Kind::Route,
        Kind::Settings => v1::resource::Kind::Settings,
    }
}

/// Returns a kind of the model; nothing for the unspecified one.
#[must_use]
pub const fn kind_from_proto(kind: v1::resource::Kind) -> Option<Kind> {
    match kind {
        v1::resource::Kind::Unspecified => None,
        v1::resource::Kind::Line => Some(Kind::Line),
        v1::resource::Kind::ProxyList => Some(Kind::ProxyList),
        v1::resource::Kind::Station => Some(Kind::Station),
        v1::resource::Kind::User => Some(Kind::User),
        v1::resource::Kind::Credential => Some(Kind::Credential),
        v1::resource::Kind::Route => Some(Kind::Route),
        v1::resource::Kind::Settings => Some(Kind::Settings),
    }
}

/// Returns the name of a resource of the model as the discovery protocol keys it.
#[must_use]
pub fn key(resource: &model::Resource) -> Arc<str> {
    Arc::from(resource.name().to_string())
}

#[cfg(test)]
mod tests;
