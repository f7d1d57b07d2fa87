//! Random numbers for branches, tags, Call-IDs and jitter, drawn from the injected seed.
//!
//! SipHash over secret and counter: what goes out tells nothing about what comes next (RFC 3261 §19.3 asks for
//! tags that cannot be guessed), and the same seed gives the same numbers.

use std::hash::{DefaultHasher, Hasher};

use super::{Endpoint, Identity};
use crate::shard;

impl Endpoint {
    /// Makes the identity of a request outside of any dialog: a new Call-ID and tag, CSeq 1.
    #[must_use]
    pub fn new_identity(&mut self) -> Identity {
        let (high, low) = (self.randomness.draw(), self.randomness.draw());
        Identity { call_id: format!("{high:016x}{low:016x}"), tag: self.mint_tag(), cseq: 1 }
    }

    pub(super) fn mint_tag(&mut self) -> String {
        let number = self.randomness.draw();
        self.tag_of(number)
    }

    pub(super) fn tag_of(&self, number: u64) -> String {
        shard::tag(self.config.shard, &format!("{number:016x}"))
    }

    pub(super) fn mint_branch(&mut self) -> String {
        shard::branch(self.config.shard, &format!("{:016x}", self.randomness.draw()))
    }
}

/// The source.
#[derive(Clone, Debug)]
pub(crate) struct Randomness {
    secret: [u8; 32],
    drawn: u64,
}

impl Randomness {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret, drawn: 0 }
    }

    /// Draws 64 bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.hash(DRAWN, &self.drawn.to_le_bytes())
    }

    /// Draws a number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let scaled = (u128::from(self.draw()) * u128::from(bound)) >> 64;
        u32::try_from(scaled).unwrap_or(0)
    }

    /// Returns a number that depends on the input alone, for tags of answers that keep no state (RFC 3261 §8.2.7).
    pub(crate) fn keyed(&self, input: &[u8]) -> u64 {
        self.hash(KEYED, input)
    }

    fn hash(&self, purpose: u8, input: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.secret);
        hasher.write_u8(purpose);
        hasher.write(input);
        hasher.finish()
    }
}

/// Numbers that follow from the counter, and those that follow from what a peer wrote, have nothing in common.
const DRAWN: u8 = 0;
const KEYED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed| {
            let mut randomness = Randomness::new([seed; 32]);
            [randomness.draw(), randomness.draw(), randomness.draw()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_bounded_number_stays_below_its_bound() {
        let mut randomness = Randomness::new([7; 32]);
        assert!((0..1000).all(|_| randomness.below(10) < 10));
        assert_eq!(randomness.below(0), 0);
    }
}
