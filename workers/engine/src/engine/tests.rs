//! The whole engine: bytes of callers and UM servers in, bytes out, on a virtual clock. A [`Rig`] is one
//! worker with its shards, the media side and the network; the parties speak by hand.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use um_media::{OpenError, RelayCommand, RelayEvent, RelayId};
use um_sip::{ConnectionId, Flow, HeaderName, Limits as SipLimits, LineIndex, Message, Method, Transport};
use um_topology::{
    AddressMode, Change, Entry, Host, Id, Line, ProxyList, Resource, SipAddress, Station, Topology, User,
    UserUm,
};

use super::*;
use crate::configuration::{Advertised, BoundLine, EngineLimits, LinePhase};
use crate::input::{ConnectError, Resolution, ResolveError};
use crate::observation::CallRecord;
use crate::output::QueryId;

mod calls;
mod configuring;
mod connections;
mod failing;
mod hanging_up;
mod headers;
mod media;
mod probing;
mod refusing;
mod shards;

/// A worker under test.
struct Rig {
    engines: Vec<Engine>,
    now: Instant,
    began: Instant,
    /// What was sent and not looked at yet.
    sent: VecDeque<Sent>,
    relays: Vec<RelayCommand>,
    /// Relays open by themselves.
    relays_open: bool,
    opens: VecDeque<(ConnectionId, SocketAddr)>,
    closes: Vec<ConnectionId>,
    questions: VecDeque<(QueryId, String)>,
    records: Vec<CallRecord>,
    seen: Vec<Observation>,
    idle_lines: Vec<LineIndex>,
    /// OPTIONS of probes are answered 200, or not shown at all.
    probes_answered: bool,
}

/// One message that the worker sent.
#[derive(Clone, Debug)]
struct Sent {
    flow: Flow,
    message: Message,
}

impl Rig {
    /// One shard, two UM servers, everything over UDP.
    fn new() -> Self {
        Self::with(1, &topology(2, |_| {}))
    }

    fn with(shards: u16, topology: &Topology) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test needs some instant; only differences are looked at"
        )]
        let now = Instant::now();
        let engines = (0..shards).map(|shard| Engine::new(config(shard, shards))).collect();
        let mut rig = Self {
            engines,
            now,
            began: now,
            sent: VecDeque::new(),
            relays: Vec::new(),
            relays_open: true,
            opens: VecDeque::new(),
            closes: Vec::new(),
            questions: VecDeque::new(),
            records: Vec::new(),
            seen: Vec::new(),
            idle_lines: Vec::new(),
            probes_answered: true,
        };
        rig.configure(configuration(topology, LinePhase::Open));
        rig
    }

    fn configure(&mut self, configuration: Configuration) {
        self.input_all(&Input::Configure(Arc::new(configuration)));
    }

    /// Something that every shard is told.
    fn input_all(&mut self, input: &Input) {
        for shard in 0..self.engines.len() {
            self.engines[shard].handle_input(self.now, input.clone());
            self.drain(shard);
        }
    }

    /// A datagram or stream message from the network, handed to the shard that owns it.
    fn receive(&mut self, flow: Flow, text: impl Into<Bytes>) {
        let bytes = text.into();
        let shards = u16::try_from(self.engines.len()).unwrap();
        let owner = usize::from(um_sip::shard::owner(&bytes, shards));
        self.engines[owner].handle_input(self.now, Input::Message { flow, bytes });
        self.drain(owner);
    }

    fn drain(&mut self, shard: usize) {
        while let Some(output) = self.engines[shard].poll_output() {
            self.on_output(shard, output);
        }
        let due = self.engines[shard].poll_timeout();
        assert!(
            due.is_none_or(|due| due > self.now) || self.engines.len() > 1,
            "a deadline lies in the past"
        );
    }

    fn on_output(&mut self, shard: usize, output: Output) {
        match output {
            Output::Send { flow, bytes } => self.on_sent(flow, bytes),
            Output::Open { connection, remote, .. } => self.opens.push_back((connection, remote)),
            Output::Close { connection } => self.closes.push(connection),
            Output::Resolve { query, host, .. } => self.questions.push_back((query, host)),
            Output::Relay(command) => self.on_relay_command(shard, command),
            Output::Gossip(gossip) => {
                for other in (0..self.engines.len()).filter(|other| *other != shard) {
                    self.engines[other].handle_input(self.now, Input::Gossip(gossip.clone()));
                    self.drain(other);
                }
            }
            Output::Observe(Observation::CallEnded(record)) => self.records.push(*record),
            Output::Observe(observation) => self.seen.push(observation),
            Output::LineIdle { line } => self.idle_lines.push(line),
        }
    }

    fn on_sent(&mut self, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes, &SipLimits::default()).expect("what we send is well formed");
        let sent = Sent { flow, message };
        if sent.is(&Method::Options) && sent.message.is_request() {
            if self.probes_answered {
                let answer = sent.answer(200, "");
                self.receive(sent.flow, answer);
            }
            return;
        }
        self.sent.push_back(sent);
    }

    fn on_relay_command(&mut self, shard: usize, command: RelayCommand) {
        let relay = command.relay();
        let event = match &command {
            RelayCommand::Open(_) if self.relays_open => Some(RelayEvent::Opened { relay }),
            RelayCommand::Close { .. } => Some(RelayEvent::Closed { relay, counters: Box::default() }),
            RelayCommand::Open(_) | RelayCommand::SetRemote { .. } => None,
        };
        self.relays.push(command);
        if let Some(event) = event {
            self.engines[shard].handle_input(self.now, Input::Relay(event));
            self.drain(shard);
        }
    }

    /// Lets time pass, deadline by deadline.
    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        for _ in 0..100_000 {
            let next = self.engines.iter().filter_map(Engine::poll_timeout).min();
            let Some(at) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = at.max(self.now);
            for shard in 0..self.engines.len() {
                self.engines[shard].handle_timeout(self.now);
                self.drain(shard);
            }
        }
        panic!("the clock does not get on");
    }

    fn pass_ms(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }

    fn elapsed_ms(&self) -> u128 {
        (self.now - self.began).as_millis()
    }

    /// The next message that was sent.
    fn next(&mut self) -> Sent {
        self.sent.pop_front().expect("something was sent")
    }

    /// The next message, which must be this request.
    fn request(&mut self, method: &Method) -> Sent {
        let sent = self.next();
        assert!(sent.message.is_request() && sent.is(method), "{}", sent.text());
        sent
    }

    /// The next message, which must be this response.
    fn response(&mut self, status: u16) -> Sent {
        let sent = self.next();
        assert_eq!(sent.message.status().map(um_sip::StatusCode::code), Some(status), "{}", sent.text());
        sent
    }

    fn silent(&mut self) {
        assert!(self.sent.is_empty(), "{}", self.sent[0].text());
    }

    /// Everything sent until now is of no interest.
    fn skip(&mut self) {
        self.sent.clear();
    }

    /// The caller's INVITE for the pilot, up to the INVITE that goes out for it.
    fn call(&mut self, caller: &Caller) -> Sent {
        self.receive(caller.flow, caller.invite());
        self.response(100);
        self.request(&Method::Invite)
    }

    /// An answered and acknowledged call: the INVITE that went out, and our 200.
    fn answered_call(&mut self, caller: &Caller) -> (Sent, Sent) {
        let invite = self.call(caller);
        self.receive(invite.flow, invite.answer(200, ANSWER));
        self.request(&Method::Ack);
        let ok = self.response(200);
        self.receive(caller.flow, caller.ack(&ok));
        (invite, ok)
    }

    /// Everything that a call uses is given back, once all transactions have ended.
    fn assert_at_rest(&mut self) {
        self.pass(Duration::from_secs(200));
        for engine in &self.engines {
            let usage = engine.usage();
            let idle = Usage { ports_limit: usage.ports_limit, waiting: usage.waiting, ..Usage::default() };
            assert_eq!(usage, idle);
            assert!(usage.waiting <= engine.probes.len(), "only probes wait: {usage:?}");
        }
    }
}

impl Sent {
    fn is(&self, method: &Method) -> bool {
        self.message.method() == method
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.message.bytes()).into_owned()
    }

    fn header(&self, name: HeaderName) -> &str {
        self.message.header_text(name).unwrap_or_default()
    }

    fn body(&self) -> String {
        String::from_utf8_lossy(self.message.body()).into_owned()
    }

    /// A response of the UM server, with its tag and Contact.
    fn answer(&self, status: u16, body: &str) -> String {
        self.answer_as(status, body, "um", "")
    }

    fn answer_as(&self, status: u16, body: &str, tag: &str, extra: &str) -> String {
        let mut text = format!("SIP/2.0 {status} Whatever\r\n");
        for line in self.message.lines() {
            let keep = [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq];
            if line.name.is_some_and(|name| keep.contains(&name)) {
                text.push_str(std::str::from_utf8(line.raw()).unwrap());
            }
        }
        let to = self.header(HeaderName::To);
        let tag = if status == 100 || to.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
        let contact = if extra.contains("Contact:") || !self.is(&Method::Invite) {
            String::new()
        } else {
            let transport = if self.flow.transport == Transport::Tcp { ";transport=tcp" } else { "" };
            format!("Contact: <sip:um@{}{transport}>\r\n", self.flow.remote)
        };
        text.push_str(&format!("To: {to}{tag}\r\n{contact}{extra}"));
        text.push_str(&content(body));
        text
    }

    /// A request that the UM server sends inside the dialog of this INVITE of ours.
    fn inside(&self, method: &str, cseq: u32, body: &str) -> String {
        let from = self.header(HeaderName::To).to_owned() + ";tag=um";
        let to = self.header(HeaderName::From);
        let call_id = self.message.call_id();
        let remote = self.flow.remote;
        format!(
            "{method} sip:umgate@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {remote};branch=z9hG4bKum{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{}",
            content(body)
        )
    }
}

/// A PBX that calls.
struct Caller {
    flow: Flow,
    call_id: String,
    number: String,
    extra: String,
    body: &'static str,
}

impl Caller {
    fn new(call_id: &str) -> Self {
        let flow = Flow {
            line: LineIndex(0),
            transport: Transport::Udp,
            local: address(1, 5060),
            remote: address(2, 5070),
            connection: None,
        };
        Self {
            flow,
            call_id: call_id.to_owned(),
            number: "6000".to_owned(),
            extra: String::new(),
            body: OFFER,
        }
    }

    fn dialling(mut self, number: &str) -> Self {
        number.clone_into(&mut self.number);
        self
    }

    fn with(mut self, header: &str) -> Self {
        self.extra.push_str(header);
        self.extra.push_str("\r\n");
        self
    }

    fn invite(&self) -> String {
        let mut text = self.start("INVITE", 1, "z9hG4bKc1", None);
        text.push_str("Contact: <sip:pbx@127.0.0.2:5070>\r\n");
        text.push_str(&self.extra);
        text.push_str(&content(self.body));
        text
    }

    fn cancel(&self) -> String {
        self.start("CANCEL", 1, "z9hG4bKc1", None) + &content("")
    }

    fn ack(&self, ok: &Sent) -> String {
        self.start("ACK", 1, "z9hG4bKc2", Some(ok)) + &content("")
    }

    /// The ACK of a failure belongs to the INVITE's transaction.
    fn ack_failure(&self, failure: &Sent) -> String {
        self.start("ACK", 1, "z9hG4bKc1", Some(failure)) + &content("")
    }

    fn inside(&self, method: &str, cseq: u32, ok: &Sent, body: &str) -> String {
        let branch = format!("z9hG4bKc{method}{cseq}");
        self.start(method, cseq, &branch, Some(ok)) + "Contact: <sip:pbx@127.0.0.2:5070>\r\n" + &content(body)
    }

    fn start(&self, method: &str, cseq: u32, branch: &str, answered: Option<&Sent>) -> String {
        let to = answered.map_or_else(
            || format!("<sip:{}@pbx.example.com>", self.number),
            |ok| ok.header(HeaderName::To).to_owned(),
        );
        format!(
            "{method} sip:{}@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}{}\r\nMax-Forwards: 70\r\n\
             From: \"Caller\" <sip:5551234@pbx.example.com>;tag=caller\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            self.number, self.flow.transport, self.flow.remote, self.call_id, self.call_id
        )
    }
}

fn content(body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], port))
}

fn config(shard: u16, shards: u16) -> EngineConfig {
    let first = 20_000 + 1_000 * shard;
    EngineConfig {
        shard,
        shards,
        seed: [u8::try_from(shard).unwrap() + 7; 32],
        limits: EngineLimits { calls: 1_000, ..EngineLimits::default() },
        media_ports: (first, first + 99),
    }
}

/// A line towards PBX and UM alike, `servers` UM servers, one station with pilot 6000, one user 2001.
fn topology(servers: u8, change: impl FnOnce(&mut Parts)) -> Topology {
    let entry = |index: u8| {
        Entry::new(Id::new(&format!("um{index}")), Host::Ip(address(10 + index, 0).ip()), Some(5060))
    };
    let mut line = Line::new("trunk", "127.0.0.1".parse().unwrap());
    line.proxy_list = Some(Id::new("um"));
    line.domain = Some("pbx.example.com".parse().unwrap());
    let pilot = SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), None);
    let mut station = Station::new("voicemail", pilot);
    station.extension = Some("6000".into());
    station.contact_line = Some(Id::new("trunk"));
    let mut user = User::new("dana", "2001");
    user.um = UserUm {
        destination: Some(Id::new("voicemail")),
        address_mode: Some(AddressMode::InternalExtension),
        address: None,
    };
    let list = ProxyList::new("um", (1..=servers).map(entry).collect());
    let mut parts = Parts { line, list, station, user };
    change(&mut parts);
    let resources = [
        Resource::ProxyList(parts.list.into()),
        Resource::Line(parts.line.into()),
        Resource::Station(parts.station.into()),
        Resource::User(parts.user.into()),
    ];
    let changes: Vec<Change> = resources.into_iter().map(Change::Put).collect();
    Topology::new().apply(1, &changes).unwrap()
}

/// The resources of [`topology`], to change before they are used.
struct Parts {
    line: Line,
    list: ProxyList,
    station: Station,
    user: User,
}

fn configuration(topology: &Topology, phase: LinePhase) -> Configuration {
    let protocol =
        topology.line("trunk").map_or(um_topology::Transport::Udp, |line| line.effective_protocol());
    let line = BoundLine {
        index: LineIndex(0),
        id: Id::new("trunk"),
        transport: protocol,
        local: address(1, 5060),
        advertised: Advertised { host: "127.0.0.1".to_owned(), port: 5060 },
        media_local: address(1, 0).ip(),
        media_advertised: address(1, 0).ip(),
        phase,
    };
    Configuration { topology: topology.clone(), lines: vec![line] }
}

const OFFER: &str = "v=0\r\no=pbx 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
const ANSWER: &str = "v=0\r\no=um 1 1 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\nt=0 0\r\n\
                      m=audio 5000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
