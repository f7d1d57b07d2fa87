//! `um-double call`: one call, its ladder, and an exit code that says how it went.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _, UdpSocket},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use serde_json::json;
use um_double::{CallNumber, CallerAgent, CallerConfig, Outcome, Plan, Report};
use um_media::PortRange;
use um_sip::{Diversion, DiversionReason, Flow, LineIndex, NameAddr, Transport, Uri, transaction::Timing};

use super::{
    clock,
    config::Call,
    drawing::{Drawing, FarLeg},
    network::{Network, News},
    print, seed,
    tell::ask,
};

/// Places a call and reports it.
pub(super) fn run(arguments: &Call) -> anyhow::Result<ExitCode> {
    let plan = plan(arguments)?;
    let transport = transport(arguments, &plan.request_uri)?;
    let remote = arguments.via.map_or_else(|| resolve(&plan.request_uri), Ok)?;
    let local = arguments.local.map_or_else(|| local_towards(remote), Ok)?;
    let mut network = Network::bind(&[(transport, local)], None)?;
    let address = network.listens().first().map_or(local, |listen| listen.address);
    let config = CallerConfig {
        says: arguments.says.clone(),
        listens: network.listens().to_vec(),
        media_address: address.ip(),
        media_ports: arguments.media_ports.map_or_else(|| free_ports(address.ip()), Ok)?,
        timing: Timing::STANDARD,
        seed: seed(),
    };
    let mut agent = CallerAgent::new(clock::now(), config);
    let flow = match transport {
        Transport::Udp => Flow { line: LineIndex(0), transport, local: address, remote, connection: None },
        Transport::Tcp => network.connect(LineIndex(0), remote).context("cannot connect")?,
    };
    let number = agent.place(clock::now(), flow, plan)?;
    let report = follow(&mut network, &mut agent, number)?;
    show(arguments, &agent, &report)?;
    Ok(ExitCode::from(code(arguments, &report)))
}

/// Runs until the call is over; the first Ctrl-C ends the call, the second the program.
fn follow(network: &mut Network, agent: &mut CallerAgent, number: CallNumber) -> anyhow::Result<Report> {
    let mut stopping = false;
    loop {
        for news in network.turn(agent, None)? {
            match news {
                News::Stop if stopping => return Err(anyhow!("interrupted")),
                News::Stop => {
                    stopping = true;
                    agent.end(clock::now(), number);
                }
                News::Control { .. } => {}
            }
        }
        if let Some(report) = agent.take_report(number) {
            network.carry_out(agent);
            return Ok(report);
        }
    }
}

fn show(arguments: &Call, agent: &CallerAgent, report: &Report) -> anyhow::Result<()> {
    let born = clock::unix_ms(agent.ladder().born());
    if arguments.json {
        let mut text = json!(report);
        text["started_unix_ms"] = json!(born + report.at_ms);
        print(&text.to_string());
        return Ok(());
    }
    if !arguments.beside.is_empty() {
        // The other leg ends a moment after this one.
        thread::sleep(SETTLE);
    }
    let mut far = Vec::new();
    for (name, control) in &arguments.beside {
        far.push(match ask(*control, "ladder") {
            Ok(reply) => FarLeg::of(name, &reply)?,
            Err(_) => FarLeg::gone(name),
        });
    }
    print(&Drawing { born_unix_ms: born, report, far: &far }.to_string());
    Ok(())
}

/// Returns the exit code: 0 answered, 3 not answered, 4 not what was expected.
fn code(arguments: &Call, report: &Report) -> u8 {
    let Some(Outcome::Answered { .. }) = report.outcome else { return 3 };
    let Some(expected) = &arguments.expect else { return 0 };
    let heard = report
        .announcement
        .as_ref()
        .map(|heard| format!("{}/{}", heard.server, heard.mailbox.as_deref().unwrap_or_default()));
    if report.heard.len() == 1 && heard.as_ref() == Some(expected) {
        return 0;
    }
    eprintln!("um-double: expected to hear {expected}, heard {}", heard.as_deref().unwrap_or("nothing"));
    4
}

fn plan(arguments: &Call) -> anyhow::Result<Plan> {
    let uri: Uri = arguments.to.parse().map_err(|fault| anyhow!("--to {}: {fault}", arguments.to))?;
    if uri.host().is_none() {
        return Err(anyhow!("--to {}: a SIP URI is needed", arguments.to));
    }
    let uri = match transport(arguments, &uri)? {
        Transport::Udp => uri,
        Transport::Tcp => uri.with_param("transport", Some("tcp")),
    };
    let from = address(&arguments.from).with_context(|| format!("--from {}", arguments.from))?;
    let diversion = |text: &String| diversion(text, &from).with_context(|| format!("--diversion {text}"));
    let diversions = arguments.diversion.iter().map(diversion).collect::<anyhow::Result<_>>()?;
    let mut plan = Plan::new(uri, from);
    plan.diversions = diversions;
    plan.offers = !arguments.delayed_offer;
    plan.hold = Some(arguments.hold);
    plan.cancel_after = arguments.cancel_after;
    Ok(plan)
}

fn transport(arguments: &Call, uri: &Uri) -> anyhow::Result<Transport> {
    match (arguments.transport, uri.transport()) {
        (Some(transport), _) => Ok(transport),
        (None, None) => Ok(Transport::Udp),
        (None, Some(name)) => {
            Transport::from_token(name).ok_or_else(|| anyhow!("transport {name} is not spoken here"))
        }
    }
}

/// Reads `sip:user@host`, `"Name" <sip:…>` or a number.
fn address(text: &str) -> anyhow::Result<NameAddr> {
    let text = if text.contains(':') { text.to_owned() } else { format!("sip:{text}@{HOME}") };
    NameAddr::parse(text.as_bytes()).map_err(|fault| anyhow!("{fault}"))
}

/// Reads `2001`, `2001;no-answer`, `sip:2001@host;user-busy` or a whole header value.
fn diversion(text: &str, from: &NameAddr) -> anyhow::Result<Diversion> {
    if text.contains('<') {
        return Diversion::parse(text.as_bytes()).map_err(|fault| anyhow!("{fault}"));
    }
    let (party, reason) = match text.rsplit_once(';') {
        Some((party, token)) => {
            let known = DiversionReason::ALL.into_iter().find(|reason| reason.token() == token);
            (party, known.ok_or_else(|| anyhow!("{token} is no reason; there are {}", reasons()))?)
        }
        None => (text, DiversionReason::NoAnswer),
    };
    let uri = match party.contains(':') {
        true => party.parse().map_err(|fault| anyhow!("{fault}"))?,
        false => from.uri.with_user(Some(party)),
    };
    Ok(Diversion::new(uri, reason))
}

fn reasons() -> String {
    DiversionReason::ALL.map(DiversionReason::token).join(", ")
}

fn resolve(uri: &Uri) -> anyhow::Result<SocketAddr> {
    let host = uri.host().map(ToString::to_string).unwrap_or_default();
    let mut found = (host.trim_matches(['[', ']']), uri.port_or_default())
        .to_socket_addrs()
        .with_context(|| format!("cannot resolve {host}"))?;
    found.next().ok_or_else(|| anyhow!("{host} has no address"))
}

/// Returns the address from which packets to `remote` are sent, with any free port.
fn local_towards(remote: SocketAddr) -> anyhow::Result<SocketAddr> {
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(remote).with_context(|| format!("no way to {remote}"))?;
    Ok(SocketAddr::new(socket.local_addr()?.ip(), 0))
}

/// Finds an even port and the next one that no other program has now.
fn free_ports(address: IpAddr) -> anyhow::Result<PortRange> {
    for _ in 0..ATTEMPTS {
        let found = UdpSocket::bind((address, 0))?;
        let first = found.local_addr()?.port() & !1;
        drop(found);
        let pair = UdpSocket::bind((address, first)).and_then(|_| UdpSocket::bind((address, first | 1)));
        if pair.is_ok() {
            return Ok(PortRange { first, last: first | 1 });
        }
    }
    Err(anyhow!("no free pair of media ports on {address}"))
}

/// How often free ports are looked for.
const ATTEMPTS: usize = 50;

/// Domain of callers that are given as a number.
const HOME: &str = "pbx.example.com";

/// How long the end of the other leg may take.
const SETTLE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let from = address("5551234").expect("a number");
        diversion(text, &from).ok().map(|diversion| diversion.to_string())
    }

    #[test]
    fn a_diversion_may_be_short_or_whole() {
        let expected = "<sip:2001@pbx.example.com>;reason=no-answer;counter=1";
        assert_eq!(read("2001").as_deref(), Some(expected));
        assert_eq!(read("2001;no-answer").as_deref(), Some(expected));
        assert_eq!(read("sip:2001@pbx.example.com;no-answer").as_deref(), Some(expected));
        assert_eq!(read(expected).as_deref(), Some(expected));
        assert_eq!(read("2001;asleep"), None);
    }
}
