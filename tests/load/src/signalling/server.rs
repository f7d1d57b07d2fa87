//! The called side: a UM server that rings and answers everything at once.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use um_sip::{HeaderName, Limits, Message, Method, ResponseBuilder, StatusCode};

use crate::{process::leave_core, rig::UM_SERVER};

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
    pub fn start() -> Result<Self> {
        let socket = UdpSocket::bind(UM_SERVER).with_context(|| format!("{UM_SERVER} is taken"))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let repeated = Arc::new(AtomicU32::new(0));
        let (ended, count) = (Arc::clone(&stop), Arc::clone(&repeated));
        let thread =
            thread::Builder::new().name("um-server".into()).spawn(move || serve(&socket, &ended, &count))?;
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

fn serve(socket: &UdpSocket, stop: &AtomicBool, repeated: &AtomicU32) {
    leave_core(0);
    let mut buffer = vec![0; 65_535];
    let mut last_branches = std::collections::BTreeSet::new();
    while !stop.load(Ordering::Acquire) {
        let Ok((length, source)) = socket.recv_from(&mut buffer) else { continue };
        let Ok(message) = Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default())
        else {
            continue;
        };
        if !message.is_request() || message.method() == &Method::Ack {
            continue;
        }
        let branch = message.branch().unwrap_or_default().to_owned();
        if !last_branches.insert(branch) {
            repeated.fetch_add(1, Ordering::Relaxed);
        }
        while last_branches.len() > 200_000 {
            last_branches.pop_first();
        }
        let tag = format!("s{}", message.call_id());
        if message.method() == &Method::Invite {
            send(socket, ResponseBuilder::new(&message, source, StatusCode::RINGING, &tag).build(), source);
            let contact = format!("<sip:um@{UM_SERVER}>");
            let ok = ResponseBuilder::new(&message, source, StatusCode::OK, &tag)
                .header(HeaderName::Contact, contact)
                .body("application/sdp", answer());
            send(socket, ok.build(), source);
        } else {
            send(socket, ResponseBuilder::new(&message, source, StatusCode::OK, &tag).build(), source);
        }
    }
}

fn send(socket: &UdpSocket, bytes: Bytes, to: std::net::SocketAddr) {
    // A full socket buffer shows as a call that fails.
    let _ = socket.send_to(&bytes, to);
}

fn answer() -> String {
    let ip = UM_SERVER.ip();
    format!(
        "v=0\r\no=um 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 41000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}
