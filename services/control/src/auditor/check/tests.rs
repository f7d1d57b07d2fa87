//! Each broken invariant is found, and a sound realm is not complained about.

use std::sync::Arc;

use bytes::Bytes;
use um_topology::Resource;
use um_wire::v1::{self, user};

use super::*;
use crate::{
    audit::Actor,
    picture::Changed,
    stored::{Shared, written},
};

const REVISION: i64 = 7;

fn stored(name: &Name, resource: v1::Resource) -> Shared {
    let resource = written(resource, name);
    let model = Resource::try_from(&resource).unwrap();
    let stored = Stored::create(name.clone(), resource, model, clock::wall());
    Arc::new(Stored { revision: REVISION, ..stored })
}

fn changes() -> Vec<Changed> {
    let line = v1::Line {
        transport: Some(v1::line::LineTransport {
            bind_address: Some("127.0.0.1".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let station = v1::Station {
        r#type: Some(v1::station::Type::UnifiedMessaging.into()),
        extension: Some("6000".into()),
        connection_address: Some(v1::station::ConnectionAddress {
            host: Some("um.example.com".into()),
            ..Default::default()
        }),
        contact_line: Some("lines/um".into()),
        ..Default::default()
    };
    let dana = v1::User {
        extension: Some("2001".into()),
        um: Some(user::Um { destination: Some("stations/vm".into()), ..Default::default() }),
        ..Default::default()
    };
    let all: [(Name, v1::Resource); 3] = [
        (Name::line("um"), line.into()),
        (Name::station("vm"), station.into()),
        (Name::user("dana"), dana.into()),
    ];
    all.map(|(name, resource)| Changed { after: Some(stored(&name, resource)), before: None, name }).to_vec()
}

fn item(key: Bytes, value: impl Into<Bytes>) -> Item {
    Item {
        key,
        value: value.into(),
        create_revision: REVISION,
        mod_revision: REVISION,
        version: 1,
        lease: None,
    }
}

/// The picture and all items as a write leaves them.
fn sound() -> (Keys, Picture, Vec<Item>) {
    let keys = Keys::new("default");
    let changes = changes();
    let empty = Picture::empty("s".into(), Bytes::new());
    let mut items = Vec::new();
    for change in &changes {
        let stored = change.after.as_ref().unwrap();
        items.push(item(keys.spec(&change.name), stored.encode(keys.vault())));
        for one in references(&stored.model) {
            items.push(item(keys.reference(&one.target, &change.name), Bytes::new()));
        }
        for value in unique_values(&stored.model) {
            items.push(item(keys.unique(&value), change.name.to_string()));
        }
    }
    let event = audit::event(&Actor::default(), uuid::Uuid::nil(), &changes);
    items.push(item(keys.audit(uuid::Uuid::nil()), event));
    items.push(item(keys.head(), Bytes::new()));
    let picture = empty.after(REVISION, &changes).unwrap();
    (keys, picture, items)
}

fn broken(keys: &Keys, picture: &Picture, items: &[Item]) -> Vec<Invariant> {
    let mut check = Check::new(keys, picture);
    items.iter().for_each(|item| check.item(item));
    let mut found: Vec<Invariant> = check.finish().into_iter().map(|one| one.invariant).collect();
    found.dedup();
    found
}

#[test]
fn a_sound_realm_is_whole() {
    let (keys, picture, items) = sound();
    assert_eq!(items.len(), 3 + 2 + 3 + 2);
    assert_eq!(broken(&keys, &picture, &items), []);
}

#[test]
fn whatever_is_missing_is_noticed() {
    let (keys, picture, items) = sound();
    for missing in 0..items.len() {
        let mut rest = items.clone();
        let gone = rest.remove(missing);
        let expected = match keys.area(&gone.key) {
            Some("spec") => Invariant::Etag,
            Some("ref") => Invariant::ReferenceMarks,
            Some("uniq") => Invariant::UniqueOwners,
            Some("audit" | "meta") => Invariant::AuditEvent,
            other => panic!("{other:?}"),
        };
        assert_eq!(broken(&keys, &picture, &rest), [expected], "{:?}", gone.key);
    }
}

#[test]
fn whatever_is_too_much_is_noticed() {
    let (keys, picture, items) = sound();
    let lee = Name::user("lee");
    let stranger = stored(&lee, v1::User { extension: Some("2002".into()), ..Default::default() }.into());
    let value = unique_values(&stranger.model).remove(0);
    let event = audit::event(&Actor::default(), uuid::Uuid::nil(), &changes());
    let surplus = [
        (item(keys.spec(&lee), stranger.encode(keys.vault())), Invariant::Etag),
        (item(keys.spec(&Name::user("dana")), "damaged"), Invariant::Etag),
        (item(keys.reference(&Name::line("um"), &Name::user("dana")), ""), Invariant::ReferenceMarks),
        (item(keys.reference(&Name::station("vm"), &lee), ""), Invariant::ReferenceMarks),
        (item(keys.unique(&value), "users/lee"), Invariant::UniqueOwners),
        (item(keys.unique(&value), "users/dana"), Invariant::UniqueOwners),
        (item(keys.audit(uuid::Uuid::max()), event), Invariant::AuditEvent),
        (item(keys.audit(uuid::Uuid::max()), "damaged"), Invariant::AuditEvent),
    ];
    for (more, expected) in surplus {
        let mut all = items.clone();
        all.push(more.clone());
        assert_eq!(broken(&keys, &picture, &all).first(), Some(&expected), "{:?}", more.key);
    }
}

#[test]
fn another_revision_than_the_etag_says_is_noticed() {
    let (keys, picture, mut items) = sound();
    items[0].mod_revision += 1;
    assert_eq!(broken(&keys, &picture, &items), [Invariant::Etag]);
}

#[test]
fn a_transaction_beyond_the_bounds_is_noticed() {
    let (keys, picture, mut items) = sound();
    let request = |n: u128| keys.request(uuid::Uuid::from_u128(n));
    items.extend((0..128).map(|n| item(request(n), "")));
    assert_eq!(broken(&keys, &picture, &items), [Invariant::TransactionSize]);
    let (keys, picture, mut items) = sound();
    items.push(item(keys.request(uuid::Uuid::nil()), vec![0; REQUEST_BYTES_MAX]));
    assert_eq!(broken(&keys, &picture, &items), [Invariant::TransactionSize]);
}

#[test]
fn a_reference_to_nothing_and_a_value_of_two_are_noticed() {
    let (keys, mut picture, mut items) = sound();
    // The station goes, and its spec with it, but not what refers to it.
    picture.resources.remove("stations/vm");
    items.retain(|item| item.key != keys.spec(&Name::station("vm")));
    let found = broken(&keys, &picture, &items);
    assert!(found.contains(&Invariant::ReferenceTargetExists), "{found:?}");
    assert!(found.contains(&Invariant::Compiles), "{found:?}");

    let (keys, mut picture, items) = sound();
    let lee = Name::user("lee");
    let twin = stored(&lee, v1::User { extension: Some("2001".into()), ..Default::default() }.into());
    picture.resources.insert(Arc::from("users/lee"), twin);
    let found = broken(&keys, &picture, &items);
    assert!(found.contains(&Invariant::UniqueOwners) && found.contains(&Invariant::Compiles), "{found:?}");
}
