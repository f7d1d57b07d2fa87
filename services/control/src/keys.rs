//! Where everything is in the store: the key layout under `/um/{realm}/v1/`, and what seals secrets there.
//!
//! The layout is part of the stored format; a change of it is a migration.

use bytes::Bytes;
use um_store::key::{push_segment, unsegment};
use um_topology::{Kind, Name, UniqueValue};

use crate::vault::Vault;

/// The keys of one realm.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
    vault: Vault,
}

impl Keys {
    /// The keys of `realm`.
    #[must_use]
    pub fn new(realm: &str) -> Self {
        let mut prefix = String::from("/um/");
        push_segment(&mut prefix, realm);
        prefix.push_str("/v1/");
        Self { prefix, vault: Vault::default() }
    }

    /// The same, with what seals and opens secrets.
    #[must_use]
    pub fn with_vault(self, vault: Vault) -> Self {
        Self { vault, ..self }
    }

    /// What seals and opens secrets.
    #[must_use]
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// What identifies the format and the store.
    #[must_use]
    pub fn schema(&self) -> Bytes {
        self.join("meta", &["schema"])
    }

    /// Written by every transaction that changes a spec: its revision is that of the last change, deletions included.
    /// Whoever has followed the specs up to it has seen everything, and all replicas call the same state by one number.
    #[must_use]
    pub fn head(&self) -> Bytes {
        self.join("meta", &["head"])
    }

    /// The same for everything but users. A transaction that rests on rules between such resources compares it, which
    /// costs one key whatever their number.
    #[must_use]
    pub fn topology_head(&self) -> Bytes {
        self.join("meta", &["topology-head"])
    }

    /// The prefix of everything of the realm.
    #[must_use]
    pub fn realm(&self) -> Bytes {
        self.prefix.clone().into()
    }

    /// The prefix of all specs.
    #[must_use]
    pub fn specs(&self) -> Bytes {
        format!("{}spec/", self.prefix).into()
    }

    /// The spec of a resource.
    #[must_use]
    pub fn spec(&self, name: &Name) -> Bytes {
        match name.kind {
            Kind::User => self.join("spec/users", &[&name.id]),
            Kind::ProxyList
            | Kind::Credential
            | Kind::Line
            | Kind::Station
            | Kind::Route
            | Kind::Settings => self.join("spec/topo", &[name.kind.collection(), &name.id]),
        }
    }

    /// Reads a key that [`Keys::spec`] wrote back.
    #[must_use]
    pub fn parse_spec(&self, key: &[u8]) -> Option<Name> {
        let key = std::str::from_utf8(key).ok()?;
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("spec/")?;
        if let Some(id) = rest.strip_prefix("users/") {
            return Some(Name::user(unsegment(id)?));
        }
        let (collection, id) = rest.strip_prefix("topo/")?.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.collection() == collection)?;
        (kind != Kind::User).then_some(())?;
        Some(Name::new(kind, unsegment(id)?))
    }

    /// The mark that `source` refers to `target`.
    #[must_use]
    pub fn reference(&self, target: &Name, source: &Name) -> Bytes {
        let parts = [target.kind.collection(), &target.id, source.kind.collection(), &source.id];
        self.join("ref", &parts)
    }

    /// Reads a key that [`Keys::reference`] wrote back: the target, then the source.
    #[must_use]
    pub fn parse_reference(&self, key: &[u8]) -> Option<(Name, Name)> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?.strip_prefix("ref/")?;
        let mut parts = rest.split('/');
        let mut name = || {
            let collection = parts.next()?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.collection() == collection)?;
            Some(Name::new(kind, unsegment(parts.next()?)?))
        };
        let both = (name()?, name()?);
        parts.next().is_none().then_some(both)
    }

    /// The prefix of all marks of what refers to `target`.
    #[must_use]
    pub fn references(&self, target: &Name) -> Bytes {
        let mut key = self.prefix.clone();
        key.push_str("ref/");
        for part in [target.kind.collection(), &target.id] {
            push_segment(&mut key, part);
            key.push('/');
        }
        key.into()
    }

    /// The owner of a unique value.
    #[must_use]
    pub fn unique(&self, value: &UniqueValue) -> Bytes {
        self.join("uniq", &[value.space.as_str(), &value.value])
    }

    /// What became of a request.
    #[must_use]
    pub fn request(&self, id: uuid::Uuid) -> Bytes {
        self.join("req", &[&id.to_string()])
    }

    /// An audit event; ids order by time.
    #[must_use]
    pub fn audit(&self, id: uuid::Uuid) -> Bytes {
        self.join("audit", &[&id.to_string()])
    }

    /// The area of the realm that a key is in, `spec` or `uniq`.
    #[must_use]
    pub fn area<'k>(&self, key: &'k [u8]) -> Option<&'k str> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?;
        rest.split_once('/').map(|(area, _)| area)
    }

    fn join(&self, area: &str, parts: &[&str]) -> Bytes {
        let mut key = String::with_capacity(self.prefix.len() + area.len() + 48);
        key.push_str(&self.prefix);
        key.push_str(area);
        for part in parts {
            key.push('/');
            push_segment(&mut key, part);
        }
        key.into()
    }
}

#[cfg(test)]
mod tests {
    use um_topology::Space;

    use super::*;

    #[test]
    fn specs_read_back_and_users_stand_apart() {
        let keys = Keys::new("default");
        for (name, key) in [
            (Name::line("um-plain"), "/um/default/v1/spec/topo/lines/um-plain"),
            (Name::user("Dana@example.com"), "/um/default/v1/spec/users/Dana@example.com"),
            (Name::settings(), "/um/default/v1/spec/topo/settings/settings"),
        ] {
            assert_eq!(keys.spec(&name), key);
            assert_eq!(keys.parse_spec(key.as_bytes()), Some(name));
        }
        for foreign in
            ["/um/default/v1/spec/topo/users/a", "/um/other/v1/spec/users/a", "/um/default/v1/ref/lines/a"]
        {
            assert_eq!(keys.parse_spec(foreign.as_bytes()), None, "{foreign}");
        }
    }

    #[test]
    fn references_read_back() {
        let keys = Keys::new("default");
        let (target, source) = (Name::station("voicemail"), Name::user("Dana@example.com"));
        let key = keys.reference(&target, &source);
        assert_eq!(keys.parse_reference(&key), Some((target, source)));
        assert_eq!(keys.area(&key), Some("ref"));
        assert_eq!(keys.parse_reference(b"/um/default/v1/ref/lines/a/stations"), None);
        assert_eq!(keys.area(b"/um/other/v1/ref/lines/a"), None);
    }

    #[test]
    fn a_value_with_a_slash_stays_in_its_space() {
        let value =
            UniqueValue { space: Space::Listen, value: "udp:10.0.0.0/8:5060".into(), field: String::new() };
        assert_eq!(Keys::new("default").unique(&value), "/um/default/v1/uniq/listen/udp:10.0.0.0%2F8:5060");
    }

    #[test]
    fn the_references_of_one_resource_do_not_cover_another_whose_id_begins_alike() {
        let keys = Keys::new("r");
        let prefix = keys.references(&Name::line("a"));
        assert!(keys.reference(&Name::line("a"), &Name::station("s")).starts_with(&prefix));
        assert!(!keys.reference(&Name::line("ab"), &Name::station("s")).starts_with(&prefix));
    }
}
