//! Numbers that nobody outside can guess (SDP session ids, seeds of relays), from the injected seed.

use std::hash::{DefaultHasher, Hasher};

/// The source; two with the same seed give the same numbers.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    secret: [u8; 32],
    drawn: u64,
}

impl Draw {
    pub(super) const fn new(secret: [u8; 32]) -> Self {
        Self { secret, drawn: 0 }
    }

    /// Draws 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.drawn += 1;
        let mut hasher = DefaultHasher::new();
        // Sets these numbers apart from those that the endpoint draws from the same seed.
        hasher.write(b"engine");
        hasher.write(&self.secret);
        hasher.write_u64(self.drawn);
        hasher.finish()
    }
}
