//! What signalling tells the media threads, and what they tell back.
//!
//! The types live here so that the engine can emit them without knowing who drives the relays.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

use crate::{
    counters::RelayCounters,
    leg::Leg,
    payload::PayloadMaps,
    ports::PortPair,
    sdp::{Direction, RemoteMedia},
};

/// Names one relay within a worker, and the signalling shard that owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId {
    /// The signalling shard that opened the relay and hears its events.
    pub shard: u16,
    /// Grows by one per relay of that shard; never used twice while the worker runs.
    pub serial: u64,
}

/// An act of signalling on a relay. Commands about one relay are carried out in the order in which they were given.
#[derive(Debug, Clone)]
pub enum RelayCommand {
    /// Bind the ports of a new relay; answered by [`RelayEvent::Opened`] or [`RelayEvent::Failed`].
    Open(Box<OpenRelay>),
    /// Set or replace the far end of one leg; has no answer. Ignored when the relay is not open.
    SetRemote {
        /// The relay to change.
        relay: RelayId,
        /// The leg whose far end is given.
        leg: Leg,
        /// Where that far end is and what it speaks.
        remote: Box<Remote>,
    },
    /// Send a telephone event to the far end of a leg (RFC 4733); has no answer. Ignored when the relay is not open or the leg has agreed
    /// on no telephone events.
    PlayTone {
        /// The relay to send from.
        relay: RelayId,
        /// The leg whose far end is to hear it.
        leg: Leg,
        /// The event.
        tone: Tone,
    },
    /// Close the ports; answered by [`RelayEvent::Closed`]. Ignored when the relay is not open.
    Close {
        /// The relay to close.
        relay: RelayId,
    },
}

impl RelayCommand {
    /// Returns the relay that the command is about.
    pub fn relay(&self) -> RelayId {
        match self {
            Self::Open(open) => open.relay,
            Self::SetRemote { relay, .. } | Self::PlayTone { relay, .. } | Self::Close { relay } => *relay,
        }
    }
}

/// A relay to be opened.
#[derive(Debug, Clone)]
pub struct OpenRelay {
    /// Its name.
    pub relay: RelayId,
    /// Local address and ports of the inbound leg.
    pub inbound: LegPlan,
    /// Local address and ports of the outbound leg.
    pub outbound: LegPlan,
    /// Whether packets pass as they are or as our own streams.
    pub treatment: Treatment,
    /// Source of the relay's own SSRCs and first sequence numbers (RFC 3550 section 5.1 wants them unpredictable).
    pub seed: u64,
}

/// Where one leg of a relay is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegPlan {
    /// The local address to bind; not the advertised one.
    pub address: IpAddr,
    /// The even and odd port.
    pub ports: PortPair,
}

/// How packets cross a relay (station field `session.disable_media_passthrough`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Packet for packet: SSRC, sequence and timestamp of the far end are kept.
    Passthrough,
    /// Own SSRC, sequence and timestamp, continuous over a change of the far end.
    Terminated,
}

/// The far end of one leg, from an offer or answer that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where the far end receives.
    pub media: RemoteMedia,
    /// Our own direction on this leg: whether we may send to it and take from it.
    pub direction: Direction,
    /// The signalling peer; media may come from there too while latching is open.
    pub signalling: IpAddr,
    /// Further networks that media may come from while latching is open (line field `access.allow`).
    pub allow: Arc<[IpNet]>,
    /// What its packets are.
    pub payload: Payload,
}

/// What the packets of one leg are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// RTP.
    Rtp {
        /// Payload type numbers of this leg.
        maps: Box<PayloadMaps>,
        /// RTP clock of the leg's first codec, in Hz.
        clock_rate: u32,
        /// What we can send there by ourselves.
        own: Own,
    },
    /// Datagrams that pass as they are (UDPTL): nothing in them is read.
    Opaque,
}

/// What we can send on a leg by ourselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Own {
    /// Payload type number of telephone events.
    pub events: Option<u8>,
    /// What keeps a far end from taking a hold of the other one for its end.
    pub silence: Option<Silence>,
}

/// Silence, or comfort noise, as packets of 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Payload type number.
    pub payload: u8,
    /// The octet that fills it.
    pub octet: u8,
    /// Octets of a packet, at most 160.
    pub octets: u8,
}

/// A telephone event to be sent (RFC 4733 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tone {
    /// 0 to 9 are the digits, 10 the star, 11 the pound sign, 12 to 15 the letters A to D, 16 a hook flash.
    pub event: u8,
    /// How long it lasts, in ms; made at least 40 and at most 8 000.
    pub milliseconds: u16,
}

/// What a media thread reports to the owning shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayEvent {
    /// All four ports are bound; packets flow as soon as remotes are set.
    Opened {
        /// The relay that was opened.
        relay: RelayId,
    },
    /// The relay could not be opened; nothing of it is left.
    Failed {
        /// The relay that was to be opened.
        relay: RelayId,
        /// Why not.
        error: OpenError,
    },
    /// The relay is gone and its ports are free again.
    Closed {
        /// The relay that was closed.
        relay: RelayId,
        /// What it carried in its life.
        counters: Box<RelayCounters>,
    },
}

impl RelayEvent {
    /// Returns the relay that the event is about.
    pub fn relay(&self) -> RelayId {
        match self {
            Self::Opened { relay } | Self::Failed { relay, .. } | Self::Closed { relay, .. } => *relay,
        }
    }
}

/// Why a relay could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Someone else holds one of the ports.
    #[error("port {port} is in use")]
    PortInUse {
        /// The first port that could not be bound.
        port: u16,
    },
    /// The local address is not one of this host.
    #[error("address {address} is not available")]
    AddressNotAvailable {
        /// The address that was to be bound.
        address: IpAddr,
    },
    /// The process may not open more files.
    #[error("no more sockets can be opened")]
    NoMoreSockets,
    /// The media thread holds as many relays as it may.
    #[error("the media thread is full")]
    Full,
    /// A relay of this name is open already.
    #[error("a relay of this name is open")]
    Duplicate,
    /// Any other refusal of the operating system.
    #[error("the system refused a socket (error {code})")]
    System {
        /// The error number, 0 when there was none.
        code: i32,
    },
}
