//! The non-INVITE client transaction, one fact a test.

use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::transaction::testing::{epoch, ms};

fn start(reliability: Reliability, timing: Timing) -> (Instant, ClientNonInvite) {
    let now = epoch();
    let mut machine = ClientNonInvite::new(now, Bytes::from_static(b"BYE"), reliability, timing);
    assert_eq!(drain(&mut machine), [Output::Send(Bytes::from_static(b"BYE"))]);
    (now, machine)
}

fn drain(machine: &mut ClientNonInvite) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

fn run(start: Instant, machine: &mut ClientNonInvite, mut sends: Vec<u128>) -> (Vec<u128>, Option<u128>) {
    let mut give_up = None;
    for _ in 0..100 {
        let Some((at, _)) = machine.poll_timeout() else { break };
        machine.handle_timeout(at);
        for output in drain(machine) {
            if matches!(output, Output::Send(_)) {
                sends.push((at - start).as_millis());
            } else {
                assert_eq!(output, Output::TimedOut);
                give_up = Some((at - start).as_millis());
            }
        }
    }
    assert_eq!(machine.state(), State::Terminated);
    (sends, give_up)
}

#[test]
fn repeats_on_the_standard_schedule() {
    let (now, mut machine) = start(Reliability::Unreliable, Timing::STANDARD);
    let expected = vec![0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(run(now, &mut machine, vec![0]), (expected, Some(32_000)));
}

#[test]
fn repeats_on_the_fast_failover_schedule() {
    let (now, mut machine) = start(Reliability::Unreliable, Timing::FAST_FAILOVER);
    assert_eq!(run(now, &mut machine, vec![0]), (vec![0, 500, 1500, 2500, 3500], Some(4_500)));
}

#[test]
fn never_sends_at_or_after_the_give_up() {
    let timing = Timing { t1: ms(50), t2: ms(4_000), ..Timing::STANDARD };
    let (now, mut machine) = start(Reliability::Unreliable, timing);
    let expected = vec![0, 50, 150, 350, 750, 1550, 3150];
    assert_eq!(run(now, &mut machine, vec![0]), (expected, Some(3_200)));
}

#[test]
fn never_repeats_on_a_reliable_transport_but_gives_up_at_the_same_instant() {
    let (now, mut machine) = start(Reliability::Reliable, Timing::FAST_FAILOVER);
    assert_eq!(run(now, &mut machine, vec![0]), (vec![0], Some(4_500)));
}

#[test]
fn a_provisional_response_slows_the_repetition_to_t2() {
    let (now, mut machine) = start(Reliability::Unreliable, Timing::STANDARD);
    machine.handle_response(now + ms(100), 100);
    assert_eq!(drain(&mut machine), [Output::Provisional]);
    let (sends, give_up) = run(now, &mut machine, vec![0]);
    assert_eq!(sends[..4], [0, 500, 4500, 8500]);
    assert_eq!(give_up, Some(32_000), "Timer F runs on");
}

#[test]
fn a_final_response_is_reported_once_and_absorbed_for_t4() {
    let (now, mut machine) = start(Reliability::Unreliable, Timing::STANDARD);
    machine.handle_response(now, 200);
    assert_eq!(drain(&mut machine), [Output::Final]);
    machine.handle_response(now, 200);
    assert_eq!(drain(&mut machine), []);
    assert_eq!(machine.poll_timeout(), Some((now + ms(5_000), Timer::K)));
    machine.handle_timeout(now + ms(5_000));
    assert_eq!(machine.state(), State::Terminated);
}

#[test]
fn a_final_response_ends_a_reliable_transaction_at_once() {
    let (now, mut machine) = start(Reliability::Reliable, Timing::STANDARD);
    machine.handle_response(now, 481);
    assert_eq!(drain(&mut machine), [Output::Final]);
    assert_eq!(machine.state(), State::Terminated);
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn a_lost_flow_fails_only_an_unheard_request() {
    let (_, mut machine) = start(Reliability::Reliable, Timing::STANDARD);
    machine.handle_unreachable();
    assert_eq!(drain(&mut machine), [Output::Unreachable]);
    assert_eq!(machine.state(), State::Terminated);

    let (now, mut machine) = start(Reliability::Reliable, Timing::STANDARD);
    machine.handle_response(now, 100);
    drain(&mut machine);
    machine.handle_unreachable();
    assert_eq!(drain(&mut machine), []);
}
