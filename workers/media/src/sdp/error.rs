//! Why a description could not be read, used or applied. The engine chooses the response code from these.

/// A body that is not a session description, or too large a one: 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than we read.
    #[error("the session description has {length} octets, more than {limit}")]
    TooLong {
        /// Its length in octets.
        length: usize,
        /// The most that is read.
        limit: usize,
    },
    /// More lines than we read.
    #[error("the session description has more than {limit} lines")]
    TooManyLines {
        /// The most that are read.
        limit: usize,
    },
    /// A line is not what RFC 8866 allows.
    #[error("line {line} of the session description: {problem}")]
    Line {
        /// Its number, counted from 1; 0 when a line is missing rather than wrong.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// Why a well-formed description has no stream that we can relay: 488.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No m-line with media type audio.
    #[error("no audio stream")]
    NoAudio,
    /// The audio m-line has port 0.
    #[error("the audio stream is refused (port 0)")]
    PortZero,
    /// RTP/SAVP or RTP/SAVPF where the line takes plain RTP only.
    #[error("secure RTP is not supported on this line")]
    Secure,
    /// A profile that is neither RTP/AVP nor one of its relatives.
    #[error("unknown transport profile of the audio stream")]
    Profile,
    /// The m-line lists no RTP payload type that may carry audio.
    #[error("no audio codec")]
    NoCodec,
    /// Neither a session-level nor a media-level c-line.
    #[error("no connection address")]
    NoAddress,
    /// The c-line has a host name, or an address family that we do not know.
    #[error("the connection address is not a numeric IP address")]
    AddressNotNumeric,
    /// The c-line has a multicast address.
    #[error("multicast is not supported")]
    Multicast,
}

/// Why an offer cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Not a session description.
    #[error(transparent)]
    Malformed(#[from] SdpError),
    /// A session description without a stream for us.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// An offer is pending; see [`WrongState`].
    #[error(transparent)]
    Pending(#[from] WrongState),
}

/// Why an answer cannot be used; the attempt has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not a session description.
    #[error(transparent)]
    Malformed(#[from] SdpError),
    /// The stream that we offered is refused or changed into something else.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// What was agreed with the other leg, or before, has no codec in common with the offer to be answered.
    #[error("no codec in common")]
    NoCommonCodec,
    /// There is no offer that this could be the answer to.
    #[error(transparent)]
    NotExpected(#[from] WrongState),
}

/// An act that the state of the negotiation does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongState {
    /// Our own offer has no answer yet: 491 to an offer of the peer (RFC 3261 section 14.2).
    #[error("our offer is not answered yet")]
    OurOfferPending,
    /// The peer's offer has no answer yet: 500 with Retry-After to another one (RFC 3261 section 14.2).
    #[error("the peer's offer is not answered yet")]
    PeerOfferPending,
    /// There is no offer to answer.
    #[error("there is no offer to answer")]
    NoOffer,
}
