//! One TCP connection: framed SIP, or lines of the control port; what cannot be written at once waits.

use std::io::{self, ErrorKind, Read as _, Write as _};

use bytes::{Buf as _, Bytes, BytesMut};
use mio::{Token, net::TcpStream};
use um_sip::{Flow, Frame, Framer, Limits, framing::PONG};

/// What a connection carries.
pub(super) enum Speech {
    Sip { framer: Framer, flow: Flow },
    Lines(Vec<u8>),
}

impl Speech {
    pub(super) fn sip(flow: Flow) -> Self {
        Self::Sip { framer: Framer::new(Limits::default()), flow }
    }

    pub(super) fn lines() -> Self {
        Self::Lines(Vec::new())
    }
}

/// What came over a connection.
pub(super) enum Heard {
    Message(Bytes),
    Line(String),
}

/// One connection.
pub(super) struct Stream {
    socket: TcpStream,
    token: Token,
    speech: Speech,
    outbox: BytesMut,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, token: Token, speech: Speech) -> Self {
        Self { socket, token, speech, outbox: BytesMut::new() }
    }

    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// Returns the flow of a SIP connection.
    pub(super) fn flow(&self) -> Option<Flow> {
        match &self.speech {
            Speech::Sip { flow, .. } => Some(*flow),
            Speech::Lines(_) => None,
        }
    }

    /// Sends, or keeps what cannot be sent yet.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.outbox.len() + bytes.len() > MOST_WAITING {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.outbox.extend_from_slice(bytes);
        self.flush()
    }

    /// Goes on sending what waits.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.socket.write(&self.outbox) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.outbox.advance(written),
                Err(error) if is_early(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what there is; an error means that the connection is over.
    pub(super) fn read(&mut self, buffer: &mut [u8], heard: &mut Vec<Heard>) -> io::Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.on_bytes(buffer.get(..length).unwrap_or_default(), heard)?,
                Err(error) if is_early(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn on_bytes(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) -> io::Result<()> {
        let mut pongs = 0;
        match &mut self.speech {
            Speech::Sip { framer, .. } => {
                framer.push(bytes);
                while let Some(frame) = framer.poll().map_err(|_| ErrorKind::InvalidData)? {
                    match frame {
                        Frame::Message(message) => heard.push(Heard::Message(message)),
                        Frame::Ping => pongs += 1,
                        Frame::Pong => {}
                    }
                }
            }
            Speech::Lines(waiting) => {
                waiting.extend_from_slice(bytes);
                while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = waiting.drain(..=end).collect();
                    heard.push(Heard::Line(String::from_utf8_lossy(&line).trim().to_owned()));
                }
                if waiting.len() > LONGEST_LINE {
                    return Err(ErrorKind::InvalidData.into());
                }
            }
        }
        for _ in 0..pongs {
            self.send(PONG)?;
        }
        Ok(())
    }
}

/// Whether the socket will tell when it can go on; it also says so while it is not connected yet.
fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

/// Most bytes that wait for a peer that does not read; a ladder reply is the longest.
const MOST_WAITING: usize = 16 << 20;

/// Longest command of the control port.
const LONGEST_LINE: usize = 4096;
