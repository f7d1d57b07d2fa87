//! OPTIONS to targets on the wire, and what becomes visible of them.

use super::*;

/// Lets time pass; every new probe is answered with what `status` says for its server. Says who was probed.
fn probe(rig: &mut Rig, millis: u64, status: impl Fn(SocketAddr) -> Option<u16>) -> Vec<SocketAddr> {
    let (mut branches, mut probed) = (Vec::new(), Vec::new());
    for _ in 0..millis / 100 {
        rig.pass_ms(100);
        while let Some(sent) = rig.sent.pop_front() {
            let branch = sent.message.branch().unwrap().to_owned();
            if sent.is(&Method::Options) && !branches.contains(&branch) {
                branches.push(branch);
                probed.push(sent.flow.remote);
                if let Some(status) = status(sent.flow.remote) {
                    rig.receive(sent.flow, sent.answer(status, ""));
                }
            }
        }
    }
    probed.sort_unstable();
    probed
}

fn watching(servers: u8) -> Rig {
    let mut rig = Rig::with(1, &topology(servers, |_| {}));
    rig.probes_shown = true;
    rig
}

fn circuits(rig: &Rig) -> Vec<Circuit> {
    rig.engines[0].targets(rig.now).map(|report| report.circuit).collect()
}

#[test]
fn every_target_is_probed_from_the_line_once_an_interval() {
    let mut rig = watching(2);
    let both = [address(11, 5060), address(12, 5060)];
    assert_eq!(probe(&mut rig, 1_000, |_| Some(200)), both);
    assert_eq!(probe(&mut rig, 9_000, |_| Some(200)), []);
    assert_eq!(probe(&mut rig, 1_000, |_| Some(200)), both);
    assert_eq!(circuits(&rig), [Circuit::Up, Circuit::Up]);
}

#[test]
fn any_answer_but_a_dead_code_is_life() {
    for (status, expected) in
        [(404, Circuit::Up), (481, Circuit::Up), (500, Circuit::Down), (408, Circuit::Down)]
    {
        let mut rig = watching(1);
        probe(&mut rig, 40_000, |_| Some(status));
        assert_eq!(circuits(&rig), [expected], "{status}");
    }
}

#[test]
fn a_target_that_ignores_probes_is_down_and_its_calls_go_elsewhere_at_once() {
    let mut rig = watching(2);
    probe(&mut rig, 40_000, |server| (server == address(12, 5060)).then_some(200));
    assert_eq!(circuits(&rig), [Circuit::Down, Circuit::Up]);
    assert_eq!(rig.call(&Caller::new("a")).flow.remote, address(12, 5060));
    let told = rig
        .seen
        .iter()
        .filter(|seen| matches!(seen, Observation::TargetState { circuit: Circuit::Down, .. }));
    assert_eq!(told.count(), 1);
}

#[test]
fn when_all_are_down_all_are_tried() {
    let mut rig = watching(2);
    rig.pass(Duration::from_secs(40));
    rig.skip();
    assert_eq!(circuits(&rig), [Circuit::Down, Circuit::Down]);
    let invite = rig.call(&Caller::new("a"));
    assert_eq!(invite.flow.remote, address(11, 5060));
    rig.receive(invite.flow, invite.answer(200, ANSWER));
    rig.request(&Method::Ack);
    assert_eq!(circuits(&rig)[0], Circuit::Probing);
}

#[test]
fn calls_that_are_answered_keep_a_target_up_that_ignores_probes() {
    let mut rig = watching(1);
    for index in 0..60 {
        let caller = Caller::new(&format!("c{index}"));
        let (_, ok) = rig.answered_call(&caller);
        rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
        rig.response(200);
        let bye = rig.request(&Method::Bye);
        rig.receive(bye.flow, bye.answer(200, ""));
        rig.pass_ms(1_000);
        rig.skip();
        assert_eq!(circuits(&rig), [Circuit::Up]);
    }
}

#[test]
fn a_refused_probe_fails_at_once() {
    let mut rig = watching(1);
    for round in 1..=3 {
        while rig.sent.is_empty() {
            rig.pass_ms(100);
        }
        let probe = rig.request(&Method::Options);
        rig.input_all(&Input::SendFailed { flow: probe.flow });
        assert_eq!(circuits(&rig), [if round < 3 { Circuit::Up } else { Circuit::Down }]);
    }
}

#[test]
fn a_line_without_a_socket_says_nothing_about_its_targets() {
    let mut rig = Rig::with(1, &topology(2, |_| {}));
    rig.configure(Configuration { topology: topology(2, |_| {}), lines: Vec::new() });
    rig.pass(Duration::from_secs(60));
    assert_eq!(circuits(&rig), [Circuit::Up, Circuit::Up]);
}
