//! RFC 4475 and RFC 5118: every message over UDP and TCP to a real worker, which serves or refuses it as
//! `torture/verdicts.md` says, and answers OPTIONS after each.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use um_interop::message::Message;
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::verdicts::{Outcome, Torture, torture};
use um_interop::{Behaviour, Caller, Place, Product, Server, Transport, clock};

/// Longest time for a response that must come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long something that may not come is waited for.
const SOON: Duration = Duration::from_millis(300);
/// Ports in the Vias of the messages, where responses to datagrams go (RFC 3261 §18.2.2).
const PORTS: [u16; 4] = [5060, 5050, 6050, 19823];

fn with_product(inbound: Transport, test: impl FnOnce(&Place, &Product<'_>) -> Result<()>) -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let _server = Server::start(servers[0], Transport::Tcp, Behaviour::Answer)?;
        let product = Product::start(place, &plan(place, inbound, Transport::Tcp, &servers))?;
        test(place, &product)?;
        product.settled(PATIENCE)
    })
}

/// Returns the first line with one of these names as it stands, which every response repeats.
fn repeated(bytes: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    let mut lines =
        bytes.split_inclusive(|byte| *byte == b'\n').take_while(|line| *line != b"\r\n").peekable();
    while let Some(line) = lines.next() {
        let mut whole = line.to_vec();
        while let Some(more) = lines.next_if(|more| more.starts_with(b" ") || more.starts_with(b"\t")) {
            whole.extend_from_slice(more);
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        if names.contains(&name.as_str()) {
            return Some(whole);
        }
    }
    None
}

/// Whether a response is one to this request, by the lines that it repeats.
fn answers(request: &[u8], response: &Message) -> bool {
    let kept = [repeated(request, &["call-id", "i"]), repeated(request, &["cseq"])];
    let text = response.text.as_bytes();
    kept.iter().flatten().all(|line| text.windows(line.len()).any(|window| window == line.as_slice()))
}

/// What the standards want beside the status of a refusal.
fn says_enough(response: &Message) -> bool {
    match response.status() {
        Some(405 | 501) => response.header("Allow").is_some_and(|allow| allow.contains("INVITE")),
        Some(415) => response.header("Accept").is_some_and(|accept| accept.contains("application/sdp")),
        Some(420) => response.header("Unsupported") == Some("nothingSupportsThis, nothingSupportsThisEither"),
        Some(_) | None => true,
    }
}

/// A caller who listens at all ports that the Vias of the messages name.
struct Datagrams {
    sockets: Vec<UdpSocket>,
    worker: SocketAddr,
}

impl Datagrams {
    fn new(place: &Place, worker: SocketAddr) -> Result<Self> {
        let mut sockets = Vec::new();
        for port in PORTS {
            let socket = UdpSocket::bind(place.at(20, port)).with_context(|| format!("port {port}"))?;
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        Ok(Self { sockets, worker })
    }

    /// Sends a message and returns the status of its final response.
    fn ask(&self, bytes: &[u8], limit: Duration) -> Result<Option<Message>> {
        self.sockets[0].send_to(bytes, self.worker)?;
        let end = clock::now() + limit;
        while clock::now() < end {
            for socket in &self.sockets {
                let mut buffer = vec![0; 65_536];
                let Ok((length, _)) = socket.recv_from(&mut buffer) else { continue };
                buffer.truncate(length);
                let response = Message::take(&mut buffer)?.context("a whole message in a datagram")?;
                if response.status().is_some_and(|status| status >= 200) && answers(bytes, &response) {
                    return Ok(Some(response));
                }
            }
            clock::pass(Duration::from_millis(2));
        }
        Ok(None)
    }
}

fn judge_datagram(datagrams: &Datagrams, torture: &Torture) -> Result<()> {
    let Outcome { statuses, closed } = &torture.udp;
    ensure!(statuses.len() < 2 && !closed, "a datagram has one answer");
    let response = datagrams.ask(&torture.bytes, if statuses.is_empty() { SOON } else { PATIENCE })?;
    let status = response.as_ref().and_then(Message::status);
    ensure!(status == statuses.first().copied(), "{}: {status:?} instead of {statuses:?}", torture.name);
    ensure!(response.as_ref().is_none_or(says_enough), "{}: {response:?} says too little", torture.name);
    Ok(())
}

fn judge_stream(worker: SocketAddr, torture: &Torture) -> Result<()> {
    let mut stream = TcpStream::connect(worker)?;
    stream.write_all(&torture.bytes)?;
    let Outcome { statuses, closed } = &torture.tcp;
    let (mut bytes, mut came, mut ended) = (Vec::new(), Vec::new(), false);
    let mut end = clock::now() + PATIENCE;
    while !ended && clock::now() < end {
        if came.len() == statuses.len() && !closed {
            end = end.min(clock::now() + SOON);
        }
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut buffer = [0; 8192];
        match stream.read(&mut buffer) {
            Ok(length) => {
                ended = length == 0;
                bytes.extend_from_slice(&buffer[..length]);
            }
            Err(error) => ended = error.kind() == ErrorKind::ConnectionReset,
        }
        while let Some(response) = Message::take(&mut bytes)? {
            let status = response.status().context("a response")?;
            if status >= 200 && !came.contains(&status) {
                ensure!(!came.is_empty() || answers(&torture.bytes, &response), "{response:?}");
                ensure!(says_enough(&response), "{}: {response:?} says too little", torture.name);
                came.push(status);
            }
        }
    }
    ensure!(came == *statuses, "{}: {came:?} instead of {statuses:?}", torture.name);
    ensure!(ended == *closed, "{}: closed is {ended}", torture.name);
    Ok(())
}

/// Asks for OPTIONS on a stream of its own.
fn options_on_a_stream(worker: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect(worker)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let local = stream.local_addr()?;
    write!(
        stream,
        "OPTIONS sip:{worker} SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKo\r\nFrom: <sip:a@{local}>;tag=a\r\n\
         To: <sip:{worker}>\r\nCall-ID: {local}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer)?;
    Ok(buffer[..length].starts_with(b"SIP/2.0 200"))
}

#[test]
fn every_torture_message_is_judged_as_its_standard_says_over_udp() -> Result<()> {
    let messages = torture()?;
    with_product(Transport::Udp, |place, product| {
        let datagrams = Datagrams::new(place, product.callers())?;
        let caller = Caller::new(place.host(21).into(), product.callers())?;
        let mut wrong = Vec::new();
        for torture in &messages {
            wrong.extend(judge_datagram(&datagrams, torture).err().map(|error| error.to_string()));
            ensure!(caller.options()? == 200, "OPTIONS after {}", torture.name);
        }
        ensure!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), messages.len(), wrong.join("\n"));
        Ok(())
    })
}

#[test]
fn every_torture_message_is_judged_as_its_standard_says_over_tcp() -> Result<()> {
    let messages = torture()?;
    with_product(Transport::Tcp, |_, product| {
        let mut wrong = Vec::new();
        for torture in &messages {
            wrong.extend(judge_stream(product.callers(), torture).err().map(|error| error.to_string()));
            ensure!(options_on_a_stream(product.callers())?, "OPTIONS after {}", torture.name);
        }
        ensure!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), messages.len(), wrong.join("\n"));
        Ok(())
    })
}
