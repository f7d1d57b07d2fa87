//! Which of a call's two legs, and which of a leg's two ports, a packet belongs to.

/// One side of a relay: the dialog that came in, or the one that we placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// Towards the caller.
    Inbound,
    /// Towards the UM server.
    Outbound,
}

impl Leg {
    /// Both legs, inbound first.
    pub const ALL: [Self; 2] = [Self::Inbound, Self::Outbound];

    /// Returns the leg that a packet of this leg goes to.
    pub fn other(self) -> Self {
        match self {
            Self::Inbound => Self::Outbound,
            Self::Outbound => Self::Inbound,
        }
    }
}

/// One of the two ports of a leg (RFC 3550 section 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The even port.
    Rtp,
    /// The odd port.
    Rtcp,
}

impl Component {
    /// Both components, RTP first.
    pub const ALL: [Self; 2] = [Self::Rtp, Self::Rtcp];
}
