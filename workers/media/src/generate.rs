//! What a leg is sent that nobody sent to us: telephone events for digits that came as INFO (RFC 4733), and silence while the other far
//! end is on hold and quiet, so that a recorder does not take the hold for the end of the call.
//!
//! ```text
//!   Idle ── tone ──▶ Playing: a packet every 20 ms, the last one three times ── pause of 40 ms ──▶ next tone, or Idle
//!   Idle ── held, and nothing came for 60 ms ──▶ a packet of silence every 20 ms ── something came, or resumed ──▶ Idle
//! ```

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    command::{Own, Silence, Tone},
    continuity::Continuity,
    rtp::HEADER,
};

/// What one leg is still to be sent.
#[derive(Debug, Clone, Default)]
pub struct Generator {
    waiting: VecDeque<Tone>,
    playing: Option<Playing>,
    /// When the next packet of a tone is due, or the next tone may begin.
    tone_at: Option<Instant>,
    /// When silence is due; `None` while the other far end is not on hold.
    silence_at: Option<Instant>,
    /// Whether the last packet of the leg was silence.
    silent: bool,
}

/// A tone of which packets have been sent, or will be.
#[derive(Debug, Clone, Copy)]
struct Playing {
    tone: Tone,
    /// RTP timestamp of all its packets.
    timestamp: Option<u32>,
    /// Time that its packets have told so far.
    told: Duration,
    /// Packets with the end bit so far.
    ends: u8,
}

impl Generator {
    /// Takes a tone; dropped if too many wait.
    pub fn play(&mut self, now: Instant, tone: Tone) {
        if self.waiting.len() < MOST_TONES {
            let milliseconds = tone.milliseconds.clamp(SHORTEST, LONGEST);
            self.waiting.push_back(Tone { milliseconds, ..tone });
            self.tone_at.get_or_insert(now);
        }
    }

    /// The other far end went on hold, or came back.
    pub fn hold(&mut self, now: Instant, held: bool) {
        if !held {
            self.silence_at = None;
        } else if self.silence_at.is_none() {
            self.silence_at = Some(now + PATIENCE);
        }
    }

    /// A packet of the other far end went to this leg.
    pub fn on_packet(&mut self, now: Instant) {
        if self.silence_at.is_some() {
            self.silence_at = Some(now + PATIENCE);
            self.silent = false;
        }
    }

    /// Returns when [`Self::generate`] has to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.tone_at.into_iter().chain(self.silence_at).min()
    }

    /// Writes the next packet that is due to the front of `buffer`; returns its length, or `None` if none is.
    pub fn generate(
        &mut self,
        now: Instant,
        own: Own,
        clock_rate: u32,
        stream: &mut Continuity,
        buffer: &mut [u8],
    ) -> Option<usize> {
        if let Some(at) = self.tone_at.filter(|at| *at <= now)
            && let Some(length) = self.tone(now, at, own, clock_rate, stream, buffer)
        {
            return Some(length);
        }
        let at = self.silence_at.filter(|at| *at <= now)?;
        // After a standstill of the thread nothing is made up for.
        self.silence_at = Some((at + STEP).max(now + STEP / 2));
        let silence = own.silence.filter(|_| self.playing.is_none())?;
        let first = !std::mem::replace(&mut self.silent, true);
        write_silence(now, silence, clock_rate, stream, first, buffer)
    }

    fn tone(
        &mut self,
        now: Instant,
        at: Instant,
        own: Own,
        clock_rate: u32,
        stream: &mut Continuity,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let next = self.playing.or_else(|| {
            let tone = self.waiting.pop_front()?;
            Some(Playing { tone, timestamp: None, told: Duration::ZERO, ends: 0 })
        });
        let (Some(mut playing), Some(payload)) = (next, own.events) else {
            // Nothing is left, or the far end no longer takes events.
            (self.waiting, self.playing, self.tone_at) = (VecDeque::new(), None, None);
            return None;
        };
        let whole = Duration::from_millis(u64::from(playing.tone.milliseconds));
        playing.told = (playing.told + STEP).min(whole);
        let ended = playing.told == whole;
        playing.ends += u8::from(ended);
        let begins = playing.timestamp.is_none();
        let header = stream.insert(now, clock_rate, playing.timestamp);
        playing.timestamp = Some(header.timestamp);
        let length = write_event(payload, begins, header, playing, clock_rate, buffer)?;
        let over = playing.ends == ENDS;
        self.playing = (!over).then_some(playing);
        let pause = if over { PAUSE } else { STEP };
        self.tone_at = Some((at + pause).max(now + STEP / 2));
        Some(length)
    }
}

/// Sequence number, timestamp and source of a packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

fn write_event(
    payload: u8,
    marker: bool,
    header: Header,
    playing: Playing,
    clock_rate: u32,
    buffer: &mut [u8],
) -> Option<usize> {
    let packet = buffer.get_mut(..HEADER + 4)?;
    write_header(packet, payload, marker, header);
    let ticks = playing.told.as_millis().saturating_mul(u128::from(clock_rate)) / 1000;
    let [high, low] = u16::try_from(ticks).unwrap_or(u16::MAX).to_be_bytes();
    let end = if playing.ends > 0 { END } else { 0 };
    if let Some(body) = packet.get_mut(HEADER..) {
        body.copy_from_slice(&[playing.tone.event, end | VOLUME, high, low]);
    }
    Some(HEADER + 4)
}

fn write_silence(
    now: Instant,
    silence: Silence,
    clock_rate: u32,
    stream: &mut Continuity,
    marker: bool,
    buffer: &mut [u8],
) -> Option<usize> {
    let length = HEADER + usize::from(silence.octets.min(160));
    let packet = buffer.get_mut(..length)?;
    let header = stream.take_over(now, clock_rate);
    write_header(packet, silence.payload, marker, header);
    if let Some(body) = packet.get_mut(HEADER..) {
        body.fill(silence.octet);
    }
    Some(length)
}

fn write_header(packet: &mut [u8], payload: u8, marker: bool, header: Header) {
    let Header { sequence, timestamp, ssrc } = header;
    let [a, b] = sequence.to_be_bytes();
    let [c, d, e, f] = timestamp.to_be_bytes();
    let [g, h, i, j] = ssrc.to_be_bytes();
    let marked = payload & 0x7F | if marker { 0x80 } else { 0 };
    if let Some(front) = packet.get_mut(..HEADER) {
        front.copy_from_slice(&[0x80, marked, a, b, c, d, e, f, g, h, i, j]);
    }
}

/// Time between two packets.
const STEP: Duration = Duration::from_millis(20);
/// How long the other far end, on hold, may be quiet before silence is sent for it.
const PATIENCE: Duration = Duration::from_millis(60);
/// Time between two tones, so that the same digit twice is heard twice.
const PAUSE: Duration = Duration::from_millis(40);
/// Packets that tell the end of a tone (RFC 4733 section 2.5.1.4).
const ENDS: u8 = 3;
/// Tones that wait.
const MOST_TONES: usize = 32;
/// In ms.
const SHORTEST: u16 = 40;
/// In ms; the duration of an event has 16 bits.
const LONGEST: u16 = 8_000;
/// The end bit.
const END: u8 = 0x80;
/// Minus 10 dBm0.
const VOLUME: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::start;

    const OWN: Own =
        Own { events: Some(101), silence: Some(Silence { payload: 0, octet: 0xFF, octets: 160 }) };

    /// Runs for `millis`, and returns when each packet went, with its octets.
    fn run(
        generator: &mut Generator,
        stream: &mut Continuity,
        now: &mut Instant,
        millis: u64,
    ) -> Vec<Vec<u8>> {
        let (end, mut packets) = (*now + Duration::from_millis(millis), Vec::new());
        while let Some(at) = generator.poll_timeout().filter(|at| *at <= end) {
            *now = at.max(*now);
            let mut buffer = [0; 256];
            while let Some(length) = generator.generate(*now, OWN, 8000, stream, &mut buffer) {
                packets.push(buffer[..length].to_vec());
            }
            assert!(generator.poll_timeout().is_none_or(|at| at > *now), "no deadline in the past");
        }
        *now = end;
        packets
    }

    fn event(packet: &[u8]) -> (u8, u8, bool, u16) {
        (packet[1] & 0x7F, packet[12], packet[13] & END != 0, u16::from_be_bytes([packet[14], packet[15]]))
    }

    #[test]
    fn a_tone_is_told_every_20_ms_and_its_end_three_times() {
        let (mut generator, mut stream, mut now) = (Generator::default(), Continuity::new(1), start());
        generator.play(now, Tone { event: 5, milliseconds: 100 });
        let packets = run(&mut generator, &mut stream, &mut now, 1_000);
        let told: Vec<_> = packets.iter().map(|packet| event(packet)).collect();
        let ticks =
            [(160, false), (320, false), (480, false), (640, false), (800, true), (800, true), (800, true)];
        assert_eq!(told, ticks.map(|(ticks, end)| (101, 5, end, ticks)));
        assert_eq!(
            packets.iter().map(|packet| packet[1] & 0x80).collect::<Vec<_>>(),
            [128, 0, 0, 0, 0, 0, 0]
        );
        let sequence = |packet: &Vec<u8>| u16::from_be_bytes([packet[2], packet[3]]);
        assert!(packets.windows(2).all(|two| sequence(&two[1]) == sequence(&two[0]).wrapping_add(1)));
        assert!(packets.windows(2).all(|two| two[0][4..8] == two[1][4..8]), "one timestamp");
        assert_eq!(generator.poll_timeout(), None);
    }

    #[test]
    fn the_same_digit_twice_is_two_events() {
        let (mut generator, mut stream, mut now) = (Generator::default(), Continuity::new(1), start());
        for _ in 0..2 {
            generator.play(now, Tone { event: 7, milliseconds: 0 });
        }
        let packets = run(&mut generator, &mut stream, &mut now, 1_000);
        assert_eq!(packets.len(), 8, "two of 40 ms, the end thrice each");
        assert_ne!(packets[0][4..8], packets[4][4..8]);
        assert_eq!(packets.iter().filter(|packet| packet[1] & 0x80 != 0).count(), 2);
    }

    #[test]
    fn silence_fills_a_hold_until_something_comes() {
        let (mut generator, mut stream, mut now) = (Generator::default(), Continuity::new(1), start());
        assert!(run(&mut generator, &mut stream, &mut now, 100).is_empty());
        generator.hold(now, true);
        let packets = run(&mut generator, &mut stream, &mut now, 1_000);
        assert_eq!(packets.len(), 48);
        assert!(packets.iter().all(|packet| packet.len() == 172 && packet[12..] == [0xFF; 160]));
        let timestamp = |packet: &[u8]| u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        assert!(packets.windows(2).all(|two| timestamp(&two[1]).wrapping_sub(timestamp(&two[0])) == 160));
        for _ in 0..10 {
            generator.on_packet(now);
            assert!(run(&mut generator, &mut stream, &mut now, 20).is_empty(), "music on hold is enough");
        }
        generator.hold(now, false);
        assert!(run(&mut generator, &mut stream, &mut now, 1_000).is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut generator, now) = (Generator::default(), start());
        for _ in 0..1_000 {
            generator.play(now, Tone { event: 1, milliseconds: 8_000 });
        }
        assert_eq!(generator.waiting.len(), MOST_TONES);
    }

    #[test]
    fn a_far_end_without_events_gets_none() {
        let (mut generator, mut stream, now) = (Generator::default(), Continuity::new(1), start());
        generator.play(now, Tone { event: 1, milliseconds: 100 });
        assert_eq!(generator.generate(now, Own::default(), 8000, &mut stream, &mut [0; 256]), None);
        assert_eq!(generator.poll_timeout(), None);
    }
}
