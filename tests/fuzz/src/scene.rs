//! The parties around an endpoint or an engine: they remember what we sent, so that what they send back reaches the dialogs and
//! transactions that there are, and they judge the form of every message of ours.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use um_sip::{ConnectionId, Flow, HeaderName, Limits, LineIndex, Message, Method, Transport};

use crate::mutation::Draft;
use crate::peer::{self, Thread};
use crate::source::Source;
use crate::wellformed;

/// What the parties know.
#[derive(Debug)]
pub struct Scene {
    callers: Place,
    servers: Place,
    /// Requests of ours.
    requests: VecDeque<(Flow, Message)>,
    /// Responses of ours that carry a tag of ours.
    answers: VecDeque<(Flow, Message)>,
    /// What came in, to come again.
    past: VecDeque<(Flow, Bytes)>,
    /// In a word each, what we sent.
    sent: Vec<String>,
    written: u32,
}

/// Where one kind of party meets us.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Our line.
    pub line: LineIndex,
    /// What it speaks.
    pub transport: Transport,
    /// Our address there.
    pub local: SocketAddr,
}

impl Place {
    /// A message of a party at `remote`; callers' connections are those that we accepted.
    fn flow(self, remote: SocketAddr) -> Flow {
        let serial = u64::from(remote.port());
        let connection = (self.transport == Transport::Tcp).then_some(ConnectionId { shard: 0, serial });
        Flow { line: self.line, transport: self.transport, local: self.local, remote, connection }
    }
}

impl Scene {
    /// Begins without a past.
    #[must_use]
    pub fn new(callers: Place, servers: Place) -> Self {
        Self {
            callers,
            servers,
            requests: VecDeque::new(),
            answers: VecDeque::new(),
            past: VecDeque::new(),
            sent: Vec::new(),
            written: 0,
        }
    }

    /// Takes note of a message of ours.
    ///
    /// # Panics
    /// When it is not well formed.
    pub fn on_sent(&mut self, flow: Flow, bytes: &Bytes) {
        let shown = || String::from_utf8_lossy(bytes).into_owned();
        let Ok(message) = Message::parse(bytes.clone(), &GENEROUS) else {
            // The refusal of something that lacked what every message needs lacks it too.
            let refused = bytes.starts_with(b"SIP/2.0 4") || bytes.starts_with(b"SIP/2.0 5");
            assert!(refused, "what we send cannot be read:\n{}", shown());
            wellformed::refusal(bytes).unwrap_or_else(|fault| panic!("{fault} in\n{}", shown()));
            return;
        };
        wellformed::message(bytes).unwrap_or_else(|fault| panic!("{fault} in\n{}", shown()));
        let status = message.status().map(|status| format!("{} ", status.code())).unwrap_or_default();
        self.sent.push(format!("{status}{}", message.method()));
        let list = if *message.method() == Method::Ack {
            return;
        } else if message.is_request() {
            &mut self.requests
        } else if message.to_tag().is_some() {
            &mut self.answers
        } else {
            return;
        };
        if list.len() == MEMORY {
            list.pop_front();
        }
        list.push_back((flow, message));
    }

    /// What we sent, in order: `INVITE`, `200 INVITE`.
    #[must_use]
    pub fn sent(&self) -> &[String] {
        &self.sent
    }

    /// Writes what a party sends next.
    pub fn incoming(&mut self, source: &mut Source<'_>) -> (Flow, Bytes) {
        let (flow, bytes) = match source.below(8) {
            0 => self.start(source, self.callers),
            1 => self.start(source, self.servers),
            2 | 3 => self.response(source),
            4 => self.inside_theirs(source),
            5 => self.inside_ours(source),
            6 => {
                let length = usize::from(source.word());
                let place = source.pick(&[self.callers, self.servers]);
                (place.flow(party(source.below(4))), Bytes::copy_from_slice(source.take(length)))
            }
            _ => {
                let past = nth(&self.past, source.byte()).cloned();
                past.unwrap_or_else(|| (self.callers.flow(party(0)), Bytes::from_static(b"\r\n\r\n")))
            }
        };
        if self.past.len() == MEMORY {
            self.past.pop_front();
        }
        self.past.push_back((flow, bytes.clone()));
        (flow, bytes)
    }

    /// A request outside of any dialog: mostly an INVITE.
    fn start(&mut self, source: &mut Source<'_>, place: Place) -> (Flow, Bytes) {
        let method = source.pick(STARTERS);
        let number = source.below(4);
        let flow = place.flow(party(number));
        let user = source.pick(&["6000", "6000", "6000", "2001", "2002", "nobody", ""]);
        let thread = Thread {
            uri: format!("sip:{user}@{}", place.local),
            sent_by: flow.remote.to_string(),
            transport: place.transport.via_token(),
            branch: format!("z9hG4bKstart{number}"),
            from: format!("\"Caller\" <sip:555000{number}@pbx.example.com>;tag=party{number}"),
            to: format!("<sip:{user}@pbx.example.com>"),
            call_id: format!("{number}@{}", place.line.0),
            cseq: 1,
            replaced: self.replaced(source),
            ..Thread::default()
        };
        let draft = peer::request(source, method, &thread);
        (flow, finished(draft, source))
    }

    /// A response to a request of ours.
    fn response(&mut self, source: &mut Source<'_>) -> (Flow, Bytes) {
        let Some((flow, request)) = nth(&self.requests, source.byte()) else {
            return self.start(source, self.callers);
        };
        let status = source.pick(STATUSES);
        let tag = source.pick(&["far1", "far1", "far1", "far2", "far3", ""]);
        let contact = source.pick(CONTACTS);
        let draft = peer::response(source, request, status, tag, contact);
        (*flow, finished(draft, source))
    }

    /// A request inside of a dialog that a party began, or the CANCEL or ACK of its INVITE.
    fn inside_theirs(&mut self, source: &mut Source<'_>) -> (Flow, Bytes) {
        let Some((flow, answer)) = nth(&self.answers, source.byte()).cloned() else {
            return self.start(source, self.callers);
        };
        let method = source.pick(INSIDERS);
        let same_transaction = method == "CANCEL" || (method == "ACK" && is_failure(&answer));
        let cseq =
            if matches!(method, "CANCEL" | "ACK") { answer.cseq().number } else { self.next_cseq(source) };
        let header = |name| answer.header_text(name).unwrap_or_default().to_owned();
        let to = header(HeaderName::To);
        let to =
            if method == "CANCEL" { to.split(";tag=").next().unwrap_or_default().to_owned() } else { to };
        let branch = if same_transaction {
            answer.branch().unwrap_or_default().to_owned()
        } else {
            format!("z9hG4bKin{}", self.written)
        };
        let thread = Thread {
            uri: target(&answer),
            sent_by: flow.remote.to_string(),
            transport: flow.transport.via_token(),
            branch,
            from: header(HeaderName::From),
            to,
            call_id: answer.call_id().to_owned(),
            cseq,
            acknowledged: acknowledged(&answer),
            replaced: self.replaced(source),
        };
        let draft = peer::request(source, method, &thread);
        (flow, finished(draft, source))
    }

    /// A request inside of a dialog that we began; its To tag is what the party had chosen.
    fn inside_ours(&mut self, source: &mut Source<'_>) -> (Flow, Bytes) {
        let Some((flow, request)) = nth(&self.requests, source.byte()).cloned() else {
            return self.start(source, self.servers);
        };
        let method = source.pick(INSIDERS);
        let header = |name| request.header_text(name).unwrap_or_default().to_owned();
        let tag = source.pick(&["far1", "far1", "far2", "far3"]);
        let theirs = header(HeaderName::To);
        let from = if request.to_tag().is_some() { theirs } else { format!("{theirs};tag={tag}") };
        let thread = Thread {
            uri: target(&request),
            sent_by: flow.remote.to_string(),
            transport: flow.transport.via_token(),
            branch: format!("z9hG4bKin{}", self.written),
            from,
            to: header(HeaderName::From),
            call_id: request.call_id().to_owned(),
            cseq: self.next_cseq(source),
            replaced: self.replaced(source),
            ..Thread::default()
        };
        let draft = peer::request(source, method, &thread);
        (flow, finished(draft, source))
    }

    /// Mostly one more than before.
    fn next_cseq(&mut self, source: &mut Source<'_>) -> u32 {
        self.written += 1;
        let odd = source.byte();
        if odd < 0xf0 { self.written + 1 } else { source.pick(&[0, 1, u32::MAX, 1 << 31]) }
    }

    /// A dialog of ours, as Replaces names it.
    fn replaced(&self, source: &mut Source<'_>) -> String {
        let choice = source.byte();
        if choice < 0x80 {
            return String::new();
        }
        let Some((_, answer)) = nth(&self.answers, choice) else { return String::new() };
        let (to, from) = (answer.to_tag().unwrap_or_default(), answer.from_tag().unwrap_or_default());
        let early = if choice.is_multiple_of(5) { ";early-only" } else { "" };
        format!("{};to-tag={to};from-tag={from}{early}", answer.call_id())
    }
}

fn finished(draft: Draft, source: &mut Source<'_>) -> Bytes {
    Bytes::from(draft.damaged(source).finish())
}

/// Counted from the latest one.
fn nth<T>(list: &VecDeque<T>, choice: u8) -> Option<&T> {
    let back = usize::from(choice).checked_rem(list.len())?;
    list.get(list.len() - 1 - back)
}

fn party(number: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2], 6_000 + u16::try_from(number).unwrap_or(0)))
}

fn is_failure(answer: &Message) -> bool {
    answer.status().is_some_and(|status| status.code() >= 300)
}

/// Our Contact in a message, as a Request-URI.
fn target(message: &Message) -> String {
    let text = message.header_text(HeaderName::Contact).unwrap_or_default();
    let uri = text.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap_or_default();
    if uri.is_empty() { "sip:6000@127.0.0.1".to_owned() } else { uri.to_owned() }
}

/// What a PRACK for this response says in RAck.
fn acknowledged(answer: &Message) -> String {
    let rseq = answer.header_named("RSeq").map(String::from_utf8_lossy).unwrap_or_default();
    if *answer.method() == Method::Invite && !rseq.is_empty() {
        format!("{rseq} {} INVITE", answer.cseq().number)
    } else {
        String::new()
    }
}

const GENEROUS: Limits = Limits {
    datagram_bytes: 256 * 1024,
    stream_message_bytes: 512 * 1024,
    header_line_bytes: 64 * 1024,
    headers: 1_024,
};
/// How many messages of each kind are remembered.
const MEMORY: usize = 24;

const STARTERS: &[&str] = &[
    "INVITE",
    "INVITE",
    "INVITE",
    "INVITE",
    "INVITE",
    "OPTIONS",
    "REGISTER",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "MESSAGE",
    "BYE",
    "CANCEL",
    "ACK",
    "PRACK",
    "UNHEARDOF",
];
const INSIDERS: &[&str] = &[
    "ACK",
    "ACK",
    "ACK",
    "BYE",
    "CANCEL",
    "PRACK",
    "UPDATE",
    "INVITE",
    "INVITE",
    "INFO",
    "REFER",
    "NOTIFY",
    "OPTIONS",
    "MESSAGE",
    "SUBSCRIBE",
    "UNHEARDOF",
];
const STATUSES: &[u16] = &[
    100, 180, 183, 200, 200, 200, 202, 300, 302, 400, 401, 404, 407, 408, 412, 420, 422, 480, 481, 486, 487,
    488, 489, 491, 500, 501, 503, 504, 600, 603, 699, 199,
];
const CONTACTS: &[&str] = &[
    "<sip:far@127.0.0.11:5060>",
    "<sip:far@127.0.0.11:5060>",
    "<sip:far@127.0.0.11:5060;transport=tcp>",
    "<sip:6000@127.0.0.12:5065>;q=0.5, <sip:6000@127.0.0.13>;q=0.7",
    "<sip:6000@um2.example.com>",
    "<tel:+15550100>",
    "*",
    "",
];
