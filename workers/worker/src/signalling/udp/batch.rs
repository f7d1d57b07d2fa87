//! Batches of datagrams by one system call each (`recvmmsg`, `sendmmsg`), with what the kernel tells of each datagram.
//!
//! The only file of the signalling threads that calls the system without a safe wrapper: the wrappers at hand allocate,
//! or keep address lengths of earlier calls.

use std::{
    io,
    mem::{MaybeUninit, size_of},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::RawFd,
    ptr,
    time::Duration,
};

use bytes::Bytes;
use nix::libc;

/// Buffers for one batch of one socket; made once per thread.
pub(crate) struct Batch {
    /// One stretch of [`SIZE`] for each datagram. The system only gives pages to what is written.
    buffers: Vec<u8>,
    received: [Received; COUNT],
}

/// A datagram of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    pub(crate) source: SocketAddr,
    pub(crate) bytes: &'a [u8],
    /// When the kernel took it from the network, since the epoch.
    pub(crate) stamp: Option<Duration>,
    /// Datagrams that the socket had no room for since it was opened.
    pub(crate) overflow: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Received {
    source: Option<SocketAddr>,
    length: usize,
    told: Told,
}

/// What control messages tell.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    stamp: Option<Duration>,
    overflow: Option<u32>,
}

/// Room for the control messages of one datagram, aligned as they need it.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL]);

impl Batch {
    pub(crate) fn new() -> Self {
        Self { buffers: vec![0; COUNT * SIZE], received: [Received::default(); COUNT] }
    }

    /// Reads at most a batch, replacing what was in it; returns how many datagrams there are. Fewer than
    /// [`Batch::CAPACITY`] have drained the socket.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the socket is empty, else what the system says.
    pub(super) fn receive(&mut self, socket: RawFd) -> io::Result<usize> {
        let mut addresses = [MaybeUninit::<libc::sockaddr_storage>::uninit(); COUNT];
        let mut controls = [Control([0; CONTROL]); COUNT];
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; COUNT];
        let mut headers: [libc::mmsghdr; COUNT] = std::array::from_fn(|_| blank());
        let buffers = self.buffers.chunks_exact_mut(SIZE);
        for ((((header, vector), buffer), address), control) in
            headers.iter_mut().zip(&mut vectors).zip(buffers).zip(&mut addresses).zip(&mut controls)
        {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: SIZE };
            aim(header, vector, address.as_mut_ptr().cast(), size_of::<libc::sockaddr_storage>());
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL;
        }
        let count = receive(socket, &mut headers)?;
        for ((received, header), address) in
            self.received.iter_mut().zip(&headers).zip(&addresses).take(count)
        {
            *received = Received {
                source: source(address, header.msg_hdr.msg_namelen),
                length: usize::try_from(header.msg_len).unwrap_or(0),
                told: told(&header.msg_hdr),
            };
        }
        Ok(count)
    }

    /// Returns a datagram; `None` when the system told no source for it.
    pub(crate) fn datagram(&self, index: usize) -> Option<Datagram<'_>> {
        let Received { source, length, told } = *self.received.get(index)?;
        let bytes = self.buffers.get(index * SIZE..)?.get(..length)?;
        Some(Datagram { source: source?, bytes, stamp: told.stamp, overflow: told.overflow })
    }

    /// How many datagrams one batch holds.
    pub(crate) const CAPACITY: usize = COUNT;
}

/// Sends datagrams through one socket; returns how many the system took before one that it did not.
///
/// # Errors
///
/// Why the first was not taken.
pub(super) fn send(socket: RawFd, datagrams: &[(SocketAddr, Bytes)]) -> io::Result<usize> {
    let mut addresses = [Address { none: () }; COUNT];
    let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; COUNT];
    let mut headers: [libc::mmsghdr; COUNT] = std::array::from_fn(|_| blank());
    let mut count = 0;
    for ((((remote, bytes), header), vector), address) in
        datagrams.iter().zip(&mut headers).zip(&mut vectors).zip(&mut addresses)
    {
        *vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let length = Address::write(address, *remote);
        aim(header, vector, ptr::from_mut(address).cast(), length);
        count += 1;
    }
    transmit(socket, headers.get_mut(..count).unwrap_or_default())
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
fn receive(socket: RawFd, headers: &mut [libc::mmsghdr; COUNT]) -> io::Result<usize> {
    let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
    // SAFETY: each header points to one vector over one whole buffer, to one address and to one control buffer of the given
    // lengths, all of which live in the caller's frame or batch until after this call; a null timeout is allowed.
    let received =
        unsafe { libc::recvmmsg(socket, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT, ptr::null_mut()) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

#[expect(unsafe_code, reason = "sendmmsg has no safe wrapper that takes buffers made once")]
fn transmit(socket: RawFd, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
    // SAFETY: each header points to one vector over the datagram's octets, which are only read, and to one address of the
    // given length, all of which live in the caller's frame until after this call.
    let sent = unsafe { libc::sendmmsg(socket, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
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

/// Reads the control messages of a received datagram: its time of arrival, and what the socket lost.
#[expect(unsafe_code, reason = "the system's control messages are walked and read in the form of their type")]
fn told(header: &libc::msghdr) -> Told {
    let mut told = Told::default();
    // SAFETY: the header is as the system left it, and its control buffer still lives in the caller's frame.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: the walk only returns whole control messages within the control buffer.
        let (one, data) = unsafe { (ptr::read_unaligned(next), libc::CMSG_DATA(next)) };
        let holds = |size: usize| one.cmsg_len >= size_of::<libc::cmsghdr>() + size;
        if one.cmsg_level == libc::SOL_SOCKET
            && one.cmsg_type == libc::SCM_TIMESTAMPNS
            && holds(size_of::<libc::timespec>())
        {
            // SAFETY: the type says that it is a `timespec`, and the length that all of it is there.
            let at = unsafe { ptr::read_unaligned(data.cast::<libc::timespec>()) };
            let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
            told.stamp = Some(Duration::new(seconds, u32::try_from(at.tv_nsec).unwrap_or(0)));
        } else if one.cmsg_level == libc::SOL_SOCKET
            && one.cmsg_type == libc::SO_RXQ_OVFL
            && holds(size_of::<u32>())
        {
            // SAFETY: the type says that it is a 32-bit count, and the length that all of it is there.
            told.overflow = Some(unsafe { ptr::read_unaligned(data.cast::<u32>()) });
        }
        // SAFETY: as for the first; the walk ends with a null pointer.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    told
}

/// Datagrams of one system call.
const COUNT: usize = 32;

/// Octets of one buffer: no UDP datagram is longer.
const SIZE: usize = 65_536;

/// Octets of control messages of one datagram: a time stamp and a count, each with its header.
const CONTROL: usize = 64;
