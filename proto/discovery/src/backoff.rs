//! Waiting times that double, with jitter from an injected seed, so that a fleet does not come back in step.

use std::time::Duration;

/// A growing waiting time.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
    state: u64,
}

impl Backoff {
    /// Starts at `first`, doubles up to `most`; `seed` decides the jitter.
    #[must_use]
    pub const fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, next: first, state: seed }
    }

    /// Returns the next waiting time, between half of the step and all of it, and doubles the step.
    pub fn step(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.most);
        // 0 to 1023 of 1024 parts of the upper half; the modulus keeps it exact in u32.
        let jitter = u32::try_from(self.random() % 1024).unwrap_or(0);
        step / 2 + (step / 2) * jitter / 1024
    }

    /// Starts anew, after things went well.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }

    /// SplitMix64: small, and good enough to spread waiting times.
    const fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double_up_to_the_most_and_start_anew_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5), 7);
        for step in [200, 400, 800, 1600, 3200, 5000, 5000] {
            let waited = backoff.step();
            let most = Duration::from_millis(step);
            assert!(waited >= most / 2 && waited <= most, "{waited:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.step() <= Duration::from_millis(200));
    }

    #[test]
    fn two_seeds_wait_differently_and_one_seed_the_same() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8), seed);
            [backoff.step(), backoff.step(), backoff.step()]
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
