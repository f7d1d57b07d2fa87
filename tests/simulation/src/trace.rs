//! The last events of a run, kept as they are and written only when somebody has to read them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

/// A bounded list of what happened.
#[derive(Debug)]
pub struct Trace {
    origin: Instant,
    events: VecDeque<(Instant, Event)>,
}

#[derive(Debug)]
enum Event {
    Message { from: SocketAddr, to: SocketAddr, bytes: Bytes, fate: &'static str },
    Note(String),
}

impl Trace {
    /// Starts a trace; times are told from here.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self { origin, events: VecDeque::new() }
    }

    /// Notes a message on its way, and what becomes of it.
    pub fn message(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &Bytes,
        fate: &'static str,
    ) {
        self.push(now, Event::Message { from, to, bytes: bytes.clone(), fate });
    }

    /// Notes anything else.
    pub fn note(&mut self, now: Instant, text: String) {
        self.push(now, Event::Note(text));
    }

    /// Writes the last events, one a line.
    #[must_use]
    pub fn tell(&self) -> String {
        let mut text = String::new();
        let told: Vec<_> = self.events.iter().filter(|(_, event)| !event.is_probe()).collect();
        for (at, event) in &told[told.len().saturating_sub(TOLD)..] {
            let ms = at.saturating_duration_since(self.origin).as_millis();
            let line = match event {
                Event::Message { from, to, bytes, fate } => {
                    format!("{from} -> {to}  {}  {fate}", summary(bytes))
                }
                Event::Note(note) => format!("* {note}"),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{ms:>8} ms  {}", line.trim_end());
        }
        text
    }

    fn push(&mut self, now: Instant, event: Event) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back((now, event));
    }
}

impl Event {
    /// Whether it belongs to an OPTIONS, which would drown everything else.
    fn is_probe(&self) -> bool {
        match self {
            Self::Message { bytes, .. } => {
                let text = String::from_utf8_lossy(bytes);
                text.split("\r\n").any(|line| line.starts_with("CSeq:") && line.ends_with(" OPTIONS"))
            }
            Self::Note(_) => false,
        }
    }
}

/// Start line, CSeq, Call-ID and tags.
fn summary(bytes: &Bytes) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let of = |name: &str| {
        let line = text.split("\r\n").find(|line| line.starts_with(name));
        line.map(|line| line[name.len()..].trim().to_owned()).unwrap_or_default()
    };
    let tag = of("To:").split(";tag=").nth(1).unwrap_or("-").to_owned();
    let call_id: String = of("Call-ID:").chars().take(12).collect();
    format!("{start} | {} | {call_id} | {tag}", of("CSeq:"))
}

/// How many events are kept, probes included.
const KEPT: usize = 4_000;
/// How many are told, without probes.
const TOLD: usize = 100;
