//! One endpoint, a clock, and messages as text. [`PEER`] plays the other side by hand.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    endpoint::{
        ActError, Body, ClientTransaction, Config, DialogId, Endpoint, Event, Inside, LineProfile, Output,
        Reply, Request, ResponseKind, ServerTransaction,
    },
    flow::{ConnectionId, Flow, LineIndex, Transport},
    host::HostPort,
    limits::Limits,
    message::Message,
    method::Method,
    name_addr::NameAddr,
    status::StatusCode,
    transaction::{Timing, testing::epoch},
    uri::Uri,
};

pub(super) const PEER: &str = "192.0.2.9:5070";
const OURS: &str = "192.0.2.1:5060";

pub(super) struct Alone {
    pub(super) endpoint: Endpoint,
    pub(super) now: Instant,
    pub(super) flow: Flow,
    sent: Vec<(Flow, Bytes)>,
    events: Vec<Event>,
}

impl Alone {
    pub(super) fn udp() -> Self {
        Self::with(Transport::Udp, Config { seed: [7; 32], ..Config::default() })
    }

    pub(super) fn tcp() -> Self {
        Self::with(Transport::Tcp, Config { seed: [7; 32], ..Config::default() })
    }

    pub(super) fn with(transport: Transport, config: Config) -> Self {
        let mut endpoint = Endpoint::new(config);
        let sent_by = HostPort::parse(OURS.as_bytes()).expect("a host");
        endpoint.set_line(LineIndex(0), LineProfile { timing: Timing::STANDARD, sent_by });
        let connection = transport.is_reliable().then_some(ConnectionId { shard: 0, serial: 1 });
        let flow =
            Flow { line: LineIndex(0), transport, local: address(OURS), remote: address(PEER), connection };
        Self { endpoint, now: epoch(), flow, sent: Vec::new(), events: Vec::new() }
    }

    pub(super) fn receive(&mut self, text: &str) {
        let bytes = Bytes::from(text.replace('\n', "\r\n").into_bytes());
        self.endpoint.handle_message(self.now, self.flow, bytes);
        self.drain();
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.endpoint.handle_timeout(at);
            self.drain();
        }
        self.now = until;
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { flow, bytes } => self.sent.push((flow, bytes)),
                Output::Event(event) => self.events.push(event),
            }
        }
        assert!(self.endpoint.poll_timeout().is_none_or(|at| at > self.now), "a deadline not in the future");
    }

    /// Takes what was sent, as `METHOD` or status code.
    pub(super) fn sent(&mut self) -> Vec<String> {
        self.taken().iter().map(|(_, message)| name(message)).collect()
    }

    /// Takes what was sent.
    pub(super) fn taken(&mut self) -> Vec<(Flow, Message)> {
        self.drain();
        self.sent.drain(..).map(|(flow, bytes)| (flow, parse(bytes))).collect()
    }

    /// Takes what was sent and can be read: an answer to what lacks a header lacks it too.
    pub(super) fn parsable(&mut self) -> Vec<(Flow, Message)> {
        self.drain();
        let limits = Limits::default();
        let sent = self.sent.drain(..);
        sent.filter_map(|(flow, bytes)| Some((flow, Message::parse(bytes, &limits).ok()?))).collect()
    }

    /// Takes the start lines of what was sent, for answers to what could not be read.
    pub(super) fn start_lines(&mut self) -> Vec<String> {
        self.drain();
        let texts = self.sent.drain(..).map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
        texts.map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
    }

    /// Takes the only message that was sent.
    pub(super) fn taken_one(&mut self) -> Message {
        let mut taken = self.taken();
        assert_eq!(
            taken.len(),
            1,
            "{:?}",
            taken.iter().map(|(_, message)| name(message)).collect::<Vec<_>>()
        );
        taken.remove(0).1
    }

    /// Takes the events.
    pub(super) fn events(&mut self) -> Vec<Event> {
        self.drain();
        std::mem::take(&mut self.events)
    }

    /// Takes the only event.
    pub(super) fn event(&mut self) -> Event {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// Takes the only event, a request.
    pub(super) fn requested(&mut self) -> (ServerTransaction, Option<DialogId>, Message) {
        let event = self.event();
        let Event::Request { transaction, dialog, message, .. } = event else { unexpected(&event) };
        (transaction, dialog, message)
    }

    /// Takes the only event, a response.
    pub(super) fn responded(&mut self) -> (ResponseKind, Option<DialogId>, Message) {
        let event = self.event();
        let Event::Response { kind, dialog, message, .. } = event else { unexpected(&event) };
        (kind, dialog, message)
    }

    pub(super) fn respond(&mut self, transaction: ServerTransaction, status: u16) -> Option<DialogId> {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        let reply = Reply::new(status).contact_user("6000");
        let responded = self.endpoint.respond(self.now, transaction, &reply);
        self.drain();
        assert!(responded.is_ok(), "{responded:?}");
        responded.ok().flatten()
    }

    /// Answers with more than a status.
    pub(super) fn reply(
        &mut self,
        transaction: ServerTransaction,
        reply: &Reply,
    ) -> Result<Option<DialogId>, ActError> {
        let responded = self.endpoint.respond(self.now, transaction, reply);
        self.drain();
        responded
    }

    /// Sends a request inside of a dialog.
    pub(super) fn send_inside(
        &mut self,
        dialog: DialogId,
        method: &Method,
        inside: &Inside,
    ) -> Result<ClientTransaction, ActError> {
        let sent = self.endpoint.request_inside(self.now, dialog, self.flow, method, inside);
        self.drain();
        sent
    }

    /// Sends a request outside of a dialog; returns it as it went out.
    pub(super) fn request(&mut self, method: Method) -> (ClientTransaction, Message) {
        let request = self.draft(method);
        let id = self.endpoint.request(self.now, self.flow, &request).expect("room");
        (id, self.taken_one())
    }

    pub(super) fn draft(&mut self, method: Method) -> Request {
        let uri = Uri::parse(b"sip:6000@192.0.2.9:5070").expect("a URI");
        Request {
            method,
            uri: uri.clone(),
            to: NameAddr::new(uri),
            from: NameAddr::parse(b"\"Dana\" <sip:5551234@192.0.2.1>").expect("an address"),
            routes: Vec::new(),
            identity: self.endpoint.new_identity(),
            max_forwards: 69,
            contact_user: Some("6000".into()),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Receives a response of the peer to a request of ours.
    pub(super) fn answer(&mut self, request: &Message, status: u16, to_tag: &str, more: &str) {
        let text = answer_to(request, status, to_tag, more);
        self.receive(&text);
    }

    /// Runs until nothing is due any more.
    pub(super) fn assert_empty_after(&mut self, ms: u64) {
        self.pass(ms);
        assert_eq!((self.endpoint.transactions(), self.endpoint.dialogs()), (0, 0));
        assert_eq!((self.endpoint.rows(), self.endpoint.poll_timeout()), (0, None));
    }
}

/// An INVITE of the peer.
pub(super) fn invite(branch: &str) -> String {
    request("INVITE", 1, branch, "")
}

/// A request of the peer; `to` is `;tag=…` inside of a dialog.
pub(super) fn request(method: &str, cseq: u32, branch: &str, to: &str) -> String {
    format!(
        "{method} sip:6000@192.0.2.1 SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z9hG4bK{branch}\n\
         Max-Forwards: 70\n\
         From: <sip:5551234@192.0.2.9>;tag=peer\n\
         To: <sip:6000@192.0.2.1>{to}\n\
         Call-ID: call@192.0.2.9\n\
         CSeq: {cseq} {method}\n\
         Contact: <sip:5551234@192.0.2.9:5070>\n\
         Content-Length: 0\n\n"
    )
}

/// The same message with a session description.
pub(super) fn with_session(text: &str) -> String {
    text.replace("Content-Length: 0\n\n", "Content-Type: application/sdp\nContent-Length: 5\n\nv=0\n")
}

/// A session description of ours.
pub(super) fn session() -> Body {
    Body { content_type: "application/sdp".into(), bytes: "v=0\r\n".into() }
}

/// A response of the peer to a request of ours; `more` are whole header lines.
pub(super) fn answer_to(request: &Message, status: u16, to_tag: &str, more: &str) -> String {
    let header = |name| request.header_text(name).unwrap_or_default();
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    use crate::header_name::HeaderName as Name;
    format!(
        "SIP/2.0 {status} x\nVia: {}\nFrom: {}\nTo: {}{tag}\nCall-ID: {}\nCSeq: {}\n{more}Content-Length: 0\n\n",
        header(Name::Via),
        header(Name::From),
        header(Name::To),
        header(Name::CallId),
        header(Name::CSeq),
    )
}

pub(super) const CONTACT: &str = "Contact: <sip:um@192.0.2.9:5080>\n";

pub(super) fn tag_of(message: &Message) -> String {
    format!(";tag={}", message.to_tag().unwrap_or_default())
}

pub(super) fn name(message: &Message) -> String {
    message.status().map_or_else(|| message.method().to_string(), |status| status.to_string())
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().expect("a socket address")
}

pub(super) fn parse(bytes: Bytes) -> Message {
    Message::parse(bytes, &Limits::default()).expect("what we send is well formed")
}

#[track_caller]
pub(super) fn unexpected(event: &Event) -> ! {
    panic!("unexpected event {event:?}")
}
