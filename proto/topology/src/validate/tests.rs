//! Tests of the field rules: one resource with everything wrong, and the edges of each range.

use std::time::Duration;

use crate::line::{Line, TimerProfile, Usage};
use crate::meta::Meta;
use crate::proxy_list::{Entry, HashOn, ProxyList, Strategy};
use crate::resource::Resource;
use crate::session::MediaTiming;
use crate::settings::Settings;
use crate::sip_address::{IdentificationAddress, SipAddress};
use crate::station::Station;
use crate::user::{AddressMode, User};

use super::validate;

/// Fields that are refused, in order.
fn fields(resource: impl Into<Resource>) -> Vec<String> {
    validate(&resource.into()).into_iter().map(|violation| violation.field).collect()
}

fn line() -> Line {
    Line::new("um-plain", "127.0.0.1".parse().unwrap())
}

fn station() -> Station {
    Station::new("voicemail", SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), Some(5060)))
}

fn entry(id: &str) -> Entry {
    Entry::new(id, "um1.example.com".parse().unwrap(), Some(5060))
}

const fn ms(milliseconds: u64) -> Option<Duration> {
    Some(Duration::from_millis(milliseconds))
}

#[test]
fn every_wrong_field_of_a_line_is_named_at_once() {
    let mut line = line();
    line.id = "UM".into();
    line.transport.bind_address = None;
    line.transport.receive_port = Some(0);
    line.transport.connect_timer = ms(99);
    line.transport.t1 = ms(5001);
    line.transport.max_packet_retry = Some(11);
    line.transport.max_invite_retry = Some(7);
    line.transport.t2 = ms(32_001);
    line.transport.reinvite_delay = ms(10_001);
    line.usage = Some(Usage::Um);
    line.session.media_timing = Some(MediaTiming::Delayed);
    line.session.media_reinvite_timing = Some(MediaTiming::Delayed);
    line.session.session_timeout = ms(9_999);
    line.session.answer_timeout = ms(600_001);
    line.proxy_list = Some("not an id".into());
    assert_eq!(
        fields(line),
        [
            "name",
            "transport.bind_address",
            "transport.receive_port",
            "transport.connect_timer",
            "transport.t1",
            "transport.max_packet_retry",
            "transport.max_invite_retry",
            "transport.reinvite_delay",
            "transport.t2",
            "session.media_timing",
            "session.media_reinvite_timing",
            "session.session_timeout",
            "session.answer_timeout",
            "proxy_list",
        ]
    );
}

#[test]
fn the_edges_of_a_lines_ranges_are_allowed() {
    let mut line = line();
    line.transport.receive_port = Some(65535);
    (line.transport.connect_timer, line.transport.t1, line.transport.t2) = (ms(100), ms(50), ms(50));
    (line.transport.max_packet_retry, line.transport.max_invite_retry) = (Some(0), Some(0));
    (line.transport.reinvite_delay, line.session.session_timeout) = (ms(0), ms(0));
    line.session.answer_timeout = ms(5_000);
    assert_eq!(fields(line.clone()), [""; 0]);
    (line.transport.connect_timer, line.transport.t1, line.transport.t2) = (ms(32_000), ms(5_000), ms(5_000));
    (line.transport.max_packet_retry, line.transport.max_invite_retry) = (Some(10), Some(6));
    (line.transport.reinvite_delay, line.session.session_timeout) = (ms(10_000), ms(86_400_000));
    line.session.answer_timeout = ms(600_000);
    assert_eq!(fields(line), [""; 0]);
}

#[test]
fn t2_is_never_below_t1_wherever_each_comes_from() {
    let mut line = line();
    line.transport.profile = Some(TimerProfile::FastFailover);
    line.transport.t1 = ms(1_001);
    assert_eq!(fields(line.clone()), ["transport.t1"]);
    line.transport.t2 = ms(1_001);
    assert_eq!(fields(line), [""; 0]);
}

#[test]
fn an_entrys_problems_are_named_by_its_index() {
    let mut bad = entry("um1");
    bad.address = None;
    bad.port = Some(0);
    bad.weight = Some(65_536);
    bad.health.fall = Some(0);
    bad.health.options_timeout = ms(11_000);
    let mut list = ProxyList::new("um", vec![entry("um1"), bad]);
    list.attempt_timeout = ms(99);
    assert_eq!(
        fields(list),
        [
            "attempt_timeout",
            "entries[1].address",
            "entries[1].port",
            "entries[1].weight",
            "entries[1].health.options_timeout",
            "entries[1].health.fall",
            "entries[1].id",
        ]
    );
}

#[test]
fn a_list_has_at_most_32_entries() {
    let list = |count: usize| ProxyList::new("um", (0..count).map(|n| entry(&format!("um{n}"))).collect());
    assert_eq!(fields(list(32)), [""; 0]);
    assert_eq!(fields(list(33)), ["entries"]);
}

#[test]
fn hash_on_needs_the_strategy_that_reads_it() {
    let mut list = ProxyList::new("um", vec![entry("um1")]);
    list.hash_on = Some(HashOn::Mailbox);
    assert_eq!(fields(list.clone()), ["hash_on"]);
    list.strategy = Some(Strategy::Hash);
    assert_eq!(fields(list), [""; 0]);
}

#[test]
fn a_station_needs_its_type_and_connection_address() {
    let mut station = station();
    station.station_type = None;
    station.connection_address = None;
    station.extension = Some("60a0".into());
    station.extension_prefix = Some("8;".into());
    station.session.session_timeout = ms(1);
    station.session.warm_down = ms(60_001);
    let host = "um.example.com".parse().unwrap();
    let address = SipAddress::parts(None, host, Some(0));
    station.identification_address = Some(IdentificationAddress { address, user_only: Some(true) });
    assert_eq!(
        fields(station),
        [
            "type",
            "extension",
            "connection_address",
            "identification_address.port",
            "identification_address.user_only",
            "session.session_timeout",
            "session.warm_down",
            "extension_prefix",
        ]
    );
}

#[test]
fn a_sips_connection_address_is_refused() {
    let station = Station::new("voicemail", SipAddress::Uri(Box::new("sips:6000@um".parse().unwrap())));
    assert_eq!(fields(station), ["connection_address.uri"]);
}

#[test]
fn a_users_extension_is_digits() {
    assert_eq!(fields(User::new("dana", "2001")), [""; 0]);
    for extension in ["", "20a1", "+1202", &"1".repeat(33)] {
        assert_eq!(fields(User::new("dana", extension)), ["extension"], "{extension}");
    }
}

#[test]
fn aliases_are_bounded_typed_and_different() {
    let user = |aliases: &[&str]| {
        let aliases = aliases.iter().map(|alias| (*alias).into()).collect();
        User { aliases, ..User::new("Dana@example.com", "2001") }
    };
    let good = ["+12025550102", "sip:dana@example.com", "tel:+12025550103", "2901", "5", "6", "7", "8"];
    assert_eq!(fields(user(&good)), [""; 0]);
    let more: Vec<&str> = good.iter().copied().chain(["9"]).collect();
    assert_eq!(fields(user(&more)), ["aliases"]);
    let bad = ["dana@example.com", "2001", "+1202", "tel:+1-202"];
    assert_eq!(fields(user(&bad)), ["aliases[0]", "aliases[1]", "aliases[3]"]);
}

#[test]
fn a_um_address_goes_with_mode_other() {
    let mut user = User::new("lee", "2002");
    user.um.address_mode = Some(AddressMode::Other);
    assert_eq!(fields(user.clone()), ["um.address"]);
    user.um.address = Some(Box::new("sip:lee@example.com".parse().unwrap()));
    assert_eq!(fields(user.clone()), [""; 0]);
    user.um.address_mode = None;
    assert_eq!(fields(user), ["um.address"]);
}

#[test]
fn describing_fields_have_their_bounds() {
    let text = |length: usize| "x".repeat(length).into_boxed_str();
    let mut meta = Meta { display_name: text(128), description: text(4096), ..Meta::default() };
    meta.labels.extend((0..32).map(|n| (format!("k{n}").into(), text(63))));
    meta.annotations.insert(text(63), text(4096));
    let user = |meta: &Meta| User { meta: meta.clone().boxed(), ..User::new("dana", "2001") };
    assert_eq!(fields(user(&meta)), [""; 0]);
    meta.display_name = text(129);
    meta.description = text(4097);
    meta.labels.insert("k0".into(), text(64));
    meta.labels.insert("k32".into(), text(1));
    meta.annotations.insert(text(64), text(1));
    let expected = ["display_name", "description", "labels", "labels[k0]", "annotations"];
    assert_eq!(fields(user(&meta)), expected);
}

#[test]
fn a_domain_is_listed_once() {
    let domains = vec!["a.example".parse().unwrap(), "A.example".parse().unwrap()];
    assert_eq!(fields(Settings { domains, ..Settings::default() }), ["domains[1]"]);
}
