//! A server that misbehaves as told.

use std::time::Duration;

use um_sip::Transport;

use super::link::{Link, diverted, lines, to_pilot};
use crate::{Outcome, Report, caller::EndedBy, ladder::Arrow};

fn call(behaviour: &str, transport: Transport) -> (Report, Link) {
    let mut link = Link::new(transport);
    link.server.behave(behaviour.parse().expect("a behaviour")).expect("a possible behaviour");
    let report = link.call(diverted("sip:2001@pbx.example.com"));
    assert!(link.caller.is_idle());
    (report, link)
}

const PROBE: &str = "OPTIONS sip:um.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKp1\r\n\
    From: <sip:probe@192.0.2.99>;tag=1\r\nTo: <sip:um.example.com>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n\
    Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

#[test]
fn dead_answers_nothing_at_all() {
    let (report, mut link) = call("dead", Transport::Udp);
    assert_eq!(report.outcome, Some(Outcome::NoResponse));
    assert!(report.ladder.iter().all(|rung| rung.arrow == Arrow::Out));
    link.inject(PROBE);
    link.run(Duration::from_secs(60));
    assert!(link.stray.is_empty());
    assert!(link.server.is_idle() && link.server.stats().ignored > 1);
}

#[test]
fn a_call_that_is_up_falls_silent_when_its_server_dies() {
    let mut link = Link::new(Transport::Udp);
    let number = link.place(0, diverted("sip:2001@pbx.example.com"));
    link.run(Duration::from_secs(1));
    link.server.behave(crate::Behaviour::Dead).expect("always possible");
    let before = link.caller.report(number).expect("a report").packets.received;
    assert!(before > 30);
    link.run(Duration::from_secs(120));
    let report = link.caller.take_report(number).expect("the call is over");
    assert_eq!(report.outcome, Some(Outcome::Answered { ended_by: EndedBy::CallerUnheard }));
    assert!(report.packets.received <= before + 1);
    let due = crate::Agent::poll_timeout(&link.server);
    assert!(due.is_none_or(|due| due > link.now), "no deadline lies in the past");
}

#[test]
fn silent_says_100_and_nothing_more() {
    let (report, link) = call("silent", Transport::Udp);
    assert_eq!(report.outcome, Some(Outcome::Cancelled), "the caller lost patience");
    assert!(lines(&report).starts_with(&["INVITE sip:6000@um.example.com", "100 Trying"]));
    assert_eq!(report.ringing_ms, None);
    assert!(link.server.is_idle());
}

#[test]
fn slow_answers_late() {
    let (report, _) = call("slow:3s", Transport::Udp);
    assert!(report.setup_ms.is_some_and(|setup| (3000.0..3100.0).contains(&setup)));
}

#[test]
fn ringing_rings_until_it_is_cancelled() {
    let (report, link) = call("ringing", Transport::Tcp);
    assert_eq!(report.outcome, Some(Outcome::Cancelled));
    assert!(report.ringing_ms.is_some());
    assert!(link.server.is_idle());
}

#[test]
fn busy_refuses_with_the_code_and_the_time() {
    let (report, link) = call("busy:503,retry-after=7", Transport::Udp);
    let Some(Outcome::Refused { status, retry_after, .. }) = report.outcome else { panic!("{report:?}") };
    assert_eq!((status, retry_after), (503, Some(7)));
    assert_eq!((link.server.stats().turned_away, link.server.stats().wrong), (1, 0));
    assert!(matches!(call("busy:486", Transport::Udp).0.outcome, Some(Outcome::Refused { status: 486, .. })));
}

#[test]
fn redirects_from_listener_to_listener() {
    let mut link = Link::new(Transport::Tcp);
    link.server.behave("redirect:2".parse().expect("a behaviour")).expect("three listeners");
    let statuses = (0..3).map(|listener| {
        let number = link.place(listener, diverted("sip:2001@pbx.example.com"));
        link.run(Duration::from_secs(60));
        match link.caller.take_report(number).and_then(|report| report.outcome) {
            Some(Outcome::Refused { status, .. }) => status,
            Some(Outcome::Answered { .. }) => 200,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(statuses.collect::<Vec<_>>(), [302, 302, 200]);
}

#[test]
fn more_redirects_than_listeners_are_refused() {
    let mut link = Link::new(Transport::Tcp);
    assert!(link.server.behave(crate::Behaviour::Redirect(3)).is_err());
}

#[test]
fn calls_only_leaves_probes_unanswered() {
    let (report, mut link) = call("calls-only", Transport::Udp);
    assert_eq!(report.heard, ["um1/6000/2001/a"]);
    link.inject(PROBE);
    link.run(Duration::from_secs(60));
    assert!(link.stray.is_empty(), "not even a late 100");
}

#[test]
fn probes_only_leaves_calls_unanswered() {
    let (report, mut link) = call("probes-only", Transport::Udp);
    assert_eq!(report.outcome, Some(Outcome::NoResponse));
    link.inject(PROBE);
    link.run(Duration::from_secs(60));
    assert!(link.stray.iter().any(|bytes| bytes.starts_with(b"SIP/2.0 200 ")));
    assert_eq!(link.server.stats().probes, 1);
}

#[test]
fn close_connection_hangs_the_line_up() {
    let (report, _) = call("close-connection", Transport::Tcp);
    assert_eq!(report.outcome, Some(Outcome::Unreachable));
}

#[test]
fn hang_up_ends_the_call_from_the_server() {
    let (report, link) = call("hang-up:2s", Transport::Tcp);
    assert_eq!(report.outcome, Some(Outcome::Answered { ended_by: EndedBy::OtherSide }));
    assert!(report.ended_ms.is_some_and(|ended| (2200.0..2400.0).contains(&ended)), "{:?}", report.ended_ms);
    assert!(link.server.is_idle());
}

#[test]
fn more_calls_than_allowed_are_turned_away() {
    let mut link = Link::new(Transport::Udp);
    let numbers: Vec<_> = (0..4).map(|_| link.place(0, to_pilot("5551234"))).collect();
    link.run(Duration::from_secs(60));
    let outcomes = numbers.iter().filter_map(|number| link.caller.report(*number)?.outcome);
    let refused = outcomes.filter(|outcome| matches!(outcome, Outcome::Refused { status: 503, .. })).count();
    assert_eq!(refused, 1);
}
