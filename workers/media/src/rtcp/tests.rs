//! Translation of compound packets between a far end's numbers and ours.

use proptest::prelude::*;

use super::*;
use crate::{continuity::Continuity, epoch::start, rtp::RtpView};

const FAR: u32 = 0xAAAA_0001;
const OTHER: u32 = 0xBBBB_0002;

/// Returns the correspondence of a stream of ours that `ssrc` feeds, with one packet of 20 octets, sequence 1000 and timestamp 5000.
fn correspondence(seed: u64, ssrc: u32) -> Correspondence {
    let mut stream = Continuity::new(seed);
    let mut packet = [0; 32];
    packet[0] = 0x80;
    packet[2..4].copy_from_slice(&1000_u16.to_be_bytes());
    packet[4..8].copy_from_slice(&5000_u32.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    stream.rewrite(start(), &mut RtpView::parse(&mut packet).unwrap(), 8000).unwrap();
    stream.correspondence().unwrap()
}

fn translation() -> Translation {
    let (sending, receiving) = (correspondence(1, FAR), correspondence(2, OTHER));
    Translation {
        ssrc: sending.ours,
        sending: Some(sending),
        receiving: Some(receiving),
        name: *b"0123456789abcdef",
    }
}

fn header(first: u8, kind: u8, size: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(size / 4 - 1).unwrap().to_be_bytes();
    vec![0x80 | first, kind, high, low]
}

fn block(ssrc: u32, highest: u32) -> Vec<u8> {
    [ssrc, 0, highest, 3, 4, 5].iter().flat_map(|word: &u32| word.to_be_bytes()).collect()
}

fn sender_report(ssrc: u32, timestamp: u32, blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = header(u8::try_from(blocks.len()).unwrap(), 200, 28 + 24 * blocks.len());
    packet.extend([ssrc, 0x1111, 0x2222, timestamp, 9, 99].iter().flat_map(|word: &u32| word.to_be_bytes()));
    packet.extend(blocks.concat());
    packet
}

fn description(ssrc: u32, name: &str) -> Vec<u8> {
    let mut items = vec![2, 3, b'B', b'o', b'b', 1, u8::try_from(name.len()).unwrap()];
    items.extend(name.as_bytes());
    items.push(0);
    items.resize(items.len().next_multiple_of(4), 0);
    let mut packet = header(1, 202, 8 + items.len());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(items);
    packet
}

fn bye(ssrc: u32) -> Vec<u8> {
    [header(1, 203, 8), ssrc.to_be_bytes().to_vec()].concat()
}

fn apply(translation: &Translation, mut packet: Vec<u8>) -> Option<Vec<u8>> {
    let length = packet.len();
    assert!(is_well_formed(&packet));
    let length = translation.apply(&mut packet, length)?;
    packet.truncate(length);
    assert!(is_well_formed(&packet), "what we send is well formed");
    Some(packet)
}

#[test]
fn a_sender_report_speaks_of_our_stream() {
    let translation = translation();
    let (sending, receiving) = (translation.sending.unwrap(), translation.receiving.unwrap());
    let blocks = [block(0xDEAD, 1), block(receiving.ours, u32::from(receiving_sequence()))];
    let packet = [sender_report(FAR, 5160, &blocks), description(FAR, "bob@192.0.2.7"), bye(FAR)].concat();
    let sent = apply(&translation, packet).unwrap();
    assert_eq!(sent[0], 0x81, "the block about an unknown stream is gone");
    assert_eq!(word(&sent, 4), Some(sending.ours));
    assert_eq!((word(&sent, 8), word(&sent, 12)), (Some(0x1111), Some(0x2222)), "NTP time is end to end");
    assert_eq!(word(&sent, 16), Some(5160_u32.wrapping_add(sending.timestamp_offset)));
    assert_eq!((word(&sent, 20), word(&sent, 24)), (Some(1), Some(20)));
    assert_eq!((word(&sent, 28), word(&sent, 36)), (Some(OTHER), Some(1000)));
    let rest = &sent[52..];
    assert_eq!((rest[1], word(rest, 4)), (202, Some(sending.ours)));
    assert_eq!(&rest[8..23], b"\x01\x0d0123456789abc");
    assert!(!sent.windows(3).any(|window| window == b"bob"), "no name of the far end");
    assert_eq!(rest.len(), 24, "BYE is gone");
}

/// The sequence number that our stream of seed 2 gave its first packet.
fn receiving_sequence() -> u16 {
    let mut packet = [0; 32];
    packet[0] = 0x80;
    packet[2..4].copy_from_slice(&1000_u16.to_be_bytes());
    let mut view = RtpView::parse(&mut packet).unwrap();
    Continuity::new(2).rewrite(start(), &mut view, 8000).unwrap();
    view.sequence()
}

#[test]
fn a_report_from_an_unknown_sender_is_not_sent() {
    assert_eq!(apply(&translation(), sender_report(0xBAD, 0, &[])), None);
    assert_eq!(apply(&translation(), bye(FAR)), None);
    let silent = Translation { sending: None, ..translation() };
    assert_eq!(apply(&silent, sender_report(FAR, 0, &[])), None);
}

#[test]
fn a_mere_receiver_reports_under_our_name() {
    let translation = Translation { sending: None, ..translation() };
    let packet = [header(0, 201, 8), FAR.to_be_bytes().to_vec()].concat();
    let sent = apply(&translation, packet).unwrap();
    assert_eq!((sent.len(), word(&sent, 4)), (8, Some(translation.ssrc)));
}

#[test]
fn chains_must_end_where_the_datagram_ends() {
    let good = sender_report(FAR, 0, &[]);
    assert!(is_well_formed(&good));
    for length in 0..good.len() {
        assert!(!is_well_formed(&good[..length]), "{length}");
    }
    assert!(!is_well_formed(&[good.clone(), vec![0x80]].concat()));
    assert!(!is_well_formed(&[good, vec![0x80, 8, 0, 0]].concat()));
}

#[test]
fn a_count_beyond_the_packet_is_not_followed() {
    let mut packet = sender_report(FAR, 0, &[]);
    packet[0] = 0x9F;
    assert_eq!(apply(&translation(), packet), None);
}

proptest! {
    #[test]
    fn garbage_never_panics(mut packet in proptest::collection::vec(any::<u8>(), 0..300)) {
        let length = packet.len();
        is_well_formed(&packet);
        if let Some(sent) = translation().apply(&mut packet, length) {
            prop_assert!(sent <= length);
        }
    }

    #[test]
    fn damaged_reports_never_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let blocks = [block(1, 2), block(3, 4)];
        let mut packet = [sender_report(FAR, 1, &blocks), description(FAR, "a@b"), bye(FAR)].concat();
        for (index, octet) in damage {
            let index = index.index(packet.len());
            packet[index] = octet;
        }
        let length = packet.len();
        if let Some(sent) = translation().apply(&mut packet, length) {
            prop_assert!(sent <= length);
            if sent > 0 && is_well_formed(&packet[..length.min(sent)]) {
                prop_assert_eq!(sent % 4, 0);
            }
        }
    }
}
