//! The content of an offer from one leg to the other: the stream of a received offer, or what was answered already, or our own list.

use super::{
    codec::Codec,
    direction::Direction,
    image::ImageTerms,
    lines::{Kind, Lines, Placing},
};

/// The content of an offer that we are about to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The stream.
    pub stream: Proposed,
    /// The m-lines of the one who wishes it.
    pub(super) lines: Lines,
    pub(super) placing: Placing,
}

/// The stream of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// Audio.
    Audio(AudioProposal),
    /// Fax.
    Image(ImageTerms),
}

/// An audio stream to be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioProposal {
    /// Formats, the most wanted first.
    pub codecs: Vec<Codec>,
    /// Direction, as our offer will say it.
    pub direction: Direction,
    /// `a=ptime`, in ms.
    pub ptime: Option<u16>,
    /// `a=maxptime`, in ms.
    pub max_ptime: Option<u16>,
}

impl Proposal {
    /// Returns the offer of a caller who made none (delayed offer): PCMU, PCMA and telephone-event, as UM servers want them.
    pub fn telephony() -> Self {
        let mut tones = Codec::of_payload(101);
        tones.apply_map("telephone-event/8000");
        tones.parameters = Some(Box::from("0-15"));
        let named = |payload, encoding| {
            let mut codec = Codec::of_payload(payload);
            codec.apply_map(encoding);
            codec
        };
        Self::audio(AudioProposal {
            codecs: vec![named(0, "PCMU/8000"), named(8, "PCMA/8000"), tones],
            direction: Direction::SendRecv,
            ptime: Some(20),
            max_ptime: None,
        })
    }

    /// Returns the formats of an audio stream; empty for a fax.
    pub fn codecs(&self) -> &[Codec] {
        match &self.stream {
            Proposed::Audio(audio) => &audio.codecs,
            Proposed::Image(_) => &[],
        }
    }

    /// Returns what its stream is.
    pub fn kind(&self) -> Kind {
        match self.stream {
            Proposed::Audio(_) => Kind::Audio,
            Proposed::Image(_) => Kind::Image,
        }
    }

    /// Adds what `other` offers and this one does not, behind what it has.
    #[must_use]
    pub fn widened(mut self, other: &Self) -> Self {
        if let Proposed::Audio(audio) = &mut self.stream {
            for codec in other.codecs() {
                let stands = |known: &Codec| known.same_encoding(codec) || known.payload == codec.payload;
                if !audio.codecs.iter().any(stands) {
                    audio.codecs.push(codec.clone());
                }
            }
        }
        self
    }

    fn audio(audio: AudioProposal) -> Self {
        Self { stream: Proposed::Audio(audio), lines: Lines::default(), placing: Placing::Own }
    }
}
