//! How a call went.

use std::fmt;

use serde::Serialize;

use crate::{announcement::Announcement, ladder::Rung, voice::Packets};

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It was answered, and ended by one side.
    Answered {
        /// Who hung up.
        ended_by: EndedBy,
    },
    /// A final response of 300 to 699.
    Refused {
        /// Its code.
        status: u16,
        /// Its reason phrase.
        phrase: String,
        /// Its Warning or Reason header, which says more.
        why: Option<String>,
        /// Its Retry-After, in seconds.
        retry_after: Option<u64>,
    },
    /// Cancelled by the caller before the answer.
    Cancelled,
    /// No final response came.
    NoResponse,
    /// The way to the gateway failed.
    Unreachable,
    /// It was answered, but with something that is no answer to the offer.
    BadAnswer {
        /// What is wrong with it.
        why: String,
    },
}

/// Who ended an answered call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The caller sent BYE and had it answered.
    Caller,
    /// The caller sent BYE and had no good answer.
    CallerUnheard,
    /// The other side sent BYE.
    OtherSide,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { ended_by: EndedBy::Caller } => {
                f.write_str("answered, then hung up by the caller")
            }
            Self::Answered { ended_by: EndedBy::CallerUnheard } => {
                f.write_str("answered, then hung up by the caller, whose BYE had no good answer")
            }
            Self::Answered { ended_by: EndedBy::OtherSide } => {
                f.write_str("answered, then hung up by the other side")
            }
            Self::Refused { status, phrase, why, retry_after } => {
                write!(f, "refused: {status} {phrase}")?;
                if let Some(seconds) = retry_after {
                    write!(f, ", retry after {seconds} s")?;
                }
                why.as_ref().map_or(Ok(()), |why| write!(f, " ({why})"))
            }
            Self::Cancelled => f.write_str("cancelled by the caller"),
            Self::NoResponse => f.write_str("no response"),
            Self::Unreachable => f.write_str("the gateway cannot be reached"),
            Self::BadAnswer { why } => write!(f, "answered with an unusable description: {why}"),
        }
    }
}

/// What a caller saw and heard of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Call-ID.
    pub call_id: String,
    /// How it ended; `None` while it goes on.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
    /// When the INVITE was sent, in milliseconds since the caller started.
    pub at_ms: f64,
    /// Milliseconds from the INVITE to the first 101–199.
    pub ringing_ms: Option<f64>,
    /// Milliseconds from the INVITE to the 200: the set-up time.
    pub setup_ms: Option<f64>,
    /// Milliseconds from the INVITE to the end.
    pub ended_ms: Option<f64>,
    /// Milliseconds from the INVITE until the server was understood.
    pub heard_ms: Option<f64>,
    /// The server, pilot and mailbox that were heard.
    pub announcement: Option<Announcement>,
    /// All different sentences heard; more than one means that calls got mixed up.
    pub heard: Vec<String>,
    /// RTP packets.
    pub packets: Packets,
    /// Messages of the call.
    pub ladder: Vec<Rung>,
}
