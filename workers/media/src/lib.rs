//! The media of a call as pure machines: SDP offer and answer, ports, and the relay of RTP and RTCP between two legs.
//!
//! Nothing here owns a socket, a clock or a random source: time is passed in, packets come and go as byte slices, seeds are injected.
//! `um-worker` drives the relays from its media threads; `um-engine` negotiates and sends them [`RelayCommand`]s.
#![forbid(unsafe_code)]

pub mod command;
pub mod continuity;
pub mod counters;
pub mod demux;
#[cfg(test)]
mod epoch;
pub mod generate;
pub mod latch;
pub mod leg;
pub mod payload;
pub mod ports;
pub mod reception;
pub mod relay;
pub mod rtcp;
pub mod rtp;
pub mod sdp;

pub use command::{
    LegPlan, OpenError, OpenRelay, Own, Payload, RelayCommand, RelayEvent, RelayId, Remote, Silence, Tone,
    Treatment,
};
pub use counters::{LegCounters, RelayCounters};
pub use leg::{Component, Leg};
pub use payload::{PayloadMap, PayloadMaps};
pub use ports::{Exhausted, PortPair, PortPool, PortRange};
pub use relay::{Discard, Relay, Transmit};
pub use sdp::{Direction, LocalMedia, Negotiation, RemoteMedia};
