//! Shards with real sockets on loopback: what arrives is served whatever came before it, wherever it arrives.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use um_engine::Configuration;
use um_topology::Topology;

use super::{listeners::FailureReason, *};

mod parties;
mod rig;

use self::{
    parties::{Caller, Server, options, status},
    rig::{Rig, free_port, line, topology, with_call},
};

#[test]
fn options_is_answered_over_udp_and_tcp() {
    let mut rig = Rig::new(1);
    let (udp, tcp) = (free_port(), free_port());
    rig.apply(&topology([line("a", udp, "udp"), line("b", tcp, "tcp")]));
    assert_eq!(status(&Caller::udp(udp).ask(&options("o1", "UDP"))), 200);
    assert_eq!(status(&Caller::tcp(tcp).ask(&options("o2", "TCP"))), 200);
}

#[test]
fn bad_datagrams_are_answered_400_or_dropped_and_the_line_goes_on() {
    let mut rig = Rig::new(1);
    let port = free_port();
    rig.apply(&topology([line("a", port, "udp")]));
    let caller = Caller::udp(port);
    let garbage: [Vec<u8>; 5] = [
        b"hello".to_vec(),
        vec![0xff; 1400],
        b"\r\n\r\n".to_vec(),
        vec![b'a'; 65_507],
        b"INVITE sip:x SIP/2.0\r\n\r\n".to_vec(),
    ];
    for bytes in &garbage {
        caller.tell(bytes);
    }
    let long_line =
        options("long", "UDP").replace("Max-Forwards", &format!("X: {}\r\nMax-Forwards", "x".repeat(9_000)));
    let many_headers =
        options("many", "UDP").replace("Max-Forwards", &format!("{}Max-Forwards", "X: y\r\n".repeat(300)));
    let no_cseq = options("lacking", "UDP").replace("CSeq: 1 OPTIONS\r\n", "");
    for request in [long_line, many_headers, no_cseq] {
        let answer = caller.ask(&request);
        assert_eq!(status(&answer), 400, "{answer}");
    }
    assert_eq!(status(&caller.ask(&options("after", "UDP"))), 200);
    rig.assert_alive();
}

#[test]
fn a_stream_that_loses_its_framing_is_answered_if_possible_and_closed_and_the_others_go_on() {
    let mut rig = Rig::new(1);
    let port = free_port();
    rig.apply(&topology([line("a", port, "tcp")]));
    let untouched = Caller::tcp(port);
    let no_length = options("nolength", "TCP").replace("Content-Length: 0\r\n", "");
    let too_long = options("toolong", "TCP").replace("Content-Length: 0", "Content-Length: 300000");
    for (request, refusal) in [(no_length, 400), (too_long, 513)] {
        let broken = Caller::tcp(port);
        let answer = broken.ask(&request);
        assert_eq!(status(&answer), refusal, "{answer}");
        assert!(broken.is_closed_by_peer());
    }
    let endless_line = [b"OPTIONS sip:".as_slice(), &vec![b'a'; 300_000]].concat();
    for garbage in [b"\x00\x01\x02".to_vec(), endless_line] {
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The worker may have closed before all is written.
        let _ = stream.write_all(&garbage);
        let ended = stream.read(&mut [0; 16]);
        assert!(
            matches!(ended, Ok(0)) || ended.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
        );
    }
    assert_eq!(status(&untouched.ask(&options("after", "TCP"))), 200);
    rig.assert_alive();
}

#[test]
fn a_message_in_pieces_and_two_in_one_piece_are_each_served_once() {
    let mut rig = Rig::new(1);
    let port = free_port();
    rig.apply(&topology([line("a", port, "tcp")]));
    let caller = Caller::tcp(port);
    let request = options("pieces", "TCP");
    let (first, second) = request.split_at(40);
    caller.tell(first.as_bytes());
    caller.tell(b"");
    assert_eq!(status(&caller.ask(second)), 200);
    caller.tell([options("p1", "TCP"), options("p2", "TCP")].concat().as_bytes());
    let answers = [caller.hear(), caller.hear()];
    assert!(answers[0].contains("Call-ID: p1") && answers[1].contains("Call-ID: p2"), "{answers:?}");
}

#[test]
fn a_call_is_served_by_its_shard_whichever_socket_its_later_messages_reach() {
    let mut rig = Rig::new(2);
    let server = Server::start();
    let port = free_port();
    rig.apply(&with_call(port, server.port));
    for call in 0..12 {
        let caller = Caller::udp(port);
        let ok = caller.invite(&format!("call{call}"));
        assert_eq!(status(&ok), 200, "{ok}");
        // Another socket, so the kernel may well choose the other shard's.
        let other = Caller::udp(port);
        other.tell(caller.inside(&ok, "ACK", 1).as_bytes());
        let answer = Caller::udp(port).ask(&caller.inside(&ok, "BYE", 2));
        assert_eq!(status(&answer), 200, "{answer}");
    }
    rig.until("both shards were reached", |pulses| pulses.iter().all(|pulse| pulse.traffic.udp_in > 0));
    rig.until("all calls are over", |pulses| pulses.iter().all(|pulse| pulse.usage.calls == 0));
}

#[test]
fn lines_come_and_go_without_touching_the_others() {
    let mut rig = Rig::new(2);
    let (kept, gone, new) = (free_port(), free_port(), free_port());
    rig.apply(&topology([line("a", kept, "tcp"), line("b", gone, "tcp")]));
    let connected = Caller::tcp(kept);
    assert_eq!(status(&connected.ask(&options("before", "TCP"))), 200);
    let leaving = Caller::tcp(gone);
    assert_eq!(status(&leaving.ask(&options("leaving", "TCP"))), 200);
    rig.apply(&topology([line("a", kept, "tcp"), line("c", new, "tcp")]));
    assert_eq!(status(&Caller::tcp(new).ask(&options("new", "TCP"))), 200);
    assert_eq!(status(&connected.ask(&options("still", "TCP"))), 200);
    // Nobody used the line for a call, so it closes as soon as every shard says so.
    rig.until_closed(gone);
    assert!(leaving.is_closed_by_peer());
    assert_eq!(status(&connected.ask(&options("yet", "TCP"))), 200);
}

#[test]
fn a_taken_port_leaves_the_other_lines_alone_and_is_opened_once_it_is_free() {
    let mut rig = Rig::new(1);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (blocked, free) = (taken.local_addr().unwrap().port(), free_port());
    let wanted = topology([line("a", blocked, "udp"), line("b", free, "udp")]);
    let failures = rig.apply(&wanted);
    assert_eq!(failures.iter().map(|one| one.reason).collect::<Vec<_>>(), [FailureReason::PortTaken]);
    assert_eq!(status(&Caller::udp(free).ask(&options("o", "UDP"))), 200);
    drop(taken);
    assert_eq!(rig.apply(&wanted), []);
    assert_eq!(status(&Caller::udp(blocked).ask(&options("o2", "UDP"))), 200);
}

#[test]
fn an_inactive_line_refuses_new_calls_and_still_ends_its_old_ones() {
    let mut rig = Rig::new(1);
    let server = Server::start();
    let port = free_port();
    let active = with_call(port, server.port);
    rig.apply(&active);
    let caller = Caller::udp(port);
    let ok = caller.invite("old");
    assert_eq!(status(&ok), 200, "{ok}");
    caller.tell(caller.inside(&ok, "ACK", 1).as_bytes());
    rig.apply(&rig::deactivated(&active));
    let late = Caller::udp(port);
    let refused = late.invite("new");
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(refused.contains("\r\nRetry-After: "), "{refused}");
    assert_eq!(status(&caller.ask(&caller.inside(&ok, "BYE", 2))), 200);
    rig.until("the call is over", |pulses| pulses.iter().all(|pulse| pulse.usage.calls == 0));
}

#[test]
fn stopping_ends_every_thread_also_while_others_hold_the_shards() {
    let mut rig = Rig::new(3);
    let port = free_port();
    rig.apply(&topology([line("a", port, "udp")]));
    let held = Arc::clone(&rig.signalling);
    rig.signalling.stop();
    assert!(std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok(), "the sockets are closed");
    held.tell(&Input::Configure(Arc::new(Configuration { topology: Topology::new(), lines: Vec::new() })));
    held.stop();
}
