//! What the receiver of our stream sees while far ends come, go, wrap and restart.

use proptest::prelude::*;

use super::*;
use crate::epoch::start;

const RATE: u32 = 8000;
const STEP: Duration = Duration::from_millis(20);

/// What a receiver sees of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    marker: bool,
}

fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> [u8; 32] {
    let mut packet = [0; 32];
    packet[0] = 0x80;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    packet
}

fn pass(
    stream: &mut Continuity,
    now: Instant,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
) -> Result<Seen, Stale> {
    let mut packet = packet(ssrc, sequence, timestamp);
    let mut view = RtpView::parse(&mut packet).unwrap();
    stream.rewrite(now, &mut view, RATE)?;
    Ok(Seen {
        ssrc: view.ssrc(),
        sequence: view.sequence(),
        timestamp: view.timestamp(),
        marker: view.marker(),
    })
}

#[test]
fn own_numbers_run_on_over_a_far_end_change() {
    let (mut stream, now) = (Continuity::new(1), start());
    let mut last = None;
    // Three packets of one far end, then three of another, 20 ms apart throughout.
    for (index, (ssrc, sequence, timestamp)) in (0_u32..).zip([
        (7, 500, 9000),
        (7, 501, 9160),
        (7, 502, 9320),
        (8, 65_535, 5),
        (8, 0, 165),
        (8, 1, 325),
    ]) {
        let seen = pass(&mut stream, now + STEP * index, ssrc, sequence, timestamp).unwrap();
        assert_eq!(seen.ssrc, stream.ssrc());
        assert_eq!(seen.marker, index == 3, "the marker stands at the change only");
        if let Some(Seen { sequence, timestamp, .. }) = last {
            assert_eq!(seen.sequence, sequence + 1);
            assert_eq!(seen.timestamp, timestamp + 160);
        }
        last = Some(seen);
    }
}

#[test]
fn silence_before_a_change_shows_in_the_timestamp_only() {
    let (mut stream, now) = (Continuity::new(2), start());
    let before = pass(&mut stream, now, 7, 10, 1000).unwrap();
    let after = pass(&mut stream, now + Duration::from_secs(3), 8, 90, 77).unwrap();
    assert_eq!(after.sequence, before.sequence + 1);
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(24_000));
}

#[test]
fn losses_and_reordering_of_the_network_pass_through() {
    let (mut stream, now) = (Continuity::new(3), start());
    let first = pass(&mut stream, now, 7, 65_534, 0).unwrap().sequence;
    let steps: Vec<_> = [65_535_u16, 1, 0, 4]
        .into_iter()
        .map(|sequence| pass(&mut stream, now, 7, sequence, 0).unwrap().sequence.wrapping_sub(first))
        .collect();
    assert_eq!(steps, [1, 3, 2, 6]);
    let next = pass(&mut stream, now, 8, 1, 0).unwrap().sequence.wrapping_sub(first);
    assert_eq!(next, 7, "a change follows the highest number sent");
}

#[test]
fn a_restart_of_the_same_source_is_a_change() {
    let (mut stream, now) = (Continuity::new(4), start());
    let before = pass(&mut stream, now, 7, 100, 0).unwrap();
    let after = pass(&mut stream, now + STEP, 7, 40_000, 900_000).unwrap();
    assert!(after.marker);
    assert_eq!((after.sequence, after.timestamp), (before.sequence + 1, before.timestamp.wrapping_add(160)));
}

#[test]
fn late_packets_of_a_replaced_stream_are_dropped_and_later_it_may_return() {
    let (mut stream, now) = (Continuity::new(5), start());
    pass(&mut stream, now, 7, 100, 0).unwrap();
    let replaced = pass(&mut stream, now + STEP, 8, 5, 0).unwrap();
    assert_eq!(pass(&mut stream, now + STEP * 2, 7, 101, 160), Err(Stale));
    let back = pass(&mut stream, now + Duration::from_secs(1), 7, 150, 8000).unwrap();
    assert!(back.marker);
    assert_eq!(back.sequence, replaced.sequence + 1);
}

#[test]
fn streams_of_different_seeds_differ_and_begin_low() {
    for seed in 0..200 {
        let (one, other) = (Continuity::new(seed), Continuity::new(seed + 1));
        assert_ne!(one.ssrc(), other.ssrc());
        assert!(one.sequence < 0x8000);
        assert_eq!(one.ssrc(), Continuity::new(seed).ssrc());
    }
}

#[test]
fn report_sequences_are_translated_back_with_their_cycles() {
    let (mut stream, now) = (Continuity::new(6), start());
    let mut seen = 0;
    for sequence in 65_000..65_536 + 10_u32 {
        let low = u16::try_from(sequence & 0xFFFF).unwrap();
        seen = pass(&mut stream, now, 7, low, 0).unwrap().sequence;
    }
    let correspondence = stream.correspondence().unwrap();
    assert_eq!(correspondence.their_sequence(u32::from(seen)), 65_536 + 9);
    assert_eq!(correspondence.their_sequence(u32::from(seen.wrapping_sub(20)) | 5 << 16), 65_536 - 11);
}

proptest! {
    #[test]
    fn our_numbers_never_jump(
        seed in any::<u64>(),
        arrivals in proptest::collection::vec((0_u32..4, any::<u16>(), any::<u32>(), 0_u64..2_000), 1..200),
    ) {
        let (mut stream, mut now) = (Continuity::new(seed), start());
        let mut highest: Option<u16> = None;
        for (ssrc, sequence, timestamp, pause) in arrivals {
            now += Duration::from_millis(pause);
            if let Ok(seen) = pass(&mut stream, now, ssrc, sequence, timestamp) {
                let ahead = highest.map_or(1, |highest| seen.sequence.wrapping_sub(highest).cast_signed());
                prop_assert!(ahead.unsigned_abs() <= 3000, "{ahead}");
                if ahead > 0 {
                    highest = Some(seen.sequence);
                }
            }
        }
    }
}
