//! What is not SIP, or not whole, or not for anybody, over real sockets: 400, 403, 404 or nothing, and the line goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use um_interop::plan::UM;
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::{Behaviour, Caller, Place, Product, Server, Transport};

/// Longest time for a response that must come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a response that may not come is waited for.
const SOON: Duration = Duration::from_millis(500);

fn with_product(test: impl FnOnce(&Place, &Product<'_>) -> Result<()>) -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let _server = Server::start(servers[0], Transport::Tcp, Behaviour::Answer)?;
        let product = Product::start(place, &plan(place, Transport::Udp, Transport::Tcp, &servers))?;
        test(place, &product)
    })
}

/// Returns an INVITE without the header lines that `lack` begins.
fn invite(caller: &Caller, lack: &str, more: &str) -> String {
    let text = format!(
        "INVITE sip:6000@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKbad{lack}\r\n\
         From: <sip:5551234@pbx.example.com>;tag=x\r\nTo: <sip:6000@pbx.example.com>\r\nCall-ID: bad-{lack}\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:5551234@{local}>\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n",
        local = caller.local()
    );
    let kept: Vec<&str> =
        text.split("\r\n").filter(|line| lack.is_empty() || !line.starts_with(&format!("{lack}:"))).collect();
    kept.join("\r\n")
}

#[test]
fn garbage_datagrams_are_dropped_and_the_line_goes_on() -> Result<()> {
    with_product(|place, product| {
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let garbage: [&[u8]; 8] = [
            b"",
            b"\r\n\r\n",
            b"\0\0\0\0",
            b"hello",
            b"INVITE",
            b"SIP/2.0 200 OK\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            &[0xff; 1400],
        ];
        for bytes in garbage {
            caller.send(bytes)?;
            ensure!(caller.options()? == 200, "OPTIONS after {bytes:?}");
        }
        let longest = vec![b'A'; 65_507];
        caller.send(&longest)?;
        ensure!(caller.options()? == 200, "OPTIONS after the longest datagram");
        Ok(())
    })
}

#[test]
fn an_invite_without_a_mandatory_header_is_400_and_without_via_dropped() -> Result<()> {
    with_product(|place, product| {
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        for lack in ["Via", "From", "To", "Call-ID", "CSeq"] {
            caller.send(invite(&caller, lack, "").as_bytes())?;
            let response = caller.receive(if lack == "Via" { SOON } else { PATIENCE })?;
            match response {
                Some(response) => ensure!(
                    lack != "Via" && response.status() == Some(400),
                    "without {lack}: {}",
                    response.text
                ),
                None => ensure!(lack == "Via", "without {lack}: a response can be addressed, none came"),
            }
            ensure!(caller.options()? == 200, "OPTIONS after an INVITE without {lack}");
        }
        Ok(())
    })
}

#[test]
fn a_header_line_or_a_number_of_headers_above_the_limits_is_400() -> Result<()> {
    with_product(|place, product| {
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let long = format!("X-Long: {}\r\n", "a".repeat(9_000));
        let many = "X-Many: a\r\n".repeat(300);
        for more in [long, many] {
            caller.send(invite(&caller, "", &more).as_bytes())?;
            let response = caller.receive(PATIENCE)?.context("no response")?;
            ensure!(response.status() == Some(400), "{}", response.first_line());
            ensure!(caller.options()? == 200, "OPTIONS afterwards");
        }
        Ok(())
    })
}

#[test]
fn an_invite_for_nobody_is_404_with_a_reason() -> Result<()> {
    with_product(|place, product| {
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("7777", "")?;
        let refusal = call.outcome(Duration::from_secs(3))?;
        ensure!(refusal.status() == Some(404), "{}", refusal.first_line());
        let known = "Diversion: <sip:9999@pbx.example.com>;reason=no-answer\r\n";
        let mut call = caller.call("6000", known)?;
        let refusal = call.outcome(Duration::from_secs(3))?;
        ensure!(refusal.status() == Some(404), "diverted by nobody we know: {}", refusal.first_line());
        product.settled(Duration::from_secs(5))
    })
}

#[test]
fn a_source_that_access_does_not_admit_is_403() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let server = Server::start(servers[0], Transport::Tcp, Behaviour::Answer)?;
        let mut topology = plan(place, Transport::Udp, Transport::Tcp, &servers);
        topology.more = format!(
            "---\nkind: Line\nname: shut\nusage: GENERAL\ndomain: pbx.example.com\naccess: {{deny: [{}/32]}}\n\
             transport: {{protocol: UDP, audio: RTP, bind_address: {}, receive_port: 5092}}\n",
            place.host(20),
            place.host(2)
        );
        let product = Product::start(place, &topology)?;
        let denied = Caller::new(place.host(20).into(), place.at(2, 5092))?;
        let mut call = denied.call("6000", "")?;
        let refusal = call.outcome(Duration::from_secs(3))?;
        ensure!(refusal.status() == Some(403), "{}", refusal.first_line());
        ensure!(server.seen("INVITE").is_empty(), "the call went on");
        let admitted = Caller::new(place.host(21).into(), place.at(2, 5092))?;
        let mut call = admitted.call("6000", "")?;
        ensure!(call.outcome(Duration::from_secs(3))?.status() == Some(200), "another source suffers");
        call.hang_up()?;
        product.settled(Duration::from_secs(5))
    })
}

#[test]
fn a_stream_whose_framing_is_lost_is_closed_and_others_go_on() -> Result<()> {
    with_product(|place, product| {
        let line = place.at(2, UM);
        let endless = [b"INVITE sip:6000@x SIP/2.0\r\nX: ".to_vec(), vec![b'a'; 300_000]].concat();
        let lengths = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: many\r\n\r\n".to_vec();
        for bytes in [endless, lengths] {
            let mut stream = TcpStream::connect(line)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            // The worker may close before all is written.
            let _ = stream.write_all(&bytes);
            let mut rest = Vec::new();
            let ended = match stream.read_to_end(&mut rest) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            };
            ensure!(ended, "the stream stays open after {} bytes", bytes.len());
        }
        let mut stream = TcpStream::connect(line)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let local = stream.local_addr()?;
        write!(
            stream,
            "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKgood\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:x>\r\n\
             Call-ID: good\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )?;
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer)?;
        ensure!(buffer[..length].starts_with(b"SIP/2.0 200"), "a new stream is not served");
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        ensure!(caller.options()? == 200, "another line suffers");
        Ok(())
    })
}

#[test]
fn a_cancelled_call_is_487_and_leaves_nothing_ringing() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let first = Server::start(servers[0], Transport::Udp, Behaviour::Trying { cancellable: true })?;
        let second = Server::start(servers[1], Transport::Udp, Behaviour::Answer)?;
        let product = Product::start(place, &plan(place, Transport::Udp, Transport::Udp, &servers))?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("6000", "")?;
        first.first("INVITE", Duration::from_secs(3))?;
        call.response(100, Duration::from_secs(1))?;
        call.cancel()?;
        let refusal = call.outcome(Duration::from_secs(3))?;
        ensure!(refusal.status() == Some(487), "{}", refusal.first_line());
        first.first("CANCEL", Duration::from_secs(3))?;
        ensure!(second.seen("INVITE").is_empty(), "another target was tried after CANCEL");
        product.settled(Duration::from_secs(5))
    })
}
