//! What a server remembers of its calls.

use serde::Serialize;

use crate::{announcement::Announcement, voice::Packets};

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// INVITEs that began a call or were refused; repetitions do not count.
    pub invites: u64,
    /// Calls answered.
    pub answered: u64,
    /// Calls refused because they were wrong for a UM server.
    pub wrong: u64,
    /// Calls refused or redirected because it was told to, or for want of room.
    pub turned_away: u64,
    /// Calls cancelled before the answer.
    pub cancelled: u64,
    /// Calls that ended in a way that a sound gateway never causes: no ACK, unusable re-INVITE, no media.
    pub broken: u64,
    /// OPTIONS answered.
    pub probes: u64,
    /// Messages that were ignored because it was told to.
    pub ignored: u64,
    /// Calls there now.
    pub active: u64,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The gateway sent BYE.
    Caller,
    /// The server sent BYE, or 503 while it rang.
    Server,
    /// Cancelled before the answer.
    Cancelled,
    /// Refused, because it was wrong or because the server was told to.
    Refused {
        /// With this code.
        status: u16,
        /// And this reason.
        why: String,
    },
    /// The 200 was never acknowledged.
    NoAck,
    /// No media port could be had.
    NoMedia,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRecord {
    /// Call-ID.
    pub call_id: String,
    /// Request-URI.
    pub request_uri: String,
    /// URI of From.
    pub from: String,
    /// URI and reason of the Diversion.
    pub diversion: Option<(String, String)>,
    /// What the server said; `None` if the call was refused.
    pub said: Option<Announcement>,
    /// When the INVITE came, in milliseconds since the server started.
    pub at_ms: f64,
    /// Milliseconds from the INVITE to the 200.
    pub answered_ms: Option<f64>,
    /// Milliseconds from the INVITE to the end, or to now.
    pub lasted_ms: f64,
    /// How it ended; `None` while it is there.
    pub ended: Option<Ending>,
    /// What the caller said.
    pub heard: Vec<String>,
    /// RTP packets.
    pub packets: Packets,
}
