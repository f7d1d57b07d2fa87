//! Tests of the target list: priorities, health, capacity, strategies.

use um_topology::{HashOn, Strategy, Transport};

use super::*;

const BLOCKED: TargetState = TargetState::Blocked { remaining: Duration::from_millis(19_500) };

fn world(states: &[(&'static str, TargetState)]) -> World {
    World { states: states.iter().copied().collect(), ..World::default() }
}

fn order(site: &Site, world: &World) -> Vec<String> {
    let route = routed(site.decide(&call("6000"), world));
    let regular: Vec<_> = route.targets.iter().filter(|target| !target.last_resort).cloned().collect();
    tried(&regular).into_iter().map(str::to_owned).collect()
}

fn held_back(site: &Site, world: &World) -> Vec<String> {
    let route = routed(site.decide(&call("6000"), world));
    let held: Vec<_> = route.targets.iter().skip_while(|target| !target.last_resort).cloned().collect();
    tried(&held).into_iter().map(str::to_owned).collect()
}

fn why(site: &Site, world: &World) -> Vec<(bool, &'static str, Option<u32>)> {
    let targets = site.decide(&call("6000"), world).explanation.targets;
    targets.iter().map(|target| (target.eligible, target.why.as_str(), target.order)).collect()
}

#[test]
fn equal_priorities_keep_the_order_of_the_list() {
    assert_eq!(order(&Site::new(), &World::default()), ["um1", "um2", "um3"]);
}

#[test]
fn priorities_are_the_failover_order() {
    let mut site = Site::new();
    site.list.entries[0].priority = Some(2);
    assert_eq!(order(&site, &World::default()), ["um2", "um3", "um1"]);
}

#[test]
fn a_dead_target_is_never_used_while_another_is_up_or_suspect() {
    use TargetState::{Down, Probing, Suspect};
    let site = Site::new();
    assert_eq!(order(&site, &world(&[("um1", Down), ("um2", Probing)])), ["um3"]);
    assert_eq!(order(&site, &world(&[("um1", Down), ("um2", Probing), ("um3", Suspect)])), ["um3"]);
    let why = why(&site, &world(&[("um1", Down), ("um2", Probing)]));
    assert_eq!(why, [(false, "DOWN", None), (false, "PROBING", None), (true, "UP", Some(1))]);
}

#[test]
fn a_dead_target_is_held_back_behind_all_others_as_a_last_resort() {
    let site = Site::new();
    let all = world(&[("um1", TargetState::Down), ("um2", TargetState::Suspect)]);
    assert_eq!(order(&site, &all), ["um3", "um2"]);
    assert_eq!(held_back(&site, &all), ["um1"]);
    let blocked = TargetState::Blocked { remaining: Duration::from_secs(3) };
    assert!(held_back(&site, &world(&[("um1", blocked)])).is_empty());
}

#[test]
fn a_suspect_goes_to_the_end_behind_lower_priorities() {
    let mut site = Site::new();
    site.list.entries[2].priority = Some(2);
    let world = world(&[("um1", TargetState::Suspect)]);
    assert_eq!(order(&site, &world), ["um2", "um3", "um1"]);
    assert_eq!(why(&site, &world)[0], (true, "SUSPECT", Some(3)));
}

#[test]
fn if_all_are_dead_all_are_tried_in_order() {
    use TargetState::{Down, Probing};
    let site = Site::new();
    let all = world(&[("um1", Down), ("um2", Probing), ("um3", Down)]);
    assert_eq!(order(&site, &all), ["um1", "um2", "um3"]);
    let text = site.decide(&call("6000"), &all).explanation.text();
    assert!(text.contains("Target um/um1 is number 1 to be tried, as a last resort (DOWN)."), "{text}");
}

#[test]
fn a_blocked_target_is_never_tried_not_even_as_a_last_resort() {
    let site = Site::new();
    let some = world(&[("um1", BLOCKED), ("um2", TargetState::Down), ("um3", TargetState::Down)]);
    assert_eq!(order(&site, &some), ["um2", "um3"]);
    let all = world(&[("um1", BLOCKED), ("um2", BLOCKED), ("um3", BLOCKED)]);
    let decision = site.decide(&call("6000"), &all);
    assert_eq!(refused(&decision), (503, RejectReason::NoTarget));
    assert!(decision.explanation.text().contains("for 20 s more (BLOCKED)"));
    assert_eq!(decision.explanation.targets[0].why, Why::State(BLOCKED));
}

#[test]
fn a_full_or_inactive_target_is_left_out_and_says_why() {
    let mut site = Site::new();
    site.list.entries[0].max_calls = Some(2);
    site.list.entries[1].active = Some(false);
    let busy = |calls| World { calls: BTreeMap::from([("um1", calls)]), ..World::default() };
    assert_eq!(order(&site, &busy(1)), ["um1", "um3"]);
    assert_eq!(order(&site, &busy(2)), ["um3"]);
    let why = why(&site, &busy(2));
    assert_eq!(why, [(false, "AT_CAPACITY", None), (false, "INACTIVE", None), (true, "UP", Some(1))]);
}

#[test]
fn a_full_server_does_not_send_calls_to_a_dead_one() {
    let mut site = Site::new();
    site.list.entries[0].max_calls = Some(1);
    let mut world = world(&[("um2", TargetState::Down), ("um3", TargetState::Down)]);
    world.calls.insert("um1", 1);
    assert_eq!(refused(&site.decide(&call("6000"), &world)), (503, RejectReason::NoTarget));
}

#[test]
fn round_robin_shares_within_a_priority_and_moves_on_with_each_call() {
    let mut site = Site::new();
    site.list.strategy = Some(Strategy::RoundRobin);
    site.list.entries[2].priority = Some(2);
    let (topology, mut rotation) = (site.topology(), Rotation::new());
    let mut next = || {
        let route = routed(decide(&topology, &call("6000"), &World::default(), &mut rotation));
        tried(&route.targets).join(" ")
    };
    assert_eq!([next(), next(), next()], ["um1 um2 um3", "um2 um1 um3", "um1 um2 um3"]);
    let mut later = Rotation::starting_at(1);
    let route = routed(decide(&topology, &call("6000"), &World::default(), &mut later));
    assert_eq!(tried(&route.targets), ["um2", "um1", "um3"]);
}

#[test]
fn turns_of_lists_that_are_gone_are_forgotten() {
    let mut site = Site::new();
    site.list.strategy = Some(Strategy::RoundRobin);
    let (topology, mut rotation) = (site.topology(), Rotation::new());
    for _ in 0..2 {
        let _ = decide(&topology, &call("6000"), &World::default(), &mut rotation);
    }
    rotation.retain(&Topology::new());
    let route = routed(decide(&topology, &call("6000"), &World::default(), &mut rotation));
    assert_eq!(tried(&route.targets), ["um1", "um2", "um3"]);
}

#[test]
fn least_calls_prefers_the_idle_server() {
    let mut site = Site::new();
    site.list.strategy = Some(Strategy::LeastCalls);
    let calls = BTreeMap::from([("um1", 5), ("um2", 1), ("um3", 3)]);
    assert_eq!(order(&site, &World { calls, ..World::default() }), ["um2", "um3", "um1"]);
}

#[test]
fn hash_on_mailbox_keeps_a_mailbox_at_one_server() {
    let mut site = Site::new();
    site.list.strategy = Some(Strategy::Hash);
    site.list.hash_on = Some(HashOn::Mailbox);
    let servers = |number: &str, id: &str| {
        let mut facts = call(number);
        facts.call_id = id.into();
        let route = site.route(&facts);
        tried(&route.targets).join(" ")
    };
    assert_eq!(servers("2001", "one"), servers("2001", "two"));
    let calls: Vec<String> = (0..20).map(|n| servers("6000", &format!("call{n}"))).collect();
    assert!(calls.iter().all(|order| *order == calls[0]), "no mailbox: the caller decides");
    site.list.hash_on = None;
    let different = (0..20).map(|n| {
        let mut facts = call("6000");
        facts.call_id = format!("call{n}").into();
        tried(&site.route(&facts).targets).join(" ")
    });
    assert!(different.collect::<std::collections::BTreeSet<_>>().len() > 1, "calls spread by Call-ID");
}

#[test]
fn a_station_without_a_list_is_its_own_target() {
    let mut site = Site::new();
    site.station.transport.use_proxy = Some(false);
    let target = |site: &Site, world: &World| routed(site.decide(&call("6000"), world)).targets.remove(0);
    let direct = target(&site, &World::default());
    assert_eq!(direct.id, TargetId::Station("voicemail".into()));
    assert_eq!(
        (direct.host, direct.port, direct.transport),
        (host("um.example.com"), Some(5060), Transport::Udp)
    );
    let down = world(&[("voicemail", TargetState::Down)]);
    assert_eq!(target(&site, &down).id, TargetId::Station("voicemail".into()));
    site.station.connection_address =
        Some(SipAddress::Uri(Box::new("sip:6000@um;transport=TCP".parse().unwrap())));
    let tcp = target(&site, &World::default());
    assert_eq!(
        (tcp.transport, tcp.request_uri.to_string()),
        (Transport::Tcp, "sip:6000@um;transport=tcp".to_owned())
    );
}

#[test]
fn the_transport_is_the_entrys_else_the_lists_else_the_lines() {
    let mut site = Site::new();
    site.line.transport.protocol = Some(Transport::Tcp);
    site.list.entries[0].transport = Some(Transport::Udp);
    let transports = |site: &Site| -> Vec<Transport> {
        site.route(&call("6000")).targets.iter().map(|target| target.transport).collect()
    };
    assert_eq!(transports(&site), [Transport::Udp, Transport::Tcp, Transport::Tcp]);
    site.list.protocol = Some(Transport::Udp);
    assert_eq!(transports(&site), [Transport::Udp; 3]);
}
