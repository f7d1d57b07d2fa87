//! One TCP connection: framing of what comes in, a bounded queue of what goes out.
//!
//! Which shard a message belongs to is the driver's business; that a connection was opened for a target is the engine's.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
};

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use um_sip::{Flow, Frame, Framer, Limits, ParseError};

use super::udp::Left;

/// Bytes that may wait for a peer that does not read; one more and the connection is closed.
const MAX_UNSENT: usize = 1 << 20;
/// Buffers that one write takes.
const WRITE_BATCH: usize = 16;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    flow: Flow,
    framer: Framer,
    unsent: VecDeque<Bytes>,
    unsent_bytes: usize,
    established: bool,
    closing: bool,
}

/// What reading a connection brought.
#[derive(Debug)]
pub(super) enum Received {
    /// One whole message.
    Message(Bytes),
    /// The peer wants to know that we live (RFC 5626 §4.4.1).
    Ping,
    /// No boundary between messages can be found any more.
    FramingLost(ParseError),
}

/// How a connection stands after reading or writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes on.
    Open(Left),
    /// It is over: closed by the peer, broken, or closed by us with all written.
    Over,
}

impl Connection {
    /// Takes over a connection, `established` when it was accepted and not when it is still being opened.
    pub(super) fn new(stream: TcpStream, flow: Flow, established: bool, limits: &Limits) -> Self {
        Self {
            stream,
            flow,
            framer: Framer::new(*limits),
            unsent: VecDeque::new(),
            unsent_bytes: 0,
            established,
            closing: false,
        }
    }

    /// The socket, for registration with a poll.
    pub(super) fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The flow that messages of this connection carry.
    pub(super) fn flow(&self) -> Flow {
        self.flow
    }

    /// Whether it is still being opened.
    pub(super) fn is_connecting(&self) -> bool {
        !self.established
    }

    /// Asks how the opening went, once the socket became writable.
    ///
    /// # Errors
    ///
    /// Why the connection did not come up.
    pub(super) fn finish_connect(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(error),
        }
        self.flow.local = self.stream.local_addr()?;
        self.established = true;
        Ok(true)
    }

    /// Reads at most `most` times into `scratch` and hands on every whole message.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        most: usize,
        mut on_received: impl FnMut(Received),
    ) -> Standing {
        for _ in 0..most {
            match self.stream.read(scratch) {
                Ok(0) => return Standing::Over,
                Ok(length) => {
                    self.framer.push(scratch.get(..length).unwrap_or_default());
                    if !self.hand_on(&mut on_received) {
                        return Standing::Open(Left::Nothing);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Standing::Open(Left::Nothing);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Standing::Over,
            }
        }
        Standing::Open(Left::Maybe)
    }

    /// `false` when framing is lost and nothing more may be read.
    fn hand_on(&mut self, on_received: &mut impl FnMut(Received)) -> bool {
        loop {
            match self.framer.poll() {
                Ok(Some(Frame::Message(bytes))) => on_received(Received::Message(bytes)),
                Ok(Some(Frame::Ping)) => on_received(Received::Ping),
                Ok(Some(Frame::Pong)) => {}
                Ok(None) => return true,
                Err(error) => {
                    on_received(Received::FramingLost(error));
                    return false;
                }
            }
        }
    }

    /// Queues a message and writes what the socket takes.
    pub(super) fn send(&mut self, bytes: Bytes) -> Standing {
        if self.closing || self.unsent_bytes + bytes.len() > MAX_UNSENT {
            return Standing::Over;
        }
        self.unsent_bytes += bytes.len();
        self.unsent.push_back(bytes);
        if self.established { self.write() } else { Standing::Open(Left::Nothing) }
    }

    /// Closes after what is queued is written.
    pub(super) fn close(&mut self) -> Standing {
        self.closing = true;
        if self.established { self.write() } else { Standing::Over }
    }

    /// Writes what is queued, until the socket takes no more.
    pub(super) fn write(&mut self) -> Standing {
        while !self.unsent.is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
            let mut used = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.unsent) {
                *slice = IoSlice::new(bytes);
                used += 1;
            }
            match self.stream.write_vectored(slices.get(..used).unwrap_or_default()) {
                Ok(0) => return Standing::Over,
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Standing::Open(Left::Nothing);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Standing::Over,
            }
        }
        if self.closing { Standing::Over } else { Standing::Open(Left::Nothing) }
    }

    fn advance(&mut self, mut written: usize) {
        self.unsent_bytes -= written;
        while let Some(first) = self.unsent.front_mut() {
            if first.len() > written {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.unsent.pop_front();
        }
    }
}
