//! Tests of the header profiles.

use um_topology::Transport;

use super::*;
use crate::facts::HistoryRelation;

fn diverted() -> Facts {
    diverted_by(call("6000"), &[("sip:2001@pbx.example.com", Cause::NoAnswer)])
}

fn request_uris(route: &Route) -> Vec<String> {
    route.targets.iter().map(|target| target.request_uri.to_string()).collect()
}

#[test]
fn exchange_gets_one_diversion_and_nothing_else() {
    let facts =
        diverted_by(call("6000"), &[("sip:2001@pbx", Cause::NoAnswer), ("sip:2002@pbx", Cause::UserBusy)]);
    let route = Site::new().route(&facts);
    let diversion = route.headers.diversion.as_ref().unwrap();
    assert_eq!(diversion.party.uri.to_string(), "sip:2001@pbx.example.com;user=phone");
    assert!(route.headers.history.is_empty());
    assert_eq!(request_uris(&route)[0], "sip:6000@10.0.0.1:5060");
}

#[test]
fn generic_gets_history_and_target_parameters_too() {
    let mut site = Site::new();
    site.station.um_provider = Some(UmProvider::Generic);
    let route = site.route(&diverted());
    assert!(route.headers.diversion.is_some());
    let history = &route.headers.history;
    assert_eq!((history[0].uri.to_string().as_str(), &*history[0].index), ("sip:2001@pbx.example.com", "1"));
    assert_eq!(history[1].uri.to_string(), "sip:6000@um.example.com:5060;cause=408");
    assert_eq!(
        (&*history[1].index, history[1].relation.clone()),
        ("1.1", Some(HistoryRelation::Mapped("1".into())))
    );
    assert_eq!(request_uris(&route)[0], "sip:6000@10.0.0.1:5060;target=sip:2001%40pbx.example.com;cause=408");
    let direct = site.route(&call("6000"));
    assert!(direct.headers.history.is_empty() && direct.headers.diversion.is_none());
    assert_eq!(request_uris(&direct)[0], "sip:6000@10.0.0.1:5060");
}

#[test]
fn the_request_uri_names_the_target_and_to_stays() {
    let mut site = Site::new();
    site.list.entries[1].transport = Some(Transport::Tcp);
    site.list.entries[2].port = None;
    let route = site.route(&call("6000"));
    let expected =
        ["sip:6000@10.0.0.1:5060", "sip:6000@10.0.0.2:5060;transport=tcp", "sip:6000@um3.example.com"];
    assert_eq!(request_uris(&route), expected);
    assert_eq!(route.headers.to.to_string(), "sip:6000@um.example.com:5060");
}

#[test]
fn without_rewriting_the_request_uri_is_the_connection_address() {
    let mut site = Site::new();
    site.settings.routing.rewrite_request_uri = Some(false);
    site.list.protocol = Some(Transport::Tcp);
    assert_eq!(request_uris(&site.route(&call("6000"))), ["sip:6000@um.example.com:5060"; 3]);
}

#[test]
fn a_tel_address_becomes_the_targets_sip_uri() {
    let mut site = Site::new();
    site.station.connection_address = Some(SipAddress::Uri(Box::new("tel:+12025550100".parse().unwrap())));
    let route = site.route(&call("+1-202-555-0100"));
    assert_eq!(request_uris(&route)[0], "sip:+12025550100@10.0.0.1:5060;user=phone");
    assert_eq!(route.headers.to.to_string(), "tel:+12025550100");
}

#[test]
fn our_host_is_the_lines_domain_else_the_first_of_ours_else_what_we_show() {
    let mut site = Site::new();
    let from_host = |site: &Site| site.route(&call("6000")).headers.from.uri.host.unwrap().to_string();
    assert_eq!(from_host(&site), "pbx.example.com");
    site.line.domain = Some(host("line.example.com"));
    assert_eq!(from_host(&site), "line.example.com");
    site.line.domain = None;
    site.settings.domains.clear();
    assert_eq!(from_host(&site), "192.0.2.1");
}

#[test]
fn a_callers_name_is_kept_and_an_anonymous_one_stays_anonymous() {
    let mut facts = call("2001");
    facts.from =
        Party { display: Some("Anonymous".into()), uri: "sip:anonymous@anonymous.invalid".parse().unwrap() };
    let from = Site::new().route(&facts).headers.from;
    assert_eq!(
        (from.display.as_deref(), from.uri.to_string().as_str()),
        (Some("Anonymous"), "sip:anonymous@anonymous.invalid")
    );
    facts.from.uri = "sip:lee.roy@elsewhere.example;x=y".parse().unwrap();
    assert_eq!(Site::new().route(&facts).headers.from.uri.to_string(), "sip:lee.roy@pbx.example.com");
}

#[test]
fn a_diversion_shows_the_name_that_came_or_that_of_the_user() {
    let mut site = Site::new();
    let meta = um_topology::Meta { display_name: "Dana Reed".into(), ..um_topology::Meta::default() };
    site.users[0].meta = meta.boxed();
    let name = |facts: &Facts| site.route(facts).headers.diversion.unwrap().party.display;
    assert_eq!(name(&diverted()).as_deref(), Some("Dana Reed"));
    let mut named = diverted();
    named.diversions[0].party.display = Some("Dana".into());
    assert_eq!(name(&named).as_deref(), Some("Dana"));
}
