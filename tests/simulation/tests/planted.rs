//! Every oracle must be able to fail: a bug is planted between the worker and the network, and has to be found.

use std::time::Duration;

use um_simulation::caller::{Ack, Leave};
use um_simulation::conduct::Conduct;
use um_simulation::scenario::Routed;
use um_simulation::{Plant, Scenario};

/// What the oracles say of a run with this bug.
fn found(scenario: Scenario, plant: Plant) -> String {
    um_simulation::run(scenario.clone(), Plant::Nothing).expect("without the bug nothing is found");
    let failure = um_simulation::run(scenario, plant).expect_err("the bug is found");
    assert!(failure.events.contains("INVITE"), "the last events are not told: {}", failure.events);
    failure.fault
}

/// A caller who gives up while the first server rings.
fn given_up() -> Scenario {
    let mut scenario = Scenario::quiet();
    scenario.servers[0] = Conduct::RingsForever;
    scenario.calls[0].leave = Leave::Cancel(Duration::from_secs(1));
    scenario
}

#[test]
fn a_bye_that_is_not_relayed_is_found() {
    let fault = found(Scenario::quiet(), Plant::ByeNotRelayed);
    assert!(fault.contains("was answered and never ended"), "{fault}");
}

#[test]
fn an_attempt_that_is_not_cancelled_is_found() {
    let fault = found(given_up(), Plant::CancelForgotten);
    assert!(fault.contains("still rings"), "{fault}");
}

#[test]
fn an_answer_that_is_not_acknowledged_is_found() {
    let fault = found(Scenario::quiet(), Plant::AckForgotten);
    assert!(fault.contains("was not acknowledged"), "{fault}");
}

#[test]
fn a_second_diversion_is_found() {
    let fault = found(Scenario::quiet(), Plant::SecondDiversion);
    assert!(fault.contains("2 Diversion"), "{fault}");
}

#[test]
fn media_of_another_call_is_found() {
    let fault = found(Scenario::quiet(), Plant::WrongMediaPort);
    assert!(fault.contains("the answer names port"), "{fault}");
}

#[test]
fn a_second_final_response_is_found() {
    let fault = found(Scenario::quiet(), Plant::SecondFinal);
    assert!(fault.contains("more than one final response"), "{fault}");
}

#[test]
fn a_call_that_is_given_up_too_early_is_found() {
    let fault = found(Scenario::quiet(), Plant::GivenUp);
    assert!(fault.contains("503 to the caller while um1 was alive"), "{fault}");
}

/// What the reference model sees, and nobody else does.
#[test]
fn a_leg_that_breaks_the_rules_of_its_dialog_is_found() {
    let plants = [
        (Plant::CseqSkipped, "follows CSeq"),
        (Plant::RouteForgotten, "Request-URI and Route are"),
        (Plant::WrongTarget, "Request-URI and Route are"),
        (Plant::SecondTag, "has the To tag"),
        (Plant::NoAnswer, "200 without an answer"),
        (Plant::WrongContact, "is not ours"),
    ];
    for (plant, said) in plants {
        let mut scenario = Scenario::quiet();
        scenario.routed = Routed::Loosely;
        let fault = found(scenario, plant);
        assert!(fault.contains(said), "{plant:?}: {fault}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let fault = || {
        let mut scenario = Scenario::of_seed(7);
        scenario.calls[0].ack = Ack::Always;
        um_simulation::run(scenario, Plant::SecondFinal).map_err(|failure| failure.events)
    };
    assert_eq!(fault(), fault());
}
