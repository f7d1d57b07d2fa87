//! 300–302 inside an attempt.

use um_routing::Hop;

use super::*;

fn to(names: &[&str]) -> Heard {
    let contact = |name: &&str| Contact { uri: format!("sip:6000@{name}").parse().unwrap(), q: None };
    Heard::Redirected(302, names.iter().map(contact).collect())
}

fn hop(acts: &[Act]) -> (AttemptId, AttemptId, Hop) {
    match acts.last() {
        Some(Act::Reach(Reach { attempt, origin: Origin::Redirection(base, hop), .. })) => {
            (*attempt, *base, hop.clone())
        }
        _ => panic!("{acts:?}"),
    }
}

fn arrive(bench: &mut Bench, attempt: u16) -> (AttemptId, AttemptId, Hop) {
    bench.acts();
    bench.hear(attempt, Heard::Located(Arc::from([address(9)])));
    let acts = bench.acts();
    bench.hear(attempt, Heard::Sent);
    hop(&acts)
}

#[test]
fn a_redirection_continues_the_call_and_its_answer_is_the_answer() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, to(&["mbx7.example.com:5062"]));
    let (attempt, base, hop) = arrive(&mut bench, 1);
    assert_eq!((attempt, base, hop.port), (AttemptId(1), AttemptId(0), Some(5062)));
    bench.hear(1, to(&["mbx7.example.com:5065"]));
    let (attempt, base, hop) = arrive(&mut bench, 2);
    assert_eq!((attempt, base, hop.port), (AttemptId(2), AttemptId(1), Some(5065)));
    bench.answer(2);
}

#[test]
fn a_redirection_to_a_dead_host_is_the_failure_of_the_target() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, to(&["mbx7.example.com", "mbx8.example.com"]));
    arrive(&mut bench, 1);
    bench.hear(1, Heard::Lost(Carrier::Datagram));
    let acts = bench.acts();
    assert_eq!(marks(&acts), [], "another Contact is left");
    bench.hear(2, Heard::Located(Arc::from([address(9)])));
    bench.acts();
    bench.hear(2, Heard::Lost(Carrier::Datagram));
    let acts = bench.acts();
    assert_eq!(marks(&acts), [(0, Sign::Failed)]);
    assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(3), 1, _))), "{acts:?}");
}

#[test]
fn a_redirection_that_may_not_be_followed_is_the_failure_of_the_target() {
    for contacts in [&["evil.example.net"][..], &["um1.example.com"], &[]] {
        let mut bench = Bench::new(2);
        bench.send(0);
        bench.hear(0, to(contacts));
        let acts = bench.acts();
        assert_eq!(marks(&acts), [(0, Sign::Life), (0, Sign::Failed)]);
        assert!(matches!(acts.last(), Some(Act::Locate(AttemptId(1), 1, _))), "{acts:?}");
    }
}

#[test]
fn a_redirected_server_that_refuses_finally_ends_the_call() {
    let mut bench = Bench::new(2);
    bench.send(0);
    bench.hear(0, to(&["mbx7.example.com"]));
    arrive(&mut bench, 1);
    bench.hear(1, refused(486));
    let acts = bench.acts();
    assert_eq!((rejected(&acts), marks(&acts)), (Some((486, None)), vec![]));
}

#[test]
fn when_the_last_target_redirects_to_nowhere_the_caller_gets_503() {
    let mut bench = Bench::new(1);
    bench.send(0);
    bench.hear(0, to(&["um1.example.com"]));
    assert_eq!(rejected(&bench.acts()), Some((503, Some(10))));
}
