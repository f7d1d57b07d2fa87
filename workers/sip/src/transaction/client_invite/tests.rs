//! The INVITE client transaction, one fact a test.

use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::transaction::testing::{epoch, ms};

const INVITE: &[u8] = b"INVITE";
const ACK: &[u8] = b"ACK";

fn start(reliability: Reliability, timing: Timing) -> (Instant, ClientInvite) {
    let now = epoch();
    let mut machine = ClientInvite::new(now, Bytes::from_static(INVITE), reliability, timing);
    assert_eq!(machine.poll_output(), Some(Output::Send(Bytes::from_static(INVITE))));
    assert_eq!(machine.poll_output(), None);
    (now, machine)
}

fn udp() -> (Instant, ClientInvite) {
    start(Reliability::Unreliable, Timing::STANDARD)
}

fn respond(machine: &mut ClientInvite, now: Instant, status: u16) -> Vec<Output> {
    machine.handle_response(now, status, || Bytes::from_static(ACK));
    drain(machine)
}

fn drain(machine: &mut ClientInvite) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

fn ack() -> Output {
    Output::Send(Bytes::from_static(ACK))
}

/// Runs to the end; returns the times of the repetitions and of the give-up, in ms.
fn run(start: Instant, machine: &mut ClientInvite) -> (Vec<u128>, Option<u128>) {
    let (mut sends, mut give_up) = (vec![0], None);
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
    let (now, mut machine) = udp();
    let expected = vec![0, 500, 1500, 3500, 7500, 15_500, 31_500];
    assert_eq!(run(now, &mut machine), (expected, Some(32_000)));
}

#[test]
fn repeats_on_the_fast_failover_schedule() {
    let (now, mut machine) = start(Reliability::Unreliable, Timing::FAST_FAILOVER);
    assert_eq!(run(now, &mut machine), (vec![0, 500, 1500, 3500], Some(7_500)));
}

#[test]
fn gives_up_at_64_t1_with_a_short_t1() {
    let timing = Timing { t1: ms(250), ..Timing::STANDARD };
    let (now, mut machine) = start(Reliability::Unreliable, timing);
    assert_eq!(run(now, &mut machine).1, Some(16_000));
}

#[test]
fn never_repeats_on_a_reliable_transport_but_gives_up_at_the_same_instant() {
    for (timing, give_up) in [(Timing::STANDARD, 32_000), (Timing::FAST_FAILOVER, 7_500)] {
        let (now, mut machine) = start(Reliability::Reliable, timing);
        assert_eq!(run(now, &mut machine), (vec![0], Some(give_up)));
    }
}

#[test]
fn a_late_call_sends_once_and_does_not_burst() {
    let (now, mut machine) = udp();
    machine.handle_timeout(now + ms(4_000));
    assert_eq!(drain(&mut machine).len(), 1);
    assert!(machine.poll_timeout().is_some_and(|(at, _)| at > now + ms(4_000)));
}

#[test]
fn a_very_late_call_gives_up_without_sending() {
    let (now, mut machine) = udp();
    machine.handle_timeout(now + ms(40_000));
    assert_eq!(drain(&mut machine), [Output::TimedOut]);
}

#[test]
fn a_provisional_response_stops_repetition_and_give_up() {
    let (now, mut machine) = udp();
    assert_eq!(respond(&mut machine, now + ms(10), 100), [Output::Provisional]);
    assert_eq!(machine.state(), State::Proceeding);
    assert_eq!(machine.poll_timeout(), None);
    assert_eq!(respond(&mut machine, now + ms(20), 180), [Output::Provisional]);
}

#[test]
fn a_failure_is_acknowledged_and_its_repetitions_are_absorbed_for_timer_d() {
    let (now, mut machine) = udp();
    assert_eq!(respond(&mut machine, now, 486), [ack(), Output::Failure]);
    assert_eq!(respond(&mut machine, now + ms(500), 486), [ack()]);
    assert_eq!(machine.poll_timeout(), Some((now + ms(32_000), Timer::D)));
    machine.handle_timeout(now + ms(32_000));
    assert_eq!(machine.state(), State::Terminated);
}

#[test]
fn a_failure_ends_a_reliable_transaction_at_once() {
    let (now, mut machine) = start(Reliability::Reliable, Timing::STANDARD);
    assert_eq!(respond(&mut machine, now, 503), [ack(), Output::Failure]);
    assert_eq!(machine.state(), State::Terminated);
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn every_2xx_is_passed_on_until_timer_m() {
    let (now, mut machine) = udp();
    assert_eq!(respond(&mut machine, now, 200), [Output::Answer]);
    assert_eq!(respond(&mut machine, now + ms(500), 200), [Output::Answer]);
    assert_eq!(machine.poll_timeout(), Some((now + ms(32_000), Timer::M)));
    machine.handle_timeout(now + ms(32_000));
    assert_eq!(machine.state(), State::Terminated);
    assert_eq!(respond(&mut machine, now + ms(33_000), 200), []);
}

#[test]
fn timer_m_runs_on_reliable_transports_too() {
    let (now, mut machine) = start(Reliability::Reliable, Timing::STANDARD);
    respond(&mut machine, now, 200);
    assert_eq!(machine.poll_timeout(), Some((now + ms(32_000), Timer::M)));
}

#[test]
fn nothing_but_2xx_matters_once_accepted() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 200);
    assert_eq!(respond(&mut machine, now, 180), []);
    assert_eq!(respond(&mut machine, now, 486), []);
    assert_eq!(machine.state(), State::Accepted);
}

#[test]
fn a_2xx_after_a_failure_is_a_late_answer() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 486);
    assert_eq!(respond(&mut machine, now, 200), [Output::LateAnswer]);
}

#[test]
fn cancel_before_a_provisional_response_waits_for_one() {
    let (now, mut machine) = udp();
    machine.cancel(now + ms(100));
    assert_eq!(drain(&mut machine), []);
    machine.handle_timeout(now + ms(500));
    assert_eq!(drain(&mut machine).len(), 1, "the INVITE is still repeated");
    assert_eq!(respond(&mut machine, now + ms(600), 100), [Output::Provisional, Output::Cancel]);
    assert_eq!(respond(&mut machine, now + ms(700), 487), [ack(), Output::Failure]);
}

#[test]
fn cancel_after_a_provisional_response_goes_out_once() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 180);
    machine.cancel(now);
    machine.cancel(now);
    assert_eq!(drain(&mut machine), [Output::Cancel]);
    assert_eq!(respond(&mut machine, now, 183), [Output::Provisional]);
}

#[test]
fn a_cancelled_invite_ends_after_64_t1_without_a_final_response() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 180);
    machine.cancel(now + ms(1_000));
    drain(&mut machine);
    assert_eq!(machine.poll_timeout(), Some((now + ms(33_000), Timer::Linger)));
    machine.handle_timeout(now + ms(33_000));
    assert_eq!(drain(&mut machine), [Output::TimedOut]);
    assert_eq!(machine.state(), State::Terminated);
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_an_answer() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 180);
    machine.cancel(now);
    drain(&mut machine);
    assert_eq!(respond(&mut machine, now, 200), [Output::Answer]);
}

#[test]
fn an_abandoned_invite_is_not_repeated_and_ends_silently_after_64_t1() {
    let (now, mut machine) = udp();
    machine.abandon(now + ms(2_000));
    assert_eq!(machine.state(), State::Abandoned);
    assert_eq!(machine.poll_timeout(), Some((now + ms(34_000), Timer::Linger)));
    machine.handle_timeout(now + ms(34_000));
    assert_eq!(drain(&mut machine), []);
    assert_eq!(machine.state(), State::Terminated);
}

#[test]
fn an_abandoned_invite_is_cancelled_on_a_late_provisional_response() {
    let (now, mut machine) = udp();
    machine.abandon(now);
    assert_eq!(respond(&mut machine, now + ms(5), 180), [Output::Cancel]);
    assert_eq!(respond(&mut machine, now + ms(9), 487), [ack()], "acknowledged, not reported");
}

#[test]
fn a_late_2xx_of_an_abandoned_invite_is_reported_for_ack_and_bye() {
    let (now, mut machine) = udp();
    machine.abandon(now);
    assert_eq!(respond(&mut machine, now, 200), [Output::LateAnswer]);
    assert_eq!(respond(&mut machine, now, 200), [Output::LateAnswer]);
}

#[test]
fn a_late_failure_of_an_abandoned_invite_is_acknowledged() {
    let (now, mut machine) = udp();
    machine.abandon(now);
    assert_eq!(respond(&mut machine, now, 503), [ack()]);
    assert_eq!(machine.state(), State::Completed);
}

#[test]
fn abandoning_a_ringing_invite_cancels_it() {
    let (now, mut machine) = udp();
    respond(&mut machine, now, 180);
    machine.abandon(now);
    assert_eq!(drain(&mut machine), [Output::Cancel]);
    assert_eq!(respond(&mut machine, now, 200), [Output::LateAnswer]);
}

#[test]
fn a_given_up_invite_still_deals_with_late_responses() {
    let (now, mut machine) = start(Reliability::Unreliable, Timing::FAST_FAILOVER);
    machine.handle_timeout(now + ms(7_500));
    assert_eq!(drain(&mut machine), [Output::TimedOut]);
    assert_eq!(respond(&mut machine, now + ms(8_000), 200), [Output::LateAnswer]);
}

#[test]
fn a_lost_flow_fails_only_an_unheard_invite() {
    let (now, mut machine) = udp();
    machine.handle_unreachable(now);
    assert_eq!(drain(&mut machine), [Output::Unreachable]);
    assert_eq!(machine.state(), State::Abandoned);

    let (now, mut machine) = udp();
    respond(&mut machine, now, 100);
    machine.handle_unreachable(now);
    assert_eq!(drain(&mut machine), []);
    assert_eq!(machine.state(), State::Proceeding);
}
