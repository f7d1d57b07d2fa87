//! Media under load: calls are set up through the gateway, then 20 ms G.711 flows both ways through the relay.
//!
//! A packet carries the time at which it was sent, so what arrives tells loss and delay.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use um_sip::{HeaderName, Limits, Message, Method, ResponseBuilder, StatusCode};

use crate::{
    clock,
    figures::Figures,
    process::leave_core,
    rig::{CALLER, GATEWAY, Rig, UM_SERVER, topology},
};

/// Calls held while packets flow; each is two streams of 50 packets a second.
const CALLS: [u16; 3] = [50, 250, 500];
/// First RTP port of either generator.
const PORT: u16 = 40_000;
/// RTP header and 20 ms of G.711.
const PACKET: usize = 12 + 160;

/// Measures and prints.
///
/// # Errors
///
/// The product does not come up, a call is refused, or an address of the generators is taken.
pub async fn measure(seconds: u64, runs: u32) -> Result<()> {
    say!("media: RTP to RTP, 172-octet packets every 20 ms, both directions, um-worker on core 0");
    for calls in CALLS {
        for passthrough in [true, false] {
            let (mut cost, mut delay, mut late, mut lost) =
                (Figures::default(), Figures::default(), Figures::default(), 0);
            for _ in 0..runs {
                let run = once(calls, passthrough, seconds).await?;
                cost.add(run.cpu.as_secs_f64() * 1e6 / run.received.max(1) as f64);
                delay.add(run.delay.quantile(0.5) * 1e6);
                late.add(run.delay.quantile(0.99) * 1e6);
                lost += run.sent.saturating_sub(run.received);
            }
            let mode = if passthrough { "passed on" } else { "terminated" };
            let rate = u64::from(calls) * 100;
            say!(
                "  {rate:>6} packets/s, {mode}: {cost:.2} us CPU a packet, delay p50 {delay:.0} us, p99 {late:.0} us, lost {lost}"
            );
        }
    }
    Ok(())
}

struct Run {
    cpu: Duration,
    sent: u64,
    received: u64,
    delay: Figures,
}

async fn once(calls: u16, passthrough: bool, seconds: u64) -> Result<Run> {
    let rig = Rig::gateway(&[], &topology(passthrough)?).await?;
    let worker = rig.worker.as_ref().context("a gateway has a worker")?;
    tokio::task::block_in_place(|| {
        leave_core(0);
        let pairs = set_up(calls)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let before = worker.cpu()?;
        let mut threads = Vec::new();
        let mut sockets = Vec::new();
        for (socket, to) in pairs {
            sockets.push((socket, to));
        }
        let sockets = Arc::new(sockets);
        let begun = clock::now();
        let (all, ended, count) = (Arc::clone(&sockets), Arc::clone(&stop), Arc::clone(&received));
        threads.push(
            thread::Builder::new()
                .name("rtp-in".into())
                .spawn(move || receive(&all, &ended, &count, begun))?,
        );
        send(&sockets, begun, Duration::from_secs(seconds), &sent);
        thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Release);
        let mut delay = Figures::default();
        for thread in threads {
            delay = thread.join().map_err(|_| anyhow::anyhow!("a generator's thread panicked"))?;
        }
        let cpu = worker.cpu()?.saturating_sub(before);
        Ok(Run { cpu, sent: sent.load(Ordering::Relaxed), received: received.load(Ordering::Relaxed), delay })
    })
}

/// Sets calls up and returns every generator socket with the relay's address it sends to.
fn set_up(calls: u16) -> Result<Vec<(UdpSocket, SocketAddr)>> {
    let caller = UdpSocket::bind(CALLER).with_context(|| format!("{CALLER} is taken"))?;
    let server = UdpSocket::bind(UM_SERVER).with_context(|| format!("{UM_SERVER} is taken"))?;
    for socket in [&caller, &server] {
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    }
    let mut sockets = Vec::with_capacity(usize::from(calls) * 2);
    for number in 0..calls {
        let port = PORT + 2 * number;
        caller.send_to(invite(number, port).as_bytes(), GATEWAY)?;
        let to_server = answer_invite(&server, port)?;
        let to_caller = await_answer(&caller, number)?;
        for (ip, to) in [(CALLER.ip(), to_caller), (UM_SERVER.ip(), to_server)] {
            let socket = UdpSocket::bind(SocketAddr::new(ip, port))?;
            socket.set_nonblocking(true)?;
            sockets.push((socket, to));
        }
    }
    Ok(sockets)
}

fn receive_sip(socket: &UdpSocket) -> Result<(Message, SocketAddr)> {
    let mut buffer = vec![0; 65_535];
    let (length, source) = socket.recv_from(&mut buffer).context("the gateway is silent")?;
    let message = Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default());
    Ok((message.map_err(|error| anyhow::anyhow!("{error}"))?, source))
}

/// Answers the next INVITE; returns where the gateway wants the server's media.
fn answer_invite(server: &UdpSocket, port: u16) -> Result<SocketAddr> {
    loop {
        let (message, source) = receive_sip(server)?;
        if !message.is_request() || message.method() == &Method::Ack {
            continue;
        }
        let tag = format!("s{}", message.call_id());
        let ok = ResponseBuilder::new(&message, source, StatusCode::OK, &tag)
            .header(HeaderName::Contact, format!("<sip:um@{UM_SERVER}>"));
        if message.method() == &Method::Invite {
            server.send_to(&ok.body("application/sdp", sdp(UM_SERVER, port)).build(), source)?;
            return media_address(message.body());
        }
        server.send_to(&ok.build(), source)?;
    }
}

/// Waits for the 200 of a call and acknowledges it; returns where the gateway wants the caller's media.
fn await_answer(caller: &UdpSocket, number: u16) -> Result<SocketAddr> {
    loop {
        let (message, _) = receive_sip(caller)?;
        let Some(status) = message.status() else { continue };
        if status.code() < 200 || !message.call_id().starts_with(&format!("m{number}@")) {
            continue;
        }
        ensure!(status.code() == 200, "call {number} was refused with {}", status.code());
        let to = message.header_text(HeaderName::To).unwrap_or_default();
        caller
            .send_to(format!("{}Content-Length: 0\r\n\r\n", head("ACK", number, to)).as_bytes(), GATEWAY)?;
        return media_address(message.body());
    }
}

fn media_address(sdp: &[u8]) -> Result<SocketAddr> {
    let text = std::str::from_utf8(sdp)?;
    let ip = text.lines().find_map(|line| line.strip_prefix("c=IN IP4 ")).context("no address in the SDP")?;
    let port = text
        .lines()
        .find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next())
        .context("no audio in the SDP")?;
    Ok(SocketAddr::new(ip.trim().parse()?, port.parse()?))
}

fn sdp(of: SocketAddr, port: u16) -> String {
    let ip = of.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}

fn head(method: &str, number: u16, to: &str) -> String {
    format!(
        "{method} sip:6000@{GATEWAY} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKm{number}{method}\r\nMax-Forwards: 70\r\n\
         From: <sip:u{number}@pbx.test>;tag=m{number}\r\nTo: {to}\r\nCall-ID: m{number}@load\r\nCSeq: 1 {method}\r\n"
    )
}

fn invite(number: u16, port: u16) -> String {
    let body = sdp(CALLER, port);
    let head = head("INVITE", number, &format!("<sip:6000@{GATEWAY}>"));
    let length = body.len();
    format!(
        "{head}Contact: <sip:phone@{CALLER}>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Sends one packet on every socket every 20 ms, spread over the interval.
fn send(
    sockets: &[(UdpSocket, SocketAddr)],
    begun: std::time::Instant,
    duration: Duration,
    sent: &AtomicU64,
) {
    let ticks = duration.as_millis() / 20;
    let groups = 20;
    for tick in 0..ticks {
        for group in 0..groups {
            let due = begun + Duration::from_millis(tick as u64 * 20 + group as u64 * 20 / groups as u64);
            let now = clock::now();
            if due > now {
                thread::sleep(due - now);
            }
            for (index, (socket, to)) in sockets.iter().enumerate().skip(group).step_by(groups) {
                let packet = packet(index as u32, tick as u16, clock::now().duration_since(begun));
                if socket.send_to(&packet, to).is_ok() {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

fn packet(ssrc: u32, sequence: u16, at: Duration) -> [u8; PACKET] {
    let mut packet = [0xd5; PACKET];
    packet[0] = 0x80;
    packet[1] = 8;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&(ssrc + 1).to_be_bytes());
    packet[12..20].copy_from_slice(&(at.as_nanos() as u64).to_be_bytes());
    packet
}

/// Reads all sockets until told to stop; returns the delay of every packet, seconds.
fn receive(
    sockets: &[(UdpSocket, SocketAddr)],
    stop: &AtomicBool,
    received: &AtomicU64,
    begun: std::time::Instant,
) -> Figures {
    leave_core(0);
    let mut delay = Vec::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Acquire) {
        let mut idle = true;
        for (socket, _) in sockets {
            while let Ok(length) = socket.recv(&mut buffer) {
                idle = false;
                if length != PACKET {
                    continue;
                }
                received.fetch_add(1, Ordering::Relaxed);
                let mut at = [0; 8];
                at.copy_from_slice(&buffer[12..20]);
                let now = clock::now().duration_since(begun).as_nanos() as u64;
                delay.push(now.saturating_sub(u64::from_be_bytes(at)) as f64 / 1e9);
            }
        }
        if idle {
            thread::sleep(Duration::from_micros(200));
        }
    }
    delay.into_iter().collect()
}
