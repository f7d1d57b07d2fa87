//! One UDP socket of a line: bounded receive batches, sends that never block, and the ICMP errors that tell of a dead peer.
//!
//! An unconnected socket hears of ICMP errors only through its error queue (`IP_RECVERR`); without it a UM server that
//! is gone would cost its full give-up time instead of nothing.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

use bytes::Bytes;
use mio::net::UdpSocket;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

mod batch;

pub(super) use self::batch::Batch;

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
    /// When the kernel refuses the error queue or the times of arrival.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        match socket.local_addr()?.ip() {
            IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
            IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
        }
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        Ok(Self { socket: UdpSocket::from_std(socket) })
    }

    /// The socket, for registration with a poll.
    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// Reads one batch; returns how many datagrams there are and whether there may be more.
    pub(super) fn recv_batch(&self, batch: &mut Batch) -> (usize, Left) {
        // A pending ICMP error surfaces here once; the error queue has its details.
        for _ in 0..2 {
            match batch.receive(self.socket.as_raw_fd()) {
                Ok(count) if count < Batch::CAPACITY => return (count, Left::Nothing),
                Ok(count) => return (count, Left::Maybe),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (0, Left::Nothing),
                Err(_) => {}
            }
        }
        (0, Left::Maybe)
    }

    /// Sends datagrams in their order; tells of each what became of it, by its place.
    pub(super) fn send_batch(&self, datagrams: &[(SocketAddr, Bytes)], mut on_sent: impl FnMut(usize, Sent)) {
        let mut at = 0;
        // An ICMP error that some earlier datagram met is reported on the next send, to whomever that goes, and
        // clears with it: only the second refusal is about this one.
        let mut refused = false;
        while let Some(rest) = datagrams.get(at..).filter(|rest| !rest.is_empty()) {
            match batch::send(self.socket.as_raw_fd(), rest) {
                Ok(sent) => {
                    (at..at + sent).for_each(|place| on_sent(place, Sent::Whole));
                    (at, refused) = (at + sent, false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_short_of_room(&error) => {
                    return (at..datagrams.len()).for_each(|place| on_sent(place, Sent::Lost));
                }
                Err(_) if refused => {
                    on_sent(at, Sent::Refused);
                    (at, refused) = (at + 1, false);
                }
                Err(_) => refused = true,
            }
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

    fn send(socket: &Datagrams, to: SocketAddr, count: usize) -> Vec<Sent> {
        let datagrams = vec![(to, Bytes::from_static(b"OPTIONS")); count];
        let mut sent = Vec::new();
        socket.send_batch(&datagrams, |place, what| {
            assert_eq!(place, sent.len());
            sent.push(what);
        });
        sent
    }

    #[test]
    fn reads_at_most_a_batch_and_says_that_more_may_be_left() {
        let (mut receiver, sender) = (bound(), bound());
        let to = receiver.source().local_addr().unwrap();
        let all = Batch::CAPACITY + 3;
        assert_eq!(send(&sender, to, all), vec![Sent::Whole; all]);
        wait_readable(&mut receiver);
        let mut batch = Batch::new();
        assert_eq!(receiver.recv_batch(&mut batch), (Batch::CAPACITY, Left::Maybe));
        let last = batch.datagram(Batch::CAPACITY - 1).unwrap();
        assert_eq!(last.bytes, b"OPTIONS");
        assert_eq!(receiver.recv_batch(&mut batch), (3, Left::Nothing));
        assert_eq!(receiver.recv_batch(&mut batch), (0, Left::Nothing));
    }

    #[test]
    fn each_datagram_says_whence_and_when_it_came() {
        let (mut receiver, mut sender) = (bound(), bound());
        let to = receiver.source().local_addr().unwrap();
        let wall = || crate::clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap();
        let before = wall();
        send(&sender, to, 2);
        let after = wall();
        wait_readable(&mut receiver);
        let mut batch = Batch::new();
        assert_eq!(receiver.recv_batch(&mut batch).0, 2);
        for index in 0..2 {
            let datagram = batch.datagram(index).unwrap();
            assert_eq!(datagram.source, sender.source().local_addr().unwrap());
            // The kernel's stamp is no coarser than a tick.
            let slack = std::time::Duration::from_millis(20);
            let stamp = datagram.stamp.unwrap();
            assert!(stamp + slack >= before && stamp <= after + slack, "{before:?} {stamp:?} {after:?}");
        }
        assert!(batch.datagram(Batch::CAPACITY).is_none());
    }

    #[test]
    fn what_the_socket_had_no_room_for_is_told() {
        let (mut receiver, sender) = (bound(), bound());
        socket2::SockRef::from(&*receiver.source()).set_recv_buffer_size(1).unwrap();
        let to = receiver.source().local_addr().unwrap();
        send(&sender, to, 200);
        wait_readable(&mut receiver);
        let mut batch = Batch::new();
        while receiver.recv_batch(&mut batch).0 > 0 {}
        // The count comes with the next one that finds room.
        send(&sender, to, 1);
        wait_readable(&mut receiver);
        assert_eq!(receiver.recv_batch(&mut batch).0, 1);
        assert!(batch.datagram(0).unwrap().overflow.unwrap() > 0);
    }

    #[test]
    fn an_icmp_error_names_the_peer_that_is_gone() {
        let mut sender = bound();
        let gone = { bound().source().local_addr().unwrap() };
        assert_eq!(send(&sender, gone, 1), [Sent::Whole]);
        wait_readable(&mut sender);
        let mut unreachable = Vec::new();
        sender.errors(4, |peer| unreachable.push(peer));
        assert_eq!(unreachable, [gone]);
        // The socket still works for everybody else.
        let mut other = bound();
        let to = other.source().local_addr().unwrap();
        assert_eq!(send(&sender, to, 1), [Sent::Whole]);
        // To the dead one, the error of the one before is not taken for its own, and neither is it lost.
        assert_eq!(send(&sender, gone, 1), [Sent::Whole]);
        // Nor does it cost a datagram for another one in the same batch.
        let datagrams = [gone, to, gone, to].map(|remote| (remote, Bytes::from_static(b"INVITE")));
        let mut whole = 0;
        sender.send_batch(&datagrams, |_, sent| whole += usize::from(sent == Sent::Whole));
        assert_eq!(whole, 4);
    }
}
