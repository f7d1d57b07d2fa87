//! HASH: the same key meets the same member as long as that one can be used, on every worker and after every restart.
//!
//! Rendezvous hashing: each member scores with the key by itself, so a member that comes or goes moves only its own keys.
//! The hash is part of the product's behaviour and has no seed.

use std::cmp::Reverse;

use super::Member;
use crate::view::TargetId;

pub(super) fn order(members: &[Member<'_>], key: &str) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_cached_key(|place| Reverse(score(key, members[*place].id)));
    order
}

fn score(key: &str, id: &TargetId) -> u64 {
    let (group, entry): (&str, &str) = match id {
        TargetId::Entry { list, entry } => (list, entry),
        TargetId::Station(station) => ("", station),
    };
    let texts = [key.as_bytes(), &[0], group.as_bytes(), &[0], entry.as_bytes()];
    // FNV-1a, then the finalizer of SplitMix64: FNV alone leaves the high bits of short texts alike.
    let hash = texts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
