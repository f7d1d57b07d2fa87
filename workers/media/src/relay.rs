//! The media of one call: packets of one leg in, the same packets for the other leg out, or the reason why not.
//!
//! A packet passes demultiplexing, parsing, latching, direction, payload mapping and, when passthrough is disabled, our own stream
//! ([`Continuity`]). Nothing here allocates per packet. Latching windows are judged when a packet comes; the only timer is that of what
//! we send by ourselves ([`Generator`]). While a fax is agreed its datagrams pass unread.

use std::{net::SocketAddr, time::Instant};

use crate::{
    command::{Own, Payload, Remote, Tone, Treatment},
    continuity::{Continuity, mix},
    counters::{LegCounters, RelayCounters},
    demux::{Packet, classify},
    generate::Generator,
    latch::{Latch, Verdict},
    leg::{Component, Leg},
    payload::PayloadMaps,
    reception::Reception,
    rtcp::{self, Translation},
    rtp::RtpView,
    sdp::Direction,
};

/// A relay between two legs.
#[derive(Debug)]
pub struct Relay {
    treatment: Treatment,
    opened_at: Instant,
    inbound: Side,
    outbound: Side,
    /// Our canonical name in RTCP.
    name: [u8; 16],
    counters: RelayCounters,
}

/// A packet to be sent; it stands at the front of the buffer that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// The leg that it goes to.
    pub leg: Leg,
    /// The local port that it leaves from.
    pub component: Component,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its length in octets.
    pub length: usize,
}

/// Why a packet goes nowhere. Each is counted at the leg that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// Neither RTP nor RTCP, cut short, or RTP on the RTCP port.
    Malformed,
    /// From a source that is not the leg's.
    ForeignSource,
    /// The other leg has no far end, or none that told an address.
    NoDestination,
    /// The negotiated direction of one of the legs forbids it.
    WrongDirection,
    /// Of a stream that was replaced, or RTCP about streams that we do not know.
    StaleStream,
}

/// One leg: its far end, once negotiated, and the stream that we send there.
#[derive(Debug)]
struct Side {
    far: Option<Far>,
    stream: Continuity,
    reception: Reception,
    generator: Generator,
}

#[derive(Debug)]
struct Far {
    rtp: Latch,
    rtcp: Latch,
    direction: Direction,
    carries: Carries,
}

/// What the packets of a far end are.
#[derive(Debug)]
enum Carries {
    Rtp { maps: Box<PayloadMaps>, clock_rate: u32, own: Own },
    Opaque,
}

impl Relay {
    /// Creates a relay without far ends; SSRCs and first numbers of its own streams come from `seed`.
    pub fn new(now: Instant, treatment: Treatment, seed: u64) -> Self {
        let side = |seed| Side {
            far: None,
            stream: Continuity::new(seed),
            reception: Reception::default(),
            generator: Generator::default(),
        };
        Self {
            treatment,
            opened_at: now,
            inbound: side(mix(seed)),
            outbound: side(mix(!seed)),
            name: name(mix(seed.rotate_left(32))),
            counters: RelayCounters::default(),
        }
    }

    /// Sets or replaces the far end of a leg, as an answer settled it.
    pub fn set_remote(&mut self, now: Instant, leg: Leg, remote: Remote) {
        let Remote { media, direction, signalling, allow, payload } = remote;
        let carries = match payload {
            Payload::Rtp { maps, clock_rate, own } => {
                Carries::Rtp { maps, clock_rate: clock_rate.clamp(1, HIGHEST_CLOCK_RATE), own }
            }
            Payload::Opaque => Carries::Opaque,
        };
        let held = match carries {
            Carries::Rtp { .. } => direction != Direction::SendRecv,
            Carries::Opaque => false,
        };
        let side = self.side_mut(leg);
        let (rtp, rtcp) = match side.far.take() {
            Some(Far { mut rtp, mut rtcp, .. }) => {
                rtp.renegotiate(now, media.rtp, signalling, allow.clone());
                rtcp.renegotiate(now, media.rtcp, signalling, allow);
                (rtp, rtcp)
            }
            None => (
                Latch::open(now, media.rtp, signalling, allow.clone()),
                Latch::open(now, media.rtcp, signalling, allow),
            ),
        };
        side.far = Some(Far { rtp, rtcp, direction, carries });
        self.side_mut(leg.other()).generator.hold(now, held);
    }

    /// Sends a telephone event to the far end of a leg, if it takes events.
    pub fn play_tone(&mut self, now: Instant, leg: Leg, tone: Tone) {
        let side = self.side_mut(leg);
        if let Some(Far { carries: Carries::Rtp { own: Own { events: Some(_), .. }, .. }, .. }) = side.far {
            side.generator.play(now, tone);
        }
    }

    /// Returns when [`Self::handle_timeout`] has to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [&self.inbound, &self.outbound].into_iter().filter_map(|side| side.generator.poll_timeout()).min()
    }

    /// Writes the next packet of our own that is due to the front of `buffer`; to be called until there is none.
    pub fn handle_timeout(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        for leg in Leg::ALL {
            let side = self.side_mut(leg);
            let (own, clock_rate, destination) = match &side.far {
                Some(Far { carries: Carries::Rtp { own, clock_rate, .. }, direction, rtp, .. }) => {
                    (*own, *clock_rate, rtp.destination().filter(|_| direction.sends()))
                }
                Some(Far { carries: Carries::Opaque, .. }) | None => (Own::default(), 1, None),
            };
            // What is due to one who must not be sent to is over all the same.
            let own = if destination.is_some() { own } else { Own::default() };
            let length = side.generator.generate(now, own, clock_rate, &mut side.stream, buffer);
            if let (Some(length), Some(destination)) = (length, destination) {
                let sent = self.counters.leg_mut(leg);
                sent.rtp_sent += 1;
                sent.rtp_octets_sent += octets(length);
                return Some(Transmit { leg, component: Component::Rtp, destination, length });
            }
        }
        None
    }

    /// Takes a datagram of `length` octets at the front of `buffer`, which came to `component` of `leg`.
    /// What is to be sent stands in the buffer afterwards; room behind the datagram may be used.
    ///
    /// # Errors
    /// The reason why nothing is to be sent; it is counted.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        (leg, component): (Leg, Component),
        source: SocketAddr,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<Transmit, Discard> {
        if self.side(leg).far.as_ref().is_some_and(Far::is_opaque) {
            return match component {
                Component::Rtp => self.handle_opaque(now, leg, source, length),
                Component::Rtcp => self.discard(leg, Discard::Malformed),
            };
        }
        let packet = buffer.get(..length).map_or(Packet::Unknown, classify);
        match (packet, component) {
            (Packet::Rtp, Component::Rtp) => self.handle_rtp(now, leg, source, buffer, length),
            // RTCP on the RTP port comes from peers that multiplex unasked.
            (Packet::Rtcp, Component::Rtp | Component::Rtcp) => {
                self.handle_rtcp(now, leg, source, buffer, length)
            }
            (Packet::Rtp, Component::Rtcp) | (Packet::Unknown, Component::Rtp | Component::Rtcp) => {
                self.discard(leg, Discard::Malformed)
            }
        }
    }

    /// Takes an RTP packet of `leg`; see [`Self::handle_datagram`].
    ///
    /// # Errors
    /// The reason why nothing is to be sent; it is counted.
    pub fn handle_rtp(
        &mut self,
        now: Instant,
        leg: Leg,
        source: SocketAddr,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<Transmit, Discard> {
        let treatment = self.treatment;
        let since_open = now.saturating_duration_since(self.opened_at);
        let Some(mut packet) = buffer.get_mut(..length).and_then(RtpView::parse) else {
            return self.discard(leg, Discard::Malformed);
        };
        let (from, to, counters) = self.split(leg);
        let Some(far) = &mut from.far else { return self.discard(leg, Discard::ForeignSource) };
        match far.rtp.accept(now, source) {
            Verdict::Known => {}
            Verdict::Latched => counters.latched += 1,
            Verdict::Foreign => return self.discard(leg, Discard::ForeignSource),
        }
        // A fax takes nothing of the audio before it.
        let Carries::Rtp { maps, clock_rate, .. } = &far.carries else {
            return self.discard(leg, Discard::Malformed);
        };
        let clock_rate = *clock_rate;
        if !far.direction.receives() {
            return self.discard(leg, Discard::WrongDirection);
        }
        counters.rtp_received += 1;
        counters.rtp_octets_received += octets(length);
        counters.last_rtp_after = Some(since_open);
        from.reception.on_packet(now, packet.ssrc(), packet.sequence(), packet.timestamp(), clock_rate);
        let Some(target) = to.far.as_ref() else { return self.discard(leg, Discard::NoDestination) };
        let Carries::Rtp { maps: target_maps, .. } = &target.carries else {
            return self.discard(leg, Discard::NoDestination);
        };
        if !target.direction.sends() {
            return self.discard(leg, Discard::WrongDirection);
        }
        let Some(destination) = target.rtp.destination() else {
            return self.discard(leg, Discard::NoDestination);
        };
        let call = maps.received.map(packet.payload_type());
        packet.set_payload_type(target_maps.sent.map(call));
        match treatment {
            Treatment::Passthrough => {}
            Treatment::Terminated => {
                if to.stream.rewrite(now, &mut packet, clock_rate).is_err() {
                    return self.discard(leg, Discard::StaleStream);
                }
            }
        }
        to.generator.on_packet(now);
        let sent = self.counters.leg_mut(leg.other());
        sent.rtp_sent += 1;
        sent.rtp_octets_sent += octets(length);
        Ok(Transmit { leg: leg.other(), component: Component::Rtp, destination, length })
    }

    /// Takes a datagram of `leg` that nothing is known of but its source.
    fn handle_opaque(
        &mut self,
        now: Instant,
        leg: Leg,
        source: SocketAddr,
        length: usize,
    ) -> Result<Transmit, Discard> {
        let (from, to, counters) = self.split(leg);
        let Some(far) = &mut from.far else { return self.discard(leg, Discard::ForeignSource) };
        // 0 is one that was too long for the buffer.
        if length == 0 {
            return self.discard(leg, Discard::Malformed);
        }
        match far.rtp.accept(now, source) {
            Verdict::Known => {}
            Verdict::Latched => counters.latched += 1,
            Verdict::Foreign => return self.discard(leg, Discard::ForeignSource),
        }
        counters.opaque_received += 1;
        let target = to.far.as_ref().filter(|target| target.is_opaque());
        let Some(destination) = target.and_then(|target| target.rtp.destination()) else {
            return self.discard(leg, Discard::NoDestination);
        };
        self.counters.leg_mut(leg.other()).opaque_sent += 1;
        Ok(Transmit { leg: leg.other(), component: Component::Rtp, destination, length })
    }

    /// Takes an RTCP compound packet of `leg`; see [`Self::handle_datagram`]. It may get shorter.
    ///
    /// # Errors
    /// The reason why nothing is to be sent; it is counted.
    pub fn handle_rtcp(
        &mut self,
        now: Instant,
        leg: Leg,
        source: SocketAddr,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<Transmit, Discard> {
        let (treatment, name) = (self.treatment, self.name);
        if !buffer.get(..length).is_some_and(rtcp::is_well_formed) {
            return self.discard(leg, Discard::Malformed);
        }
        let (from, to, counters) = self.split(leg);
        let Some(far) = &mut from.far else { return self.discard(leg, Discard::ForeignSource) };
        match far.rtcp.accept(now, source) {
            Verdict::Known => {}
            Verdict::Latched => counters.latched += 1,
            Verdict::Foreign => return self.discard(leg, Discard::ForeignSource),
        }
        counters.rtcp_received += 1;
        // Reports flow on hold too (RFC 3264 section 5.1), so direction does not matter here.
        let Some(destination) = to.far.as_ref().and_then(|target| target.rtcp.destination()) else {
            return self.discard(leg, Discard::NoDestination);
        };
        let length = match treatment {
            Treatment::Passthrough => Some(length),
            Treatment::Terminated => {
                let (sending, receiving) = (to.stream.correspondence(), from.stream.correspondence());
                Translation { ssrc: to.stream.ssrc(), sending, receiving, name }.apply(buffer, length)
            }
        };
        let Some(length) = length else { return self.discard(leg, Discard::StaleStream) };
        self.counters.leg_mut(leg.other()).rtcp_sent += 1;
        Ok(Transmit { leg: leg.other(), component: Component::Rtcp, destination, length })
    }

    /// Counts a packet to `leg` that the socket would not take at once.
    pub fn on_send_blocked(&mut self, leg: Leg) {
        self.counters.leg_mut(leg).send_blocked += 1;
    }

    /// Counts a packet to `leg` that the system refused to send.
    pub fn on_send_failed(&mut self, leg: Leg) {
        self.counters.leg_mut(leg).send_failed += 1;
    }

    /// Returns what was counted so far, loss and jitter included.
    pub fn counters(&self) -> RelayCounters {
        let mut counters = self.counters;
        for leg in Leg::ALL {
            let reception = &self.side(leg).reception;
            let counted = counters.leg_mut(leg);
            (counted.rtp_lost, counted.jitter) = (reception.lost(), reception.jitter());
        }
        counters
    }

    fn discard(&mut self, leg: Leg, reason: Discard) -> Result<Transmit, Discard> {
        let counters = self.counters.leg_mut(leg);
        let counter = match reason {
            Discard::Malformed => &mut counters.malformed,
            Discard::ForeignSource => &mut counters.foreign_source,
            Discard::NoDestination => &mut counters.no_destination,
            Discard::WrongDirection => &mut counters.wrong_direction,
            Discard::StaleStream => &mut counters.stale_stream,
        };
        *counter += 1;
        Err(reason)
    }

    /// Borrows the side that a packet of `leg` comes from, the one that it goes to, and the counters of `leg`.
    fn split(&mut self, leg: Leg) -> (&mut Side, &mut Side, &mut LegCounters) {
        let counters = self.counters.leg_mut(leg);
        match leg {
            Leg::Inbound => (&mut self.inbound, &mut self.outbound, counters),
            Leg::Outbound => (&mut self.outbound, &mut self.inbound, counters),
        }
    }

    fn side(&self, leg: Leg) -> &Side {
        match leg {
            Leg::Inbound => &self.inbound,
            Leg::Outbound => &self.outbound,
        }
    }

    fn side_mut(&mut self, leg: Leg) -> &mut Side {
        match leg {
            Leg::Inbound => &mut self.inbound,
            Leg::Outbound => &mut self.outbound,
        }
    }
}

impl Far {
    fn is_opaque(&self) -> bool {
        match self.carries {
            Carries::Rtp { .. } => false,
            Carries::Opaque => true,
        }
    }
}

/// Writes 64 bits as 16 hexadecimal digits.
fn name(value: u64) -> [u8; 16] {
    std::array::from_fn(|index| {
        let nibble = value >> (4 * index) & 0xF;
        u8::try_from(nibble)
            .map_or(b'0', |nibble| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
    })
}

fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// No audio clock is faster, in Hz.
const HIGHEST_CLOCK_RATE: u32 = 1_000_000;

#[cfg(test)]
mod tests;
