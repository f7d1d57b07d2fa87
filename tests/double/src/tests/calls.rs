//! Calls that are as they should be.

use std::time::Duration;

use um_sip::Transport;

use super::link::{Link, diverted, lines, to_pilot, uri};
use crate::{Outcome, Service, caller::EndedBy, server::Ending};

const HUNG_UP: Option<Outcome> = Some(Outcome::Answered { ended_by: EndedBy::Caller });

#[test]
fn a_diverted_call_hears_the_mailbox_and_the_server() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut link = Link::new(transport);
        let report = link.call(diverted("sip:2001@pbx.example.com"));
        assert_eq!(report.outcome, HUNG_UP);
        let heard = report.announcement.clone().expect("the server was understood");
        assert_eq!((heard.server.as_str(), heard.pilot.as_str()), ("um1", "6000"));
        assert_eq!((heard.mailbox.as_deref(), heard.service), (Some("2001"), Service::CallAnswering));
        assert_eq!(report.heard.len(), 1);
        assert_eq!(
            lines(&report),
            [
                "INVITE sip:6000@um.example.com",
                "100 Trying",
                "180 Ringing",
                "200 OK",
                lines(&report)[4],
                lines(&report)[5],
                "200 OK"
            ]
        );
        assert!(lines(&report)[4].starts_with("ACK ") && lines(&report)[5].starts_with("BYE "));
        assert!(link.caller.is_idle() && link.server.is_idle(), "{transport}");
    }
}

#[test]
fn the_server_records_whom_it_heard_and_how_it_ended() {
    let mut link = Link::new(Transport::Udp);
    let report = link.call(diverted("sip:2001@pbx.example.com"));
    let record = link.server.records().last().expect("a record").clone();
    assert_eq!(record.call_id, report.call_id);
    assert_eq!(record.heard, ["caller/5551234"]);
    assert_eq!(record.ended, Some(Ending::Caller));
    assert_eq!(record.diversion, Some(("sip:2001@pbx.example.com".into(), "no-answer".into())));
    assert_eq!((link.server.stats().answered, link.server.stats().active), (1, 0));
    let packets = report.packets;
    assert!(packets.received >= 145 && packets.sent >= 145, "three seconds at 20 ms: {packets:?}");
    assert_eq!((packets.skipped, packets.late, packets.streams), (0, 0, 1));
}

#[test]
fn an_owner_is_asked_for_the_pin_and_a_stranger_for_the_extension() {
    let mut link = Link::new(Transport::Udp);
    let owner = link.call(to_pilot("2001")).announcement.expect("understood");
    assert_eq!((owner.mailbox.as_deref(), owner.service), (Some("2001"), Service::SubscriberAccess));
    let stranger = link.call(to_pilot("5551234")).announcement.expect("understood");
    assert_eq!((stranger.mailbox, stranger.service), (None, Service::Prompt));
}

#[test]
fn a_mailbox_with_a_host_is_found_by_both() {
    let mut link = Link::new(Transport::Udp);
    let heard = link.call(diverted("sip:lee@example.com")).announcement.expect("understood");
    assert_eq!(heard.mailbox.as_deref(), Some("lee@example.com"));
    assert!(matches!(
        link.call(diverted("sip:lee@example.org")).outcome,
        Some(Outcome::Refused { status: 404, .. })
    ));
}

#[test]
fn media_ports_that_another_program_has_are_passed_over() {
    let mut link = Link::new(Transport::Udp);
    link.taken =
        ["192.0.2.2:40000", "192.0.2.2:40002"].map(|text| text.parse().expect("an address")).to_vec();
    let report = link.call(diverted("sip:2001@pbx.example.com"));
    assert_eq!((report.outcome, report.heard.len()), (HUNG_UP, 1));
    assert_eq!(link.server.stats().broken, 0);
}

#[test]
fn a_lossy_line_is_still_understood() {
    let mut link = Link::new(Transport::Tcp);
    link.lose_every(37);
    let mut plan = diverted("sip:2001@pbx.example.com");
    plan.hold = Some(Duration::from_secs(20));
    let report = link.call(plan);
    assert_eq!(report.heard, ["um1/6000/2001/a"]);
    assert!(report.packets.skipped > 0);
}

#[test]
fn a_call_can_be_cancelled_while_it_rings() {
    let mut link = Link::new(Transport::Udp);
    let mut plan = diverted("sip:2001@pbx.example.com");
    plan.cancel_after = Some(Duration::from_millis(100));
    let report = link.call(plan);
    assert_eq!(report.outcome, Some(Outcome::Cancelled));
    assert!(report.ringing_ms.is_some() && report.setup_ms.is_none());
    assert_eq!(link.server.records().last().and_then(|record| record.ended.clone()), Some(Ending::Cancelled));
    assert!(link.caller.is_idle() && link.server.is_idle());
}

#[test]
fn a_cancel_that_comes_too_late_ends_in_a_bye() {
    let mut link = Link::new(Transport::Udp);
    let mut plan = diverted("sip:2001@pbx.example.com");
    plan.cancel_after = Some(Duration::from_millis(207));
    let report = link.call(plan);
    assert_eq!(report.outcome, Some(Outcome::Cancelled));
    assert!(lines(&report).iter().any(|line| line.starts_with("BYE ")), "{:?}", lines(&report));
    assert!(link.caller.is_idle() && link.server.is_idle());
}

#[test]
fn calls_do_not_hear_each_other() {
    let mut link = Link::new(Transport::Udp);
    let first = link.place(0, diverted("sip:2001@pbx.example.com"));
    let second = link.place(0, diverted("sip:lee@example.com"));
    link.run(Duration::from_secs(60));
    let heard = |number| link.caller.report(number).expect("a report").heard;
    assert_eq!(heard(first), ["um1/6000/2001/a"]);
    assert_eq!(heard(second), ["um1/6000/lee@example.com/a"]);
}

#[test]
fn ends_all_calls_when_it_stops() {
    let mut link = Link::new(Transport::Udp);
    let mut plan = diverted("sip:2001@pbx.example.com");
    plan.hold = None;
    let number = link.place(0, plan);
    link.run(Duration::from_secs(2));
    link.server.stop(link.now);
    link.run(Duration::from_secs(60));
    let outcome = link.caller.take_report(number).and_then(|report| report.outcome);
    assert_eq!(outcome, Some(Outcome::Answered { ended_by: EndedBy::OtherSide }));
    assert!(link.caller.is_idle() && link.server.is_idle());
}

#[test]
fn a_plan_says_to_what_it_calls() {
    let plan = to_pilot("2001");
    assert_eq!(plan.to.uri, uri("sip:6000@um.example.com"));
}
