//! The faults of a UM server, as an enum: how it conducts itself from one moment on.

use std::time::Duration;

/// How a UM server behaves towards new calls and probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// 100, 180, and 200 after a while.
    Answer {
        /// From INVITE to 200.
        after: Duration,
    },
    /// The same, and hangs up a while after the ACK.
    HangUp {
        /// From ACK to BYE.
        after: Duration,
    },
    /// Answers at once, without 100 or 180, and gives no answer to probes.
    CallsOnly,
    /// Answers probes, never a call.
    ProbesOnly,
    /// Gone without a trace: nothing comes back, SYN neither. Forgets its calls.
    BlackHole,
    /// Its process is dead: datagrams and connections are refused. Forgets its calls.
    Refusing,
    /// 100, then nothing but an orderly end when cancelled.
    TryingOnly,
    /// 180, then nothing but an orderly end when cancelled.
    RingsForever,
    /// A final failure at once.
    Refuse {
        /// 300 to 699.
        status: u16,
        /// Seconds.
        retry_after: Option<u32>,
    },
    /// 302 to its next port, so many times; then it answers.
    Redirect {
        /// 1 or 2.
        hops: usize,
    },
    /// 302 from each of two ports to the other.
    RedirectLoop,
    /// 302 to a port where nobody is.
    RedirectDead,
    /// Nothing at first, then 200: late for whoever has moved on.
    Late {
        /// From INVITE to 200.
        after: Duration,
    },
    /// 180, and 200 only in answer to the CANCEL, which it crosses.
    Stubborn {
        /// From INVITE to 200 if nobody cancels.
        after: Duration,
    },
    /// A proxy that forked: several 200 with different To tags.
    Fork {
        /// How many, at least 2.
        answers: usize,
    },
    /// 200 without SDP.
    NoSdp,
    /// Closes the connection on which a call comes; over UDP the call is ignored.
    CloseConnection,
}

impl Conduct {
    /// Whether every new call is answered in the end, and soon.
    #[must_use]
    pub fn is_good(self) -> bool {
        match self {
            Self::Answer { .. }
            | Self::HangUp { .. }
            | Self::CallsOnly
            | Self::Redirect { .. }
            | Self::Fork { .. } => true,
            Self::ProbesOnly
            | Self::BlackHole
            | Self::Refusing
            | Self::TryingOnly
            | Self::RingsForever
            | Self::Refuse { .. }
            | Self::RedirectLoop
            | Self::RedirectDead
            | Self::Late { .. }
            | Self::Stubborn { .. }
            | Self::NoSdp
            | Self::CloseConnection => false,
        }
    }

    /// Whether nothing of the server is left to be heard.
    #[must_use]
    pub fn is_gone(self) -> bool {
        self == Self::BlackHole || self == Self::Refusing
    }

    /// Whether probes are answered.
    #[must_use]
    pub fn answers_probes(self) -> bool {
        !self.is_gone() && self != Self::CallsOnly
    }

    /// Whether a call there may end all further attempts: by a code that is final, or by ringing without an answer.
    #[must_use]
    pub fn may_end_the_call(self) -> bool {
        match self {
            Self::RingsForever | Self::Stubborn { .. } => true,
            Self::Refuse { status, .. } => !(status == 480 || (500..600).contains(&status)),
            Self::Answer { .. }
            | Self::HangUp { .. }
            | Self::CallsOnly
            | Self::ProbesOnly
            | Self::BlackHole
            | Self::Refusing
            | Self::TryingOnly
            | Self::Redirect { .. }
            | Self::RedirectLoop
            | Self::RedirectDead
            | Self::Late { .. }
            | Self::Fork { .. }
            | Self::NoSdp
            | Self::CloseConnection => false,
        }
    }
}
