//! Messages out: in a datagram, on the connection of their flow, or on one that is opened for them.

use std::io::{self, ErrorKind};

use um_double::Input;
use um_sip::{Flow, Transport};

use super::{Network, Socket, is_passing, stream::Stream};

impl Network {
    /// Sends a message; gives back what the agent has to hear if that cannot be.
    pub(super) fn send(&mut self, flow: Flow, bytes: &[u8]) -> Option<Input> {
        match (flow.transport, flow.connection) {
            (Transport::Udp, _) => self.send_datagram(flow, bytes).err().map(|_| Input::FlowFailed(flow)),
            (Transport::Tcp, None) => self.send_anew(flow, bytes).err().map(|_| Input::FlowFailed(flow)),
            (Transport::Tcp, Some(connection)) => {
                let stream = self.streams.get_mut(&connection.serial);
                if stream.is_some_and(|stream| stream.send(bytes).is_ok()) {
                    return None;
                }
                self.close(connection.serial);
                Some(Input::ConnectionLost(connection))
            }
        }
    }

    fn send_datagram(&self, flow: Flow, bytes: &[u8]) -> io::Result<()> {
        let index = usize::try_from(flow.line.0).unwrap_or(usize::MAX);
        match self.sockets.get(index) {
            Some(Socket::Udp(socket)) => match socket.send_to(bytes, flow.remote) {
                Err(error) if !is_passing(&error) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            },
            Some(Socket::Tcp(_)) | None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Sends over a connection to the flow's address that is there, else over a new one.
    fn send_anew(&mut self, flow: Flow, bytes: &[u8]) -> io::Result<()> {
        let reaches = |stream: &&mut Stream| stream.flow().is_some_and(|known| known.remote == flow.remote);
        if let Some(stream) = self.streams.values_mut().find(reaches) {
            return stream.send(bytes);
        }
        let serial = self.connect(flow.line, flow.remote)?.connection.map(|connection| connection.serial);
        let stream = serial.and_then(|serial| self.streams.get_mut(&serial));
        stream.map_or(Ok(()), |stream| stream.send(bytes))
    }
}
