//! UDP sockets of relays: binding, and batches of datagrams by one system call each (`recvmmsg`, `sendmmsg`).
//!
//! The only file of the media threads that calls the system without a safe wrapper: the wrappers at hand allocate, or keep address
//! lengths of earlier calls.

use std::{
    io,
    mem::{MaybeUninit, size_of},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, RawFd},
    ptr,
};

use mio::net::UdpSocket;
use nix::{
    errno::Errno,
    libc,
    sys::resource::{Resource, getrlimit, setrlimit},
};
use socket2::{Domain, Protocol, Socket, Type};
use um_media::{Leg, Transmit};

use super::{
    table::OpenedRelay,
    totals::{Counter, Totals},
};

/// Buffers for one batch of one socket, and what is to be sent of it. Allocated once per thread.
pub(super) struct Batch {
    buffers: Box<[[u8; BUFFER]; BATCH]>,
    received: [Received; BATCH],
    queue: Vec<(usize, Transmit)>,
}

/// A datagram in a batch: its octets stand at the front of `buffer`, the rest of which is room.
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    pub(super) buffer: &'a mut [u8],
    pub(super) length: usize,
}

#[derive(Debug, Clone, Copy)]
struct Received {
    source: Option<SocketAddr>,
    length: usize,
}

/// Binds a UDP port, ready for a poll.
///
/// # Errors
/// What the system says: port in use, address not ours, no descriptors left.
pub(super) fn bind(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(address, port);
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Lets this process open as many files as the system allows it: a relay has four sockets.
pub(super) fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Refused in some containers; then the opening of a relay says so when the old limit is reached.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            buffers: Box::new([[0; BUFFER]; BATCH]),
            received: [Received { source: None, length: 0 }; BATCH],
            queue: Vec::with_capacity(BATCH),
        }
    }

    /// Returns how many datagrams one batch holds; a batch with fewer has drained its socket.
    pub(super) fn capacity(&self) -> usize {
        self.buffers.len()
    }

    /// Reads at most a batch, replacing what was in it; returns how many datagrams there are.
    ///
    /// # Errors
    /// `WouldBlock` when the socket is empty, else what the system says.
    pub(super) fn recv_batch(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.queue.clear();
        let mut addresses = [MaybeUninit::<libc::sockaddr_storage>::uninit(); BATCH];
        let mut vectors = self
            .buffers
            .each_mut()
            .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: BUFFER - ROOM });
        let mut headers: [libc::mmsghdr; BATCH] = std::array::from_fn(|_| blank());
        for ((header, vector), address) in headers.iter_mut().zip(&mut vectors).zip(&mut addresses) {
            aim(header, vector, address.as_mut_ptr().cast(), size_of::<libc::sockaddr_storage>());
        }
        let count = receive(socket.as_raw_fd(), &mut headers)?;
        for ((received, header), address) in
            self.received.iter_mut().zip(&headers).zip(&addresses).take(count)
        {
            let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            *received = Received {
                source: source(address, header.msg_hdr.msg_namelen),
                // Longer than any media packet: none of it counts, and the relay will call it malformed.
                length: if whole { usize::try_from(header.msg_len).unwrap_or(0) } else { 0 },
            };
        }
        Ok(count)
    }

    /// Returns a datagram of the batch; `None` when the system told no source for it.
    pub(super) fn received(&mut self, index: usize) -> Option<Datagram<'_>> {
        let Received { source, length } = *self.received.get(index)?;
        Some(Datagram { source: source?, buffer: self.buffers.get_mut(index)?, length })
    }

    /// Forgets what is in it.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Returns a buffer for a packet that is made here; what a batch had there is lost.
    pub(super) fn blank(&mut self, index: usize) -> Option<&mut [u8]> {
        self.buffers.get_mut(index).map(<[u8; BUFFER]>::as_mut_slice)
    }

    /// Puts what a relay made of a datagram in the queue of [`Self::send_batch`].
    pub(super) fn push(&mut self, index: usize, transmit: Transmit) {
        if self.queue.len() < BATCH {
            self.queue.push((index, transmit));
        }
    }

    /// Sends what is queued, each through the port that it leaves from. What cannot go at once is lost and counted.
    pub(super) fn send_batch(&mut self, open: &mut OpenedRelay, totals: &mut Totals) {
        let Self { buffers, queue, .. } = self;
        for run in
            queue.chunk_by(|(_, one), (_, next)| (one.leg, one.component) == (next.leg, next.component))
        {
            let Some((_, first)) = run.first() else { continue };
            let leg = first.leg;
            let mut rest = run;
            while !rest.is_empty() {
                let socket = open.socket(leg, first.component);
                match send_run(socket, buffers.as_slice(), rest) {
                    Ok(sent) => rest = rest.get(sent.max(1)..).unwrap_or_default(),
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                        rest.iter().for_each(|_| on_blocked(open, leg, totals));
                        rest = &[];
                    }
                    Err(_) => {
                        open.relay.on_send_failed(leg);
                        totals.add(Counter::SendFailed, 1);
                        rest = rest.get(1..).unwrap_or_default();
                    }
                }
            }
        }
        queue.clear();
    }
}

fn on_blocked(open: &mut OpenedRelay, leg: Leg, totals: &mut Totals) {
    open.relay.on_send_blocked(leg);
    totals.add(Counter::SendBlocked, 1);
}

/// Sends the packets of `run` through one socket; returns how many the system took before one that it did not.
fn send_run(socket: &UdpSocket, buffers: &[[u8; BUFFER]], run: &[(usize, Transmit)]) -> Result<usize, Errno> {
    if let [(index, transmit)] = run {
        let packet = buffers.get(*index).and_then(|buffer| buffer.get(..transmit.length)).unwrap_or_default();
        let sent = socket.send_to(packet, transmit.destination);
        return sent.map(|_| 1).map_err(|error| error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw));
    }
    let mut addresses = [Address { none: () }; BATCH];
    let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut headers: [libc::mmsghdr; BATCH] = std::array::from_fn(|_| blank());
    let mut count = 0;
    for ((((index, transmit), header), vector), address) in
        run.iter().zip(&mut headers).zip(&mut vectors).zip(&mut addresses)
    {
        let packet = buffers.get(*index).and_then(|buffer| buffer.get(..transmit.length)).unwrap_or_default();
        *vector = libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
        let length = Address::write(address, transmit.destination);
        aim(header, vector, ptr::from_mut(address).cast(), length);
        count += 1;
    }
    transmit(socket.as_raw_fd(), headers.get_mut(..count).unwrap_or_default())
}

/// Room for the address of a destination, of either family.
#[derive(Clone, Copy)]
union Address {
    none: (),
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Address {
    /// Writes a socket address in the system's form; returns its length.
    fn write(place: &mut Self, address: SocketAddr) -> usize {
        match address {
            SocketAddr::V4(address) => {
                place.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(address) => {
                place.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                size_of::<libc::sockaddr_in6>()
            }
        }
    }
}

/// Points a header to one buffer and one address of at most `length` octets.
fn aim(header: &mut libc::mmsghdr, vector: &mut libc::iovec, address: *mut libc::c_void, length: usize) {
    header.msg_hdr.msg_iov = vector;
    header.msg_hdr.msg_iovlen = 1;
    header.msg_hdr.msg_name = address;
    header.msg_hdr.msg_namelen = libc::socklen_t::try_from(length).unwrap_or(0);
}

#[expect(unsafe_code, reason = "the system's structure can only be made blank by zeroing it")]
fn blank() -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is a plain C structure of integers and pointers, for all of which zero is a value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

#[expect(unsafe_code, reason = "recvmmsg has no safe wrapper that takes buffers made once")]
fn receive(socket: RawFd, headers: &mut [libc::mmsghdr; BATCH]) -> io::Result<usize> {
    let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
    // SAFETY: each header points to one vector over one whole buffer and to one address of the given length, all of which
    // live in the caller's frame or batch until after this call; a null timeout is allowed.
    let received =
        unsafe { libc::recvmmsg(socket, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT, ptr::null_mut()) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

#[expect(unsafe_code, reason = "sendmmsg has no safe wrapper that takes buffers made once")]
fn transmit(socket: RawFd, headers: &mut [libc::mmsghdr]) -> Result<usize, Errno> {
    let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
    // SAFETY: each header points to one vector over the packet's octets, which are only read, and to one address of the given
    // length, all of which live in the caller's frame or batch until after this call.
    let sent = unsafe { libc::sendmmsg(socket, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| Errno::last())
}

/// Reads the source that the system wrote; `None` when it is not an IP address.
#[expect(unsafe_code, reason = "the system's address is read in the form of its family")]
fn source(address: &MaybeUninit<libc::sockaddr_storage>, length: libc::socklen_t) -> Option<SocketAddr> {
    let length = usize::try_from(length).ok()?;
    if length < size_of::<libc::sockaddr_in>() {
        return None;
    }
    let address = address.as_ptr();
    // SAFETY: at least a `sockaddr_in` was written, whose first field is the family; the storage is aligned for every family.
    let family = i32::from(unsafe { (*address.cast::<libc::sockaddr_in>()).sin_family });
    if family == libc::AF_INET {
        // SAFETY: the length was checked, and the family says that it is a `sockaddr_in`.
        let v4 = unsafe { *address.cast::<libc::sockaddr_in>() };
        let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
        Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
    } else if family == libc::AF_INET6 && length >= size_of::<libc::sockaddr_in6>() {
        // SAFETY: the length was checked, and the family says that it is a `sockaddr_in6`.
        let v6 = unsafe { *address.cast::<libc::sockaddr_in6>() };
        let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
        Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
    } else {
        None
    }
}

/// Datagrams of one socket a turn.
const BATCH: usize = 16;

/// Octets of one buffer.
const BUFFER: usize = 2048;

/// Octets of a buffer that are not received into: a packet may grow by its protection.
const ROOM: usize = 160;
