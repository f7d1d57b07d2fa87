//! Tests of whose mailbox a call wants.

use um_topology::MailboxPick;

use super::*;

fn mailbox(route: &Route) -> Option<&str> {
    route.user.as_ref().map(|user| &*user.id)
}

fn diversion(route: &Route) -> String {
    let diversion = route.headers.diversion.as_ref().unwrap();
    format!("{};reason={}", diversion.party.uri, diversion.cause)
}

/// From inside: the PBX at 192.0.2.9 is listed in `allow`.
fn trusting() -> Site {
    let mut site = Site::new();
    site.line.access.allow = vec!["192.0.2.9".parse().unwrap()];
    site
}

fn by(mut facts: Facts, caller: &str) -> Facts {
    facts.from.uri = caller.parse().unwrap();
    facts
}

#[test]
fn a_call_diverted_to_the_pilot_is_for_the_diverting_user() {
    let facts = diverted_by(call("6000"), &[("sip:2001@pbx.example.com", Cause::NoAnswer)]);
    let route = Site::new().route(&facts);
    assert_eq!((route.service, mailbox(&route)), (Service::CallAnswering, Some("dana")));
    assert_eq!(diversion(&route), "sip:2001@pbx.example.com;user=phone;reason=no-answer");
}

#[test]
fn of_several_diverting_users_the_last_or_the_first_is_picked() {
    let chain = [
        ("sip:5559999@pstn", Cause::Unconditional),
        ("sip:2002@pbx", Cause::UserBusy),
        ("sip:2001@pbx", Cause::NoAnswer),
        ("sip:2003@pbx", Cause::Unconditional),
    ];
    let mut site = Site::new();
    let route = site.route(&diverted_by(call("6000"), &chain));
    assert_eq!(mailbox(&route), Some("lee"));
    assert!(diversion(&route).ends_with("reason=user-busy"));
    site.station.mailbox_pick = Some(MailboxPick::First);
    let route = site.route(&diverted_by(call("6000"), &chain));
    assert_eq!(mailbox(&route), Some("dana"));
    assert!(diversion(&route).ends_with("reason=no-answer"));
}

#[test]
fn a_diverted_call_without_a_mailbox_is_404_and_not_stripped() {
    for party in ["sip:5559999@pstn", "sip:2003@pbx"] {
        let facts = diverted_by(call("6000"), &[(party, Cause::NoAnswer)]);
        assert_eq!(Site::new().refusal(&facts), (404, RejectReason::MailboxUnknown));
    }
}

#[test]
fn an_unknown_diversion_is_passed_where_the_station_wants_it() {
    let mut site = Site::new();
    site.station.pass_unknown_diversion = Some(true);
    let facts = diverted_by(call("6000"), &[("sip:5559999@pstn:5080;x=y", Cause::NoAnswer)]);
    let route = site.route(&facts);
    assert_eq!((route.service, mailbox(&route)), (Service::CallAnswering, None));
    assert_eq!(diversion(&route), "sip:5559999@pstn:5080;x=y;reason=no-answer");
}

#[test]
fn a_user_without_a_phone_is_diverted_as_unavailable() {
    let route = Site::new().route(&call("2001"));
    assert_eq!((route.service, mailbox(&route)), (Service::CallAnswering, Some("dana")));
    assert_eq!(diversion(&route), "sip:2001@pbx.example.com;user=phone;reason=unavailable");
}

#[test]
fn a_user_without_phone_and_mailbox_is_480() {
    assert_eq!(Site::new().refusal(&call("2003")), (480, RejectReason::UserUnavailable));
}

#[test]
fn a_call_forwarded_to_a_user_is_for_him_or_for_the_first_who_forwarded() {
    let facts = diverted_by(call("2002"), &[("sip:2001@pbx", Cause::Unconditional)]);
    let mut site = Site::new();
    let route = site.route(&facts);
    assert_eq!(mailbox(&route), Some("lee"));
    assert!(diversion(&route).ends_with("reason=unavailable"));
    site.station.mailbox_pick = Some(MailboxPick::First);
    assert_eq!(mailbox(&site.route(&facts)), Some("dana"));
    let outside = diverted_by(call("2002"), &[("sip:5559999@pstn", Cause::Unconditional)]);
    assert_eq!(mailbox(&site.route(&outside)), Some("lee"));
}

#[test]
fn the_pilot_without_diversion_is_subscriber_access() {
    let route = Site::new().route(&call("6000"));
    assert_eq!((route.service, mailbox(&route)), (Service::SubscriberAccess, None));
    assert_eq!(route.headers.diversion, None);
    assert_eq!(route.headers.from.uri.to_string(), "sip:5551234@pbx.example.com;user=phone");
}

#[test]
fn a_caller_is_known_only_from_a_source_in_allow() {
    let facts = by(call("6000"), "sip:2001@pbx");
    let route = Site::new().route(&facts);
    assert_eq!(mailbox(&route), None);
    let route = trusting().route(&facts);
    assert_eq!((route.service, mailbox(&route)), (Service::SubscriberAccess, Some("dana")));
}

#[test]
fn an_asserted_identity_comes_before_from() {
    let mut facts = by(call("6000"), "sip:2001@pbx");
    facts.asserted = Some(Party { display: None, uri: "tel:2002".parse().unwrap() });
    assert_eq!(mailbox(&trusting().route(&facts)), Some("lee"));
}

#[test]
fn a_known_callers_from_is_his_um_address() {
    let mut site = trusting();
    site.station.extension_prefix = Some("8".into());
    site.users[1].um.address_mode = Some(um_topology::AddressMode::Other);
    site.users[1].um.address = Some(Box::new("sip:lee@example.com".parse().unwrap()));
    let from = |caller: &str| site.route(&by(call("6000"), caller)).headers.from.uri.to_string();
    assert_eq!(from("sip:2001@phone.example"), "sip:82001@pbx.example.com;user=phone");
    assert_eq!(from("sip:2002@phone.example"), "sip:lee@example.com");
}

#[test]
fn a_call_to_the_own_number_is_subscriber_access() {
    let facts = by(call("2001"), "sip:2001@pbx");
    let route = trusting().route(&facts);
    assert_eq!((route.service, mailbox(&route)), (Service::SubscriberAccess, Some("dana")));
    assert_eq!(route.headers.diversion, None);
    let external = Site::new().route(&facts);
    assert_eq!((external.service, mailbox(&external)), (Service::SubscriberAccess, None));
}

#[test]
fn a_users_own_station_is_asked_whichever_pilot_was_dialled() {
    let site = Site::new();
    let mut other = Station::new("other", SipAddress::parts(Some("7000"), host("um.example.com"), None));
    other.contact_line = Some("um-plain".into());
    let topology = site.topology().apply(8, &[other.into()]).unwrap();
    let facts = diverted_by(call("7000"), &[("sip:2001@pbx", Cause::NoAnswer)]);
    let decision = decide(&topology, &facts, &World::default(), &mut Rotation::new());
    assert_eq!(&*routed(decision).station.unwrap().id, "voicemail");
}

#[test]
fn a_user_who_takes_no_calls_diverts_them_with_his_own_cause() {
    let cause = |forward_all: bool, do_not_disturb: bool| {
        let mut site = Site::new();
        site.users[0].calls = um_topology::UserCalls {
            forward_all: Some(forward_all),
            do_not_disturb: Some(do_not_disturb),
            ..um_topology::UserCalls::default()
        }
        .boxed();
        site.route(&call("2001")).headers.diversion.unwrap().cause
    };
    assert_eq!(cause(false, false), Cause::Unavailable);
    assert_eq!(cause(false, true), Cause::DoNotDisturb);
    assert_eq!(cause(true, true), Cause::Unconditional);
}
