//! Requests too large for a datagram, against servers with and without TCP, and large ones that come in (RFC 3261 §18.1.1).

use std::time::Duration;

use anyhow::{Result, ensure};
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::{Behaviour, Caller, Product, Server, Transport};

/// Longest time for any step here.
const PATIENCE: Duration = Duration::from_secs(10);

/// A diversion that makes the INVITE to the UM server larger than 1 300 bytes.
fn long_diversion() -> String {
    format!("Diversion: \"{}\" <sip:2001@pbx.example.com>;reason=no-answer\r\n", "Dana ".repeat(260))
}

#[test]
fn a_large_invite_reaches_a_server_over_tcp_from_a_udp_line() -> Result<()> {
    in_place(|place| {
        let um = place.at(11, 5060);
        let datagrams = Server::start(um, Transport::Udp, Behaviour::Answer)?;
        let streams = Server::start(um, Transport::Tcp, Behaviour::Answer)?;
        let product = Product::start(place, &plan(place, Transport::Udp, Transport::Udp, &[um]))?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("6000", &long_diversion())?;
        let answer = call.outcome(PATIENCE)?;
        ensure!(answer.status() == Some(200), "the caller got {}", answer.first_line());
        let invite = streams.first("INVITE", PATIENCE)?.message;
        ensure!(datagrams.seen("INVITE").is_empty(), "it came as a datagram too");
        let via = invite.header("Via").unwrap_or_default();
        ensure!(via.starts_with("SIP/2.0/TCP"), "Via is {via}");
        call.hang_up()?;
        streams.first("BYE", PATIENCE)?;
        product.settled(PATIENCE)
    })
}

#[test]
fn a_server_without_tcp_gets_a_large_invite_as_a_datagram_at_once() -> Result<()> {
    in_place(|place| {
        let um = place.at(11, 5060);
        let server = Server::start(um, Transport::Udp, Behaviour::Answer)?;
        let product = Product::start(place, &plan(place, Transport::Udp, Transport::Udp, &[um]))?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("6000", &long_diversion())?;
        let answer = call.outcome(PATIENCE)?;
        ensure!(answer.status() == Some(200), "the caller got {}", answer.first_line());
        let invite = server.first("INVITE", PATIENCE)?;
        let took = invite.at.duration_since(call.began);
        ensure!(took < Duration::from_millis(900), "the INVITE came {took:?} after the caller's");
        ensure!(product.target_state("um1")? == "UP", "the server is blamed");
        call.hang_up()?;
        product.settled(PATIENCE)
    })
}

/// RFC 3261 §18.2.1.
#[test]
fn a_udp_line_serves_requests_over_tcp_too() -> Result<()> {
    use std::io::{Read as _, Write as _};
    in_place(|place| {
        let um = place.at(11, 5060);
        let product = Product::start(place, &plan(place, Transport::Udp, Transport::Udp, &[um]))?;
        let mut stream = std::net::TcpStream::connect_timeout(&product.callers(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let local = stream.local_addr()?;
        let options = format!(
            "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKlarge\r\nFrom: <sip:a@{local}>;tag=a\r\n\
             To: <sip:{0}>\r\nCall-ID: large\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            product.callers()
        );
        stream.write_all(options.as_bytes())?;
        let mut answer = [0; 2_048];
        let length = stream.read(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        ensure!(answer.starts_with("SIP/2.0 200"), "{answer}");
        Ok(())
    })
}
