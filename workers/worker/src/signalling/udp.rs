//! One UDP socket of a line: bounded receive batches, sends that never block, and the ICMP errors that tell of a dead peer.
//!
//! An unconnected socket hears of ICMP errors only through its error queue (`IP_RECVERR`); without it a UM server that
//! is gone would cost its full give-up time instead of nothing.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

use mio::net::UdpSocket;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

/// What is left in a socket after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The socket was drained; the poll will say when there is more.
    Nothing,
    /// The batch was full; the socket must be read again without waiting for the poll.
    Maybe,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The kernel has it.
    Whole,
    /// Our own buffers are full: lost as on any wire, and no fault of the peer.
    Lost,
    /// There is no way to the peer.
    Refused,
}

/// A bound UDP socket.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
}

impl Datagrams {
    /// Takes over a bound, non-blocking socket.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the error queue.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        match socket.local_addr()?.ip() {
            IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
            IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
        }
        Ok(Self { socket: UdpSocket::from_std(socket) })
    }

    /// The socket, for registration with a poll.
    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// Reads at most `most` datagrams into `scratch`, handing each with its source to `on_datagram`.
    pub(super) fn recv_batch(
        &self,
        scratch: &mut [u8],
        most: usize,
        mut on_datagram: impl FnMut(SocketAddr, &[u8]),
    ) -> Left {
        for _ in 0..most {
            match self.socket.recv_from(scratch) {
                Ok((length, source)) => on_datagram(source, scratch.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Left::Nothing,
                // A pending ICMP error surfaces here once; the error queue has its details.
                Err(_) => {}
            }
        }
        Left::Maybe
    }

    /// Sends one datagram.
    pub(super) fn send(&self, bytes: &[u8], remote: SocketAddr) -> Sent {
        // An ICMP error that some earlier datagram met is reported on the next send, to whomever that goes, and
        // clears with it: only the second refusal is about this one.
        let sent = self.socket.send_to(bytes, remote).or_else(|error| {
            if is_short_of_room(&error) { Err(error) } else { self.socket.send_to(bytes, remote) }
        });
        match sent {
            Ok(_) => Sent::Whole,
            Err(error) if is_short_of_room(&error) => Sent::Lost,
            Err(_) => Sent::Refused,
        }
    }

    /// Reads at most `most` ICMP errors, handing each destination that could not be reached to `on_unreachable`.
    pub(super) fn errors(&self, most: usize, mut on_unreachable: impl FnMut(SocketAddr)) {
        for _ in 0..most {
            let mut payload = [0_u8; 64];
            let mut iov = [IoSliceMut::new(&mut payload)];
            let mut control = nix::cmsg_space!(nix::libc::sock_extended_err, nix::libc::sockaddr_in6);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let Ok(message) =
                recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut iov, Some(&mut control), flags)
            else {
                return;
            };
            let unreachable = message.cmsgs().is_ok_and(|mut all| all.any(|one| is_unreachable(&one)));
            if let (true, Some(address)) = (unreachable, message.address.as_ref().and_then(to_std)) {
                on_unreachable(address);
            }
        }
    }
}

fn is_short_of_room(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(nix::libc::ENOBUFS | nix::libc::ENOMEM))
}

/// Path MTU news (EMSGSIZE) come through the same queue and say nothing about the peer being alive.
fn is_unreachable(message: &ControlMessageOwned) -> bool {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "foreign, non-exhaustive enum; only two of its cases speak of errors"
    )]
    match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) => error.ee_errno != nix::libc::EMSGSIZE as u32,
        ControlMessageOwned::Ipv6RecvErr(error, _) => error.ee_errno != nix::libc::EMSGSIZE as u32,
        _ => false,
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::new(v6.ip().into(), v6.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Datagrams {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Datagrams::new(socket).unwrap()
    }

    fn wait_readable(socket: &mut Datagrams) {
        let mut poll = mio::Poll::new().unwrap();
        poll.registry().register(socket.source(), mio::Token(0), mio::Interest::READABLE).unwrap();
        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, Some(std::time::Duration::from_secs(10))).unwrap();
        poll.registry().deregister(socket.source()).unwrap();
    }

    #[test]
    fn reads_at_most_a_batch_and_says_that_more_may_be_left() {
        let mut receiver = bound();
        let sender = bound();
        let to = receiver.source().local_addr().unwrap();
        for _ in 0..3 {
            assert_eq!(sender.send(b"OPTIONS", to), Sent::Whole);
        }
        wait_readable(&mut receiver);
        let mut scratch = [0; 65_535];
        let mut seen = 0;
        assert_eq!(receiver.recv_batch(&mut scratch, 2, |_, bytes| seen += bytes.len()), Left::Maybe);
        assert_eq!(seen, 14);
        assert_eq!(receiver.recv_batch(&mut scratch, 8, |_, bytes| seen += bytes.len()), Left::Nothing);
        assert_eq!(seen, 21);
    }

    #[test]
    fn an_icmp_error_names_the_peer_that_is_gone() {
        let mut sender = bound();
        let gone = { bound().source().local_addr().unwrap() };
        assert_eq!(sender.send(b"INVITE", gone), Sent::Whole);
        wait_readable(&mut sender);
        let mut unreachable = Vec::new();
        sender.errors(4, |peer| unreachable.push(peer));
        assert_eq!(unreachable, [gone]);
        // The socket still works for everybody else.
        let mut other = bound();
        assert_eq!(sender.send(b"INVITE", other.source().local_addr().unwrap()), Sent::Whole);
        // To the dead one, the error of the one before is not taken for its own, and neither is it lost.
        assert_eq!(sender.send(b"INVITE", gone), Sent::Whole);
    }
}
