//! Order of targets, addresses and Contacts, and the response when nothing is left.

use um_routing::retryable::LocalFailure;
use um_topology::{Host, Transport};

use super::*;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 5060))
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn contact(name: &str) -> Contact {
    Contact { uri: uri(&format!("sip:6000@{name}.example.com")), q: None }
}

/// Lets the present attempt be redirected to these names.
fn redirect(failover: &mut Failover, by: u16, names: &[&str]) -> Redirected {
    let host: Host = "um1.example.com".parse().unwrap();
    let policy = RedirectPolicy::new(&[], std::iter::once(&host), Transport::Udp);
    let contacts = names.iter().map(|name| contact(name)).collect();
    failover.redirect(AttemptId(by), &policy, contacts, &uri("sip:6000@um1.example.com"), &[])
}

/// The next hop as (attempt that it continues, first label of the host, address).
fn hop(next: Option<Next>) -> (u16, String, Option<SocketAddr>) {
    match next {
        Some(Next::Hop(base, hop, address)) => {
            (base.0, hop.host.to_string().split('.').next().unwrap().to_owned(), address)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn targets_come_in_order_and_then_nothing() {
    let mut failover = Failover::new(2, 2);
    assert_eq!(failover.first(), Some(Next::Target(0, None)));
    assert!(failover.has_more() && !failover.target_has_more());
    assert_eq!(failover.advance(), Some(Next::Target(1, None)));
    assert!(!failover.has_more());
    assert_eq!(failover.advance(), None);
}

#[test]
fn every_address_of_a_name_comes_before_the_next_target() {
    let mut failover = Failover::new(2, 2);
    failover.remember(&[address(1), address(2), address(3)]);
    assert_eq!(failover.advance(), Some(Next::Target(0, Some(address(2)))));
    assert_eq!(failover.advance(), Some(Next::Target(0, Some(address(3)))));
    assert_eq!(failover.advance(), Some(Next::Target(1, None)));
}

#[test]
fn contacts_come_before_the_next_target_and_continue_the_last_attempt() {
    let mut failover = Failover::new(2, 2);
    assert_eq!(redirect(&mut failover, 0, &["a", "b"]), Redirected::Follow);
    assert_eq!(hop(failover.advance()), (0, "a".into(), None));
    failover.continued_by(AttemptId(1));
    failover.remember(&[address(1), address(2)]);
    assert_eq!(hop(failover.advance()), (1, "a".into(), Some(address(2))));
    assert_eq!(hop(failover.advance()), (1, "b".into(), None));
    assert_eq!(failover.advance(), Some(Next::Target(1, None)));
}

#[test]
fn contacts_of_a_contact_come_before_its_siblings() {
    let mut failover = Failover::new(1, 1);
    redirect(&mut failover, 0, &["a", "b"]);
    hop(failover.advance());
    redirect(&mut failover, 1, &["c"]);
    assert_eq!(hop(failover.advance()), (1, "c".into(), None));
    assert_eq!(hop(failover.advance()), (1, "b".into(), None));
    assert_eq!(failover.advance(), None);
}

#[test]
fn a_uri_seen_before_is_a_loop() {
    let mut failover = Failover::new(1, 1);
    assert_eq!(redirect(&mut failover, 0, &["um1"]), Redirected::Nowhere);
    assert_eq!(redirect(&mut failover, 0, &["a"]), Redirected::Follow);
    failover.advance();
    assert_eq!(redirect(&mut failover, 1, &["um1", "a"]), Redirected::Nowhere);
    assert_eq!(failover.advance(), None);
}

#[test]
fn the_sixth_redirection_has_failed() {
    let mut failover = Failover::new(1, 1);
    for index in 0..5 {
        assert_eq!(redirect(&mut failover, index, &[&format!("h{index}")]), Redirected::Follow);
        assert!(failover.advance().is_some());
    }
    assert_eq!(redirect(&mut failover, 5, &["h6"]), Redirected::Nowhere);
    assert_eq!(failover.advance(), None);
}

#[test]
fn a_fresh_attempt_forgets_the_redirections_of_the_one_before() {
    let mut failover = Failover::new(2, 2);
    redirect(&mut failover, 0, &["a"]);
    failover.advance();
    assert_eq!(failover.advance(), Some(Next::Target(1, None)));
    assert_eq!(redirect(&mut failover, 2, &["a"]), Redirected::Follow);
}

#[test]
fn only_server_faults_are_told_as_503_with_retry_after() {
    let mut failover = Failover::new(2, 2);
    failover.note(AttemptEnd::Response { status: 500, retry_after: None });
    failover.note(AttemptEnd::Local(LocalFailure::Silence));
    let told = failover.exhausted();
    assert_eq!((told.status, told.retry_after), (503, Some(10)));
}

#[test]
fn one_that_is_down_is_tried_only_after_all_others_failed_in_this_call() {
    let mut failover = Failover::new(2, 1);
    assert!(!failover.has_more());
    failover.note(AttemptEnd::Local(LocalFailure::Refused));
    assert_eq!(failover.advance(), Some(Next::Target(1, None)));
    assert_eq!(failover.advance(), None);
}

#[test]
fn one_that_is_down_is_not_tried_while_another_is_up() {
    let mut failover = Failover::new(2, 1);
    failover.note(AttemptEnd::Response { status: 480, retry_after: None });
    assert_eq!(failover.advance(), None);
}
