//! The non-INVITE server transaction, one fact a test.

use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::transaction::testing::{epoch, ms};

fn start(reliability: Reliability) -> (Instant, ServerNonInvite) {
    let now = epoch();
    (now, ServerNonInvite::new(now, reliability, Timing::STANDARD))
}

fn drain(machine: &mut ServerNonInvite) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

fn bytes(status: u16) -> Bytes {
    Bytes::from(status.to_string())
}

#[test]
fn a_repeated_request_is_absorbed_until_the_answer() {
    let (_, mut machine) = start(Reliability::Unreliable);
    machine.handle_request();
    assert_eq!(drain(&mut machine), []);
}

#[test]
fn a_repeated_request_gets_the_final_response_again() {
    let (now, mut machine) = start(Reliability::Unreliable);
    assert!(machine.respond(now, 200, bytes(200)));
    machine.handle_request();
    assert_eq!(drain(&mut machine), [Output::Send(bytes(200)), Output::Send(bytes(200))]);
    assert_eq!(machine.poll_timeout(), Some((now + ms(32_000), Timer::J)));
    machine.handle_timeout(now + ms(32_000));
    assert_eq!(machine.state(), State::Terminated);
}

#[test]
fn the_answer_ends_a_reliable_transaction_at_once() {
    let (now, mut machine) = start(Reliability::Reliable);
    assert!(machine.respond(now, 200, bytes(200)));
    assert_eq!(drain(&mut machine), [Output::Send(bytes(200))]);
    assert_eq!(machine.state(), State::Terminated);
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn a_100_is_due_when_timer_e_of_the_sender_reaches_t2() {
    let (now, mut machine) = start(Reliability::Unreliable);
    assert!(!machine.respond(now + ms(1_000), 100, bytes(100)), "too early on UDP");
    assert_eq!(machine.poll_timeout(), Some((now + ms(3_500), Timer::Trying)));
    machine.handle_timeout(now + ms(3_500));
    assert_eq!(drain(&mut machine), [Output::Trying]);
    assert!(machine.respond(now + ms(3_500), 100, bytes(100)));
    machine.handle_request();
    assert_eq!(drain(&mut machine), [Output::Send(bytes(100)), Output::Send(bytes(100))]);
}

#[test]
fn a_100_may_go_at_once_on_a_reliable_transport() {
    let (now, mut machine) = start(Reliability::Reliable);
    assert!(machine.respond(now, 100, bytes(100)));
    assert!(machine.poll_timeout().is_some_and(|(_, timer)| timer == Timer::Expiry));
}

#[test]
fn no_other_provisional_response_and_no_408_is_ever_sent() {
    let (now, mut machine) = start(Reliability::Reliable);
    for status in [180, 183, 199, 408] {
        assert!(!machine.respond(now, status, bytes(status)));
    }
    assert_eq!(drain(&mut machine), []);
}

#[test]
fn an_unanswered_request_ends_in_silence() {
    let (now, mut machine) = start(Reliability::Unreliable);
    machine.handle_timeout(now + ms(32_000));
    assert_eq!(drain(&mut machine), [Output::Expired]);
    assert_eq!(machine.state(), State::Terminated);
    assert!(!machine.respond(now + ms(32_000), 200, bytes(200)));
}

#[test]
fn a_second_final_response_is_refused() {
    let (now, mut machine) = start(Reliability::Unreliable);
    assert!(machine.respond(now, 200, bytes(200)));
    assert!(!machine.respond(now, 500, bytes(500)));
}
