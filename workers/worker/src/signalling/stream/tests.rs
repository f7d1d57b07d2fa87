//! One connection against a peer that is slow, silent or gone, on a virtual clock.

use std::net::{SocketAddr, TcpListener};

use um_sip::{LineIndex, Transport};

use super::*;
use crate::clock;

const OPTIONS: &str = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n";

/// A peer and the connection that was accepted from it at `now`.
fn accepted(now: Instant) -> (std::net::TcpStream, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local: SocketAddr = listener.local_addr().unwrap();
    let peer = std::net::TcpStream::connect(local).unwrap();
    peer.set_nodelay(true).unwrap();
    let (stream, remote) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let flow = Flow { line: LineIndex(0), transport: Transport::Tcp, local, remote, connection: None };
    (peer, Connection::accepted(now, TcpStream::from_std(stream), flow, &Limits::default()))
}

/// Writes at the peer and reads it all here; returns how many messages came.
fn bring(now: Instant, peer: &mut std::net::TcpStream, connection: &mut Connection, bytes: &[u8]) -> usize {
    peer.write_all(bytes).unwrap();
    let (mut messages, mut scratch) = (0, [0; 4096]);
    // Loopback delivers within the write; a bounded number of looks covers a kernel that does not.
    for _ in 0..1000 {
        let mut ready = [0; 1];
        if connection.stream.peek(&mut ready).is_ok() {
            break;
        }
        std::thread::yield_now();
    }
    connection.receive(now, &mut scratch, 4, |received| {
        messages += usize::from(matches!(received, Received::Message(_)));
    });
    messages
}

#[test]
fn a_peer_that_brings_no_message_is_given_up_and_keep_alives_do_not_help_it() {
    let now = clock::now();
    let (mut peer, mut connection) = accepted(now);
    let given_up = Some(now + PATIENCE);
    assert_eq!(connection.deadline(), given_up);
    bring(now + Duration::from_secs(1), &mut peer, &mut connection, b"\r\n\r\n");
    assert_eq!(connection.deadline(), given_up);
    assert_eq!(bring(now, &mut peer, &mut connection, OPTIONS.as_bytes()), 1);
    assert_eq!(connection.deadline(), None);
}

#[test]
fn a_message_that_trickles_in_has_the_deadline_of_its_first_byte() {
    let now = clock::now();
    let (mut peer, mut connection) = accepted(now);
    assert_eq!(bring(now, &mut peer, &mut connection, OPTIONS.as_bytes()), 1);
    for (second, byte) in (10..).zip(OPTIONS.bytes().take(5)) {
        bring(now + Duration::from_secs(second), &mut peer, &mut connection, &[byte]);
        assert_eq!(connection.deadline(), Some(now + Duration::from_secs(10) + PATIENCE));
    }
    let later = now + Duration::from_secs(20);
    assert_eq!(bring(later, &mut peer, &mut connection, &OPTIONS.as_bytes()[5..]), 1);
    assert_eq!(connection.deadline(), None);
}

#[test]
fn a_close_writes_what_is_queued_waits_for_the_peer_and_not_for_ever() {
    let now = clock::now();
    let (mut peer, mut connection) = accepted(now);
    assert_eq!(connection.send(Bytes::from_static(b"bye")), Standing::Open(Left::Nothing));
    assert_eq!(connection.close(now), Standing::Open(Left::Nothing));
    assert_eq!(connection.deadline(), Some(now + FAREWELL));
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"bye");
    assert_eq!(bring(now, &mut peer, &mut connection, OPTIONS.as_bytes()), 0);
    assert_eq!(connection.send(Bytes::from_static(b"late")), Standing::Over);
}

#[test]
fn a_peer_that_does_not_read_is_cut_off_before_it_fills_the_memory() {
    let (_peer, mut connection) = accepted(clock::now());
    let message = Bytes::from(vec![b'x'; 64 << 10]);
    let taken = (0..1000).take_while(|_| connection.send(message.clone()) != Standing::Over).count();
    assert!(taken < 1000 && connection.unsent_bytes <= MAX_UNSENT, "{taken}");
}
