//! The largest transaction that each kind can need stays below the store's bounds (invariant I9).

use std::{sync::Arc, time::SystemTime};

use um_store::{OPERATIONS_MAX, REQUEST_BYTES_MAX};
use um_topology::Resource;
use um_wire::v1::{self, line, proxy_list, resource::Spec, station, user};

use super::*;
use crate::writer::BESIDE;

/// The longest id, of which two differ.
fn id(first: char) -> String {
    format!("{first}{}", "x".repeat(63))
}

/// Common fields as large as they may be.
macro_rules! filled {
    ($kind:ident { $($fields:tt)* }) => {{
        let text = |length: usize| "x".repeat(length);
        let label = |n: usize, length: usize| (format!("{n:063}"), text(length));
        v1::$kind {
            display_name: text(128),
            description: text(4096),
            labels: (0..32).map(|n| label(n, 63)).collect(),
            annotations: (0..32).map(|n| label(n, 4096)).collect(),
            $($fields)*
            ..Default::default()
        }
    }};
}

/// A resource of each kind with everything that makes its transaction large; `v` tells two versions apart.
fn largest(kind: Kind, v: u32) -> v1::Resource {
    let other = id(if v == 0 { 'a' } else { 'b' });
    let number = |n: u32| format!("{v}{n:031}");
    match kind {
        Kind::ProxyList => filled!(ProxyList {
            entries: (0..32)
                .map(|n| proxy_list::Entry {
                    id: Some(format!("{n}{}", "x".repeat(40))),
                    address: Some(format!("{}.example.com", "x".repeat(60))),
                    ..Default::default()
                })
                .collect(),
        })
        .into(),
        Kind::Line => filled!(Line {
            transport: Some(line::LineTransport {
                bind_address: Some("127.0.0.1".into()),
                receive_port: Some(5060 + v),
                ..Default::default()
            }),
            access: Some(line::Access {
                allow: (0..256).map(|n| format!("2001:db8:{n:x}:ffff:ffff:ffff:ffff:ffff/128")).collect(),
                deny: (0..256).map(|n| format!("2001:db9:{n:x}:ffff:ffff:ffff:ffff:ffff/128")).collect(),
            }),
            proxy_list: Some(format!("proxyLists/{other}")),
            authentication: Some(line::Authentication {
                outbound_credentials: (0..16).map(|n| format!("credentials/{n:02}-{v}")).collect(),
            }),
        })
        .into(),
        Kind::Credential => largest_credential(v),
        Kind::Route => largest_route(v, &other),
        Kind::Station => filled!(Station {
            r#type: Some(station::Type::UnifiedMessaging.into()),
            extension: Some(number(0)),
            identification_address: Some(station::IdentificationAddress {
                user: Some(number(1)),
                host: Some("um.example.com".into()),
                ..Default::default()
            }),
            connection_address: Some(station::ConnectionAddress {
                host: Some("um.example.com".into()),
                ..Default::default()
            }),
            contact_line: Some(format!("lines/{other}")),
            authentication: Some(format!("credentials/{other}")),
        })
        .into(),
        Kind::User => filled!(User {
            extension: Some(number(0)),
            um: Some(user::Um {
                destination: Some(format!("stations/{other}")),
                address_mode: Some(user::um::AddressMode::Other.into()),
                address: Some(format!("sip:{}@example.com", number(9))),
            }),
            aliases: (1..=8).map(|n| format!("sip:{}@example.com", number(n))).collect(),
        })
        .into(),
        Kind::Settings => filled!(Settings {
            station_defaults: Some(v1::settings::StationDefaults {
                contact_line: Some(format!("lines/{other}")),
            }),
        })
        .into(),
    }
}

fn largest_credential(v: u32) -> v1::Resource {
    filled!(Credential {
        username: Some(format!("{v}{}", "x".repeat(127))),
        realm: Some(text128()),
        password: Some(format!("{}{}", text128(), text128())),
    })
    .into()
}

fn largest_route(v: u32, list: &str) -> v1::Resource {
    filled!(Route {
        position: Some(v),
        from_regex: Some("x".repeat(512)),
        to_regex: Some("x".repeat(512)),
        routes_to: Some(text128()),
        proxy_list: Some(format!("proxyLists/{list}")),
    })
    .into()
}

fn text128() -> String {
    "x".repeat(128)
}

fn stored(name: &Name, v: u32) -> Arc<Stored> {
    let written = crate::stored::written(largest(name.kind, v), name);
    let whole = crate::stored::whole(largest(name.kind, v), name);
    let model = Resource::try_from(&whole).unwrap_or_else(|invalid| panic!("{name}: {invalid}"));
    assert_eq!(um_topology::validate(&model), [], "{name} is valid, only large");
    assert!(!matches!(&written.spec, Some(Spec::Settings(_))) || name.kind == Kind::Settings);
    Arc::new(Stored::create(name.clone(), written, model, SystemTime::UNIX_EPOCH))
}

/// Compares, operations and bytes of a transaction of these changes.
fn size(changes: &[Changed]) -> (usize, usize, usize) {
    let txn = recipe(&Keys::new(&"r".repeat(63)), changes, &Picture::empty("s".into(), Vec::new().into()));
    let bytes = txn.then.iter().map(|op| match op {
        Op::Put { key, value, .. } => key.len() + value.len(),
        Op::Get { keys, .. } | Op::Delete { keys } => keys.start().len(),
    });
    (txn.compares.len() + BESIDE, txn.then.len() + BESIDE, bytes.sum())
}

#[test]
fn the_largest_write_of_each_kind_fits_one_transaction() {
    // Compares and operations of a creation, of an update that changes everything, and of a deletion.
    let counts = [
        (Kind::ProxyList, [(5, 5), (5, 5), (6, 5)]),
        (Kind::Credential, [(6, 6), (6, 7), (6, 6)]),
        (Kind::Route, [(7, 7), (7, 9), (6, 7)]),
        (Kind::Line, [(23, 23), (23, 41), (6, 23)]),
        (Kind::Station, [(9, 9), (9, 13), (6, 9)]),
        (Kind::User, [(15, 15), (15, 26), (5, 15)]),
        (Kind::Settings, [(6, 6), (6, 7), (6, 6)]),
    ];
    for (kind, expected) in counts {
        let name = if kind == Kind::Settings { Name::settings() } else { Name::new(kind, id('n')) };
        let (old, new) = (Some(stored(&name, 0)), Some(stored(&name, 1)));
        let change = |before: &Option<Arc<Stored>>, after: &Option<Arc<Stored>>| Changed {
            name: name.clone(),
            before: before.clone(),
            after: after.clone(),
        };
        let writes = [change(&None, &new), change(&old, &new), change(&old, &None)];
        for (write, expected) in writes.iter().zip(expected) {
            let (compares, operations, bytes) = size(std::slice::from_ref(write));
            assert_eq!((compares, operations), expected, "{kind:?}");
            assert!(compares.max(operations) <= OPERATIONS_MAX && bytes <= REQUEST_BYTES_MAX, "{kind:?}");
        }
    }
}

#[test]
fn at_least_six_users_are_created_in_one_transaction() {
    let changes: Vec<Changed> = ['a', 'b', 'c', 'd', 'e', 'f']
        .map(|first| {
            let name = Name::user(id(first));
            Changed { after: Some(stored(&name, 0)), before: None, name }
        })
        .to_vec();
    // Their values are the same here, and other users' would be as many keys each.
    let (compares, operations, bytes) = size(&changes[..1]);
    let beside = BESIDE + 1;
    assert!(6 * (compares - BESIDE) + BESIDE <= OPERATIONS_MAX);
    assert!(6 * (operations - beside) + beside <= OPERATIONS_MAX);
    assert!(6 * bytes <= REQUEST_BYTES_MAX, "{bytes}");
}
