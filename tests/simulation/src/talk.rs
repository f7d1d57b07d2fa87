//! One end of a dialog that is up: what a party asks for in its middle (hold, refresh, UPDATE, INFO, OPTIONS), and how it answers
//! what the worker asks. Two that ask at once is glare (RFC 3261 §14), which has to resolve. A machine without a clock.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_sip::{Message, Method, Transport};

use crate::wire::{self, Path, Repeat, Said, T2};

/// What a party does while it talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Re-INVITE that puts the other end on hold.
    Hold,
    /// Re-INVITE with the description that holds already.
    Refresh,
    /// UPDATE without a description.
    Update,
    /// A digit by INFO.
    Digit,
    /// OPTIONS, to see whether the dialog lives.
    Probe,
}

/// Moves with their time from the answer.
pub type Moves = [Option<(Duration, Move)>; 2];

/// Who speaks with whom, as the headers say it.
#[derive(Clone, Debug)]
pub struct Ends {
    /// From, with our tag.
    pub from: String,
    /// To, with the peer's tag.
    pub to: String,
    /// The peer's Contact.
    pub target: String,
    /// Call-ID.
    pub call_id: String,
    /// Where we want our media.
    pub media: SocketAddr,
    /// The number of our last request.
    pub cseq: u32,
}

/// One end.
#[derive(Debug)]
pub struct Talk {
    ends: Ends,
    moves: Vec<(Instant, Move)>,
    asked: Option<Asked>,
    /// Our 200 to a re-INVITE, until its ACK.
    agreed: Option<Repeat>,
    version: u32,
    accepted: usize,
    unanswered: bool,
}

/// A request of ours that waits for its final response.
#[derive(Debug)]
struct Asked {
    method: &'static str,
    cseq: u32,
    repeat: Option<Repeat>,
}

impl Talk {
    /// Begins with the answer.
    #[must_use]
    pub fn new(now: Instant, ends: Ends, moves: Moves) -> Self {
        let moves = moves.into_iter().flatten().map(|(after, what)| (now + after, what)).collect();
        Self { ends, moves, asked: None, agreed: None, version: 1, accepted: 0, unanswered: false }
    }

    /// Takes the number of the next request.
    pub fn next_cseq(&mut self) -> u32 {
        self.ends.cseq += 1;
        self.ends.cseq
    }

    /// How many requests of ours were answered with 2xx.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// Whether a request of ours got no final response although it was repeated for 64·T1.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// The dialog ends: nothing new is begun, nothing repeated.
    pub fn end(&mut self) {
        self.moves.clear();
        self.agreed = None;
        self.asked = None;
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let moves = self.moves.iter().map(|(at, _)| *at);
        let asked = self.asked.as_ref().and_then(|asked| asked.repeat.as_ref()).map(|repeat| repeat.next);
        let agreed = self.agreed.as_ref().map(|repeat| repeat.next);
        moves.chain(asked).chain(agreed).min()
    }

    /// Does what is due; gives what is to be sent.
    pub fn handle_timeout(&mut self, now: Instant, path: Path) -> Vec<Bytes> {
        let mut send = Vec::new();
        let repeat = self.asked.as_ref().and_then(|asked| asked.repeat.as_ref());
        self.unanswered |= repeat.is_some_and(|repeat| repeat.end <= now);
        let asked = self.asked.as_mut().map(|asked| &mut asked.repeat);
        for repeat in asked.into_iter().chain([&mut self.agreed]) {
            match repeat {
                Some(running) if running.end <= now => *repeat = None,
                Some(running) => send.extend(running.take(now)),
                None => {}
            }
        }
        while let Some(index) = self.moves.iter().position(|(at, _)| *at <= now) {
            let (_, what) = self.moves.remove(index);
            // One INVITE at a time (RFC 3261 §14.1), and nothing before the peer's is over.
            if self.asked.is_none() && self.agreed.is_none() {
                send.push(self.ask(now, path, what));
            }
        }
        send
    }

    /// Takes a request inside of the dialog other than BYE; gives the response, if there is one.
    pub fn on_request(&mut self, now: Instant, path: Path, message: &Message) -> Option<Bytes> {
        let offer = std::str::from_utf8(message.body()).unwrap_or_default();
        match (message.method(), offer.is_empty()) {
            (Method::Ack, _) => {
                self.agreed = None;
                None
            }
            (Method::Invite, _) if self.is_negotiating() => {
                // What is repeated gets what it got.
                let again = self.agreed.as_ref().map(|repeat| repeat.bytes.clone());
                Some(again.unwrap_or_else(|| wire::response(message, 491, Said::default())))
            }
            (Method::Update, false) if self.is_negotiating() => {
                Some(wire::response(message, 491, Said::default()))
            }
            (Method::Invite | Method::Update, _) => {
                let invite = *message.method() == Method::Invite;
                let body = if invite || !offer.is_empty() { self.answer(offer) } else { String::new() };
                let contact = wire::uri("peer", path.agent, path.transport);
                let said = Said { body: &body, contact: &contact, ..Said::default() };
                let bytes = wire::response(message, 200, said);
                self.agreed = invite.then(|| Repeat::new(now, bytes.clone(), T2));
                Some(bytes)
            }
            (Method::Info | Method::Options | Method::Notify, _) => {
                Some(wire::response(message, 200, Said::default()))
            }
            (_, _) => Some(wire::response(message, 501, Said::default())),
        }
    }

    /// Takes a response to a request of ours in the dialog; gives the ACK, if one is due.
    pub fn on_response(&mut self, path: Path, message: &Message) -> Option<Bytes> {
        let status = message.status().map_or(0, um_sip::StatusCode::code);
        let number = message.cseq().number;
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.cseq == number) {
            if status < 200 {
                asked.repeat = asked.repeat.take().filter(|_| asked.method != "INVITE");
                return None;
            }
            self.asked = None;
            self.accepted += usize::from(status < 300);
        }
        let is_final = status >= 200 && *message.method() == Method::Invite;
        is_final.then(|| {
            let branch = if status < 300 { format!("ack{number}") } else { format!("in{number}") };
            self.write(path, "ACK", number, &branch, "")
        })
    }

    fn is_negotiating(&self) -> bool {
        self.agreed.is_some() || self.asked.as_ref().is_some_and(|asked| asked.method == "INVITE")
    }

    fn ask(&mut self, now: Instant, path: Path, what: Move) -> Bytes {
        let (method, body) = match what {
            Move::Hold => ("INVITE", self.describe("a=sendonly\r\n")),
            Move::Refresh => ("INVITE", self.describe("")),
            Move::Update => ("UPDATE", String::new()),
            Move::Digit => ("INFO", "Signal=5\r\nDuration=160\r\n".to_owned()),
            Move::Probe => ("OPTIONS", String::new()),
        };
        let cseq = self.next_cseq();
        let bytes = self.write(path, method, cseq, &format!("in{cseq}"), &body);
        let cap = if method == "INVITE" { Duration::MAX / 4 } else { T2 };
        let repeat = (path.transport == Transport::Udp).then(|| Repeat::new(now, bytes.clone(), cap));
        self.asked = Some(Asked { method, cseq, repeat });
        bytes
    }

    fn describe(&mut self, direction: &str) -> String {
        self.version += u32::from(!direction.is_empty());
        wire::sdp(self.ends.media).replace("o=sim 1 1", &format!("o=sim 1 {}", self.version)) + direction
    }

    fn answer(&mut self, offer: &str) -> String {
        let mirrored = [("a=sendonly", "a=recvonly\r\n"), ("a=inactive", "a=inactive\r\n")];
        let direction = mirrored.iter().find(|(theirs, _)| offer.contains(theirs)).map(|(_, ours)| *ours);
        self.describe(direction.unwrap_or_default())
    }

    fn write(&self, path: Path, method: &str, cseq: u32, branch: &str, body: &str) -> Bytes {
        let Ends { from, to, target, call_id, .. } = &self.ends;
        let (transport, agent) = (path.transport, path.agent);
        let contact = match method {
            "INVITE" | "UPDATE" => format!("Contact: <{}>\r\n", wire::uri("peer", agent, transport)),
            _ => String::new(),
        };
        let tail = wire::content(body);
        let tail =
            if method == "INFO" { tail.replace("application/sdp", "application/dtmf-relay") } else { tail };
        let owner: String = from.chars().filter(char::is_ascii_alphanumeric).collect();
        Bytes::from(format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {agent};branch=z9hG4bK{branch}-{owner}\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{contact}{tail}"
        ))
    }
}
