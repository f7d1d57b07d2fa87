//! What one far end's stream looks like on arrival: extended sequence number, loss and jitter (RFC 3550 appendices A.1, A.3, A.8).

use std::time::{Duration, Instant};

/// Reception statistics of the stream that a leg receives. A new SSRC, or a jump of the sequence, starts a new count on top of the old.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    current: Option<Current>,
    /// Losses of the streams before the current one.
    lost_before: u64,
    jitter_before: u32,
}

#[derive(Debug, Clone)]
struct Current {
    ssrc: u32,
    first: u64,
    highest: u64,
    received: u64,
    arrived_at: Instant,
    timestamp: u32,
    /// Jitter in units of the clock, scaled by 16.
    jitter: u32,
}

impl Reception {
    /// Counts a packet; `clock_rate` in Hz.
    pub fn on_packet(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, clock_rate: u32) {
        match &mut self.current {
            Some(current) if current.ssrc == ssrc && near(current.highest, sequence) => {
                current.on_packet(now, sequence, timestamp, clock_rate);
            }
            Some(_) | None => {
                (self.lost_before, self.jitter_before) = (self.lost(), self.jitter());
                // One cycle ahead, so that packets from before the first one do not underflow.
                let first = u64::from(sequence) + CYCLE;
                let current = Current {
                    ssrc,
                    first,
                    highest: first,
                    received: 1,
                    arrived_at: now,
                    timestamp,
                    jitter: 0,
                };
                self.current = Some(current);
            }
        }
    }

    /// Returns how many packets did not come; duplicates count against it, but it is never below 0.
    pub fn lost(&self) -> u64 {
        let now_lost = self
            .current
            .as_ref()
            .map_or(0, |current| (current.highest - current.first + 1).saturating_sub(current.received));
        self.lost_before + now_lost
    }

    /// Returns the inter-arrival jitter of the current stream, in units of the RTP clock.
    pub fn jitter(&self) -> u32 {
        self.current.as_ref().map_or(self.jitter_before, |current| current.jitter >> 4)
    }
}

impl Current {
    fn on_packet(&mut self, now: Instant, sequence: u16, timestamp: u32, clock_rate: u32) {
        self.received += 1;
        let extended = extend(self.highest, sequence);
        self.first = self.first.min(extended);
        self.highest = self.highest.max(extended);
        let elapsed = ticks(now.saturating_duration_since(self.arrived_at), clock_rate);
        let transit =
            elapsed.wrapping_sub(timestamp.wrapping_sub(self.timestamp)).cast_signed().unsigned_abs();
        // A pause or a restart of the clock is no jitter.
        if transit < clock_rate {
            let gain = transit.cast_signed() - ((self.jitter + 8) >> 4).cast_signed();
            self.jitter = self.jitter.saturating_add_signed(gain);
        }
        (self.arrived_at, self.timestamp) = (now, timestamp);
    }
}

/// Returns whether `sequence` continues a stream whose highest extended number is `highest`.
pub(crate) fn near(highest: u64, sequence: u16) -> bool {
    distance(highest, sequence).unsigned_abs() <= MOST_DROPOUT
}

/// Extends `sequence` to the number nearest to `highest` (RFC 3711 section 3.3.1 has the same estimate).
pub(crate) fn extend(highest: u64, sequence: u16) -> u64 {
    highest.saturating_add_signed(i64::from(distance(highest, sequence)))
}

/// Returns a duration in units of an RTP clock, modulo 2^32.
pub(crate) fn ticks(duration: Duration, clock_rate: u32) -> u32 {
    let ticks = duration.as_micros().saturating_mul(u128::from(clock_rate)) / 1_000_000;
    u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or(0)
}

/// Returns how far `sequence` is ahead of the lower 16 bits of `highest`.
fn distance(highest: u64, sequence: u16) -> i16 {
    let low = u16::try_from(highest & 0xFFFF).unwrap_or(0);
    sequence.wrapping_sub(low).cast_signed()
}

const CYCLE: u64 = 1 << 16;

/// A greater step of the sequence is a restart of the sender (RFC 3550 appendix A.1, `MAX_DROPOUT`).
const MOST_DROPOUT: u16 = 3000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::start;

    const RATE: u32 = 8000;
    const STEP: Duration = Duration::from_millis(20);

    fn feed(reception: &mut Reception, now: Instant, sequences: impl IntoIterator<Item = u16>) {
        for (index, sequence) in (0_u32..).zip(sequences) {
            reception.on_packet(now + STEP * index, 1, sequence, index * 160, RATE);
        }
    }

    #[test]
    fn a_gap_is_counted_and_a_late_packet_fills_it() {
        let (mut reception, now) = (Reception::default(), start());
        feed(&mut reception, now, [10, 11, 14, 15]);
        assert_eq!(reception.lost(), 2);
        feed(&mut reception, now, [12]);
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn a_wrap_of_the_sequence_is_no_loss() {
        let (mut reception, now) = (Reception::default(), start());
        feed(&mut reception, now, [65534, 65535, 0, 1, 3]);
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn reordering_around_the_first_packet_does_not_underflow() {
        let (mut reception, now) = (Reception::default(), start());
        feed(&mut reception, now, [0, 65535, 65534, 1]);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_restart_keeps_the_losses_before_it() {
        let (mut reception, now) = (Reception::default(), start());
        feed(&mut reception, now, [1, 3, 30_000, 30_001]);
        assert_eq!(reception.lost(), 1);
        reception.on_packet(now, 2, 7, 0, RATE);
        reception.on_packet(now, 2, 9, 0, RATE);
        assert_eq!(reception.lost(), 2);
    }

    #[test]
    fn even_spacing_has_no_jitter_and_uneven_spacing_has() {
        let (mut reception, now) = (Reception::default(), start());
        feed(&mut reception, now, 0..50);
        assert_eq!(reception.jitter(), 0);
        let mut at = now;
        for sequence in 0..200_u16 {
            at += if sequence % 2 == 0 {
                STEP + Duration::from_millis(10)
            } else {
                STEP - Duration::from_millis(10)
            };
            reception.on_packet(at, 9, sequence, u32::from(sequence) * 160, RATE);
        }
        // Every packet deviates by 10 ms, 80 ticks, to which the estimate converges.
        assert!((70..=80).contains(&reception.jitter()), "{}", reception.jitter());
    }

    #[test]
    fn duplicates_do_not_make_loss_negative() {
        let (mut reception, now) = (Reception::default(), start());
        feed(&mut reception, now, [5, 5, 5, 6]);
        assert_eq!(reception.lost(), 0);
    }
}
