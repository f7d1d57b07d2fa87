//! A UM server that misbehaves as told, on a real UDP or TCP socket, and notes when each request came.
//!
//! Unless it is dead it answers OPTIONS whatever it does to calls, so that only calls judge it.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use crate::clock;
use crate::message::{Message, description};
use crate::plan::Transport;

/// What it does to an INVITE.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// 180, then 200.
    Answer,
    /// Nothing, for ever.
    Silent,
    /// Nothing to anything, OPTIONS included.
    Dead,
    /// 100, then nothing; whether it answers CANCEL (200, then 487) is told apart.
    Trying {
        /// Whether CANCEL is answered.
        cancellable: bool,
    },
    /// A final response: status and reason, and further header lines.
    Refuse(&'static str, String),
    /// Closes the connection that the INVITE came on.
    Close,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// The request.
    pub message: Message,
}

/// The server; it stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub local: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    behaviour: Behaviour,
    transport: Transport,
    local: SocketAddr,
    stop: AtomicBool,
    seen: Mutex<Vec<Seen>>,
}

/// Time between two looks at the wish to stop.
const GLANCE: Duration = Duration::from_millis(20);

impl Server {
    /// Listens.
    ///
    /// # Errors
    ///
    /// The address is taken.
    pub fn start(local: SocketAddr, transport: Transport, behaviour: Behaviour) -> Result<Self> {
        let shared = Arc::new(Shared {
            behaviour,
            transport,
            local,
            stop: AtomicBool::new(false),
            seen: Mutex::new(Vec::new()),
        });
        let mine = Arc::clone(&shared);
        let thread = match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(local).with_context(|| format!("a UM server on {local}"))?;
                socket.set_read_timeout(Some(GLANCE))?;
                std::thread::spawn(move || mine.serve_datagrams(&socket))
            }
            Transport::Tcp => {
                let listener = TcpListener::bind(local).with_context(|| format!("a UM server on {local}"))?;
                listener.set_nonblocking(true)?;
                std::thread::spawn(move || mine.serve_connections(&listener))
            }
        };
        Ok(Self { local, shared, threads: vec![thread] })
    }

    /// Returns all requests of a method that have come, with retransmissions.
    #[must_use]
    pub fn seen(&self, method: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| seen.message.method() == method).cloned().collect()
    }

    /// Waits for the first request of a method.
    ///
    /// # Errors
    ///
    /// None came within `limit`.
    pub fn first(&self, method: &str, limit: Duration) -> Result<Seen> {
        clock::until(&format!("{method} at {}", self.local), limit, || {
            self.seen(method).into_iter().next().ok_or_else(|| anyhow!("none"))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn serve_datagrams(&self, socket: &UdpSocket) {
        let mut buffer = vec![0; 65_536];
        while !self.stopped() {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            let mut bytes = buffer[..length].to_vec();
            let Ok(Some(message)) = Message::take(&mut bytes) else { continue };
            for response in self.on_message(message).unwrap_or_default() {
                let _ = socket.send_to(response.as_bytes(), from);
            }
        }
    }

    fn serve_connections(self: &Arc<Self>, listener: &TcpListener) {
        let mut threads = Vec::new();
        while !self.stopped() {
            if let Ok((stream, _)) = listener.accept() {
                let mine = Arc::clone(self);
                threads.push(std::thread::spawn(move || mine.serve_stream(stream)));
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        for thread in threads {
            let _ = thread.join();
        }
    }

    fn serve_stream(&self, mut stream: TcpStream) {
        let set = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(GLANCE)));
        if set.is_err() {
            return;
        }
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 65_536];
        while !self.stopped() {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => bytes.extend_from_slice(&buffer[..length]),
                Err(_) => continue,
            }
            while let Ok(Some(message)) = Message::take(&mut bytes) {
                let Some(responses) = self.on_message(message) else { return };
                for response in responses {
                    if stream.write_all(response.as_bytes()).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Notes a request and returns the responses to it; nothing where the connection is to be closed.
    fn on_message(&self, message: Message) -> Option<Vec<String>> {
        if message.status().is_some() {
            return Some(Vec::new());
        }
        let responses = match message.method() {
            "INVITE" => self.on_invite(&message),
            "CANCEL" => Some(self.on_cancel(&message)),
            "ACK" => Some(Vec::new()),
            _ if matches!(self.behaviour, Behaviour::Dead) => Some(Vec::new()),
            _ => Some(vec![message.response("200 OK", "um", "", "")]),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(Seen { at: clock::now(), message });
        responses
    }

    fn on_invite(&self, invite: &Message) -> Option<Vec<String>> {
        match &self.behaviour {
            Behaviour::Answer => {
                let contact = format!(
                    "Contact: <sip:6000@{};transport={}>\r\n",
                    self.local,
                    self.transport.name().to_lowercase()
                );
                // Two servers behind one forking proxy are told apart by their tags.
                let tag = format!("um{}", self.local.to_string().replace(['.', ':', '[', ']'], "-"));
                Some(vec![
                    invite.response("180 Ringing", &tag, &contact, ""),
                    invite.response("200 OK", &tag, &contact, &description(self.host(), 41_000)),
                ])
            }
            Behaviour::Silent | Behaviour::Dead => Some(Vec::new()),
            Behaviour::Trying { .. } => Some(vec![invite.response("100 Trying", "", "", "")]),
            Behaviour::Refuse(line, more) => Some(vec![invite.response(line, "um", more, "")]),
            Behaviour::Close => None,
        }
    }

    fn on_cancel(&self, cancel: &Message) -> Vec<String> {
        if matches!(self.behaviour, Behaviour::Trying { cancellable: false }) {
            return Vec::new();
        }
        let invite = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .rev()
            .find(|seen| {
                seen.message.method() == "INVITE"
                    && seen.message.header("Call-ID") == cancel.header("Call-ID")
            })
            .map(|seen| seen.message.response("487 Request Terminated", "um", "", ""));
        std::iter::once(cancel.response("200 OK", "um", "", "")).chain(invite).collect()
    }

    const fn host(&self) -> IpAddr {
        self.local.ip()
    }
}

/// A TCP address whose SYNs are dropped: a listener that never accepts and whose backlog is full.
#[derive(Debug)]
pub struct BlackHole {
    _listener: socket2::Socket,
    _filling: Vec<socket2::Socket>,
}

impl BlackHole {
    /// Listens, and fills the backlog until a connection no longer comes up.
    ///
    /// # Errors
    ///
    /// The address is taken, or the backlog cannot be filled.
    pub fn start(local: SocketAddr) -> Result<Self> {
        use socket2::{Domain, Socket, Type};
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.set_reuse_address(true)?;
        listener.bind(&local.into()).with_context(|| format!("a black hole on {local}"))?;
        listener.listen(0)?;
        let mut filling = Vec::new();
        for _ in 0..16 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            let dropped = socket.connect_timeout(&local.into(), Duration::from_millis(200)).is_err();
            filling.push(socket);
            if dropped {
                return Ok(Self { _listener: listener, _filling: filling });
            }
        }
        Err(anyhow!("the backlog of {local} never fills"))
    }
}
