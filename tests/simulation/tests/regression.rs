//! Runs with a name: what random seeds once found, and each fault by itself.

use std::time::Duration;

use um_simulation::caller::{Ack, Leave, Plan};
use um_simulation::conduct::Conduct;
use um_simulation::scenario::{Act, Quality, Routed};
use um_simulation::talk::Move;
use um_simulation::{Plant, Scenario, Summary};
use um_sip::Transport;

fn run(scenario: Scenario) -> Summary {
    match um_simulation::run(scenario, Plant::Nothing) {
        Ok(summary) => summary,
        Err(failure) => panic!("{}\n{}", failure.events, failure.fault),
    }
}

/// Calls one after the other, a quarter of a second apart.
fn calls(count: u32, plan: Plan) -> Vec<Plan> {
    (0..count).map(|index| Plan { at: plan.at + ms(250) * index, ..plan }).collect()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A first server that conducts itself so, and two that answer.
fn behind(first: Conduct, transport: Transport) -> Summary {
    let mut scenario = Scenario::quiet();
    scenario.um_transport = transport;
    scenario.servers[0] = first;
    run(scenario)
}

#[test]
fn shards_leave_each_others_connections_alone() {
    let mut scenario = Scenario::quiet();
    scenario.shards = 2;
    scenario.um_transport = Transport::Tcp;
    scenario.calls = calls(8, scenario.calls[0]);
    assert_eq!(run(scenario), Summary { calls: 8, answered: 8, attempts: 8, changes: 0 });
}

#[test]
fn a_caller_who_hangs_up_after_a_forced_end_hears_nothing_more() {
    let mut scenario = Scenario::quiet();
    scenario.calls[0].ack = Ack::Never;
    scenario.calls[0].leave = Leave::Talk(ms(3_000));
    scenario.acts = vec![(ms(1_900), Act::Drain), (ms(2_000), Act::Force)];
    assert_eq!(run(scenario).answered, 1);
}

#[test]
fn every_fault_that_allows_it_leads_to_the_next_server() {
    let faults = [
        Conduct::ProbesOnly,
        Conduct::BlackHole,
        Conduct::Refusing,
        Conduct::TryingOnly,
        Conduct::Refuse { status: 480, retry_after: None },
        Conduct::Refuse { status: 500, retry_after: None },
        Conduct::Refuse { status: 503, retry_after: None },
        Conduct::Refuse { status: 503, retry_after: Some(30) },
        Conduct::RedirectLoop,
        Conduct::RedirectDead,
        Conduct::Late { after: ms(4_000) },
        Conduct::NoSdp,
        Conduct::CloseConnection,
    ];
    for transport in [Transport::Udp, Transport::Tcp] {
        for fault in faults {
            let summary = behind(fault, transport);
            assert_eq!(summary.answered, 1, "{fault:?} over {transport}");
            assert!(summary.attempts > 1, "{fault:?} over {transport}: {summary:?}");
        }
    }
}

#[test]
fn what_is_final_goes_to_the_caller() {
    for status in [404, 486, 488, 603] {
        let summary = behind(Conduct::Refuse { status, retry_after: None }, Transport::Udp);
        assert_eq!(summary, Summary { calls: 1, answered: 0, attempts: 1, changes: 0 }, "{status}");
    }
}

#[test]
fn redirections_are_followed() {
    for hops in [1, 2] {
        for transport in [Transport::Udp, Transport::Tcp] {
            assert_eq!(behind(Conduct::Redirect { hops }, transport).answered, 1);
        }
    }
}

#[test]
fn only_one_branch_of_a_fork_stays_up() {
    for answers in [2, 3, 5] {
        for transport in [Transport::Udp, Transport::Tcp] {
            assert_eq!(behind(Conduct::Fork { answers }, transport).answered, 1);
        }
    }
}

#[test]
fn a_caller_may_leave_at_any_moment() {
    let conducts = [
        Conduct::Answer { after: ms(700) },
        Conduct::Late { after: ms(900) },
        Conduct::Stubborn { after: ms(1_200) },
        Conduct::Fork { answers: 2 },
        Conduct::BlackHole,
    ];
    for conduct in conducts {
        for moment in (0..1_500).step_by(50) {
            for leave in [Leave::Cancel(ms(moment)), Leave::Bye(ms(moment))] {
                let mut scenario = Scenario::quiet();
                scenario.servers = [conduct; 3];
                scenario.calls[0].leave = leave;
                run(scenario);
            }
        }
    }
}

#[test]
fn messages_that_come_twice_change_nothing() {
    let mut scenario = Scenario::quiet();
    scenario.network = Quality { lost: 0, doubled: 100, late: 0 };
    scenario.servers[0] = Conduct::Refuse { status: 500, retry_after: None };
    scenario.servers[1] = Conduct::HangUp { after: ms(500) };
    scenario.calls = calls(6, scenario.calls[0]);
    assert_eq!(run(scenario).answered, 6);
}

#[test]
fn a_drain_refuses_new_calls_and_lets_the_old_ones_end() {
    let mut scenario = Scenario::quiet();
    scenario.calls = calls(4, scenario.calls[0]);
    scenario.acts = vec![(ms(1_600), Act::Drain)];
    assert_eq!(run(scenario).answered, 3);
}

#[test]
fn a_line_that_drains_closes_and_opens_again() {
    let mut scenario = Scenario::quiet();
    let late = Plan { at: ms(110_000), ..scenario.calls[0] };
    scenario.calls.push(late);
    scenario.acts = vec![(ms(2_000), Act::DrainLine), (ms(100_000), Act::OpenLine)];
    assert_eq!(run(scenario).answered, 2);
}

#[test]
fn a_proxy_in_the_path_stays_there() {
    for routed in [Routed::Loosely, Routed::Strictly] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut scenario = Scenario::quiet();
            (scenario.routed, scenario.um_transport) = (routed, transport);
            scenario.calls[0].transport = transport;
            scenario.servers[0] = Conduct::HangUp { after: ms(500) };
            scenario.calls = calls(2, scenario.calls[0]);
            scenario.servers[1] = Conduct::Fork { answers: 3 };
            scenario.acts = vec![(ms(1_100), Act::List(vec![1]))];
            assert_eq!(run(scenario).answered, 2, "{routed:?} over {transport}");
        }
    }
}

#[test]
fn each_side_may_hold_the_call_and_ask_what_it_likes() {
    for what in [Move::Hold, Move::Refresh, Move::Digit, Move::Probe] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut scenario = Scenario::quiet();
            scenario.um_transport = transport;
            scenario.callers_talk = [Some((ms(200), what)), None];
            scenario.servers_talk = [Some((ms(900), what)), None];
            assert_eq!(run(scenario).changes, 2, "{what:?} over {transport}");
        }
    }
}

#[test]
fn glare_resolves_whoever_is_first() {
    for apart in (0..60).step_by(4) {
        let mut scenario = Scenario::quiet();
        scenario.callers_talk = [Some((ms(200), Move::Hold)), Some((ms(1_000), Move::Hold))];
        scenario.servers_talk = [Some((ms(170 + apart), Move::Hold)), None];
        let changes = run(scenario).changes;
        assert!(changes >= 1, "apart by {apart}: {changes} accepted");
    }
}
