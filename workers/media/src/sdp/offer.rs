//! The content of an offer from one leg to the other: the codecs of a received offer, or those already answered, or our own list.

use super::{codec::Codec, direction::Direction, line::Slots};

/// The content of an offer that we are about to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Formats, the most wanted first.
    pub codecs: Vec<Codec>,
    /// Direction, as our offer will say it.
    pub direction: Direction,
    /// `a=ptime`, in ms.
    pub ptime: Option<u16>,
    /// `a=maxptime`, in ms.
    pub max_ptime: Option<u16>,
    /// The m-lines around the audio.
    pub(super) slots: Slots,
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
        Self {
            codecs: vec![named(0, "PCMU/8000"), named(8, "PCMA/8000"), tones],
            direction: Direction::SendRecv,
            ptime: Some(20),
            max_ptime: None,
            slots: Slots::default(),
        }
    }
}
