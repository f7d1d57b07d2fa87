//! The payload type numbers of one dialog: a number once given to an encoding keeps it (RFC 3264 section 8.3.2), so that what another leg
//! numbers otherwise is renumbered before it is offered here.

use super::{answer::AgreedCodec, codec::Codec};

/// What each number of the dialog means.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    known: Vec<Codec>,
}

impl Numbers {
    /// Gives numbers of this dialog to codecs that are to be offered.
    pub(super) fn assign(&mut self, codecs: &[Codec]) -> Vec<AgreedCodec> {
        let mut assigned: Vec<AgreedCodec> = Vec::with_capacity(codecs.len());
        for codec in codecs {
            let taken = |payload: u8| assigned.iter().any(|other| other.leg.payload == payload);
            let payload = self.number(codec, taken);
            assigned.push(AgreedCodec { call: codec.clone(), leg: Codec { payload, ..codec.clone() } });
        }
        self.note(assigned.iter().map(|codec| &codec.leg));
        assigned
    }

    /// Takes note of numbers that a description uses.
    pub(super) fn note<'a>(&mut self, codecs: impl IntoIterator<Item = &'a Codec>) {
        for codec in codecs {
            let bare = || Codec { parameters: None, ..codec.clone() };
            match self.known.iter_mut().find(|known| known.payload == codec.payload) {
                Some(known) if known.same_encoding(codec) => {}
                Some(known) => *known = bare(),
                None => self.known.push(bare()),
            }
        }
    }

    fn number(&self, codec: &Codec, taken: impl Fn(u8) -> bool) -> u8 {
        let meaning = |payload: u8| self.known.iter().find(|known| known.payload == payload);
        if !taken(codec.payload) && meaning(codec.payload).is_some_and(|known| known.same_encoding(codec)) {
            return codec.payload;
        }
        let mut same = self.known.iter().filter(|known| known.same_encoding(codec));
        let known = same.find(|known| !taken(known.payload)).map(|known| known.payload);
        let mut candidates = [codec.payload].into_iter().chain(DYNAMIC..=127);
        let free = || candidates.find(|payload| !taken(*payload) && meaning(*payload).is_none());
        known.or_else(free).unwrap_or(codec.payload)
    }
}

/// The first number without a fixed meaning (RFC 3551 section 3).
const DYNAMIC: u8 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(payload: u8, encoding: &str) -> Codec {
        let mut codec = Codec::of_payload(payload);
        codec.apply_map(encoding);
        codec
    }

    fn assigned(numbers: &mut Numbers, codecs: &[Codec]) -> Vec<u8> {
        numbers.assign(codecs).iter().map(|codec| codec.leg.payload).collect()
    }

    #[test]
    fn a_new_dialog_takes_the_numbers_as_they_are() {
        let codecs = [codec(0, "PCMU/8000"), codec(96, "telephone-event/8000")];
        assert_eq!(assigned(&mut Numbers::default(), &codecs), [0, 96]);
    }

    #[test]
    fn a_number_keeps_its_meaning_and_an_encoding_its_number() {
        let mut numbers = Numbers::default();
        numbers.note([&codec(101, "telephone-event/8000"), &codec(96, "opus/48000/2")]);
        let codecs = [codec(8, "PCMA/8000"), codec(96, "telephone-event/8000"), codec(101, "G726-32/8000")];
        assert_eq!(assigned(&mut numbers, &codecs), [8, 101, 97]);
        assert_eq!(assigned(&mut numbers, &codecs), [8, 101, 97]);
    }
}
