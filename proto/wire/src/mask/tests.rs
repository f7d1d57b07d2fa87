//! Updates and reads by mask, the same rules for every kind.

use prost_reflect::Kind as FieldKind;

use super::*;
use crate::v1::{self, line, proxy_list};

fn line() -> v1::Line {
    v1::Line {
        name: "lines/a".into(),
        etag: "\"7\"".into(),
        domain: Some("a.example.com".into()),
        labels: [("site".to_owned(), "north".to_owned())].into(),
        limits: Some(line::Limits { max_calls: Some(10), ..Default::default() }),
        transport: Some(line::LineTransport {
            bind_address: Some("eth0".into()),
            receive_port: Some(5060),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}

#[test]
fn without_a_mask_only_set_fields_change_at_any_depth() {
    let patch = v1::Line {
        active: Some(false),
        transport: Some(line::LineTransport { receive_port: Some(5080), ..Default::default() }),
        ..Default::default()
    };
    let updated = apply(&line(), &patch, None).unwrap();
    let mut expected = line();
    expected.active = Some(false);
    expected.transport.as_mut().unwrap().receive_port = Some(5080);
    assert_eq!(updated, expected);
}

#[test]
fn a_star_replaces_all_but_name_and_output() {
    let patch =
        v1::Line { name: "lines/b".into(), etag: "x".into(), active: Some(true), ..Default::default() };
    let updated = apply(&line(), &patch, mask(&["*"]).as_ref()).unwrap();
    let expected =
        v1::Line { name: "lines/a".into(), etag: "\"7\"".into(), active: Some(true), ..Default::default() };
    assert_eq!(updated, expected);
}

#[test]
fn a_path_sets_clears_and_reaches_into_messages_and_maps() {
    let patch = v1::Line {
        transport: Some(line::LineTransport { t1: Some(Default::default()), ..Default::default() }),
        labels: [("rack".to_owned(), "4".to_owned())].into(),
        ..Default::default()
    };
    let paths = ["domain", "limits.max_calls", "transport.t1", "transport.receive_port", "labels.rack"];
    let updated = apply(&line(), &patch, mask(&paths).as_ref()).unwrap();
    let mut expected = line();
    expected.domain = None;
    expected.limits = None;
    expected.labels.insert("rack".into(), "4".into());
    let transport = expected.transport.as_mut().unwrap();
    transport.t1 = Some(Default::default());
    transport.receive_port = None;
    assert_eq!(updated, expected);
}

#[test]
fn false_and_zero_are_values() {
    let patch = v1::ProxyList {
        entries: vec![proxy_list::Entry { weight: Some(0), active: Some(false), ..Default::default() }],
        ..Default::default()
    };
    let updated = apply(&v1::ProxyList::default(), &patch, None).unwrap();
    assert_eq!((updated.entries[0].weight, updated.entries[0].active), (Some(0), Some(false)));
}

#[test]
fn every_wrong_path_is_named() {
    let paths = ["domain", "tranport", "transport.t9", "domain.x", "uid", "name", "transport.t1.seconds"];
    let error = apply(&line(), &line(), mask(&paths).as_ref()).unwrap_err();
    let named: Vec<_> = error.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(named, ["domain.x", "name", "tranport", "transport.t1.seconds", "transport.t9", "uid"]);
    assert!(project(line(), mask(&["tranport"]).as_ref()).is_err());
}

#[test]
fn a_read_mask_keeps_the_name_and_what_it_names() {
    let read = project(line(), mask(&["transport.receive_port", "etag"]).as_ref()).unwrap();
    let expected = v1::Line {
        name: "lines/a".into(),
        etag: "\"7\"".into(),
        transport: Some(line::LineTransport { receive_port: Some(5060), ..Default::default() }),
        ..Default::default()
    };
    assert_eq!(read, expected);
    assert_eq!(project(line(), None).unwrap(), line());
}

/// Each top-level field of every kind, filled, can be set by its path and cleared by its path.
#[test]
fn every_writable_field_of_every_kind_obeys_its_path() {
    fn check<M: Kinded + std::fmt::Debug>() {
        let empty = M::default();
        for field in dynamic(&empty).descriptor().fields().filter(|field| !is_fixed(field)) {
            let mut patch = dynamic(&empty);
            patch.set_field(&field, filled(&field));
            let patch: M = typed(&patch);
            let mask = mask(&[field.name()]);
            let updated = apply(&empty, &patch, mask.as_ref()).unwrap();
            assert_eq!(updated, patch, "{}", field.full_name());
            assert_eq!(apply(&updated, &empty, mask.as_ref()).unwrap(), empty, "{}", field.full_name());
            assert_eq!(apply(&empty, &patch, None).unwrap(), patch, "{}", field.full_name());
        }
    }
    check::<v1::Line>();
    check::<v1::ProxyList>();
    check::<v1::Station>();
    check::<v1::User>();
    check::<v1::Settings>();
}

/// A value that is not the default of its field.
fn filled(field: &FieldDescriptor) -> Value {
    let kind = field.kind();
    let one = if let Some(message) = kind.as_message() {
        let mut inner = DynamicMessage::new(message.clone());
        let first = message.fields().next().unwrap();
        let value = if first.kind() == FieldKind::Int64 { Value::I64(5) } else { filled(&first) };
        inner.set_field(&first, value);
        Value::Message(inner)
    } else if kind.as_enum().is_some() {
        Value::EnumNumber(1)
    } else if kind == FieldKind::Bool {
        Value::Bool(true)
    } else if kind == FieldKind::Uint32 {
        Value::U32(7)
    } else {
        assert_eq!(kind, FieldKind::String, "no other kind is in use");
        Value::String("x".into())
    };
    if field.is_map() {
        Value::Map([(MapKey::String("k".into()), Value::String("v".into()))].into())
    } else if field.is_list() {
        Value::List(vec![one])
    } else {
        one
    }
}
