//! What a relay counted: plain integers, one set per leg, summed by the media thread once a second.

use std::time::Duration;

use crate::leg::Leg;

/// Counters of both legs of a relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayCounters {
    /// The leg towards the caller.
    pub inbound: LegCounters,
    /// The leg towards the UM server.
    pub outbound: LegCounters,
}

impl RelayCounters {
    /// Returns the counters of `leg`.
    pub fn leg(&self, leg: Leg) -> &LegCounters {
        match leg {
            Leg::Inbound => &self.inbound,
            Leg::Outbound => &self.outbound,
        }
    }

    /// Returns the counters of `leg`, to count.
    pub fn leg_mut(&mut self, leg: Leg) -> &mut LegCounters {
        match leg {
            Leg::Inbound => &mut self.inbound,
            Leg::Outbound => &mut self.outbound,
        }
    }
}

/// What happened at one leg; `received` and `discarded` count what came from its far end, `sent` what went to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LegCounters {
    /// RTP packets taken.
    pub rtp_received: u64,
    /// Octets of those packets, headers included.
    pub rtp_octets_received: u64,
    /// RTP packets handed to the socket.
    pub rtp_sent: u64,
    /// Octets of those packets, headers included.
    pub rtp_octets_sent: u64,
    /// RTCP packets taken.
    pub rtcp_received: u64,
    /// RTCP packets handed to the socket.
    pub rtcp_sent: u64,
    /// Datagrams of a fax taken.
    pub opaque_received: u64,
    /// Datagrams of a fax handed to the socket.
    pub opaque_sent: u64,
    /// Packets expected by sequence number that did not come (RFC 3550 appendix A.3); never below 0.
    pub rtp_lost: u64,
    /// Inter-arrival jitter at the end, in units of the RTP clock (RFC 3550 appendix A.8).
    pub jitter: u32,
    /// Packets that are neither RTP nor RTCP, or are cut short.
    pub malformed: u64,
    /// Packets from a source that is neither the latched one nor allowed to become it.
    pub foreign_source: u64,
    /// Packets that had nowhere to go: the other leg has no far end yet.
    pub no_destination: u64,
    /// Packets that the negotiated direction forbids.
    pub wrong_direction: u64,
    /// Late packets of a stream that another one has replaced.
    pub stale_stream: u64,
    /// Times that our sending moved to a source other than the SDP's.
    pub latched: u64,
    /// Packets that the socket would not take at once; lost, never waited for.
    pub send_blocked: u64,
    /// Packets that the system refused to send.
    pub send_failed: u64,
    /// When the last RTP packet was taken, since the relay was opened; `None` when there was none.
    pub last_rtp_after: Option<Duration>,
}

impl LegCounters {
    /// Returns how many packets from this leg were discarded, for whatever reason.
    pub fn discarded(&self) -> u64 {
        self.malformed + self.foreign_source + self.no_destination + self.wrong_direction + self.stale_stream
    }
}
