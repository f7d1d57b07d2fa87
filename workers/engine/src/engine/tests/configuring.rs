//! A new configuration while calls are up, and the end of lines.

use super::*;

#[test]
fn a_new_order_holds_for_new_calls_and_running_ones_keep_theirs() {
    let mut rig = Rig::new();
    let first = rig.call(&Caller::new("a"));
    rig.configure(configuration(&topology(2, |parts| parts.list.entries.reverse()), LinePhase::Open));
    assert_eq!(rig.call(&Caller::new("b")).flow.remote, address(12, 5060));
    rig.input_all(&Input::SendFailed { flow: first.flow });
    assert_eq!(rig.request(&Method::Invite).flow.remote, address(12, 5060), "the order of its birth");
}

#[test]
fn the_state_of_a_target_outlives_a_new_configuration_unless_the_target_is_gone() {
    let mut rig = Rig::new();
    rig.probes_answered = false;
    let first = rig.call(&Caller::new("a"));
    rig.receive(first.flow, first.answer(500, ""));
    rig.skip();
    let states = |rig: &Rig| rig.engines[0].targets(rig.now).map(|report| report.circuit).collect::<Vec<_>>();
    assert_eq!(states(&rig), [Circuit::Suspect, Circuit::Up]);
    rig.configure(configuration(&topology(2, |parts| parts.list.entries.reverse()), LinePhase::Open));
    assert_eq!(states(&rig), [Circuit::Suspect, Circuit::Up]);
    rig.configure(configuration(&topology(2, |parts| drop(parts.list.entries.remove(0))), LinePhase::Open));
    assert_eq!(states(&rig), [Circuit::Up]);
}

#[test]
fn an_inactive_line_takes_no_call_and_finishes_what_it_has() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (_, ok) = rig.answered_call(&caller);
    rig.configure(configuration(&topology(2, |parts| parts.line.active = Some(false)), LinePhase::Draining));
    assert!(rig.idle_lines.is_empty());
    let refused = Caller::new("b");
    rig.receive(refused.flow, refused.invite());
    rig.response(100);
    assert_eq!(rig.response(503).header(HeaderName::RetryAfter), "10");
    rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
    rig.response(200);
    let bye = rig.request(&Method::Bye);
    rig.receive(bye.flow, bye.answer(200, ""));
    rig.pass(Duration::from_secs(31));
    assert!(rig.idle_lines.is_empty() && rig.engines[0].uses_line(LineIndex(0)));
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.idle_lines, [LineIndex(0)]);
    assert!(!rig.engines[0].uses_line(LineIndex(0)));
}

#[test]
fn a_draining_line_without_calls_is_idle_at_once() {
    let mut rig = Rig::new();
    rig.configure(configuration(&topology(2, |_| {}), LinePhase::Draining));
    assert_eq!(rig.idle_lines, [LineIndex(0)]);
}

#[test]
fn a_line_that_is_gone_receives_nothing() {
    let mut rig = Rig::new();
    rig.configure(Configuration { topology: topology(2, |_| {}), lines: Vec::new() });
    let caller = Caller::new("a");
    rig.receive(caller.flow, caller.invite());
    rig.silent();
}
