//! The target of a transfer.

use super::*;

/// The external caller of a call that came in on our line is referred to somebody.
fn refer(site: &Site, target: &str) -> Decision {
    let mut facts = call("6000");
    facts.request_uri = target.parse().unwrap();
    decide_referred(&site.topology(), &facts, &World::default(), &mut Rotation::new())
}

/// Domain rule of transfers: the diversion is the target's own, whoever diverted the call before.
#[test]
fn a_user_without_a_phone_is_reached_at_his_mailbox_with_his_own_diversion() {
    let route = routed(refer(&Site::new(), "sip:2002@pbx.example.com"));
    assert_eq!(route.service, Service::CallAnswering);
    let diversion = route.headers.diversion.unwrap();
    assert_eq!(diversion.party.uri.to_string(), "sip:2002@pbx.example.com;user=phone");
    assert_eq!(diversion.cause, Cause::Unavailable);
    assert_eq!(route.headers.from.uri.user.as_deref(), Some("5551234"));
}

#[test]
fn a_target_at_our_address_or_without_a_host_is_ours() {
    for target in ["sip:2002@192.0.2.1;user=phone", "tel:2002"] {
        assert_eq!(routed(refer(&Site::new(), target)).user.unwrap().id, Id::new("lee"), "{target}");
    }
}

#[test]
fn a_target_anywhere_else_is_refused_unless_its_host_is_allowed() {
    let mut site = Site::new();
    let elsewhere = "sip:2002@fax.example.com";
    assert_eq!(refused(&refer(&site, elsewhere)), (403, RejectReason::HostNotAllowed));
    site.settings.allowed_redirect_hosts = vec!["fax.example.com".parse().unwrap()];
    assert_eq!(routed(refer(&site, elsewhere)).user.unwrap().id, Id::new("lee"));
}

#[test]
fn a_target_that_nobody_has_is_404() {
    assert_eq!(refused(&refer(&Site::new(), "sip:9999@pbx.example.com")), (404, RejectReason::NumberUnknown));
}

#[test]
fn a_row_that_leads_to_the_person_comes_before_his_mailbox() {
    let row = um_topology::RouteRow {
        to_regex: Some(r"(2\d+)@.*".parse().unwrap()),
        ..um_topology::RouteRow::new("phones", 10, "out")
    };
    let list = ProxyList::new("out", vec![entry("gw1", "10.9.0.1")]);
    let topology = Site::new().topology().apply(8, &[list.into(), row.into()]).unwrap();
    let mut facts = call("6000");
    facts.request_uri = "sip:2002@pbx.example.com".parse().unwrap();
    let route = routed(decide_referred(&topology, &facts, &World::default(), &mut Rotation::new()));
    assert_eq!((route.service, tried(&route.targets)), (Service::Passage, vec!["gw1"]));
}
