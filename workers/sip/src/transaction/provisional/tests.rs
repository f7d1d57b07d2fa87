//! The schedule and order of reliable provisional responses, one fact a test.

use super::*;
use crate::transaction::testing::{epoch, ms};

fn response(status: u16, has_session: bool) -> Reliable {
    Reliable { status, bytes: Bytes::from(status.to_string()), has_session }
}

fn machine() -> Provisional {
    Provisional::new(7, Timing::STANDARD)
}

/// RFC 3262 §3: T1, doubled each time, until 64·T1.
#[test]
fn repeats_with_doubled_intervals_until_64_t1() {
    let (start, mut machine) = (epoch(), machine());
    assert!(machine.push(start, response(180, false)).is_some());
    let mut sent = Vec::new();
    let end = loop {
        let at = machine.poll_timeout().expect("a deadline");
        match machine.handle_timeout(at) {
            Some(Output::Send(bytes)) => {
                assert_eq!(bytes, "180");
                sent.push((at - start).as_millis());
            }
            Some(Output::Missing) => break at,
            None => panic!("nothing was due"),
        }
    };
    assert_eq!(sent, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(end - start, ms(32_000));
    assert_eq!((machine.poll_timeout(), machine.acknowledge(end, 7)), (None, None));
}

#[test]
fn the_next_waits_for_the_prack_of_the_one_before() {
    let (now, mut machine) = (epoch(), machine());
    assert_eq!(machine.upcoming(), Some(7));
    machine.push(now, response(180, false));
    assert_eq!(machine.upcoming(), Some(8));
    assert_eq!(machine.push(now, response(183, true)), None);
    assert_eq!(machine.acknowledge(now, 8), None, "that one is not out yet");
    assert_eq!(machine.acknowledge(now, 7), Some(Some(response(183, true))));
    assert_eq!(machine.acknowledge(now, 7), None, "acknowledged before");
    assert_eq!(machine.acknowledge(now, 8), Some(None));
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn a_late_call_is_not_followed_by_a_burst() {
    let (now, mut machine) = (epoch(), machine());
    machine.push(now, response(180, false));
    let late = now + ms(10_000);
    assert!(matches!(machine.handle_timeout(late), Some(Output::Send(_))));
    assert_eq!(machine.poll_timeout(), Some(late + ms(1_000)));
}

#[test]
fn a_session_holds_the_answer_until_its_prack() {
    let (now, mut machine) = (epoch(), machine());
    machine.push(now, response(180, false));
    assert!(!machine.holds_answer());
    machine.push(now, response(183, true));
    assert!(machine.holds_answer(), "queued, but the UAC must learn of it");
    machine.acknowledge(now, 7);
    assert!(machine.holds_answer());
    machine.acknowledge(now, 8);
    assert!(!machine.holds_answer());
}

#[test]
fn the_queue_has_an_end() {
    let (now, mut machine) = (epoch(), machine());
    for _ in 0..=MAX_QUEUE {
        assert!(machine.upcoming().is_some());
        machine.push(now, response(180, false));
    }
    assert_eq!(machine.upcoming(), None);
}

#[test]
fn the_final_response_stops_the_repetitions_and_names_what_is_unacknowledged() {
    let (now, mut machine) = (epoch(), machine());
    assert_eq!(machine.stop(), None);
    machine.push(now, response(180, false));
    machine.push(now, response(181, false));
    assert_eq!((machine.stop(), machine.poll_timeout()), (Some(7), None));
}
