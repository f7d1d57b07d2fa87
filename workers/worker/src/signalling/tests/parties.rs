//! Parties that speak SIP by hand over real sockets, blocking and with bounded patience.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Longest wait for anything; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// An OPTIONS outside of any dialog.
pub(super) fn options(call_id: &str, transport: &str) -> String {
    format!(
        "OPTIONS sip:umgate@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1;rport;branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:pbx@127.0.0.1>;tag=f\r\nTo: <sip:umgate@127.0.0.1>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

pub(super) fn status(response: &str) -> u16 {
    response
        .get(8..11)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no response: {response}"))
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find(|line| line.starts_with(name) && line[name.len()..].starts_with(':'));
    line.map_or("", |line| line[name.len() + 1..].trim())
}

/// A PBX.
pub(super) struct Caller {
    socket: Socket,
}

enum Socket {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream),
}

impl Caller {
    pub(super) fn udp(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self { socket: Socket::Udp(socket, SocketAddr::from(([127, 0, 0, 1], port))) }
    }

    pub(super) fn tcp(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a listener");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self { socket: Socket::Tcp(stream) }
    }

    pub(super) fn tell(&self, bytes: &[u8]) {
        match &self.socket {
            Socket::Udp(socket, to) => drop(socket.send_to(bytes, to).expect("loopback")),
            Socket::Tcp(stream) => (&*stream).write_all(bytes).expect("a connection"),
        }
    }

    /// The next message; over TCP only messages without a body are understood.
    pub(super) fn hear(&self) -> String {
        match &self.socket {
            Socket::Udp(socket, _) => {
                let mut buffer = [0; 65_536];
                let length = socket.recv(&mut buffer).expect("a message in time");
                String::from_utf8_lossy(&buffer[..length]).into_owned()
            }
            Socket::Tcp(stream) => {
                let (mut text, mut byte) = (Vec::new(), [0]);
                while !text.ends_with(b"\r\n\r\n") {
                    (&*stream).read_exact(&mut byte).expect("a message in time");
                    text.extend(byte);
                }
                String::from_utf8(text).expect("text")
            }
        }
    }

    pub(super) fn ask(&self, request: &str) -> String {
        self.tell(request.as_bytes());
        self.hear()
    }

    pub(super) fn is_closed_by_peer(&self) -> bool {
        let Socket::Tcp(stream) = &self.socket else { return false };
        match (&*stream).read(&mut [0; 64]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// Calls user 2001; returns the final response, and acknowledges a refusal.
    pub(super) fn invite(&self, call_id: &str) -> String {
        let Socket::Udp(socket, _) = &self.socket else { panic!("calls go over UDP here") };
        let local = socket.local_addr().expect("its address");
        let sdp = sdp(4_000);
        self.tell(
            format!(
                "INVITE sip:2001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{call_id}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:1001@127.0.0.1>;tag=f\r\nTo: <sip:2001@127.0.0.1>\r\n\
                 Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:1001@{local}>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
                sdp.len()
            )
            .as_bytes(),
        );
        loop {
            let response = self.hear();
            if status(&response) >= 200 && header(&response, "CSeq").ends_with("INVITE") {
                return response;
            }
        }
    }

    /// A request in the dialog that `ok` made.
    pub(super) fn inside(&self, ok: &str, method: &str, cseq: u32) -> String {
        let contact = header(ok, "Contact");
        let target = contact.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("a Contact").0;
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{method}{}\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
            header(ok, "Call-ID"),
            header(ok, "From"),
            header(ok, "To"),
            header(ok, "Call-ID")
        )
    }
}

fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    )
}

/// A UM server that answers everything 200; it ends with its value.
pub(super) struct Server {
    pub(super) port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub(super) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time");
        let port = socket.local_addr().expect("its address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if !request.starts_with("ACK") && !request.starts_with("SIP/2.0") {
                    socket.send_to(answer(&request, port).as_bytes(), from).expect("loopback");
                }
            }
        });
        Self { port, stop, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(thread::JoinHandle::join));
    }
}

fn answer(request: &str, port: u16) -> String {
    let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines().take_while(|line| !line.is_empty()) {
        if ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)) {
            answer.push_str(&format!("{line}\r\n"));
        }
    }
    let to = header(request, "To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=um" };
    let body = if request.starts_with("INVITE") { sdp(5_000) } else { String::new() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    answer.push_str(&format!(
        "To: {to}{tag}\r\nContact: <sip:um@127.0.0.1:{port}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    answer
}
