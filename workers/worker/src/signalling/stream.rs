//! One TCP connection: framing of what comes in, a bounded queue of what goes out.
//!
//! Which shard a message belongs to is the driver's business; that a connection was opened for a target is the engine's.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use um_sip::{Flow, Frame, Framer, Limits, ParseError};

use super::udp::Left;

/// Bytes that may wait for a peer that does not read; one more and the connection is closed.
const MAX_UNSENT: usize = 1 << 20;
/// Buffers that one write takes.
const WRITE_BATCH: usize = 16;
/// An accepted connection that has brought no message, and a message that is not complete, are given up after this.
const PATIENCE: Duration = Duration::from_secs(32);
/// How long a peer may take to read what was sent before the close, and to close its own end.
const FAREWELL: Duration = Duration::from_secs(2);

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    flow: Flow,
    framer: Framer,
    unsent: VecDeque<Bytes>,
    unsent_bytes: usize,
    life: Life,
    /// Whether a message has come, or need not come because we opened the connection.
    greeted: bool,
    deadline: Option<Instant>,
}

/// ```text
/// Connecting -> Open -> Closing (what is queued goes out) -> Closed (our end is shut, the peer's is waited for)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Connecting,
    Open,
    Closing,
    Closed,
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
    /// Takes over a connection that a peer opened; it is given up when it brings nothing.
    pub(super) fn accepted(now: Instant, stream: TcpStream, flow: Flow, limits: &Limits) -> Self {
        Self::new(stream, flow, limits, Life::Open, now + PATIENCE)
    }

    /// Takes over a connection that is being opened, until `deadline` at most.
    pub(super) fn opening(deadline: Instant, stream: TcpStream, flow: Flow, limits: &Limits) -> Self {
        Self::new(stream, flow, limits, Life::Connecting, deadline)
    }

    fn new(stream: TcpStream, flow: Flow, limits: &Limits, life: Life, deadline: Instant) -> Self {
        Self {
            stream,
            flow,
            framer: Framer::new(*limits),
            unsent: VecDeque::new(),
            unsent_bytes: 0,
            greeted: life == Life::Connecting,
            life,
            deadline: Some(deadline),
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
        self.life == Life::Connecting
    }

    /// When it is given up unless something happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
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
        self.life = Life::Open;
        self.deadline = None;
        Ok(true)
    }

    /// Reads at most `most` times into `scratch` and hands on every whole message.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        scratch: &mut [u8],
        most: usize,
        mut on_received: impl FnMut(Received),
    ) -> Standing {
        for _ in 0..most {
            match self.stream.read(scratch) {
                Ok(0) => return Standing::Over,
                // What comes after the close is read only so that the peer is not reset before it has our last word.
                Ok(_) if self.life != Life::Open => {}
                Ok(length) => {
                    self.framer.push(scratch.get(..length).unwrap_or_default());
                    let before = self.framer.is_within_message();
                    let whole = self.hand_on(&mut on_received);
                    self.await_message(now, before && whole == 0);
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

    /// A begun message must be complete in time, however it trickles in; between messages a peer may be silent.
    fn await_message(&mut self, now: Instant, same: bool) {
        if !self.greeted {
            return;
        }
        if !self.framer.is_within_message() {
            self.deadline = None;
        } else if !same || self.deadline.is_none() {
            self.deadline = Some(now + PATIENCE);
        }
    }

    /// Returns how many frames were handed on.
    fn hand_on(&mut self, on_received: &mut impl FnMut(Received)) -> usize {
        let mut frames = 0;
        loop {
            match self.framer.poll() {
                Ok(Some(Frame::Message(bytes))) => {
                    self.greeted = true;
                    on_received(Received::Message(bytes));
                }
                Ok(Some(Frame::Ping)) => on_received(Received::Ping),
                Ok(Some(Frame::Pong)) => {}
                Ok(None) => return frames,
                Err(error) => on_received(Received::FramingLost(error)),
            }
            frames += 1;
        }
    }

    /// Queues a message and writes what the socket takes.
    pub(super) fn send(&mut self, bytes: Bytes) -> Standing {
        let full = self.unsent_bytes + bytes.len() > MAX_UNSENT;
        match self.life {
            Life::Connecting | Life::Open if full => return Standing::Over,
            Life::Closing | Life::Closed => return Standing::Over,
            Life::Connecting | Life::Open => {}
        }
        self.unsent_bytes += bytes.len();
        self.unsent.push_back(bytes);
        if self.is_connecting() { Standing::Open(Left::Nothing) } else { self.write() }
    }

    /// Closes after what is queued is written and the peer has had time to read it.
    pub(super) fn close(&mut self, now: Instant) -> Standing {
        match self.life {
            Life::Connecting => Standing::Over,
            Life::Open => {
                self.life = Life::Closing;
                self.deadline = Some(now + FAREWELL);
                self.write()
            }
            Life::Closing | Life::Closed => Standing::Open(Left::Nothing),
        }
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
        if self.life == Life::Closing {
            self.life = Life::Closed;
            if self.stream.shutdown(Shutdown::Write).is_err() {
                return Standing::Over;
            }
        }
        Standing::Open(Left::Nothing)
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

#[cfg(test)]
mod tests;
