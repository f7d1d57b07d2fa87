//! Calls that are wrong for a UM server: each is refused with its reason, and never with a code that hides the fault by failover.

use um_sip::{Diversion, DiversionReason, NameAddr, Transport};

use super::link::{Link, diverted, uri};
use crate::{Outcome, Plan, server::Ending};

/// Returns code and reason of the refusal.
fn refusal(change: impl FnOnce(&mut Plan)) -> (u16, String) {
    let mut link = Link::new(Transport::Udp);
    let mut plan = diverted("sip:2001@pbx.example.com");
    change(&mut plan);
    let report = link.call(plan);
    let Some(Outcome::Refused { status, why, .. }) = report.outcome else { panic!("taken: {report:?}") };
    let recorded = link.server.records().last().and_then(|record| record.ended.clone());
    let Some(Ending::Refused { why: reason, .. }) = recorded else { panic!("not recorded: {recorded:?}") };
    assert!(why.is_some_and(|why| why.starts_with("399 um1 ")), "a Warning says why");
    assert!(link.notes.iter().any(|note| note.contains(&reason)), "the log says why");
    assert_eq!(link.server.stats().wrong, 1);
    assert!(link.server.is_idle());
    (status, reason)
}

#[test]
fn a_number_that_is_no_pilot() {
    let (status, why) = refusal(|plan| {
        plan.request_uri = uri("sip:6001@um.example.com");
        plan.to = NameAddr::new(uri("sip:6001@um.example.com"));
    });
    assert_eq!(status, 404);
    assert!(why.contains("6001 is no pilot number"), "{why}");
}

#[test]
fn two_diversions() {
    let second = Diversion::new(uri("sip:2002@pbx.example.com"), DiversionReason::UserBusy);
    let (status, why) = refusal(|plan| plan.diversions.push(second));
    assert_eq!(status, 400);
    assert!(why.contains("2 Diversion values"), "{why}");
}

#[test]
fn a_delayed_offer() {
    let (status, why) = refusal(|plan| plan.offers = false);
    assert_eq!(status, 488);
    assert!(why.contains("delayed offer"), "{why}");
}

#[test]
fn a_to_that_differs_from_the_request_uri() {
    let (status, why) = refusal(|plan| plan.to = NameAddr::new(uri("sip:2001@pbx.example.com")));
    assert_eq!(status, 400);
    assert!(why.contains("not that of To"), "{why}");
}

#[test]
fn a_diversion_of_nobody() {
    let nobody = Diversion::new(uri("sip:2999@pbx.example.com"), DiversionReason::NoAnswer);
    let (status, why) = refusal(|plan| plan.diversions = vec![nobody]);
    assert_eq!(status, 404);
    assert!(why.contains("2999"), "{why}");
}

#[test]
fn a_request_uri_without_user() {
    assert_eq!(refusal(|plan| plan.request_uri = uri("sip:um.example.com")).0, 400);
}
