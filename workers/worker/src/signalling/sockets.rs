//! Opens the sockets of a line: one per shard on the same address, the port never shared with another process.
//!
//! `SO_REUSEPORT` lets the kernel spread the datagrams and connections of one address over the shards, but it would also
//! let a second worker take a share without either noticing. So the first socket is bound without it, which fails when
//! anybody holds the port, and only then joins the group that the others are bound into.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use ipnet::IpNet;
use nix::net::if_::InterfaceFlags;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Receive buffer that is asked for, bytes: the burst that fits while a turn is busy.
const RECEIVE_BUFFER: usize = 4 << 20;
/// A silent connection is asked for a sign of life after this.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// And again so often.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// Longest time that sent data may stay unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Opens one UDP socket per shard on `local`.
///
/// # Errors
///
/// What the kernel says: the address is not here, or the port is taken.
pub(crate) fn open_udp(local: SocketAddr, shards: u16) -> io::Result<Vec<UdpSocket>> {
    let sockets = open(local, shards, Type::DGRAM, Protocol::UDP)?;
    Ok(sockets.into_iter().map(UdpSocket::from).collect())
}

/// Opens one listening TCP socket per shard on `local`.
///
/// # Errors
///
/// What the kernel says: the address is not here, or the port is taken.
pub(crate) fn open_tcp(local: SocketAddr, shards: u16) -> io::Result<Vec<TcpListener>> {
    let sockets = open(local, shards, Type::STREAM, Protocol::TCP)?;
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

fn open(local: SocketAddr, shards: u16, kind: Type, protocol: Protocol) -> io::Result<Vec<Socket>> {
    let mut sockets: Vec<Socket> = Vec::with_capacity(shards.into());
    for shard in 0..shards.max(1) {
        let socket = Socket::new(Domain::for_address(local), kind, Some(protocol))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if kind == Type::STREAM {
            // Connections of an earlier run in TIME_WAIT do not hold the port.
            socket.set_reuse_address(true)?;
        } else {
            // A smaller buffer than asked for is no reason to refuse the line.
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        }
        if shard > 0 {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&local.into())?;
        if shard == 0 && shards > 1 {
            socket.set_reuse_port(true)?;
        }
        socket.set_nonblocking(true)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Opens a TCP connection to `remote` from `local_ip`; it is established when the socket becomes writable.
///
/// # Errors
///
/// What the kernel says at once: no route, no port left.
pub(crate) fn connect_tcp(local_ip: IpAddr, remote: SocketAddr) -> io::Result<mio::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if !local_ip.is_unspecified() {
        socket.bind(&SocketAddr::new(local_ip, 0).into())?;
    }
    match socket.connect(&remote.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let stream = mio::net::TcpStream::from_std(socket.into());
    tune(&stream);
    Ok(stream)
}

/// Sets what every TCP connection needs, accepted or opened.
///
/// A peer that vanished without a word is noticed within a minute or two, also when nothing is sent to it; data that it
/// does not acknowledge ends the connection after half a minute, not after the kernel's quarter of an hour.
pub(crate) fn tune(stream: &mio::net::TcpStream) {
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    // Each is an improvement only; a connection without it still carries messages. Nagle would hold back the second
    // small message of a turn until the first is acknowledged.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&probes);
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}

/// The first address of each family on interface `name`.
///
/// # Errors
///
/// A sentence that names the interface.
pub(crate) fn interface_addresses(name: &str) -> Result<Vec<IpAddr>, String> {
    let all = nix::ifaddrs::getifaddrs().map_err(|error| format!("interfaces cannot be listed: {error}"))?;
    let mut found: Vec<IpAddr> = Vec::new();
    let mut seen = false;
    for interface in all.filter(|interface| interface.interface_name == name) {
        seen = true;
        let address = interface.address.as_ref().filter(|_| interface.flags.contains(InterfaceFlags::IFF_UP));
        if let Some(ip) = address.and_then(ip_of)
            && !is_link_local(ip)
            && !found.iter().any(|other| other.is_ipv4() == ip.is_ipv4())
        {
            found.push(ip);
        }
    }
    match (seen, found.is_empty()) {
        (false, _) => Err(format!("there is no interface `{name}` on this worker")),
        (true, true) => Err(format!("interface `{name}` has no address on this worker")),
        (true, false) => Ok(found),
    }
}

/// This worker's first address inside `net`.
///
/// # Errors
///
/// A sentence that names the network.
pub(crate) fn address_inside(net: IpNet) -> Result<IpAddr, String> {
    let all = nix::ifaddrs::getifaddrs().map_err(|error| format!("interfaces cannot be listed: {error}"))?;
    all.filter_map(|interface| interface.address.as_ref().and_then(ip_of))
        .find(|ip| net.contains(ip))
        .ok_or_else(|| format!("this worker has no address inside {net}"))
}

fn ip_of(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
}

/// Link-local IPv6 needs a scope that neither Via nor SDP can carry.
fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_PORT: &str = "127.0.0.1:0";

    #[test]
    fn a_taken_port_is_refused_even_between_sockets_that_share() {
        let first = open_udp(ANY_PORT.parse().unwrap(), 1).unwrap();
        let taken = first[0].local_addr().unwrap();
        for shards in [1, 2] {
            let error = open_udp(taken, shards).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
    }

    #[test]
    fn the_shards_of_one_line_share_its_port_and_nobody_else_does() {
        let free = open_udp(ANY_PORT.parse().unwrap(), 1).unwrap()[0].local_addr().unwrap();
        let shared = open_udp(free, 3).unwrap();
        assert_eq!(shared.len(), 3);
        assert!(shared.iter().all(|socket| socket.local_addr().unwrap() == free));
        assert_eq!(open_udp(free, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);

        let free = open_tcp(ANY_PORT.parse().unwrap(), 1).unwrap()[0].local_addr().unwrap();
        let shared = open_tcp(free, 2).unwrap();
        assert_eq!(shared.len(), 2);
        assert_eq!(open_tcp(free, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_loopback_interface_is_found_by_name_and_by_network() {
        assert_eq!(interface_addresses("lo").unwrap()[0], IpAddr::from([127, 0, 0, 1]));
        assert_eq!(address_inside("127.0.0.0/8".parse().unwrap()).unwrap(), IpAddr::from([127, 0, 0, 1]));
        assert!(interface_addresses("nosuch0").unwrap_err().contains("nosuch0"));
        // Reserved (RFC 1112): no host has an address in it.
        assert!(address_inside("240.0.0.0/8".parse().unwrap()).unwrap_err().contains("240.0.0.0/8"));
    }
}
