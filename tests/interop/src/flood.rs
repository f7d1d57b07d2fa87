//! What an attacker sends: random, malformed and half-valid datagrams at a rate, and connections that never bring a whole
//! message. The same number gives the same messages.

use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::{Context as _, Result, anyhow};

use crate::clock;

/// Datagrams that are sent between two looks at the clock.
const BURST: u64 = 16;

/// A stream of bad datagrams; it ends with this value.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// What a flood is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Everything that [`datagram`] makes.
    Anything,
    /// Whole INVITEs for a number that nobody has, each of a call of its own, whose responses nobody reads.
    Calls,
}

impl Flood {
    /// Begins to send from `host` to `worker`, `rate` datagrams a second, or as many as the system takes.
    ///
    /// # Errors
    ///
    /// There is no socket.
    pub fn start(host: IpAddr, worker: SocketAddr, rate: Option<u32>, mix: Mix) -> Result<Self> {
        let socket = UdpSocket::bind((host, 0)).context("a flood's socket")?;
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ended, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = std::thread::Builder::new().name("flood".to_owned()).spawn(move || {
            let local = socket.local_addr().unwrap_or(worker);
            let begun = clock::now();
            let mut chance = Chance(0x5eed ^ u64::from(local.port()));
            let mut number = 0;
            while !ended.load(Ordering::Acquire) {
                for _ in 0..BURST {
                    let bytes = match mix {
                        Mix::Anything => datagram(&mut chance, number, local, worker),
                        Mix::Calls => invite(number, local, worker).replace("6000@", "unknown@").into_bytes(),
                    };
                    // What the system does not take is lost, as on a wire.
                    let _ = socket.send_to(&bytes, worker);
                    number += 1;
                }
                count.store(number, Ordering::Release);
                let Some(rate) = rate else { continue };
                let due =
                    begun + Duration::from_secs(1) * u32::try_from(number).unwrap_or(u32::MAX) / rate.max(1);
                sleep(due.saturating_duration_since(clock::now()));
            }
        })?;
        Ok(Self { stop, sent, thread: Some(thread) })
    }

    /// Ends it and returns how many datagrams were sent.
    ///
    /// # Errors
    ///
    /// Its thread panicked.
    pub fn stop(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(anyhow!("the flood's thread panicked")),
            Some(Ok(())) | None => Ok(self.sent.load(Ordering::Acquire)),
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// Connections that bring half a message, or nothing.
#[derive(Debug)]
pub struct HalfOpen {
    host: IpAddr,
    line: SocketAddr,
    streams: Vec<TcpStream>,
}

impl HalfOpen {
    /// Opens `count` connections from `host`.
    ///
    /// # Errors
    ///
    /// The line takes none, or this process may not have so many.
    pub fn start(host: IpAddr, line: SocketAddr, count: usize) -> Result<Self> {
        raise_file_limit();
        let mut all = Self { host, line, streams: Vec::with_capacity(count) };
        for number in 0..count {
            let stream = all.connect(number).with_context(|| format!("connection {number} of {count}"))?;
            all.streams.push(stream);
        }
        Ok(all)
    }

    /// Opens those anew that were cut off; returns how many.
    ///
    /// # Errors
    ///
    /// The line takes none.
    pub fn renew(&mut self) -> Result<usize> {
        let mut renewed = 0;
        for number in 0..self.streams.len() {
            if is_closed(&mut self.streams[number]) {
                self.streams[number] = self.connect(number)?;
                renewed += 1;
            }
        }
        Ok(renewed)
    }

    fn connect(&self, number: usize) -> Result<TcpStream> {
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(self.line), socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(self.host, 0).into())?;
        socket.connect(&self.line.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        let beginnings: [&[u8]; 4] = [
            b"",
            b"INVITE sip:6000@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKhalf\r\nFrom: ",
            b"\r\n\r\n\r\n",
            b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKhalf\r\nContent-Length: 9000\r\n\r\nv=0",
        ];
        // A line that cuts it off at once is fine too.
        let _ = stream.write_all(beginnings[number % beginnings.len()]);
        Ok(stream)
    }
}

fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it is refused, the connection that is one too many says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Numbers that look random and are the same in every run (xorshift64*).
#[derive(Clone, Copy, Debug)]
pub struct Chance(pub u64);

impl Chance {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from((self.draw() >> 8) % bound).unwrap_or(0)
    }
}

/// Makes the next datagram: noise, a broken message, half a message, or a whole one that belongs to nothing.
#[must_use]
pub fn datagram(chance: &mut Chance, number: u64, local: SocketAddr, worker: SocketAddr) -> Vec<u8> {
    match chance.below(8) {
        0 => (0..chance.below(1400)).map(|_| chance.draw().to_le_bytes()[3]).collect(),
        1 => broken(chance, invite(number, local, worker)),
        2 => {
            let mut whole = request(pick(chance), number, local, worker, "").into_bytes();
            whole.truncate(chance.below(whole.len()));
            whole
        }
        3 => request(pick(chance), number, local, worker, ";tag=um0-nobody").into_bytes(),
        4 => response(chance, number, local).into_bytes(),
        5 => request("INVITE", number, local, worker, "").replace("6000@", "unknown@").into_bytes(),
        6 => request(pick(chance), number, local, worker, "").into_bytes(),
        _ => odd(chance, number, local, worker),
    }
}

fn pick(chance: &mut Chance) -> &'static str {
    const METHODS: [&str; 13] = [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "REGISTER",
        "PRACK",
        "UPDATE",
        "INFO",
        "SUBSCRIBE",
        "NOTIFY",
        "REFER",
        "NONSENSE",
    ];
    METHODS[chance.below(METHODS.len())]
}

fn broken(chance: &mut Chance, text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    for _ in 0..=chance.below(20) {
        let at = chance.below(bytes.len());
        bytes[at] = chance.draw().to_le_bytes()[5];
    }
    bytes
}

fn odd(chance: &mut Chance, number: u64, local: SocketAddr, worker: SocketAddr) -> Vec<u8> {
    let text = request(pick(chance), number, local, worker, "");
    let text = match chance.below(6) {
        0 => text.replace("Max-Forwards: 70", "Max-Forwards: 0"),
        1 => text.replace("CSeq: 1", "CSeq: 99999999999"),
        2 => text.replace("\r\n", "\n"),
        3 => text.replace("Content-Length: 0", "Content-Length: 4000"),
        4 => text.replace("Max-Forwards: 70", &"Via: SIP/2.0/UDP x;branch=z9hG4bKx\r\n".repeat(40)),
        _ => text.replace("To: <", &format!("X: {}\r\nTo: <", "y".repeat(9_000))),
    };
    text.into_bytes()
}

fn request(method: &str, number: u64, local: SocketAddr, worker: SocketAddr, to_tag: &str) -> String {
    format!(
        "{method} sip:6000@{worker} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKflood{number}\r\n\
         From: <sip:flood@{local}>;tag=f{number}\r\nTo: <sip:6000@{worker}>{to_tag}\r\nCall-ID: flood{number}@{local}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:flood@{local}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn invite(number: u64, local: SocketAddr, worker: SocketAddr) -> String {
    let ip = local.ip();
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8\r\n"
    );
    let head = request("INVITE", number, local, worker, "");
    let length = body.len();
    head.replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"),
    )
}

fn response(chance: &mut Chance, number: u64, local: SocketAddr) -> String {
    let status = 100 + chance.below(600);
    format!(
        "SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKum0-{number:016x}\r\n\
         From: <sip:a@b>;tag=um0-{number:016x}\r\nTo: <sip:c@d>;tag=x\r\nCall-ID: flood{number}\r\n\
         CSeq: 1 {}\r\nContent-Length: 0\r\n\r\n",
        pick(chance)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_messages_and_all_kinds_come() {
        let at = SocketAddr::from(([127, 0, 0, 1], 5060));
        let all = |seed| -> Vec<Vec<u8>> {
            let mut chance = Chance(seed);
            (0..500).map(|number| datagram(&mut chance, number, at, at)).collect()
        };
        assert_eq!(all(7), all(7));
        assert_ne!(all(7), all(8));
        let some = all(7);
        for beginning in ["SIP/2.0 ", "INVITE ", "NONSENSE ", "CANCEL "] {
            assert!(some.iter().any(|bytes| bytes.starts_with(beginning.as_bytes())), "{beginning}");
        }
        assert!(some.iter().any(|bytes| std::str::from_utf8(bytes).is_err()));
    }
}
