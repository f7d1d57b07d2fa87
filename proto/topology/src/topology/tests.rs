//! Tests of changes: references both ways, unique values, compatibility, structure shared.

use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::proxy_list::Entry;
use crate::reference::references;
use crate::sip_address::{IdentificationAddress, SipAddress};
use crate::unique::{Space, unique_values};
use crate::uri::Uri;
use crate::violation::ViolationKind;

mod lookup;
mod random;

fn list(id: &str, hosts: &[&str]) -> ProxyList {
    let entry =
        |(n, host): (usize, &&str)| Entry::new(format!("um{}", n + 1), host.parse().unwrap(), Some(5060));
    ProxyList::new(id, hosts.iter().enumerate().map(entry).collect())
}

fn line(id: &str, port: u16, list: Option<&str>) -> Line {
    let mut line = Line::new(id, "127.0.0.1".parse().unwrap());
    line.transport.receive_port = Some(port);
    line.proxy_list = list.map(Id::from);
    line
}

fn station(id: &str, pilot: &str, line: Option<&str>) -> Station {
    let mut station =
        Station::new(id, SipAddress::parts(Some(pilot), "um.example.com".parse().unwrap(), None));
    station.contact_line = line.map(Id::from);
    station
}

fn user(id: &str, extension: &str) -> User {
    let mut user = User::new(id, extension);
    user.um.destination = Some("voicemail".into());
    user
}

/// A list of two servers, a line, a station `6000` on it and user dana `2001`.
fn example() -> Topology {
    let mut voicemail = station("voicemail", "6000", Some("um-plain"));
    voicemail.extension = Some("6000".into());
    let changes = [
        user("dana", "2001").into(),
        voicemail.into(),
        line("um-plain", 5060, Some("um")).into(),
        list("um", &["10.0.0.1", "um2.example.com"]).into(),
    ];
    Topology::new().apply(1, &changes).unwrap()
}

fn refused(topology: &Topology, changes: &[Change]) -> Vec<(String, String, ViolationKind)> {
    let violations = topology.apply(topology.revision() + 1, changes).unwrap_err();
    violations.into_iter().map(|v| (v.resource.to_string(), v.field, v.kind)).collect()
}

fn delete(name: &str) -> Change {
    Change::Delete(name.parse().unwrap())
}

#[test]
fn a_change_in_any_order_is_applied_as_a_whole() {
    let topology = example();
    assert_eq!(topology.revision(), 1);
    let names: Vec<String> = topology.resources().map(|resource| resource.name().to_string()).collect();
    assert_eq!(names, ["proxyLists/um", "lines/um-plain", "stations/voicemail", "users/dana"]);
    assert_eq!(topology.len(Kind::User), 1);
    assert!(!topology.is_empty() && Topology::new().is_empty());
}

#[test]
fn what_is_missing_or_still_used_is_refused() {
    let topology = example();
    let mut lost = user("lee", "2002");
    lost.um.destination = Some("nowhere".into());
    let missing = ViolationKind::ReferenceMissing { target: Name::station("nowhere") };
    let found = refused(&topology, &[lost.into()]);
    assert_eq!(found, [("users/lee".to_owned(), "um.destination".to_owned(), missing)]);

    let in_use = ViolationKind::InUse { referents: vec![Name::user("dana")], total: 1 };
    let found = refused(&topology, &[delete("stations/voicemail")]);
    assert_eq!(found, [("stations/voicemail".to_owned(), String::new(), in_use)]);
}

#[test]
fn a_resource_goes_together_with_its_last_referent() {
    let next = example().apply(2, &[delete("stations/voicemail"), delete("users/dana")]).unwrap();
    assert_eq!((next.len(Kind::Station), next.len(Kind::User), next.len(Kind::Line)), (0, 0, 1));
    assert_eq!(next.referents_total(&Name::line("um-plain")), 0);
    assert!(next.holder(Space::Ext, "2001").is_none());
    let next =
        next.apply(3, &[delete("lines/um-plain"), delete("proxyLists/um"), delete("users/gone")]).unwrap();
    assert!(next.is_empty());
}

#[test]
fn a_refused_deletion_names_20_referents_and_counts_all() {
    let users: Vec<Change> =
        (0..30).map(|n| user(&format!("u{n:02}"), &format!("30{n:02}")).into()).collect();
    let topology = example().apply(2, &users).unwrap();
    let found = refused(&topology, &[delete("stations/voicemail")]);
    let ViolationKind::InUse { referents, total } = &found[0].2 else { panic!("{found:?}") };
    assert_eq!((referents.len(), *total), (20, 31));
    assert_eq!(referents[1], Name::user("u00"));
}

#[test]
fn a_taken_value_names_its_holder() {
    let topology = example();
    let taken =
        |space, value: &str, holder| ViolationKind::ValueTaken { space, value: value.to_owned(), holder };
    let found = refused(&topology, &[user("lee", "2001").into(), line("other", 5060, None).into()]);
    assert_eq!(found[0].2, taken(Space::Listen, "udp:127.0.0.1:5060", Name::line("um-plain")));
    assert_eq!(found[1].2, taken(Space::Ext, "2001", Name::user("dana")));
    assert_eq!((found[1].0.as_str(), found[1].1.as_str()), ("users/lee", "extension"));
}

#[test]
fn users_and_stations_share_one_space_of_extensions() {
    let topology = example();
    let found = refused(&topology, &[user("lee", "6000").into()]);
    assert!(matches!(&found[0].2, ViolationKind::ValueTaken { space: Space::Ext, .. }));
    let mut lee = user("lee", "2002");
    lee.aliases = Box::new(["2001".into()]);
    let found = refused(&topology, &[lee.into()]);
    assert_eq!(found[0].1, "aliases[0]");
}

#[test]
fn aliases_mailboxes_and_identities_are_unique_in_their_normal_form() {
    let mut dana = user("dana", "2001");
    dana.aliases = Box::new(["tel:+1-202-555-0102".into()]);
    let topology = example().apply(2, &[dana.into()]).unwrap();
    let mut lee = user("lee", "2002");
    lee.aliases = Box::new(["+12025550102".into()]);
    let found = refused(&topology, &[lee.into()]);
    assert!(matches!(&found[0].2, ViolationKind::ValueTaken { space: Space::Alias, .. }), "{found:?}");

    let other = |id: &str, extension: &str, address: &str| {
        let mut user = user(id, extension);
        user.um.address_mode = Some(crate::user::AddressMode::Other);
        user.um.address = Some(Box::new(address.parse().unwrap()));
        Change::from(user)
    };
    let found = refused(
        &topology,
        &[other("a", "1", "sip:lee@Example.com"), other("b", "2", "sip:lee@example.com:5060")],
    );
    assert!(matches!(&found[0].2, ViolationKind::ValueTaken { space: Space::Mailbox, .. }), "{found:?}");

    let identified = |id: &str, host: &str| {
        let address = SipAddress::parts(Some("6000"), host.parse().unwrap(), Some(5060));
        let identification_address = Some(IdentificationAddress { address, user_only: None });
        Change::from(Station { identification_address, ..station(id, "1", Some("um-plain")) })
    };
    let found = refused(&topology, &[identified("a", "um.example.com"), identified("b", "UM.example.com")]);
    assert!(matches!(&found[0].2, ViolationKind::ValueTaken { space: Space::SipId, .. }), "{found:?}");
}

#[test]
fn listeners_differ_by_transport_address_or_port() {
    let mut tcp = line("tcp", 5060, None);
    tcp.transport.protocol = Some(crate::line::Transport::Tcp);
    let mut elsewhere = line("elsewhere", 5060, None);
    elsewhere.transport.bind_address = Some("127.0.0.2".parse().unwrap());
    assert!(example().apply(2, &[tcp.into(), elsewhere.into(), line("port", 5062, None).into()]).is_ok());
}

#[test]
fn a_value_moves_between_resources_in_one_change() {
    let topology = example().apply(2, &[user("lee", "2002").into()]).unwrap();
    let swapped = topology.apply(3, &[user("lee", "2001").into(), user("dana", "2002").into()]).unwrap();
    assert_eq!(swapped.holder(Space::Ext, "2001"), Some(&Name::user("lee")));
    assert_eq!(swapped.holder(Space::Ext, "2002"), Some(&Name::user("dana")));
    let handed_on = swapped.apply(4, &[delete("users/lee"), user("kim", "2001").into()]).unwrap();
    assert_eq!(handed_on.holder(Space::Ext, "2001"), Some(&Name::user("kim")));
}

#[test]
fn all_violations_of_a_change_are_found_and_nothing_is_changed() {
    let topology = example();
    let mut bad = line("b", 5070, Some("none"));
    bad.transport.t1 = Some(std::time::Duration::ZERO);
    let found = refused(&topology, &[bad.into(), user("lee", "2001").into(), delete("proxyLists/um")]);
    let found: Vec<(&str, &str)> =
        found.iter().map(|(name, field, _)| (name.as_str(), field.as_str())).collect();
    let expected = [
        ("proxyLists/um", ""),
        ("lines/b", "transport.t1"),
        ("lines/b", "proxy_list"),
        ("users/lee", "extension"),
    ];
    assert_eq!(found, expected);
    assert_eq!((topology.revision(), topology.len(Kind::User)), (1, 1));
}

#[test]
fn a_station_needs_a_line_from_somewhere() {
    let topology = example();
    let lonely: Change = station("b", "6001", None).into();
    let found = refused(&topology, std::slice::from_ref(&lonely));
    assert_eq!((found[0].1.as_str(), &found[0].2), ("contact_line", &ViolationKind::Incompatible));
    let mut settings = Settings::default();
    settings.station_defaults.contact_line = Some("um-plain".into());
    let topology = topology.apply(2, &[lonely, settings.into()]).unwrap();
    let found = refused(&topology, &[delete("settings")]);
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("stations/b", "contact_line"));
}

#[test]
fn a_station_that_uses_a_list_needs_one_with_entries() {
    let topology = example();
    let found = refused(&topology, &[list("um", &[]).into()]);
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("stations/voicemail", "transport.use_proxy"));
    assert!(topology.apply(2, &[line("um-plain", 5060, None).into()]).is_ok());
    let mut insists = station("insists", "6001", Some("um-plain"));
    insists.transport.use_proxy = Some(true);
    let found = refused(&topology, &[insists.into(), line("um-plain", 5060, None).into()]);
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("stations/insists", "transport.use_proxy"));
}

#[test]
fn a_tel_address_needs_a_list() {
    let tel = SipAddress::Uri(Box::new("tel:+12025550100".parse().unwrap()));
    let mut station = Station::new("b", tel);
    station.contact_line = Some("um-plain".into());
    assert!(example().apply(2, &[station.clone().into()]).is_ok());
    station.transport.use_proxy = Some(false);
    let found = refused(&example(), &[station.into()]);
    assert_eq!(found[0].1, "connection_address");
}

#[test]
fn a_kind_has_its_limit() {
    let lists =
        |count: usize| -> Vec<Change> { (0..count).map(|n| list(&format!("l{n}"), &["h"]).into()).collect() };
    let full = Topology::new().apply(1, &lists(500)).unwrap();
    let found = refused(&full, &[list("more", &["h"]).into()]);
    assert_eq!(found[0].2, ViolationKind::LimitReached { limit: 500 });
    assert!(full.apply(2, &[list("more", &["h"]).into(), delete("proxyLists/l1")]).is_ok());
}

#[test]
fn references_and_referents_are_inverse() {
    let topology = example();
    for resource in topology.resources() {
        for reference in references(&resource) {
            assert!(topology.referents(&reference.target).any(|name| *name == resource.name()));
        }
        for value in unique_values(&resource) {
            assert_eq!(topology.holder(value.space, &value.value), Some(&resource.name()));
        }
    }
}

/// Users `u0…` with extensions of seven digits.
fn crowd(count: usize) -> Topology {
    let users: Vec<Change> =
        (0..count).map(|n| user(&format!("u{n}"), &format!("{:07}", n + 1_000_000)).into()).collect();
    example().apply(2, &users).unwrap()
}

/// The shortest of many one-user changes, each of another user.
fn one_user_change(topology: &Topology, count: usize) -> std::time::Duration {
    let change = |n: usize| Change::from(user(&format!("u{n}"), &format!("{:07}", n + 5_000_000)));
    let time = |n: usize| {
        let change = [change(n * 37 % count)];
        #[expect(
            clippy::disallowed_methods,
            reason = "the test measures how cost grows, it drives no machine"
        )]
        let start = Instant::now();
        let next = topology.apply(3, &change).unwrap();
        let took = start.elapsed();
        assert_eq!(next.len(Kind::User), count + 1);
        took
    };
    (0..50).map(time).min().unwrap()
}

#[test]
fn changing_one_of_a_million_users_costs_about_as_much_as_one_of_a_thousand() {
    let small = one_user_change(&crowd(1_000), 1_000);
    let large = one_user_change(&crowd(999_990), 999_990);
    assert!(large < small * 20, "{large:?} against {small:?}");
}

#[test]
fn a_change_shares_what_it_does_not_touch() {
    let topology = example();
    let next = topology.apply(2, &[user("lee", "2002").into()]).unwrap();
    assert!(Arc::ptr_eq(topology.user("dana").unwrap(), next.user("dana").unwrap()));
    assert!(Arc::ptr_eq(&topology.um_servers, &next.um_servers));
    assert!(topology.user("lee").is_none());
}
