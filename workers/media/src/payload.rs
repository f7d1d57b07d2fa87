//! Payload type numbers per leg: an answer may give a codec another number than the offer did (RFC 3264 section 6.1).

/// A total mapping of the 128 payload types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadMap([u8; 128]);

impl PayloadMap {
    /// Returns the mapping that changes nothing.
    pub fn identity() -> Self {
        Self(std::array::from_fn(|payload| u8::try_from(payload).unwrap_or(0)))
    }

    /// Maps payload type `from` to `to`; numbers above 127 are ignored.
    pub fn insert(&mut self, from: u8, to: u8) {
        if to < 128
            && let Some(slot) = self.0.get_mut(usize::from(from))
        {
            *slot = to;
        }
    }

    /// Returns the number that `payload` becomes.
    pub fn map(&self, payload: u8) -> u8 {
        self.0.get(usize::from(payload)).copied().unwrap_or(payload)
    }
}

impl Default for PayloadMap {
    fn default() -> Self {
        Self::identity()
    }
}

/// The numbers of one leg against the numbers that the call's offer used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayloadMaps {
    /// For packets that come from the leg: its numbers to the call's.
    pub received: PayloadMap,
    /// For packets that go to the leg: the call's numbers to its own.
    pub sent: PayloadMap,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_keeps_every_number() {
        assert!((0..=127).all(|payload| PayloadMap::identity().map(payload) == payload));
    }

    #[test]
    fn numbers_out_of_range_are_not_taken() {
        let mut map = PayloadMap::identity();
        map.insert(200, 1);
        map.insert(1, 200);
        map.insert(101, 96);
        assert_eq!((map.map(1), map.map(101), map.map(200)), (1, 96, 200));
    }
}
