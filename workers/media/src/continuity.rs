//! Our own RTP stream towards a leg, continuous whatever happens to the far end that feeds it (RFC 3550 section 7.1, as a translator
//! that owns its SSRC). Used when passthrough is disabled.
//!
//! A change is a new SSRC, or a jump of the sequence within one. At a change the sequence goes on by one, the timestamp by the time that
//! passed, and the marker bit is set. Packets of the replaced stream that come late are dropped.

use std::time::{Duration, Instant};

use crate::{
    generate::Header,
    reception::{extend, near, ticks},
    rtp::RtpView,
};

/// One outgoing stream.
#[derive(Debug, Clone)]
pub struct Continuity {
    ssrc: u32,
    /// Sequence and timestamp of the newest packet sent; before the first one, where to begin.
    sequence: u16,
    timestamp: u32,
    sent_at: Option<Instant>,
    source: Option<Source>,
    replaced: Option<Replaced>,
    packets: u32,
    octets: u32,
}

/// The stream that feeds us, and what is added to its numbers.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    /// Highest extended sequence number seen, one cycle ahead.
    highest: u64,
    sequence_offset: u16,
    timestamp_offset: u32,
}

#[derive(Debug, Clone, Copy)]
struct Replaced {
    ssrc: u32,
    until: Instant,
}

/// The packet belongs to a stream that another one has replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

/// How our stream stands to the one that feeds it, for the translation of RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correspondence {
    /// Our SSRC.
    pub ours: u32,
    /// SSRC of the far end's stream.
    pub theirs: u32,
    /// What our timestamps are ahead of theirs.
    pub timestamp_offset: u32,
    /// Packets that we sent.
    pub packets: u32,
    /// Octets of payload that we sent.
    pub octets: u32,
    sequence_offset: u16,
    highest: u64,
}

impl Continuity {
    /// Creates a stream whose SSRC and first numbers come from `seed`.
    pub fn new(seed: u64) -> Self {
        let [ssrc, numbers] = [mix(seed), mix(seed ^ NUMBERS)];
        Self {
            ssrc: low(ssrc),
            // The first sequence number stays below 2^15, so that SRTP peers cannot lose the first roll-over (RFC 3711 section 3.3.1).
            sequence: u16::try_from(numbers & 0x3FFF).unwrap_or(0),
            timestamp: low(numbers >> 16),
            sent_at: None,
            source: None,
            replaced: None,
            packets: 0,
            octets: 0,
        }
    }

    /// Makes a packet of the far end part of our stream; `clock_rate` in Hz.
    ///
    /// # Errors
    /// [`Stale`] when it comes late from a stream that was replaced; it must not be sent.
    pub fn rewrite(&mut self, now: Instant, packet: &mut RtpView<'_>, clock_rate: u32) -> Result<(), Stale> {
        let (ssrc, sequence, timestamp) = (packet.ssrc(), packet.sequence(), packet.timestamp());
        let mut source = match self.source {
            Some(source) if source.ssrc == ssrc && near(source.highest, sequence) => source,
            Some(old) => {
                if self.replaced.is_some_and(|replaced| replaced.ssrc == ssrc && now < replaced.until) {
                    return Err(Stale);
                }
                if old.ssrc != ssrc {
                    self.replaced = Some(Replaced { ssrc: old.ssrc, until: now + LATE });
                }
                packet.set_marker();
                self.join(now, ssrc, sequence, timestamp, clock_rate)
            }
            None => {
                if self.sent_at.is_some() {
                    packet.set_marker();
                }
                self.join(now, ssrc, sequence, timestamp, clock_rate)
            }
        };
        let extended = extend(source.highest, sequence);
        packet.set_ssrc(self.ssrc);
        packet.set_sequence(sequence.wrapping_add(source.sequence_offset));
        packet.set_timestamp(timestamp.wrapping_add(source.timestamp_offset));
        if extended >= source.highest {
            source.highest = extended;
            (self.sequence, self.timestamp) = (packet.sequence(), packet.timestamp());
            self.sent_at = Some(now);
        }
        self.source = Some(source);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(packet.payload_length()).unwrap_or(0));
        Ok(())
    }

    /// Numbers a packet of our own between those of the far end, whose numbers move on by one. It carries `timestamp`, or the present time.
    pub fn insert(&mut self, now: Instant, clock_rate: u32, timestamp: Option<u32>) -> Header {
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(source) = &mut self.source {
            source.sequence_offset = source.sequence_offset.wrapping_add(1);
        }
        let timestamp = timestamp.unwrap_or_else(|| {
            self.timestamp = self.timestamp_at(now, clock_rate);
            self.sent_at = Some(now);
            self.timestamp
        });
        Header { sequence: self.sequence, timestamp, ssrc: self.ssrc }
    }

    /// Numbers a packet of our own that stands in for the far end's; what comes from there next begins anew behind it.
    pub fn take_over(&mut self, now: Instant, clock_rate: u32) -> Header {
        self.timestamp = self.timestamp_at(now, clock_rate);
        self.sequence = self.sequence.wrapping_add(1);
        (self.sent_at, self.source) = (Some(now), None);
        Header { sequence: self.sequence, timestamp: self.timestamp, ssrc: self.ssrc }
    }

    /// Returns our SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Returns how our stream stands to the far end's; `None` before its first packet.
    pub fn correspondence(&self) -> Option<Correspondence> {
        let Self { ssrc, packets, octets, .. } = *self;
        self.source.map(|source| Correspondence {
            ours: ssrc,
            theirs: source.ssrc,
            timestamp_offset: source.timestamp_offset,
            packets,
            octets,
            sequence_offset: source.sequence_offset,
            highest: source.highest,
        })
    }

    /// Places a stream whose next packet is given right behind what was sent.
    fn join(&self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, clock_rate: u32) -> Source {
        let next = self.sequence.wrapping_add(1);
        Source {
            ssrc,
            highest: u64::from(sequence) + (1 << 16),
            sequence_offset: next.wrapping_sub(sequence),
            timestamp_offset: self.timestamp_at(now, clock_rate).wrapping_sub(timestamp),
        }
    }

    /// Returns the timestamp of our stream at `now`, ahead of the last one.
    fn timestamp_at(&self, now: Instant, clock_rate: u32) -> u32 {
        let passed = self
            .sent_at
            .map_or(0, |sent_at| ticks(now.saturating_duration_since(sent_at), clock_rate).max(1));
        self.timestamp.wrapping_add(passed)
    }
}

impl Correspondence {
    /// Translates the extended highest sequence number of a report about our stream into the far end's numbers.
    pub fn their_sequence(&self, extended: u32) -> u32 {
        let low = u16::try_from(extended & 0xFFFF).unwrap_or(0).wrapping_sub(self.sequence_offset);
        let theirs = extend(self.highest, low).saturating_sub(1 << 16);
        u32::try_from(theirs & u64::from(u32::MAX)).unwrap_or(0)
    }
}

/// Spreads a seed over all 64 bits (the finaliser of SplitMix64).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0)
}

/// Tells the numbers' seed from the SSRC's.
const NUMBERS: u64 = 0x5EED_0F5E_9EC3;

/// How long packets of a replaced stream are taken for late ones; after that the stream may come back.
const LATE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
