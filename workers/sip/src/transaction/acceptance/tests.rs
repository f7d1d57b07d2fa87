//! The repeated 2xx, one fact a test.

use bytes::Bytes;

use super::*;
use crate::transaction::testing::{epoch, ms};

fn run(timing: Timing) -> (Vec<u128>, u128) {
    let now = epoch();
    let mut machine = Acceptance::new(now, Bytes::from_static(b"200"), timing);
    let mut sends = vec![0];
    for _ in 0..500 {
        let at = machine.poll_timeout();
        match machine.handle_timeout(at) {
            Some(Output::Send(_)) => sends.push((at - now).as_millis()),
            Some(Output::AckMissing) => return (sends, (at - now).as_millis()),
            None => panic!("a deadline without an output"),
        }
    }
    panic!("never over");
}

#[test]
fn repeats_from_t1_to_t2_until_64_t1() {
    let expected = vec![0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(run(Timing::STANDARD), (expected, 32_000));
}

#[test]
fn is_not_counted_by_max_packet_retry() {
    let (sends, end) = run(Timing::FAST_FAILOVER);
    assert_eq!(sends.len(), 33);
    assert_eq!(end, 32_000);
}

#[test]
fn repeats_even_where_64_t1_holds_more_than_255_intervals() {
    let timing = Timing { t1: ms(5_000), t2: ms(1_000), ..Timing::STANDARD };
    let (sends, end) = run(timing);
    assert_eq!((sends.len() > 256, end), (true, 320_000));
}
