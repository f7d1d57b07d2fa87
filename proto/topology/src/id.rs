//! Identity of resources: [`Id`] within a kind, [`Kind`] and the full [`Name`].
//!
//! An `Id` may be made from any text; whether it has the allowed form is one of the checks of [`crate::validate()`], so
//! that a wrong one is reported together with everything else that is wrong.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

/// The id that the operator chose for a resource, unique within its kind. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// Makes an id of any text, unchecked.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether the text has the form that `kind` allows: `[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?`; ids of users may
    /// also contain upper case letters and `@`.
    #[must_use]
    pub fn is_valid_for(&self, kind: Kind) -> bool {
        if kind == Kind::Settings {
            return self.as_str() == SETTINGS_ID;
        }
        let user = kind == Kind::User;
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || (user && c.is_ascii_uppercase());
        let inner = |c: char| edge(c) || matches!(c, '.' | '_' | '-') || (user && c == '@');
        let text = self.as_str();
        text.len() <= MAX_ID && text.starts_with(edge) && text.ends_with(edge) && text.chars().all(inner)
    }
}

impl Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        Self(Arc::from(text))
    }
}

impl From<Arc<str>> for Id {
    fn from(text: Arc<str>) -> Self {
        Self(text)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// The kinds of resources, in the order in which a change of many is applied (what is referred to comes first).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An ordered list of targets.
    ProxyList,
    /// A user name and password for peers that challenge us.
    Credential,
    /// A SIP listener and its sending rules.
    Line,
    /// An addressable service: a UM server as it is dialled.
    Station,
    /// A person with an extension and perhaps a mailbox.
    User,
    /// A row of the routing table.
    Route,
    /// The one object of global settings.
    Settings,
}

impl Kind {
    /// All kinds, in apply order.
    pub const ALL: [Self; 7] = [
        Self::ProxyList,
        Self::Credential,
        Self::Line,
        Self::Station,
        Self::User,
        Self::Route,
        Self::Settings,
    ];

    /// Returns the collection part of a name, `proxyLists`; for settings the whole name.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Self::ProxyList => "proxyLists",
            Self::Credential => "credentials",
            Self::Line => "lines",
            Self::Station => "stations",
            Self::User => "users",
            Self::Route => "routes",
            Self::Settings => SETTINGS_ID,
        }
    }

    /// Returns the word that manifests use after `kind:`.
    #[must_use]
    pub const fn manifest_kind(self) -> &'static str {
        match self {
            Self::ProxyList => "ProxyList",
            Self::Credential => "Credential",
            Self::Line => "Line",
            Self::Station => "Station",
            Self::User => "User",
            Self::Route => "Route",
            Self::Settings => "Settings",
        }
    }

    /// Returns how many resources of this kind a topology may hold.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::ProxyList | Self::Line => 500,
            Self::Station => 20_000,
            Self::User | Self::Credential => 1_000_000,
            Self::Route => 2_000,
            Self::Settings => 1,
        }
    }
}

/// The full name of a resource, `lines/um-plain`; `settings` for the singleton. Orders by kind, then id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The kind.
    pub kind: Kind,
    /// The id within the kind; `settings` for [`Kind::Settings`].
    pub id: Id,
}

impl Name {
    /// Makes a name of a kind and an id.
    #[must_use]
    pub fn new(kind: Kind, id: impl Into<Id>) -> Self {
        Self { kind, id: id.into() }
    }

    /// Makes the name of a line.
    #[must_use]
    pub fn line(id: impl Into<Id>) -> Self {
        Self::new(Kind::Line, id)
    }

    /// Makes the name of a proxy list.
    #[must_use]
    pub fn proxy_list(id: impl Into<Id>) -> Self {
        Self::new(Kind::ProxyList, id)
    }

    /// Makes the name of a station.
    #[must_use]
    pub fn station(id: impl Into<Id>) -> Self {
        Self::new(Kind::Station, id)
    }

    /// Makes the name of a user.
    #[must_use]
    pub fn user(id: impl Into<Id>) -> Self {
        Self::new(Kind::User, id)
    }

    /// Makes the name of a credential.
    #[must_use]
    pub fn credential(id: impl Into<Id>) -> Self {
        Self::new(Kind::Credential, id)
    }

    /// Makes the name of a route row.
    #[must_use]
    pub fn route(id: impl Into<Id>) -> Self {
        Self::new(Kind::Route, id)
    }

    /// Returns the name of the settings.
    #[must_use]
    pub fn settings() -> Self {
        Self::new(Kind::Settings, SETTINGS_ID)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == Kind::Settings {
            return f.write_str(SETTINGS_ID);
        }
        write!(f, "{}/{}", self.kind.collection(), self.id)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == SETTINGS_ID {
            return Ok(Self::settings());
        }
        let error = || NameError { text: text.chars().take(128).collect() };
        let (collection, id) = text.split_once('/').ok_or_else(error)?;
        let kind =
            Kind::ALL.into_iter().find(|kind| kind.collection() == collection && *kind != Kind::Settings);
        let name = Self::new(kind.ok_or_else(error)?, id);
        if name.id.is_valid_for(name.kind) { Ok(name) } else { Err(error()) }
    }
}

/// A text that is not the name of a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a resource name: it must be `{{collection}}/{{id}}`, for instance `lines/um-plain`")]
pub struct NameError {
    text: String,
}

const SETTINGS_ID: &str = "settings";
const MAX_ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_and_parse_as_collection_and_id() {
        for text in ["proxyLists/um", "lines/um-plain", "stations/a", "users/Dana@example.com", "settings"] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
        for text in
            ["um", "lines/", "lines/UM", "lines/-a", "lines/a-", "trunks/a", "settings/x", "lines/a@b", ""]
        {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_has_at_most_64_characters() {
        assert!(Id::new(&"a".repeat(64)).is_valid_for(Kind::Line));
        assert!(!Id::new(&"a".repeat(65)).is_valid_for(Kind::Line));
    }

    #[test]
    fn kinds_sort_so_that_what_is_referred_to_comes_first() {
        let mut kinds = [
            Kind::User,
            Kind::Settings,
            Kind::Line,
            Kind::Route,
            Kind::Station,
            Kind::Credential,
            Kind::ProxyList,
        ];
        kinds.sort();
        assert_eq!(kinds, Kind::ALL);
    }
}
