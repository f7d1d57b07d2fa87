//! Tests of source and side.

use um_topology::IdentificationAddress;

use super::*;

fn from(source: &str, uri: &str, number: &str) -> Facts {
    let mut facts = call(number);
    facts.source = source.parse().unwrap();
    facts.from.uri = uri.parse().unwrap();
    facts
}

fn resolving() -> World {
    World { names: BTreeMap::from([("um3.example.com", "10.0.0.3")]), ..World::default() }
}

#[test]
fn deny_is_read_before_allow() {
    let mut site = Site::new();
    site.line.access.allow = vec!["192.0.2.0/24".parse().unwrap()];
    assert_eq!(site.route(&call("6000")).service, Service::SubscriberAccess);
    site.line.access.deny = vec!["192.0.2.9".parse().unwrap()];
    assert_eq!(site.refusal(&call("6000")), (403, RejectReason::SourceDenied));
}

#[test]
fn a_given_allow_shuts_out_the_rest() {
    let mut site = Site::new();
    site.line.access.allow = vec!["198.51.100.0/24".parse().unwrap()];
    assert_eq!(site.refusal(&call("6000")), (403, RejectReason::SourceNotAllowed));
}

#[test]
fn a_refused_source_does_not_learn_whether_a_number_exists() {
    let mut site = Site::new();
    site.line.access.deny = vec!["0.0.0.0/0".parse().unwrap()];
    assert_eq!(site.refusal(&call("9999")), site.refusal(&call("6000")));
}

#[test]
fn a_um_line_admits_um_servers_and_allow_only() {
    let mut site = Site::new();
    site.line.usage = Some(Usage::Um);
    let decide = |source: &str| site.decide(&from(source, "sip:5551234@x", "6000"), &resolving());
    assert_eq!(refused(&decide("192.0.2.9")), (403, RejectReason::SourceNotAllowed));
    for server in ["10.0.0.1", "::ffff:10.0.0.2", "10.0.0.3"] {
        assert_eq!(routed(decide(server)).service, Service::SubscriberAccess, "{server}");
    }
    site.line.access.allow = vec!["192.0.2.9".parse().unwrap()];
    let decide = |source: &str| site.decide(&from(source, "sip:5551234@x", "6000"), &resolving());
    assert_eq!(routed(decide("192.0.2.9")).service, Service::SubscriberAccess);
    assert_eq!(routed(decide("10.0.0.1")).service, Service::SubscriberAccess);
}

#[test]
fn an_inactive_entry_is_still_a_um_server() {
    let mut site = Site::new();
    site.line.usage = Some(Usage::Um);
    site.list.entries[1].active = Some(false);
    let decision = site.decide(&from("10.0.0.2", "sip:x@x", "6000"), &resolving());
    assert_eq!(tried(&routed(decision).targets), ["um1", "um3"]);
}

#[test]
fn a_call_from_a_um_server_never_goes_to_a_mailbox() {
    let site = Site::new();
    let pilot = "sip:6000@um.example.com";
    for number in ["2001", "2003"] {
        let reason = site.decide(&from("10.0.0.1", pilot, number), &resolving());
        let expected = if number == "2001" { RejectReason::UmLoop } else { RejectReason::UserUnavailable };
        assert_eq!(refused(&reason), (480, expected));
    }
    let diverted = diverted_by(from("10.0.0.1", pilot, "6000"), &[("sip:2001@pbx", Cause::NoAnswer)]);
    assert_eq!(refused(&site.decide(&diverted, &resolving())), (480, RejectReason::UmLoop));
}

#[test]
fn a_um_server_is_told_from_a_pbx_at_its_address_by_from() {
    let site = Site::new();
    let outcome = |source: &str, uri: &str| site.decide(&from(source, uri, "2001"), &resolving()).outcome;
    let is_loop = |outcome: Outcome| match outcome {
        Outcome::Reject(reject) => reject.reason == RejectReason::UmLoop,
        Outcome::Route(_) => false,
    };
    // Without an identification address: From is the pilot, or host and port of a target.
    assert!(is_loop(outcome("10.0.0.1", "sip:6000@anything")));
    assert!(is_loop(outcome("10.0.0.3", "sip:um3.example.com;transport=tcp")));
    assert!(!is_loop(outcome("10.0.0.1", "sip:5551234@10.0.0.1:5070")));
    // From is believed only from a UM server.
    assert!(!is_loop(outcome("192.0.2.9", "sip:6000@um.example.com")));
}

#[test]
fn an_identification_address_is_the_only_identity() {
    let mut site = Site::new();
    let address = SipAddress::parts(Some("6000"), host("router.example.com"), None);
    site.station.identification_address = Some(IdentificationAddress { address, user_only: None });
    let outcome = |uri: &str| site.decide(&from("10.0.0.1", uri, "2001"), &resolving()).outcome;
    assert!(matches!(outcome("sip:6000@ROUTER.example.com:5060"), Outcome::Reject(_)));
    assert!(matches!(outcome("sip:6000@other.example.com"), Outcome::Route(_)));
}
