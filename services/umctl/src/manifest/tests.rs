//! What manifests may say, how their faults are told, and that what is written is read back.

use proptest::prelude::*;
use um_wire::v1;
use um_wire::v1::{line, proxy_list};

use super::*;

/// Reads one text and returns its only resource.
fn one(text: &str) -> v1::Resource {
    let manifest = parse("m.yaml", text).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(manifest.items.len(), 1);
    manifest.items[0].resource.clone()
}

/// Reads a text that has faults and returns them as they are told.
fn faults(text: &str) -> Vec<String> {
    let failure = parse("m.yaml", text).unwrap_err();
    failure.to_string().lines().map(ToOwned::to_owned).collect()
}

#[test]
fn the_worked_example_is_read_as_far_as_its_fields_act() {
    let text = "\
kind: ProxyList
name: um-secure
strategy: ROUND_ROBIN                 # um1 and um2 share the load
failover_budget: 12s
entries:
- {id: um1, address: um1.example.com, port: 5061, priority: 1, weight: 100, max_calls: 100}
- {id: um3, address: um3.example.com, port: 5061, priority: 2}
---
kind: Line
name: um-plain
transport: {protocol: TCP, audio: RTP, bind_address: eth0, receive_port: 5060, profile: FAST_FAILOVER,
            retryable_codes: \"480, 500-599\", t1: 500ms, reinvite_delay: 750ms}
session: {media_timing: NORMAL, media_reinvite_timing: NORMAL, hold_mode: FORWARD}
transfer_mode: PASS
fax_protocol: G711_PASSTHROUGH
proxy_list: um-secure
---
kind: User
name: lee
extension: \"2002\"
um: {destination: voicemail, address_mode: OTHER, address: \"sip:lee@example.com\"}
aliases: [\"+12025550102\"]
---
kind: Settings
domains: [pbx.example.com]
routing: {rewrite_request_uri: true, registration_has_priority: true}
";
    let manifest = parse("m.yaml", text).unwrap();
    let names: Vec<_> = manifest.resources().map(v1::Resource::name).collect();
    assert_eq!(names, ["proxyLists/um-secure", "lines/um-plain", "users/lee", "settings"]);

    let line = v1::Line::try_from(manifest.items[1].resource.clone()).unwrap();
    assert_eq!(line.proxy_list.as_deref(), Some("proxyLists/um-secure"));
    let transport = line.transport.unwrap();
    assert_eq!(transport.protocol(), v1::transport::Protocol::Tcp);
    assert_eq!(transport.profile(), line::line_transport::Profile::FastFailover);
    assert_eq!(line.session.unwrap().hold_mode(), line::line_session::HoldMode::Forward);
    assert_eq!(transport.reinvite_delay, Some(prost_types::Duration { seconds: 0, nanos: 750_000_000 }));
    assert_eq!(transport.t1, Some(prost_types::Duration { seconds: 0, nanos: 500_000_000 }));

    let list = v1::ProxyList::try_from(manifest.items[0].resource.clone()).unwrap();
    assert_eq!((list.strategy(), list.entries.len()), (proxy_list::Strategy::RoundRobin, 2));
    let user = v1::User::try_from(manifest.items[2].resource.clone()).unwrap();
    assert_eq!(user.um.unwrap().destination.as_deref(), Some("stations/voicemail"));
}

#[test]
fn a_credential_and_a_route_are_read() {
    let text = "\
kind: Credential
name: um
username: gateway
realm: um.example.com
password: correct-horse               # input only
---
kind: Route
name: pbx-to-um
position: 10
enabled: true
from_regex: \"(.*)@pbx\\\\.example\\\\.com\"
to_regex: \".*\"
routes_to: \"$1\"
proxy_list: um-plain
";
    let manifest = parse("m.yaml", text).unwrap();
    let names: Vec<_> = manifest.resources().map(v1::Resource::name).collect();
    assert_eq!(names, ["credentials/um", "routes/pbx-to-um"]);
    let credential = v1::Credential::try_from(manifest.items[0].resource.clone()).unwrap();
    assert_eq!(credential.password.as_deref(), Some("correct-horse"));
    let route = v1::Route::try_from(manifest.items[1].resource.clone()).unwrap();
    assert_eq!(route.from_regex.as_deref(), Some(r"(.*)@pbx\.example\.com"));
    assert_eq!(route.proxy_list.as_deref(), Some("proxyLists/um-plain"));
}

#[test]
fn both_spellings_of_a_field_are_the_same_field() {
    let snake =
        one("kind: Line\nname: a\nproxy_list: um\ntransport: {bind_address: eth0, receive_port: 5060}\n");
    let camel =
        one("kind: Line\nname: a\nproxyList: um\ntransport: {bindAddress: eth0, receivePort: 5060}\n");
    assert_eq!(snake, camel);
    assert_eq!(
        faults("kind: Line\nname: a\nproxy_list: x\nproxyList: y\n"),
        ["m.yaml:4:1: proxy_list: is given twice"]
    );
}

#[test]
fn json_is_yaml_and_false_and_zero_are_values() {
    let line = one(r#"{"kind": "Line", "name": "a", "active": false, "limits": {"maxCalls": 0}}"#);
    let line = v1::Line::try_from(line).unwrap();
    assert_eq!((line.active, line.limits.unwrap().max_calls), (Some(false), Some(0)));
}

#[test]
fn an_unknown_field_names_its_place_and_the_nearest_right_name() {
    let text = "kind: Line\nname: a\ntransport:\n  recieve_port: 5060\n  bind_address: eth0\nusages: UM\n";
    assert_eq!(
        faults(text),
        [
            "m.yaml:4:3: transport.recieve_port: is not a field of transport; did you mean receive_port?",
            "m.yaml:6:1: usages: is not a field of Line; did you mean usage?",
        ]
    );
    assert_eq!(faults("kind: Line\nname: a\ncolour: red\n"), ["m.yaml:3:1: colour: is not a field of Line"]);
}

#[test]
fn every_fault_of_all_documents_is_told_at_once() {
    let text = "\
kind: Line
name: a
active: maybe
usage: UN
limits: {max_calls: -1, max_cps: \"5\"}
transport: {t1: 500, protocol: [TCP], bind_address: 5}
---
kind: Lien
name: b
---
kind: ProxyList
name: um
entries: {id: um1}
---
name: nothing
";
    assert_eq!(
        faults(text),
        [
            "m.yaml:3:9: active: is `maybe`, and must be true or false",
            "m.yaml:4:8: usage: `UN` is not one of GENERAL, UM; did you mean UM?",
            "m.yaml:5:21: limits.max_calls: is `-1`, and must be a whole number from 0 to 4294967295",
            "m.yaml:5:34: limits.max_cps: is the text \"5\", and must be a whole number",
            "m.yaml:6:17: transport.t1: `500` is not a duration such as 500ms, 12s or 1m30s",
            "m.yaml:6:32: transport.protocol: is a list, and must be UDP, TCP",
            "m.yaml:6:53: transport.bind_address: is a text; write it in quotes: \"5\"",
            "m.yaml:8:7: kind: `Lien` is not a kind; did you mean Line?",
            "m.yaml:13:10: entries: is a group of fields, and must be a list",
            "m.yaml:15:1: has no `kind:`; it is one of ProxyList, Credential, Line, Station, User, Route, Settings",
        ]
    );
}

#[test]
fn values_that_do_not_act_yet_are_refused() {
    let text = "kind: Line\nname: a\ntransport: {protocol: TLS, audio: SRTP, bind_address: eth0, security: MINIMAL}\n";
    assert_eq!(
        faults(text),
        [
            "m.yaml:3:23: transport.protocol: `TLS` is not one of UDP, TCP",
            "m.yaml:3:35: transport.audio: `SRTP` is not one of RTP; did you mean RTP?",
            "m.yaml:3:61: transport.security: is not a field of transport",
        ]
    );
    assert_eq!(
        faults("kind: Line\nname: a\nuid: x\n"),
        ["m.yaml:3:1: uid: is set by the server and cannot be given"]
    );
}

#[test]
fn names_are_required_except_of_the_settings() {
    assert_eq!(faults("kind: User\nextension: \"2001\"\n"), ["m.yaml:1:1: name: is required"]);
    assert_eq!(one("kind: Settings\n").name(), "settings");
    assert_eq!(
        faults("kind: Settings\nname: other\n"),
        ["m.yaml:1:1: name: must be left out: there is only one"]
    );
    let twice = "kind: User\nname: a\nextension: \"1\"\n---\nkind: User\nname: a\nextension: \"2\"\n";
    assert_eq!(faults(twice), ["m.yaml:5:1: users/a is given twice, first at m.yaml:1:1"]);
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    assert!(faults("kind: Line\nname: [a\n")[0].starts_with("m.yaml:3:1: this is not YAML: "));
    assert_eq!(faults("kind: &x Line\n"), ["m.yaml:1:7: anchors are not taken in manifests"]);
    assert_eq!(faults("kind: Line\nname: *x\n").len(), 1);
    assert_eq!(faults("- a\n"), ["m.yaml:1:1: is a list, not a resource with `kind:`"]);
    let deep = format!("kind: Line\nname: {}{}\n", "[".repeat(100), "]".repeat(100));
    assert!(faults(&deep)[0].ends_with("this is nested too deeply"));
}

#[test]
fn empty_documents_and_comments_are_nothing() {
    let manifest =
        parse("m.yaml", "# only a remark\n---\n---\nkind: Settings\n---\n# and one more\n").unwrap();
    assert_eq!(manifest.items.len(), 1);
    assert!(parse("m.yaml", "").unwrap().items.is_empty());
}

#[test]
fn paths_of_the_server_are_found_in_the_text() {
    let text = "\
kind: User
name: dana
extension: \"2001\"
---
kind: ProxyList
name: um
entries:
- id: um1
  address: 127.0.0.1
  health: {fall: 99}
";
    let manifest = parse("m.yaml", text).unwrap();
    let place = |path: &str| manifest.locate(path).map(|(place, path)| format!("{place} {path}"));
    assert_eq!(place("resources[0].user.extension").as_deref(), Some("m.yaml:3:12 extension"));
    assert_eq!(
        place("resources[1].proxy_list.entries[0].health.fall").as_deref(),
        Some("m.yaml:10:18 entries[0].health.fall")
    );
    // What is not in the text is told at the place around it.
    assert_eq!(
        place("resources[1].proxy_list.entries[0].port").as_deref(),
        Some("m.yaml:8:3 entries[0].port")
    );
    assert_eq!(place("resources[1].proxy_list.timeout").as_deref(), Some("m.yaml:5:1 timeout"));
    assert_eq!(place("users/dana.um.destination").as_deref(), Some("m.yaml:1:1 um.destination"));
    assert_eq!(place("resources[7].line"), None);
}

#[test]
fn what_is_written_is_ordered_and_bare() {
    let text = "kind: ProxyList\nname: um\nlabels:\n  site: north\n  \"7\": \"8\"\nstrategy: ORDERED\ntimeout: 7500ms\n\
                entries:\n- id: um1\n  address: 127.0.0.1\n  port: 5071\n  health:\n    fall: 2\n- id: um2\n";
    let written = write(&one(text)).unwrap();
    let expected = "kind: ProxyList\nname: um\nlabels:\n  \"7\": \"8\"\n  site: north\nstrategy: ORDERED\n\
                    timeout: 7500ms\nentries:\n- id: um1\n  address: 127.0.0.1\n  port: 5071\n  health:\n    fall: 2\n- id: um2\n";
    assert_eq!(written, expected);
    let line = "kind: Line\nname: a\ntransport:\n  bind_address: eth0\n  t1: 500ms\naccess:\n  \
                allow: [127.0.0.0/8, \"::1\"]\nproxy_list: um\n";
    assert_eq!(write(&one(line)).unwrap(), line);
    assert_eq!(write(&one("kind: Settings\n")).unwrap(), "kind: Settings\n");
}

/// Any text, with what YAML finds hard.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-+0-9.eE:#,\\[\\]{}&*!|>'\"%@` ~ntru\n\t]{0,12}",
        Just("null".to_owned()),
        Just("0x10".to_owned()),
        Just("- a".to_owned()),
    ]
}

fn line() -> impl Strategy<Value = v1::Line> {
    let labels = prop::collection::btree_map(text(), text(), 0..4);
    let durations = (any::<bool>(), 0_i64..1_000_000, 0_i32..1_000_000_000);
    (
        text(),
        labels,
        prop::option::of(text()),
        prop::option::of(any::<u32>()),
        durations,
        prop::collection::vec(text(), 0..4),
    )
        .prop_map(|(description, labels, domain, port, (set, seconds, nanos), allow)| v1::Line {
            name: "lines/any".into(),
            description,
            labels,
            active: port.map(|port| port % 2 == 0),
            usage: port.map(|_| line::Usage::Um.into()),
            domain,
            limits: port.map(|_| line::Limits { max_calls: port, ..Default::default() }),
            transport: set.then(|| line::LineTransport {
                t1: Some(prost_types::Duration { seconds, nanos }),
                receive_port: port,
                ..Default::default()
            }),
            access: (!allow.is_empty()).then_some(line::Access { allow, deny: Vec::new() }),
            proxy_list: port.map(|_| "proxyLists/x".into()),
            ..Default::default()
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(line in line()) {
        let resource = v1::Resource::from(line);
        let written = write(&resource).unwrap();
        prop_assert_eq!(one(&written), resource, "{}", written);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(kind: Line\n)?[-a-z0-9:#,\\[\\]{}&*!|>'\"%@` \n]{0,80}") {
        let _ = parse("m.yaml", &text);
    }
}
