//! The sound of one call: an RTP stream of tones out, an RTP stream listened to (RFC 3550, RFC 3551; 20 ms packets).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::Serialize;
use um_media::rtp::{HEADER, RtpView};

use crate::{
    g711::Law,
    hearing::Listener,
    tone::{FRAME, Speaker},
};

/// Packets of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Packets {
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Sequence numbers that were skipped; what came late after all is in `late` too.
    pub skipped: u64,
    /// Packets that came behind a later one, or twice.
    pub late: u64,
    /// Packets that were no RTP.
    pub invalid: u64,
    /// Streams (SSRC) received.
    pub streams: u64,
}

/// The sound of one call.
#[derive(Debug)]
pub struct Voice {
    law: Law,
    payload_type: u8,
    remote: SocketAddr,
    muted: bool,
    speaker: Speaker,
    listener: Listener,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    next: Instant,
    expected: Option<(u32, u16)>,
    packets: Packets,
}

/// What the session description settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// How the sound is encoded.
    pub law: Law,
    /// Number of the encoding in packets to the far end.
    pub payload_type: u8,
    /// Where the far end receives.
    pub remote: SocketAddr,
    /// Whether nothing may be sent now (hold).
    pub muted: bool,
}

impl Voice {
    /// Starts to speak `text`; `ssrc` should be unpredictable, sequence and timestamp begin with its parts.
    #[must_use]
    pub fn new(now: Instant, settled: Settled, text: &str, ssrc: u32) -> Self {
        let Settled { law, payload_type, remote, muted } = settled;
        let [high, low, ..] = ssrc.to_be_bytes();
        Self {
            law,
            payload_type,
            remote,
            muted,
            speaker: Speaker::new(text),
            listener: Listener::default(),
            ssrc,
            sequence: u16::from_be_bytes([high, low]),
            timestamp: ssrc.rotate_left(13),
            next: now,
            expected: None,
            packets: Packets::default(),
        }
    }

    /// Takes over what a later offer and answer settled.
    pub fn change(&mut self, settled: Settled) {
        let Settled { law, payload_type, remote, muted } = settled;
        (self.law, self.payload_type, self.remote, self.muted) = (law, payload_type, remote, muted);
    }

    /// Speaks from `now` on, not from when the voice was made.
    pub fn start(&mut self, now: Instant) {
        self.next = now;
    }

    /// Listens to a packet.
    pub fn handle_packet(&mut self, packet: &[u8]) {
        let mut copy = packet.to_vec();
        let Some(view) = RtpView::parse(&mut copy) else { return self.packets.invalid += 1 };
        self.packets.received += 1;
        let (ssrc, sequence) = (view.ssrc(), view.sequence());
        let (payload_type, length) = (view.payload_type(), view.payload_length());
        if !self.is_in_order(ssrc, sequence) || payload_type != self.payload_type {
            return;
        }
        // Doubles send neither contributing sources nor padding, and what is relayed keeps its shape.
        let payload = copy.get(HEADER..HEADER + length).unwrap_or_default();
        let law = self.law;
        self.listener.hear(payload.iter().map(|octet| law.decode(*octet)));
    }

    /// Returns the packet that is due, with its destination.
    pub fn poll_packet(&mut self, now: Instant) -> Option<(SocketAddr, Bytes)> {
        if now < self.next {
            return None;
        }
        // After a long stop there is no point in saying what should have been said meanwhile.
        let behind = now.saturating_duration_since(self.next) > FORGIVEN;
        self.next = if behind { now + PERIOD } else { self.next + PERIOD };
        let frame = self.speaker.frame();
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(u32::try_from(FRAME).unwrap_or(0));
        if self.muted {
            return None;
        }
        let mut packet = Vec::with_capacity(HEADER + FRAME);
        packet.extend([0x80, self.payload_type]);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(frame.map(|sample| self.law.encode(sample)));
        self.packets.sent += 1;
        Some((self.remote, packet.into()))
    }

    /// Returns when the next packet is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next
    }

    /// Returns the packets so far.
    #[must_use]
    pub fn packets(&self) -> Packets {
        self.packets
    }

    /// Returns the ear.
    #[must_use]
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Counts gaps; returns whether the packet continues the stream.
    fn is_in_order(&mut self, ssrc: u32, sequence: u16) -> bool {
        let expected = match self.expected {
            Some((known, expected)) if known == ssrc => expected,
            Some(_) | None => {
                self.packets.streams += 1;
                sequence
            }
        };
        let ahead = sequence.wrapping_sub(expected);
        if ahead > u16::MAX / 2 {
            self.packets.late += 1;
            return false;
        }
        self.packets.skipped += u64::from(ahead);
        self.expected = Some((ssrc, sequence.wrapping_add(1)));
        true
    }
}

/// Time between packets.
const PERIOD: Duration = Duration::from_millis(20);
/// Delay that is caught up with by sending faster.
const FORGIVEN: Duration = Duration::from_millis(200);
