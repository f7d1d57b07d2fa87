//! What an agent sent and received, in order: the rungs of a call ladder. Probes (OPTIONS) are left out.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use um_sip::{Flow, Message, Method};

/// Which way a message went, seen by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrow {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Time since the ladder began, in milliseconds.
    pub at_ms: f64,
    /// Which way it went.
    pub arrow: Arrow,
    /// The other address.
    pub peer: std::net::SocketAddr,
    /// Request or status line, without its version.
    pub line: String,
    /// Number and method of CSeq.
    pub cseq: String,
    /// Call-ID.
    pub call_id: String,
}

/// The last messages of an agent.
#[derive(Clone, Debug)]
pub struct Ladder {
    born: Instant,
    rungs: VecDeque<Rung>,
    dropped: u64,
}

impl Ladder {
    /// Begins a ladder; its times count from `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { born: now, rungs: VecDeque::new(), dropped: 0 }
    }

    /// Returns when the ladder began.
    #[must_use]
    pub fn born(&self) -> Instant {
        self.born
    }

    /// Returns the rungs, the oldest first; at most [`MOST_RUNGS`].
    pub fn rungs(&self) -> impl DoubleEndedIterator<Item = &Rung> {
        self.rungs.iter()
    }

    /// Returns the rungs of one call.
    #[must_use]
    pub fn of_call(&self, call_id: &str) -> Vec<Rung> {
        self.rungs.iter().filter(|rung| rung.call_id == call_id).cloned().collect()
    }

    /// Returns how many old rungs were dropped for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a message down.
    pub fn record(&mut self, now: Instant, arrow: Arrow, flow: &Flow, message: &Message) {
        if *message.method() == Method::Options {
            return;
        }
        if self.rungs.len() == MOST_RUNGS {
            self.rungs.pop_front();
            self.dropped += 1;
        }
        let cseq = message.cseq();
        self.rungs.push_back(Rung {
            at_ms: milliseconds(now.saturating_duration_since(self.born)),
            arrow,
            peer: flow.remote,
            line: start_line(message),
            cseq: format!("{} {}", cseq.number, cseq.method.as_str()),
            call_id: message.call_id().into(),
        });
    }
}

/// Returns a duration in milliseconds, exact to the microsecond.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn start_line(message: &Message) -> String {
    match message.status() {
        Some(status) => {
            let phrase = String::from_utf8_lossy(message.phrase().unwrap_or_default());
            format!("{status} {phrase}")
        }
        None => {
            let uri = String::from_utf8_lossy(message.request_uri_bytes());
            format!("{} {uri}", message.method().as_str())
        }
    }
}

/// Rungs that are kept.
pub const MOST_RUNGS: usize = 8192;
