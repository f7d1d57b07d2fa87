//! Session descriptions: two dialogs joined as a call joins them, with arbitrary bodies as offers and answers. What we write
//! can be read by the reader of the other side, keeps its lines and counts its versions (RFC 3264 §8).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use um_media::sdp::{Agreement, Description};
use um_media::{LocalMedia, Negotiation, PortPair};

use crate::source::Source;

/// Runs the target: steps of one byte, each with a body behind an escape of two bytes for its length.
pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let mut pair = Pair::new();
    for _ in 0..MOST_STEPS {
        if source.is_empty() {
            return;
        }
        pair.step(&mut source);
    }
}

/// The two dialogs of a call.
struct Pair {
    sides: [Side; 2],
}

struct Side {
    negotiation: Negotiation,
    /// How many lines the peer's last offer had, while it may be answered, or be answered once more.
    offered: Option<usize>,
    sent: Option<Sent>,
}

/// What is known of the descriptions that a side has sent.
struct Sent {
    session: String,
    version: u64,
    lines: usize,
    text: String,
}

impl Pair {
    fn new() -> Self {
        let side = |index: u16| {
            let ports = PortPair::new(20_000 + 10 * index).expect("an even port");
            let local = LocalMedia::new(IpAddr::V4(Ipv4Addr::LOCALHOST), ports);
            Side {
                negotiation: Negotiation::new(u64::MAX - u64::from(index), local),
                offered: None,
                sent: None,
            }
        };
        Self { sides: [side(0), side(1)] }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let act = source.byte();
        let (here, there) = (usize::from(act & 1), usize::from(!act & 1));
        let mut body = || {
            let length = usize::from(source.word());
            source.take(length)
        };
        match (act >> 1) % 8 {
            0 => {
                let body = body();
                if self.sides[here].negotiation.handle_offer(body).is_ok() {
                    self.sides[here].offered = Some(lines(&String::from_utf8_lossy(body)));
                    readable(body);
                }
            }
            1 => {
                let Some(proposal) = self.sides[there].negotiation.proposal() else { return };
                if let Ok(body) = self.sides[here].negotiation.offer(&proposal) {
                    self.sides[here].offered = None;
                    self.sides[here].publish(&body);
                }
            }
            2 => {
                let body = body();
                let Ok(agreement) = self.sides[here].negotiation.handle_answer(body) else { return };
                readable(body);
                self.sides[there].answer(&agreement);
            }
            3 => {
                if let Ok(answer) = self.sides[here].negotiation.answer_locally() {
                    self.sides[here].publish(&answer.body);
                }
            }
            4 => {
                self.sides[here].negotiation.reject_offer();
                self.sides[here].offered = None;
            }
            5 => self.sides[here].negotiation.withdraw_offer(),
            // The far end answers with a description like our own: the plain case, reached without luck.
            6 => {
                let Some(text) = self.sides[here].sent.as_ref().map(|sent| sent.text.clone()) else { return };
                let Ok(agreement) = self.sides[here].negotiation.handle_answer(text.as_bytes()) else {
                    return;
                };
                self.sides[there].answer(&agreement);
            }
            _ => self.look(here),
        }
    }

    fn look(&self, here: usize) {
        let negotiation = &self.sides[here].negotiation;
        let remote = negotiation.remote(IpAddr::V4(Ipv4Addr::LOCALHOST), Arc::from([]));
        assert_eq!(remote.is_some(), negotiation.direction().is_some());
        // A fax has a far end and no codec.
        assert!(remote.is_some() || negotiation.codecs().is_empty(), "codecs without a far end");
        assert!(negotiation.codecs().len() <= 64, "{} codecs", negotiation.codecs().len());
    }
}

impl Side {
    fn answer(&mut self, agreement: &Agreement) {
        if self.offered.is_none() {
            return;
        }
        if let Ok(answer) = self.negotiation.answer(agreement) {
            self.publish(&answer.body);
        }
    }

    /// Judges a description that we send.
    fn publish(&mut self, body: &[u8]) {
        readable(body);
        let text = String::from_utf8(body.to_vec()).expect("what we write is UTF-8");
        assert!(text.lines().all(|line| line.as_bytes().get(1) == Some(&b'=')), "{text}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
        let origin = text.lines().find(|line| line.starts_with("o=")).expect("an origin");
        let words: Vec<&str> = origin.split(' ').collect();
        let version = words[2].parse().expect("a version");
        let lines = lines(&text);
        let session = format!("{} {}", words[0], words[1]);
        if let Some(before) = &self.sent {
            assert_eq!(before.session, session, "another session in the same dialog");
            // A peer that takes lines away is answered line by line all the same.
            let least = self.offered.unwrap_or(before.lines);
            assert!(lines >= least, "{least} lines became {lines}");
            let wanted = before.version + u64::from(before.text != text);
            assert_eq!(version, wanted, "version after {}\n{text}", before.text);
        }
        self.sent = Some(Sent { session, version, lines, text });
    }
}

fn lines(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("m=")).count()
}

/// Whatever one side accepted or wrote, a reader accepts.
fn readable(body: &[u8]) {
    let description =
        Description::parse(body).expect("a description that was accepted or written can be read");
    let _ = description.audio();
}

/// A body may be short and an input long.
const MOST_STEPS: usize = 32;
