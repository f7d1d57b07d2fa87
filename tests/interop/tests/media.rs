//! The voice of stock `uac_pcap`: every packet that it plays arrives at the far side, and every echo of it at the near one.

use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::sipp::{Load, RECORDINGS};
use um_interop::{Place, Product, Sipp, Transport, clock};

/// Calls; each speaks for nine seconds, so at 50 calls a second all of them speak at once.
const CALLS: u32 = 200;
/// Where SIPp's first call has its media; each further call is four ports on.
const FIRST_PORT: u16 = 6000;

/// Returns how many packets a recording has: its records, which follow a header of 24 bytes.
fn packets(recording: &str) -> Result<u64> {
    let bytes = fs::read(format!("{RECORDINGS}/{recording}")).context("a recording of SIPp")?;
    let mut rest = bytes.get(24..).context("a header")?;
    let mut count = 0;
    while let Some(length) = rest.get(8..12) {
        let length = u32::from_le_bytes(length.try_into()?);
        rest = rest.get(16 + usize::try_from(length)?..).context("a whole record")?;
        count += 1;
    }
    Ok(count)
}

/// Counts what arrives at the media ports of the caller, which SIPp only sends from (by a raw socket).
struct Ears {
    heard: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Ears {
    fn open(place: &Place) -> Result<Self> {
        let (heard, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut sockets = Vec::new();
        // SIPp itself sits on the first port and the next ones; the calls there are heard by nobody.
        for call in 1..=CALLS {
            let port = FIRST_PORT + u16::try_from(4 * call)?;
            let socket = UdpSocket::bind((place.host(10), port)).with_context(|| format!("port {port}"))?;
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        let (mine, until) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !until.load(Ordering::Relaxed) {
                for socket in &sockets {
                    while socket.recv(&mut buffer).is_ok() {
                        mine.fetch_add(1, Ordering::Relaxed);
                    }
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        Ok(Self { heard, stop, threads: vec![thread] })
    }

    fn close(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        self.heard.load(Ordering::Relaxed)
    }
}

fn whole_voice(transport: Transport) -> Result<()> {
    in_place(|place| {
        let a_call = packets("g711a.pcap")? + packets("dtmf_2833_1.pcap")?;
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let _first = Sipp::uas(place, "first", servers[0], transport, &["-rtp_echo"])?;
        let _second = Sipp::uas(place, "second", servers[1], transport, &["-rtp_echo"])?;
        let product = Product::start(place, &plan(place, transport, transport, &servers))?;

        let ears = Ears::open(place)?;
        let load = Load::short(50, CALLS);
        let mut caller = Sipp::caller(place, "uac_pcap", place.host(10), product.callers(), transport, load)?;
        let placed = caller.finish(Duration::from_secs(60))?;
        ensure!(
            placed.successful == u64::from(CALLS) && placed.failed == 0,
            "{placed:?} {}",
            caller.complaints()
        );
        ensure!(placed.retransmissions == 0, "the caller sent again: {placed:?}");
        product.settled(Duration::from_secs(10))?;
        clock::pass(Duration::from_millis(200));

        // SIPp reads all voice through one socket; what it was too slow for, the kernel counts there.
        let missed = place.dropped(11, FIRST_PORT)?;
        // What the far side did not get it cannot echo: the worker had every packet twice, once from each side, and sent
        // each on.
        let (heard, played) = (ears.close(), a_call * u64::from(CALLS));
        ensure!(
            missed < played / 50,
            "the far side missed {missed} packets of {played}: the machine is too slow"
        );
        let received = product.metric("rtp_packets_total", "direction=\"in\"")?;
        let sent = product.metric("rtp_packets_total", "direction=\"out\"")?;
        let figures =
            format!("{played} played, {missed} missed by the far side; worker {received} in, {sent} out");
        ensure!(received == 2 * played - missed && sent == received, "{figures}");
        // The echoes of one call go to the port that SIPp holds itself.
        ensure!(heard >= played - missed - a_call, "{heard} came back: {figures}");
        Ok(())
    })
}

#[test]
fn every_packet_arrives_and_every_echo_returns_with_signalling_over_udp() -> Result<()> {
    whole_voice(Transport::Udp)
}

#[test]
fn every_packet_arrives_and_every_echo_returns_with_signalling_over_tcp() -> Result<()> {
    whole_voice(Transport::Tcp)
}
