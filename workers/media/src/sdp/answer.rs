//! What a far end accepted of our offer (RFC 3264 section 6.1), and the payload numbers that follow from it.

use super::{
    audio::{Audio, RemoteMedia},
    codec::{Codec, DEFAULT_CLOCK_RATE},
    direction::Direction,
    image::Image,
};
use crate::payload::PayloadMaps;

/// An answer, matched to the offer that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// About an audio stream.
    Audio(AudioAgreement),
    /// About a fax stream.
    Image(Image),
}

impl Agreement {
    /// Returns whether its codecs were offered; a fax always is what was offered.
    pub fn kinship(&self) -> Kinship {
        match self {
            Self::Audio(audio) => audio.kinship,
            Self::Image(_) => Kinship::Common,
        }
    }

    /// Returns the codecs of an audio stream; empty for a fax.
    pub fn codecs(&self) -> &[AgreedCodec] {
        match self {
            Self::Audio(audio) => &audio.codecs,
            Self::Image(_) => &[],
        }
    }
}

/// An answered audio stream, matched to the offer that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioAgreement {
    /// Whether the codecs were offered.
    pub kinship: Kinship,
    /// Accepted formats in the order of the answer; at least one is speech.
    pub codecs: Vec<AgreedCodec>,
    /// Where the far end receives.
    pub remote: RemoteMedia,
    /// The far end's direction, seen by itself.
    pub direction: Direction,
    /// Its `a=ptime`, in ms.
    pub ptime: Option<u16>,
    /// Its `a=maxptime`, in ms.
    pub max_ptime: Option<u16>,
}

/// How the codecs of an answer stand to those of the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// At least one speech codec is in both, as RFC 3264 section 6.1 demands; only such codecs are kept.
    Common,
    /// None is: the far end answers with a fixed list. As nothing is decoded here, the list is passed on as it is, and the
    /// one who offered decides whether to stay.
    Foreign,
}

/// A codec that both sides of a leg accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedCodec {
    /// As the call's offer numbers and names it.
    pub call: Codec,
    /// As the far end of the leg numbers it, with the far end's parameters.
    pub leg: Codec,
}

impl AudioAgreement {
    /// Matches an answered stream to the codecs that we offered, which this dialog may have numbered anew.
    pub(super) fn of(offered: &[AgreedCodec], answered: &Audio) -> Self {
        let numbered: Vec<Codec> = offered.iter().map(|codec| codec.leg.clone()).collect();
        let mut common = common(&numbered, &answered.codecs);
        for codec in &mut common {
            if let Some(ours) = offered.iter().find(|ours| ours.leg.payload == codec.call.payload) {
                codec.call = ours.call.clone();
            }
        }
        let (kinship, codecs) = if common.iter().any(|codec| codec.call.is_speech()) {
            (Kinship::Common, common)
        } else {
            let alike = |codec: &Codec| AgreedCodec { call: codec.clone(), leg: codec.clone() };
            (Kinship::Foreign, answered.codecs.iter().map(alike).collect())
        };
        let Audio { remote, direction, ptime, max_ptime, .. } = *answered;
        Self { kinship, codecs, remote, direction, ptime, max_ptime }
    }
}

/// Pairs the codecs of the call with those of a far end, in the far end's order.
pub(super) fn common(call: &[Codec], leg: &[Codec]) -> Vec<AgreedCodec> {
    leg.iter()
        .filter_map(|theirs| {
            let same = |ours: &&Codec| ours.same_encoding(theirs);
            // The same number first: an encoding may stand twice with different parameters.
            let ours = call
                .iter()
                .filter(same)
                .find(|ours| ours.payload == theirs.payload)
                .or_else(|| call.iter().find(same))?;
            Some(AgreedCodec { call: ours.clone(), leg: theirs.clone() })
        })
        .collect()
}

/// Returns the payload maps of a leg; `offered` is what we offered there, empty if the far end did.
pub(super) fn payload_maps(codecs: &[AgreedCodec], offered: &[AgreedCodec]) -> PayloadMaps {
    let mut maps = PayloadMaps::default();
    for codec in codecs {
        maps.sent.insert(codec.call.payload, codec.leg.payload);
        maps.received.insert(codec.leg.payload, codec.call.payload);
    }
    // Some answerers send the numbers of their own answer instead: those stay mapped where they mean nothing else.
    for codec in offered.iter().filter(|ours| codecs.iter().any(|codec| codec.call == ours.call)) {
        maps.received.insert(codec.leg.payload, codec.call.payload);
    }
    maps
}

/// Returns the RTP clock of the first speech codec, in Hz.
pub(super) fn clock_rate(codecs: &[AgreedCodec]) -> u32 {
    codecs
        .iter()
        .find(|codec| codec.call.is_speech())
        .map_or(DEFAULT_CLOCK_RATE, |codec| codec.call.clock_rate)
}
