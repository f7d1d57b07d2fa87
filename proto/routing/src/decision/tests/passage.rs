//! Calls that a row of the routing table takes.

use um_topology::RouteRow;

use super::*;

/// The site with a gateway behind list `out`, and rows.
fn site(rows: Vec<RouteRow>) -> (Site, Topology) {
    let site = Site::new();
    let list = ProxyList::new("out", vec![entry("gw1", "10.9.0.1"), entry("gw2", "10.9.0.2")]);
    let mut changes: Vec<Change> = vec![list.into()];
    changes.extend(rows.into_iter().map(Change::from));
    let topology = site.topology().apply(8, &changes).unwrap();
    (site, topology)
}

fn ask(topology: &Topology, facts: &Facts) -> Decision {
    decide(topology, facts, &World::default(), &mut Rotation::new())
}

fn nine() -> RouteRow {
    RouteRow { to_regex: Some(r"9(\d+)@.*".parse().unwrap()), ..RouteRow::new("nine", 10, "out") }
}

#[test]
fn a_row_sends_the_call_to_its_list_under_the_user_part_it_makes() {
    let (_, topology) = site(vec![nine()]);
    let route = routed(ask(&topology, &call("95550100")));
    assert_eq!((route.service, route.row.unwrap().id.as_str()), (Service::Passage, "nine"));
    assert!(route.station.is_none() && route.user.is_none());
    assert_eq!(tried(&route.targets), ["gw1", "gw2"]);
    assert_eq!(route.targets[0].request_uri.to_string(), "sip:5550100@10.9.0.1:5060");
    assert_eq!(route.headers.to.to_string(), "sip:5550100@pbx.example.com");
    assert_eq!(route.headers.from.uri.user.as_deref(), Some("5551234"));
    assert_eq!(route.outbound.hold, um_topology::HoldMode::Forward, "no UM server takes part");
}

#[test]
fn the_request_uri_keeps_its_host_where_it_is_not_rewritten() {
    let (mut site, _) = site(Vec::new());
    site.settings.routing.rewrite_request_uri = Some(false);
    let list = ProxyList::new("out", vec![entry("gw1", "10.9.0.1")]);
    let topology = site.topology().apply(8, &[list.into(), nine().into()]).unwrap();
    let route = routed(ask(&topology, &call("95550100")));
    assert_eq!(route.targets[0].request_uri.to_string(), "sip:5550100@gateway.example.com");
}

#[test]
fn a_row_leaves_on_the_line_of_its_list_else_on_the_receiving_one() {
    let mut trunk = Line::new("trunk", "192.0.2.3".parse().unwrap());
    trunk.proxy_list = Some("out".into());
    let (_, topology) = site(vec![nine()]);
    assert_eq!(&*routed(ask(&topology, &call("95550100"))).line_out, "um-plain");
    let topology = topology.apply(9, &[trunk.into()]).unwrap();
    assert_eq!(&*routed(ask(&topology, &call("95550100"))).line_out, "trunk");
}

#[test]
fn the_last_diversion_goes_on_as_it_came() {
    let (_, topology) = site(vec![nine()]);
    let facts = diverted_by(
        call("95550100"),
        &[("sip:2001@pbx.example.com", Cause::NoAnswer), ("sip:2002@pbx.example.com", Cause::UserBusy)],
    );
    let headers = routed(ask(&topology, &facts)).headers;
    assert_eq!(headers.diversion.unwrap().party.uri.to_string(), "sip:2001@pbx.example.com");
    assert_eq!(headers.history.len(), 2);
}

#[test]
fn rows_come_after_numbers_unless_the_settings_say_otherwise() {
    let all = RouteRow::new("all", 20, "out");
    let (mut site, topology) = site(vec![all.clone()]);
    assert_eq!(routed(ask(&topology, &call("2001"))).service, Service::CallAnswering);
    assert_eq!(routed(ask(&topology, &call("77"))).service, Service::Passage);
    site.settings.routing.registration_has_priority = Some(false);
    let list = ProxyList::new("out", vec![entry("gw1", "10.9.0.1")]);
    let topology = site.topology().apply(8, &[list.into(), all.into()]).unwrap();
    assert_eq!(routed(ask(&topology, &call("2001"))).service, Service::Passage);
    assert_eq!(routed(ask(&topology, &call("6000"))).service, Service::SubscriberAccess);
}

#[test]
fn the_lowest_enabled_position_that_matches_wins() {
    let first = RouteRow { enabled: Some(false), ..RouteRow::new("off", 1, "out") };
    let second =
        RouteRow { from_regex: Some("nobody@.*".parse().unwrap()), ..RouteRow::new("from", 2, "out") };
    let (_, topology) = site(vec![RouteRow::new("late", 30, "out"), first, second, nine()]);
    let decision = ask(&topology, &call("95550100"));
    assert_eq!(decision.explanation.row, Some("nine".into()));
    let said = "Route row nine at position 10 takes the call, for 5550100.";
    assert!(decision.explanation.steps.iter().any(|step| step == said));
}

#[test]
fn a_um_server_is_not_sent_back_to_um() {
    let (_, topology) = site(vec![RouteRow::new("loop", 10, "um")]);
    let mut facts = call("77");
    facts.source = "10.0.0.1".parse().unwrap();
    facts.from.uri = "sip:6000@10.0.0.1".parse().unwrap();
    assert_eq!(refused(&ask(&topology, &facts)), (480, RejectReason::UmLoop));
    assert_eq!(routed(ask(&topology, &call("77"))).outbound.hold, um_topology::HoldMode::Local);
}

/// A UM server that plays a message on a user's phone.
#[test]
fn a_call_of_a_um_server_to_a_user_takes_the_row_that_leads_to_him_and_never_his_mailbox() {
    let phones =
        RouteRow { to_regex: Some(r"(2\d+)@.*".parse().unwrap()), ..RouteRow::new("phones", 10, "out") };
    let (_, topology) = site(vec![phones]);
    let mut facts = call("2001");
    facts.source = "10.0.0.1".parse().unwrap();
    facts.from.uri = "sip:6000@10.0.0.1".parse().unwrap();
    let route = routed(ask(&topology, &facts));
    assert_eq!(
        (route.service, route.inbound_peer, route.outbound_peer),
        (Service::Passage, Peer::Um, Peer::Other)
    );
    assert_eq!(tried(&route.targets), ["gw1", "gw2"]);
    assert_eq!(route.targets[0].request_uri.user.as_deref(), Some("2001"));
    let (_, without) = site(Vec::new());
    assert_eq!(refused(&ask(&without, &facts)), (480, RejectReason::UmLoop));
    let by_pbx = routed(ask(&topology, &call("2001")));
    assert_eq!((by_pbx.service, by_pbx.inbound_peer), (Service::CallAnswering, Peer::Other));
}
