//! The generators' sockets: one UDP socket, or one TCP connection with its framing; never blocking.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
};

use anyhow::{Context, Result, bail};
use um_sip::{Frame, Framer, Limits};

/// What signalling runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// One connection from the caller, one towards the server.
    Tcp,
}

impl Transport {
    /// The name in Via and in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

/// One end of the signalling.
#[derive(Debug)]
pub(super) enum Wire {
    Udp { socket: UdpSocket, buffer: Vec<u8> },
    Tcp(Box<Connection>),
}

/// A connection and what is under way on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    framer: Framer,
    unsent: Vec<u8>,
    buffer: Vec<u8>,
}

/// Where a message came from; nothing on a connection.
pub(super) type Source = Option<SocketAddr>;

impl Wire {
    /// Opens the caller's end towards `gateway`.
    pub(super) fn caller(transport: Transport, local: SocketAddr, gateway: SocketAddr) -> Result<Self> {
        match transport {
            Transport::Udp => Self::datagrams(local),
            Transport::Tcp => {
                let stream =
                    TcpStream::connect(gateway).with_context(|| format!("{gateway} takes no connections"))?;
                Self::connection(stream)
            }
        }
    }

    /// A UDP socket on `local`.
    pub(super) fn datagrams(local: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(local).with_context(|| format!("{local} is taken"))?;
        // What the system grants is enough for all but the wildest bursts.
        let _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &(8 << 20));
        socket.set_nonblocking(true)?;
        Ok(Self::Udp { socket, buffer: vec![0; 65_536] })
    }

    /// A connection that is open.
    pub(super) fn connection(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let framer = Framer::new(Limits::default());
        Ok(Self::Tcp(Box::new(Connection { stream, framer, unsent: Vec::new(), buffer: vec![0; 65_536] })))
    }

    /// Sends a message; what a full socket buffer does not take is lost on UDP and waits on TCP.
    pub(super) fn send(&mut self, bytes: &[u8], to: SocketAddr) -> Result<()> {
        match self {
            Self::Udp { socket, .. } => {
                // An ICMP error of an earlier datagram is reported here too; both show as a call that fails.
                let _ = socket.send_to(bytes, to);
                Ok(())
            }
            Self::Tcp(connection) => {
                connection.unsent.extend_from_slice(bytes);
                connection.flush()
            }
        }
    }

    /// Hands every message that has come to `on_message`, at most a batch of them; returns whether there was any.
    pub(super) fn receive(&mut self, mut on_message: impl FnMut(&[u8], Source)) -> Result<bool> {
        match self {
            Self::Udp { socket, buffer } => {
                for count in 0..BATCH {
                    match socket.recv_from(buffer) {
                        Ok((length, source)) => {
                            on_message(buffer.get(..length).unwrap_or_default(), Some(source));
                        }
                        Err(_) => return Ok(count > 0),
                    }
                }
                Ok(true)
            }
            Self::Tcp(connection) => connection.receive(on_message),
        }
    }
}

impl Connection {
    fn flush(&mut self) -> Result<()> {
        match self.stream.write(&self.unsent) {
            Ok(written) => {
                self.unsent.drain(..written);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("the gateway closed the connection"),
        }
    }

    fn receive(&mut self, mut on_message: impl FnMut(&[u8], Source)) -> Result<bool> {
        if !self.unsent.is_empty() {
            self.flush()?;
        }
        match self.stream.read(&mut self.buffer) {
            Ok(0) => bail!("the gateway closed the connection"),
            Ok(length) => self.framer.push(self.buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        loop {
            match self.framer.poll() {
                Ok(Some(Frame::Message(bytes))) => on_message(&bytes, None),
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => return Ok(true),
                Err(error) => bail!("the gateway sent what is no message: {error}"),
            }
        }
    }
}

/// Datagrams between two looks at the clock.
const BATCH: usize = 64;
