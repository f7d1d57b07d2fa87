//! The sockets of one agent on one thread: SIP over UDP and TCP, media, signals, control port.
//!
//! [`Network::turn`] waits for the next news or deadline, feeds the agent and carries out what it wants done.

mod sending;
mod stream;

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use mio::{
    Events, Interest, Poll, Token,
    event::Source as _,
    net::{TcpListener, TcpStream, UdpSocket},
    unix::SourceFd,
};
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use um_double::{Agent, Input, Listen, Output};
use um_sip::{ConnectionId, Flow, LineIndex, Transport};

use self::stream::{Heard, Speech, Stream};
use super::clock;

/// What is not for the agent.
#[derive(Debug)]
pub(super) enum News {
    /// A line came over the control port.
    Control {
        /// To reply to.
        client: u64,
        /// The line.
        line: String,
    },
    /// SIGINT or SIGTERM came.
    Stop,
}

enum Source {
    Udp(usize),
    Accept(usize),
    Stream(u64),
    Media(SocketAddr),
    Control,
    Signals,
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpListener),
}

/// The sockets.
pub(super) struct Network {
    poll: Poll,
    sources: BTreeMap<usize, Source>,
    next_token: usize,
    sockets: Vec<Socket>,
    listens: Vec<Listen>,
    streams: BTreeMap<u64, Stream>,
    next_serial: u64,
    media: BTreeMap<SocketAddr, UdpSocket>,
    control: Option<TcpListener>,
    signals: SignalFd,
    buffer: Vec<u8>,
}

impl Network {
    /// Binds all addresses; port 0 means any free one. SIGINT and SIGTERM become news from now on.
    pub(super) fn bind(
        listens: &[(Transport, SocketAddr)],
        control: Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let mut wanted = SigSet::empty();
        wanted.add(Signal::SIGINT);
        wanted.add(Signal::SIGTERM);
        wanted.thread_block().context("cannot block signals")?;
        let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let mut network = Self {
            poll: Poll::new()?,
            sources: BTreeMap::new(),
            next_token: 0,
            sockets: Vec::new(),
            listens: Vec::new(),
            streams: BTreeMap::new(),
            next_serial: 0,
            media: BTreeMap::new(),
            control: None,
            signals,
            buffer: vec![0; 1 << 16],
        };
        let token = network.token(Source::Signals);
        let signals = network.signals.as_raw_fd();
        network.poll.registry().register(&mut SourceFd(&signals), token, Interest::READABLE)?;
        for (transport, address) in listens {
            network
                .listen(*transport, *address)
                .with_context(|| format!("cannot listen on {} {address}", transport.uri_token()))?;
        }
        if let Some(address) = control {
            let mut listener = TcpListener::bind(address)
                .with_context(|| format!("cannot listen on control port {address}"))?;
            let token = network.token(Source::Control);
            network.poll.registry().register(&mut listener, token, Interest::READABLE)?;
            network.control = Some(listener);
        }
        Ok(network)
    }

    /// Returns the addresses that are bound.
    pub(super) fn listens(&self) -> &[Listen] {
        &self.listens
    }

    /// Returns the address of the control port.
    pub(super) fn control_address(&self) -> Option<SocketAddr> {
        self.control.as_ref()?.local_addr().ok()
    }

    /// Begins to open a connection from a line.
    pub(super) fn connect(&mut self, line: LineIndex, remote: SocketAddr) -> io::Result<Flow> {
        let mut socket = TcpStream::connect(remote)?;
        let serial = self.next_serial;
        self.next_serial += 1;
        let local = socket.local_addr()?;
        let connection = Some(ConnectionId { shard: 0, serial });
        let flow = Flow { line, transport: Transport::Tcp, local, remote, connection };
        let token = self.token(Source::Stream(serial));
        self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        self.streams.insert(serial, Stream::new(socket, token, Speech::sip(flow)));
        Ok(flow)
    }

    /// Replies to a line of the control port.
    pub(super) fn reply(&mut self, client: u64, line: &str) {
        if let Some(stream) = self.streams.get_mut(&client)
            && stream.send(format!("{line}\n").as_bytes()).is_err()
        {
            self.close(client);
        }
    }

    /// Carries out what the agent wants now, waits until something happens or `until`, and lets the agent act on it.
    pub(super) fn turn(
        &mut self,
        agent: &mut dyn Agent,
        until: Option<Instant>,
    ) -> anyhow::Result<Vec<News>> {
        self.carry_out(agent);
        let due = agent.poll_timeout().into_iter().chain(until).min();
        let wait = due.map(|due| due.saturating_duration_since(clock::now()));
        let mut events = Events::with_capacity(256);
        // Rounded up: a timer that ends a moment too early would be waited for again at once.
        match self.poll.poll(&mut events, wait.map(|wait| wait + Duration::from_micros(500))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let mut news = Vec::new();
        for event in &events {
            self.on_ready(event.token(), event.is_writable(), agent, &mut news);
            self.carry_out(agent);
        }
        agent.handle_timeout(clock::now());
        self.carry_out(agent);
        Ok(news)
    }

    /// Carries out all that the agent wants done.
    pub(super) fn carry_out(&mut self, agent: &mut dyn Agent) {
        while let Some(output) = agent.poll_output() {
            match output {
                Output::Send { flow, bytes } => {
                    if let Some(failed) = self.send(flow, &bytes) {
                        agent.handle(clock::now(), failed);
                    }
                }
                Output::Close(connection) => {
                    self.close(connection.serial);
                    agent.handle(clock::now(), Input::ConnectionLost(connection));
                }
                Output::OpenMedia(local) => {
                    if self.open_media(local).is_err() {
                        agent.handle(clock::now(), Input::MediaRefused(local));
                    }
                }
                Output::CloseMedia(local) => self.close_media(local),
                Output::Rtp { local, remote, packet } => {
                    // A lost packet is what networks do.
                    let _ = self.media.get(&local).map(|socket| socket.send_to(&packet, remote));
                }
                Output::Note(note) => eprintln!("{note}"),
            }
        }
    }

    fn on_ready(&mut self, token: Token, writable: bool, agent: &mut dyn Agent, news: &mut Vec<News>) {
        match self.sources.get(&token.0) {
            Some(Source::Udp(index)) => self.read_datagrams(*index, agent),
            Some(Source::Accept(index)) => self.accept(*index),
            Some(Source::Stream(serial)) => self.on_stream(*serial, writable, agent, news),
            Some(Source::Media(local)) => self.read_media(*local, agent),
            Some(Source::Control) => self.accept_control(),
            Some(Source::Signals) => {
                while let Ok(Some(_)) = self.signals.read_signal() {
                    news.push(News::Stop);
                }
            }
            None => {}
        }
    }

    fn listen(&mut self, transport: Transport, address: SocketAddr) -> io::Result<()> {
        let index = self.sockets.len();
        let (socket, bound) = match transport {
            Transport::Udp => {
                let mut socket = UdpSocket::bind(address)?;
                let token = self.token(Source::Udp(index));
                self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
                let bound = socket.local_addr()?;
                (Socket::Udp(socket), bound)
            }
            Transport::Tcp => {
                let mut listener = TcpListener::bind(address)?;
                let token = self.token(Source::Accept(index));
                self.poll.registry().register(&mut listener, token, Interest::READABLE)?;
                let bound = listener.local_addr()?;
                (Socket::Tcp(listener), bound)
            }
        };
        self.sockets.push(socket);
        self.listens.push(Listen { transport, address: bound });
        Ok(())
    }

    fn read_datagrams(&mut self, index: usize, agent: &mut dyn Agent) {
        let (Some(Socket::Udp(socket)), Some(listen)) = (self.sockets.get(index), self.listens.get(index))
        else {
            return;
        };
        loop {
            match socket.recv_from(&mut self.buffer) {
                Ok((length, remote)) => {
                    let bytes = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
                    let line = line_index(index);
                    let flow = Flow {
                        line,
                        transport: Transport::Udp,
                        local: listen.address,
                        remote,
                        connection: None,
                    };
                    agent.handle(clock::now(), Input::Message { flow, bytes });
                }
                Err(error) if is_passing(&error) => {}
                Err(_) => return,
            }
        }
    }

    fn read_media(&mut self, local: SocketAddr, agent: &mut dyn Agent) {
        let Some(socket) = self.media.get(&local) else { return };
        loop {
            match socket.recv_from(&mut self.buffer) {
                Ok((length, source)) => {
                    let packet = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
                    agent.handle(clock::now(), Input::Rtp { local, source, packet });
                }
                Err(error) if is_passing(&error) => {}
                Err(_) => return,
            }
        }
    }

    fn accept(&mut self, index: usize) {
        let mut accepted = Vec::new();
        if let Some(Socket::Tcp(listener)) = self.sockets.get(index) {
            accepted.extend(std::iter::from_fn(|| listener.accept().ok()));
        }
        for (socket, remote) in accepted {
            let serial = self.next_serial;
            let Some(local) = self.listens.get(index).map(|listen| listen.address) else { continue };
            let connection = Some(ConnectionId { shard: 0, serial });
            let flow = Flow { line: line_index(index), transport: Transport::Tcp, local, remote, connection };
            self.adopt(socket, Speech::sip(flow));
        }
    }

    fn accept_control(&mut self) {
        let mut accepted = Vec::new();
        if let Some(listener) = &self.control {
            accepted.extend(std::iter::from_fn(|| listener.accept().ok()));
        }
        for (socket, _) in accepted {
            self.adopt(socket, Speech::lines());
        }
    }

    fn adopt(&mut self, mut socket: TcpStream, speech: Speech) {
        let serial = self.next_serial;
        self.next_serial += 1;
        let token = self.token(Source::Stream(serial));
        let interest = Interest::READABLE | Interest::WRITABLE;
        if socket
            .set_nodelay(true)
            .and_then(|()| self.poll.registry().register(&mut socket, token, interest))
            .is_ok()
        {
            self.streams.insert(serial, Stream::new(socket, token, speech));
        } else {
            self.sources.remove(&token.0);
        }
    }

    fn on_stream(&mut self, serial: u64, writable: bool, agent: &mut dyn Agent, news: &mut Vec<News>) {
        let Some(stream) = self.streams.get_mut(&serial) else { return };
        let mut heard = Vec::new();
        let flushed = if writable { stream.flush() } else { Ok(()) };
        let open = flushed.and_then(|()| stream.read(&mut self.buffer, &mut heard));
        let flow = stream.flow();
        for heard in heard {
            match (heard, flow) {
                (Heard::Message(bytes), Some(flow)) => {
                    agent.handle(clock::now(), Input::Message { flow, bytes })
                }
                (Heard::Line(line), _) => news.push(News::Control { client: serial, line }),
                (Heard::Message(_), None) => {}
            }
        }
        if open.is_err() {
            self.close(serial);
            if let Some(connection) = flow.and_then(|flow| flow.connection) {
                agent.handle(clock::now(), Input::ConnectionLost(connection));
            }
        }
    }

    fn open_media(&mut self, local: SocketAddr) -> io::Result<()> {
        let mut socket = UdpSocket::bind(local)?;
        let token = self.token(Source::Media(local));
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        self.media.insert(local, socket);
        Ok(())
    }

    fn close_media(&mut self, local: SocketAddr) {
        if let Some(mut socket) = self.media.remove(&local) {
            // The socket is closed in the next line, which deregisters it as well.
            let _ = socket.deregister(self.poll.registry());
        }
        self.sources.retain(|_, source| !matches!(source, Source::Media(known) if *known == local));
    }

    fn close(&mut self, serial: u64) {
        if let Some(stream) = self.streams.remove(&serial) {
            self.sources.remove(&stream.token().0);
        }
    }

    fn token(&mut self, source: Source) -> Token {
        let token = self.next_token;
        self.next_token += 1;
        self.sources.insert(token, source);
        Token(token)
    }
}

fn line_index(index: usize) -> LineIndex {
    LineIndex(u32::try_from(index).unwrap_or(u32::MAX))
}

/// Whether an error of a datagram socket says nothing about the next datagram.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}
