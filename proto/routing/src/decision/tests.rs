//! Tests of decisions: fixtures, and what refuses a call. Further facts by subject in the folder.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use um_topology::{
    Change, Entry, Host, Id, Line, ProxyList, Settings, SipAddress, Station, Topology, UmProvider, Usage,
    User,
};

use super::*;
use crate::cause::Cause;
use crate::explanation::Why;
use crate::facts::{Diversion, Party};
use crate::route::Target;
use crate::view::{TargetId, TargetState};

mod admission;
mod headers;
mod mailbox;
mod passage;
mod referred;
mod targets;

/// A view in which every target is up and idle, unless said otherwise.
#[derive(Default)]
struct World {
    states: BTreeMap<&'static str, TargetState>,
    calls: BTreeMap<&'static str, u32>,
    names: BTreeMap<&'static str, &'static str>,
    full: bool,
}

impl View for World {
    fn state(&self, target: &TargetId) -> TargetState {
        self.states.get(entry_of(target)).copied().unwrap_or(TargetState::Up)
    }

    fn calls(&self, target: &TargetId) -> u32 {
        self.calls.get(entry_of(target)).copied().unwrap_or(0)
    }

    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        self.names.get(host).map(|ip| ip.parse().unwrap()).into_iter().collect()
    }

    fn line_full(&self, _: &Id) -> bool {
        self.full
    }

    fn advertised(&self, _: &Id) -> Option<Host> {
        Some(host("192.0.2.1"))
    }
}

fn entry_of(target: &TargetId) -> &str {
    match target {
        TargetId::Entry { entry, .. } => entry,
        TargetId::Station(station) => station,
    }
}

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

fn entry(id: &str, address: &str) -> Entry {
    Entry::new(id, host(address), Some(5060))
}

/// Three servers behind a line; station voicemail with pilot 6000; users dana 2001 and lee 2002 with mailboxes there, kim
/// 2003 without; our domain is pbx.example.com.
struct Site {
    list: ProxyList,
    line: Line,
    station: Station,
    users: Vec<User>,
    settings: Settings,
}

impl Site {
    fn new() -> Self {
        let entries =
            vec![entry("um1", "10.0.0.1"), entry("um2", "10.0.0.2"), entry("um3", "um3.example.com")];
        let mut line = Line::new("um-plain", "192.0.2.1".parse().unwrap());
        line.proxy_list = Some("um".into());
        let mut station =
            Station::new("voicemail", SipAddress::parts(Some("6000"), host("um.example.com"), Some(5060)));
        station.contact_line = Some("um-plain".into());
        let user = |id: &str, extension: &str, mailbox: bool| {
            let mut user = User::new(id, extension);
            user.um.destination = mailbox.then(|| "voicemail".into());
            user
        };
        let users = vec![user("dana", "2001", true), user("lee", "2002", true), user("kim", "2003", false)];
        let settings = Settings { domains: vec![host("pbx.example.com")], ..Settings::default() };
        Self { list: ProxyList::new("um", entries), line, station, users, settings }
    }

    fn topology(&self) -> Topology {
        let mut changes: Vec<Change> = vec![
            self.list.clone().into(),
            self.line.clone().into(),
            self.station.clone().into(),
            self.settings.clone().into(),
        ];
        changes.extend(self.users.iter().cloned().map(Change::from));
        Topology::new().apply(7, &changes).unwrap()
    }

    fn decide(&self, facts: &Facts, world: &World) -> Decision {
        decide(&self.topology(), facts, world, &mut Rotation::new())
    }

    fn route(&self, facts: &Facts) -> Route {
        routed(self.decide(facts, &World::default()))
    }

    fn refusal(&self, facts: &Facts) -> (u16, RejectReason) {
        refused(&self.decide(facts, &World::default()))
    }
}

/// A call from the PBX at 192.0.2.9 by 5551234.
fn call(number: &str) -> Facts {
    let request_uri = format!("sip:{number}@gateway.example.com").parse().unwrap();
    let from = "sip:5551234@elsewhere.example".parse().unwrap();
    let mut facts = Facts::new("um-plain".into(), "192.0.2.9".parse().unwrap(), request_uri, from);
    facts.call_id = "a84b4c76e66710".into();
    facts
}

fn diverted_by(mut facts: Facts, parties: &[(&str, Cause)]) -> Facts {
    facts.diversions.extend(parties.iter().map(|(uri, cause)| Diversion {
        party: Party { display: None, uri: uri.parse().unwrap() },
        cause: *cause,
    }));
    facts
}

fn routed(decision: Decision) -> Route {
    match decision.outcome {
        Outcome::Route(route) => *route,
        Outcome::Reject(reject) => panic!("{reject:?}: {}", decision.explanation.text()),
    }
}

fn refused(decision: &Decision) -> (u16, RejectReason) {
    match &decision.outcome {
        Outcome::Route(route) => panic!("{route:?}"),
        Outcome::Reject(reject) => (reject.status, reject.reason),
    }
}

fn tried(targets: &[Target]) -> Vec<&str> {
    targets.iter().map(|target| entry_of(&target.id)).collect()
}

#[test]
fn a_number_that_nobody_has_is_404() {
    assert_eq!(Site::new().refusal(&call("9999")), (404, RejectReason::NumberUnknown));
    let mut nobody = call("x");
    nobody.request_uri.user = None;
    assert_eq!(Site::new().refusal(&nobody), (404, RejectReason::NumberUnknown));
}

#[test]
fn an_inactive_station_is_480() {
    let mut site = Site::new();
    site.station.active = Some(false);
    assert_eq!(site.refusal(&call("6000")), (480, RejectReason::StationInactive));
    assert_eq!(site.refusal(&call("2001")), (480, RejectReason::StationInactive));
}

#[test]
fn a_line_towards_um_that_is_full_or_inactive_is_503_with_retry_after() {
    let full = World { full: true, ..World::default() };
    let decision = Site::new().decide(&call("6000"), &full);
    assert_eq!(refused(&decision), (503, RejectReason::LineFull));
    let mut site = Site::new();
    site.line.active = Some(false);
    let decision = site.decide(&call("6000"), &World::default());
    assert_eq!(refused(&decision), (503, RejectReason::LineInactive));
    let Outcome::Reject(reject) = decision.outcome else { panic!() };
    assert!(reject.retry_after.is_some());
}

#[test]
fn a_line_that_is_gone_is_503() {
    let mut facts = call("6000");
    facts.line = "gone".into();
    assert_eq!(Site::new().refusal(&facts), (503, RejectReason::LineUnknown));
}

#[test]
fn a_refusal_is_explained_with_its_stage_and_response() {
    let explanation = Site::new().decide(&call("9999"), &World::default()).explanation;
    let rejection = explanation.rejected_by.unwrap();
    assert_eq!((rejection.stage, rejection.reason), (Stage::Called, RejectReason::NumberUnknown));
    assert_eq!(explanation.final_response, Some(404));
    assert_eq!(explanation.topology_revision, 7);
    assert!(
        explanation.text().ends_with("The call is refused with 404 No Such Number: nobody has the number.")
    );
}

#[test]
fn a_route_is_explained_step_by_step() {
    let facts = diverted_by(call("6000"), &[("sip:2001@pbx.example.com", Cause::NoAnswer)]);
    let mut world = World::default();
    world.states.insert("um2", TargetState::Down);
    let explanation = Site::new().decide(&facts, &world).explanation;
    assert_eq!(explanation.line_in, Some("um-plain".into()));
    assert_eq!(explanation.line_out, Some("um-plain".into()));
    assert_eq!(explanation.station, Some("voicemail".into()));
    assert_eq!(explanation.user, Some("dana".into()));
    assert_eq!(explanation.rejected_by, None);
    let expected = [
        "Line um-plain received the call from 192.0.2.9.",
        "The source is admitted; its callers are external.",
        "6000 is the number of UM station voicemail.",
        "2001 diverted the call (no-answer): it is for the mailbox of user dana.",
        "Station voicemail is reached from line um-plain to the entries of proxy list um.",
        "Target um/um1 is number 1 to be tried.",
        "Target um/um2 is held back: it is tried only if all others fail in this call (DOWN).",
        "Target um/um3 is number 2 to be tried.",
    ];
    assert_eq!(explanation.steps, expected);
}

#[test]
fn a_route_names_its_lines_plan_and_media() {
    let route = Site::new().route(&call("6000"));
    assert_eq!((&*route.line_in, &*route.line_out), ("um-plain", "um-plain"));
    assert_eq!(route.plan.timers.invite_give_up().as_millis(), 7500);
    assert_eq!(route.plan.failover_budget, Duration::from_secs(12));
    assert!(!route.passthrough);
    assert!(route.redirect.admits(&host("mbx7.example.com")) && !route.redirect.admits(&host("10.0.0.9")));
}

#[test]
fn the_same_facts_give_the_same_decision() {
    let (site, facts) = (Site::new(), call("2001"));
    let world = World::default();
    assert_eq!(site.decide(&facts, &world), site.decide(&facts, &world));
}
