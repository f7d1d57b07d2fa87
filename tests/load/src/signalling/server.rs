//! The called side: a UM server that rings and answers everything at once, and keeps no state.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{
    text::Text,
    wire::{Transport, Wire},
};
use crate::{
    process::leave_core,
    rig::{GATEWAY, UM_SERVER},
};

/// A running UM server; it ends with this value.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    repeated: Arc<AtomicU32>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Its address is taken.
    pub fn start(transport: Transport) -> Result<Self> {
        let (stop, repeated) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (ended, count) = (Arc::clone(&stop), Arc::clone(&repeated));
        let (listener, wires) = match transport {
            Transport::Udp => (None, vec![Wire::datagrams(UM_SERVER)?]),
            Transport::Tcp => {
                let listener =
                    TcpListener::bind(UM_SERVER).with_context(|| format!("{UM_SERVER} is taken"))?;
                listener.set_nonblocking(true)?;
                (Some(listener), Vec::new())
            }
        };
        let contact = match transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        };
        let serving = Serving { listener, wires, repeated: count, seen: Seen::default(), contact };
        let thread = thread::Builder::new().name("um-server".into()).spawn(move || serving.run(&ended))?;
        Ok(Self { stop, repeated, thread: Some(thread) })
    }

    /// Requests that came twice since this was last asked.
    #[must_use]
    pub fn take_repeated(&self) -> u32 {
        self.repeated.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

struct Serving {
    listener: Option<TcpListener>,
    wires: Vec<Wire>,
    repeated: Arc<AtomicU32>,
    seen: Seen,
    /// What its Contact says beside its address.
    contact: &'static str,
}

/// The branches that came lately, by a small hash: a collision counts as a repetition, which is rarer than one in 10⁹.
#[derive(Default)]
struct Seen {
    now: std::collections::BTreeSet<u64>,
    before: std::collections::BTreeSet<u64>,
}

impl Seen {
    fn is_repeated(&mut self, branch: &str) -> bool {
        let number = branch.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        if self.now.len() > 100_000 {
            self.before = std::mem::take(&mut self.now);
        }
        self.before.contains(&number) || !self.now.insert(number)
    }
}

impl Serving {
    fn run(mut self, stop: &AtomicBool) {
        leave_core(0);
        while !stop.load(Ordering::Acquire) {
            let mut idle = true;
            if let Some(listener) = &self.listener {
                match listener.accept() {
                    Ok((stream, _)) => self.wires.extend(Wire::connection(stream)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
            let mut wires = std::mem::take(&mut self.wires);
            wires.retain_mut(|wire| {
                let mut answers = Vec::new();
                let received = wire.receive(|bytes, source| self.answer(bytes, source, &mut answers));
                idle &= !matches!(received, Ok(true));
                received.is_ok() && answers.iter().all(|(bytes, to)| wire.send(bytes, *to).is_ok())
            });
            self.wires = wires;
            if idle {
                thread::sleep(Duration::from_micros(100));
            }
        }
    }

    fn answer(&mut self, bytes: &[u8], source: Option<SocketAddr>, answers: &mut Vec<(Vec<u8>, SocketAddr)>) {
        let (text, to) = (Text(bytes), source.unwrap_or(GATEWAY));
        let method = text.method();
        if text.status().is_some() || method == b"ACK" {
            return;
        }
        let branch = text.header("\r\nVia: ").and_then(|via| via.split("branch=").nth(1)).unwrap_or_default();
        if self.seen.is_repeated(branch) {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        if method == b"INVITE" {
            answers.push((response(text, "180 Ringing", self.contact, None), to));
            answers.push((response(text, "200 OK", self.contact, Some(&answer())), to));
        } else {
            answers.push((response(text, "200 OK", self.contact, None), to));
        }
    }
}

fn response(request: Text<'_>, status: &str, contact: &str, body: Option<&str>) -> Vec<u8> {
    let mut out = format!("SIP/2.0 {status}");
    for name in ["\r\nVia: ", "\r\nRecord-Route: ", "\r\nFrom: ", "\r\nTo: ", "\r\nCall-ID: ", "\r\nCSeq: "] {
        for value in request.headers(name) {
            out.push_str(name);
            out.push_str(value);
            if name == "\r\nTo: " && !value.contains(";tag=") {
                out.push_str(";tag=s");
            }
        }
    }
    out.push_str(&format!("\r\nContact: <sip:um@{UM_SERVER}{contact}>"));
    let body = body.unwrap_or_default();
    if !body.is_empty() {
        out.push_str("\r\nContent-Type: application/sdp");
    }
    out.push_str(&format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    out.into_bytes()
}

fn answer() -> String {
    let ip = UM_SERVER.ip();
    format!(
        "v=0\r\no=um 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 41000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}
