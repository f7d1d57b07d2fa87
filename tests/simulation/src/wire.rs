//! Addresses of the simulated world, and the SIP text that its parties write by hand. They share no code with the
//! worker but the parser, so that a fault of its machines is not answered by the same fault.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_sip::{ConnectionId, HeaderName, Message, Transport};

use crate::scenario::Routed;

/// How an agent is joined to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Over what.
    pub transport: Transport,
    /// The agent's end.
    pub agent: SocketAddr,
    /// The connection, on TCP; without one, or when it is gone, a new one is opened.
    pub link: Option<ConnectionId>,
}

/// A message that is sent again and again until somebody answers.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// The message.
    pub bytes: Bytes,
    /// When it goes out next.
    pub next: Instant,
    /// When there is no use any more.
    pub end: Instant,
    interval: Duration,
    cap: Duration,
}

impl Repeat {
    /// Starts the schedule of a message that has just been sent: T1 doubled, up to `cap`, for 64·T1.
    #[must_use]
    pub fn new(now: Instant, bytes: Bytes, cap: Duration) -> Self {
        Self { bytes, next: now + T1, end: now + T1 * 64, interval: T1, cap }
    }

    /// Takes the message if it is due.
    pub fn take(&mut self, now: Instant) -> Option<Bytes> {
        if self.next > now {
            return None;
        }
        self.interval = (self.interval * 2).min(self.cap);
        self.next += self.interval;
        Some(self.bytes.clone())
    }
}

/// What a response adds to what it copies from its request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// To tag.
    pub tag: &'a str,
    /// Contact URI.
    pub contact: &'a str,
    /// Whole header lines.
    pub extra: &'a str,
    /// SDP.
    pub body: &'a str,
}

/// Writes a response.
#[must_use]
pub fn response(request: &Message, status: u16, said: Said<'_>) -> Bytes {
    let mut text = format!("SIP/2.0 {status} Simulated\r\n");
    for line in request.lines() {
        let keep = [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq];
        if line.name.is_some_and(|name| keep.contains(&name)) {
            text.push_str(&String::from_utf8_lossy(line.raw()));
        }
    }
    let to = request.header_text(HeaderName::To).unwrap_or_default();
    let tag = if said.tag.is_empty() || request.to_tag().is_some() {
        String::new()
    } else {
        format!(";tag={}", said.tag)
    };
    text.push_str(&format!("To: {to}{tag}\r\n"));
    if !said.contact.is_empty() {
        text.push_str(&format!("Contact: <{}>\r\n", said.contact));
    }
    text.push_str(said.extra);
    Bytes::from(text + &content(said.body))
}

/// The Record-Route of the proxy in front of an agent, if there is one; it stands at the agent's own address.
#[must_use]
pub fn record_route(routed: Routed, path: Path) -> String {
    let uri = uri("proxy", path.agent, path.transport);
    match routed {
        Routed::Not => String::new(),
        Routed::Loosely => format!("Record-Route: <{uri};lr>\r\n"),
        Routed::Strictly => format!("Record-Route: <{uri}>\r\n"),
    }
}

/// Writes the end of a message.
#[must_use]
pub fn content(body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Writes an offer or answer that wants its audio at this address.
#[must_use]
pub fn sdp(media: SocketAddr) -> String {
    let ip = media.ip();
    format!(
        "v=0\r\no=sim 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n",
        media.port()
    )
}

/// The audio port of a body, if it is SDP with one.
#[must_use]
pub fn audio_port(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body).ok()?;
    text.split("m=audio ").nth(1)?.split(' ').next()?.parse().ok()
}

/// The URI of an address, as a Contact has it.
#[must_use]
pub fn uri(user: &str, address: SocketAddr, transport: Transport) -> String {
    let transport = if transport == Transport::Tcp { ";transport=tcp" } else { "" };
    format!("sip:{user}@{address}{transport}")
}

/// The URI between `<` and `>` of the first Contact.
#[must_use]
pub fn contact_uri(message: &Message) -> String {
    let text = message.header_text(HeaderName::Contact).unwrap_or_default();
    text.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap_or_default().to_owned()
}

/// An address of this world.
#[must_use]
pub fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], port))
}

/// Where the worker receives from callers.
#[must_use]
pub fn pbx_line() -> SocketAddr {
    address(1, 5060)
}

/// Where the worker receives from UM servers.
#[must_use]
pub fn um_line() -> SocketAddr {
    address(1, 5080)
}

/// Where a UM server is; counted from 0.
#[must_use]
pub fn server_address(server: usize) -> SocketAddr {
    address(FIRST_SERVER + u8::try_from(server).expect("three servers"), 5060)
}

/// What the resolver calls a UM server.
#[must_use]
pub fn server_name(server: usize) -> String {
    format!("um{}.example.com", server + 1)
}

/// The UM server of this name.
#[must_use]
pub fn server_named(name: &str) -> Option<usize> {
    (0..SERVERS).find(|server| server_name(*server) == name)
}

/// The UM server at an address, whatever the port.
#[must_use]
pub fn server_at(address: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(v4) = address else { return None };
    let last = v4.ip().octets()[3].checked_sub(FIRST_SERVER)?;
    (usize::from(last) < SERVERS).then_some(usize::from(last))
}

/// Where a caller is; counted from 0.
#[must_use]
pub fn caller_address(caller: usize) -> SocketAddr {
    address(2, FIRST_CALLER + u16::try_from(caller).expect("few callers"))
}

/// The caller at an address.
#[must_use]
pub fn caller_at(address: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(v4) = address else { return None };
    let number = address.port().checked_sub(FIRST_CALLER)?;
    (v4.ip().octets()[3] == 2).then_some(usize::from(number))
}

/// The caller whose number this is; every caller has his own.
#[must_use]
pub fn caller_of_number(user: &str) -> Option<usize> {
    user.strip_prefix("555")?.parse().ok()
}

/// How many UM servers there are.
pub const SERVERS: usize = 3;
/// Ports at which a UM server listens: where it is configured, and where it redirects to.
pub const SERVER_PORTS: [u16; 3] = [5060, 5065, 5067];
/// T1 of the parties.
pub const T1: Duration = Duration::from_millis(500);
/// T2 of the parties.
pub const T2: Duration = Duration::from_secs(4);
const FIRST_SERVER: u8 = 11;
const FIRST_CALLER: u16 = 6000;
