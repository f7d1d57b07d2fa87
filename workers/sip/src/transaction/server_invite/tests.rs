//! The INVITE server transaction, one fact a test.

use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::transaction::testing::{epoch, ms};

fn start(reliability: Reliability, timing: Timing) -> (Instant, ServerInvite) {
    let now = epoch();
    (now, ServerInvite::new(now, reliability, timing))
}

fn udp() -> (Instant, ServerInvite) {
    start(Reliability::Unreliable, Timing::STANDARD)
}

fn drain(machine: &mut ServerInvite) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

fn respond(machine: &mut ServerInvite, now: Instant, status: u16) -> Vec<Output> {
    assert!(machine.respond(now, status, bytes(status)));
    drain(machine)
}

fn bytes(status: u16) -> Bytes {
    Bytes::from(status.to_string())
}

fn sent(status: u16) -> Output {
    Output::Send(bytes(status))
}

fn run(start: Instant, machine: &mut ServerInvite) -> (Vec<u128>, Option<u128>) {
    let (mut sends, mut end) = (vec![0], None);
    for _ in 0..100 {
        let Some((at, _)) = machine.poll_timeout() else { break };
        machine.handle_timeout(at);
        for output in drain(machine) {
            if matches!(output, Output::Send(_)) {
                sends.push((at - start).as_millis());
            } else {
                assert_eq!(output, Output::AckMissing);
                end = Some((at - start).as_millis());
            }
        }
    }
    assert_eq!(machine.state(), State::Terminated);
    (sends, end)
}

#[test]
fn asks_for_a_100_after_200_ms() {
    let (now, mut machine) = udp();
    assert_eq!(machine.poll_timeout(), Some((now + ms(200), Timer::Trying)));
    machine.handle_timeout(now + ms(200));
    assert_eq!(drain(&mut machine), [Output::Trying]);
}

#[test]
fn a_response_within_200_ms_makes_the_100_needless() {
    let (now, mut machine) = udp();
    assert_eq!(respond(&mut machine, now, 180), [sent(180)]);
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn a_repeated_invite_gets_the_last_provisional_response() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 100);
    respond(&mut machine, now, 180);
    machine.handle_invite();
    assert_eq!(drain(&mut machine), [sent(180)]);
}

#[test]
fn an_invite_repeated_before_any_response_gets_a_100() {
    let (_, mut machine) = udp();
    machine.handle_invite();
    assert_eq!(drain(&mut machine), [Output::Trying]);
}

#[test]
fn a_failure_is_repeated_until_timer_h() {
    let (now, mut machine) = udp();
    assert_eq!(respond(&mut machine, now, 486), [sent(486)]);
    let expected = vec![0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(run(now, &mut machine), (expected, Some(32_000)));
}

#[test]
fn max_packet_retry_caps_timer_g_but_not_timer_h() {
    let (now, mut machine) = start(Reliability::Unreliable, Timing::FAST_FAILOVER);
    respond(&mut machine, now, 486);
    assert_eq!(run(now, &mut machine), (vec![0, 500, 1500, 2500, 3500], Some(32_000)));
}

#[test]
fn a_failure_is_not_repeated_on_a_reliable_transport_but_awaits_its_ack() {
    let (now, mut machine) = start(Reliability::Reliable, Timing::STANDARD);
    respond(&mut machine, now, 486);
    assert_eq!(run(now, &mut machine), (vec![0], Some(32_000)));
}

#[test]
fn a_repeated_invite_gets_the_failure_again() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 404);
    machine.handle_invite();
    assert_eq!(drain(&mut machine), [sent(404)]);
}

#[test]
fn the_ack_of_a_failure_is_absorbed_and_ends_the_repetition() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 486);
    machine.handle_ack(now + ms(50));
    machine.handle_ack(now + ms(60));
    machine.handle_invite();
    assert_eq!(drain(&mut machine), []);
    assert_eq!(machine.state(), State::Confirmed);
    assert_eq!(machine.poll_timeout(), Some((now + ms(5_050), Timer::I)));
    machine.handle_timeout(now + ms(5_050));
    assert_eq!(machine.state(), State::Terminated);
}

#[test]
fn the_ack_of_a_failure_ends_a_reliable_transaction_at_once() {
    let (now, mut machine) = start(Reliability::Reliable, Timing::STANDARD);
    respond(&mut machine, now, 486);
    machine.handle_ack(now);
    assert_eq!(machine.state(), State::Terminated);
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn repeated_invites_are_absorbed_after_a_2xx_for_timer_l() {
    for reliability in [Reliability::Unreliable, Reliability::Reliable] {
        let (now, mut machine) = start(reliability, Timing::STANDARD);
        assert_eq!(respond(&mut machine, now, 200), [sent(200)]);
        machine.handle_invite();
        assert_eq!(drain(&mut machine), []);
        assert_eq!(machine.poll_timeout(), Some((now + ms(32_000), Timer::L)));
        machine.handle_timeout(now + ms(32_000));
        assert_eq!(machine.state(), State::Terminated);
    }
}

#[test]
fn an_ack_with_the_branch_of_an_accepted_invite_goes_to_its_dialog() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 200);
    machine.handle_ack(now);
    assert_eq!(drain(&mut machine), [Output::Ack]);
}

#[test]
fn a_second_final_response_is_refused() {
    for first in [200, 486] {
        let (now, mut machine) = udp();
        respond(&mut machine, now, first);
        assert!(!machine.respond(now, 503, bytes(503)));
        assert!(!machine.respond(now, 180, bytes(180)));
        assert_eq!(drain(&mut machine), []);
    }
}
