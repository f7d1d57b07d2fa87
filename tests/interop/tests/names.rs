//! UM servers that are names, over a real name server: SRV, NAPTR, TTL, missing names, a dead resolver, IPv6 (RFC 3263).

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use um_interop::plan::Plan;
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::{Behaviour, Caller, Mood, NameServer, Place, Product, Server, Transport, clock};

/// Longest time for any call here.
const PATIENCE: Duration = Duration::from_secs(15);
/// The name of the UM servers.
const NAME: &str = "um.example.com";

/// A name server and a product that asks it for the only entry of its list.
struct Scene<'a> {
    names: NameServer,
    place: &'a Place,
    product: Product<'a>,
}

impl<'a> Scene<'a> {
    /// `port` is that of the entry, 0 for none; `prepare` gives the name server its first records.
    fn set(
        place: &'a Place,
        port: u16,
        prepare: impl FnOnce(&NameServer) -> Result<()>,
        change: impl FnOnce(&mut Plan),
    ) -> Result<Self> {
        let names = NameServer::start(place.at(9, 5353))?;
        prepare(&names)?;
        let mut topology = plan(place, Transport::Udp, Transport::Udp, &[place.at(11, port)]);
        topology.entries[0].name = Some(NAME);
        change(&mut topology);
        let server = names.local.to_string();
        let product = Product::start_flagged(place, &topology.manifest(), &["--nameserver", &server])?;
        Ok(Self { names, place, product })
    }

    /// Places a call, hangs up if it was answered, and returns its final status and how long that took.
    fn call(&self) -> Result<(u16, Duration)> {
        let caller = Caller::new(self.place.host(20).into(), self.product.callers())?;
        let mut call = caller.call("6000", "")?;
        let status = call.outcome(PATIENCE)?.status().unwrap_or_default();
        let took = clock::now().duration_since(call.began);
        if status == 200 {
            call.hang_up()?;
        }
        Ok((status, took))
    }

    fn answered(&self) -> Result<Duration> {
        let (status, took) = self.call()?;
        ensure!(status == 200, "the caller got {status}");
        Ok(took)
    }
}

fn server(at: SocketAddr, transport: Transport) -> Result<Server> {
    Server::start(at, transport, Behaviour::Answer)
}

#[test]
fn srv_priorities_are_tried_in_order_inside_one_entry() -> Result<()> {
    in_place(|place| {
        let [near, far] = [(11, 5071), (12, 5072)].map(|(last, port)| place.at(last, port));
        let scene = Scene::set(
            place,
            0,
            |names| {
                names.service("_sip._udp.um.example.com", 300, (20, 1, far.port(), "far.example.com."))?;
                names.service("_sip._udp.um.example.com", 300, (10, 1, near.port(), "near.example.com."))?;
                names.address("near.example.com", 300, near.ip());
                names.address("far.example.com", 300, far.ip());
                Ok(())
            },
            |_| (),
        )?;
        let first = server(near, Transport::Udp)?;
        let second = server(far, Transport::Udp)?;
        scene.answered()?;
        ensure!((first.seen("INVITE").len(), second.seen("INVITE").len()) == (1, 0), "not by priority");
        drop(first);
        // The port is closed: an ICMP error moves the call on at once, and the next call begins with the live one.
        scene.answered()?;
        ensure!(second.seen("INVITE").len() == 1, "the second address was not tried");
        scene.answered()?;
        ensure!(second.seen("INVITE").len() == 2, "the next call was not answered by the live address");
        scene.product.settled(Duration::from_secs(5))
    })
}

#[test]
fn srv_weights_share_the_calls() -> Result<()> {
    in_place(|place| {
        let [light, heavy] = [(11, 5071), (12, 5072)].map(|(last, port)| place.at(last, port));
        // They are there from the start: one that the first probe did not reach would be tried last for a while.
        let (few, many) = (server(light, Transport::Udp)?, server(heavy, Transport::Udp)?);
        let scene = Scene::set(
            place,
            0,
            |names| {
                names.service(
                    "_sip._udp.um.example.com",
                    300,
                    (1, 10, light.port(), "light.example.com."),
                )?;
                names.service(
                    "_sip._udp.um.example.com",
                    300,
                    (1, 40, heavy.port(), "heavy.example.com."),
                )?;
                names.address("light.example.com", 300, light.ip());
                names.address("heavy.example.com", 300, heavy.ip());
                Ok(())
            },
            |_| (),
        )?;
        for _ in 0..50 {
            scene.answered()?;
        }
        let (few, many) = (few.seen("INVITE").len(), many.seen("INVITE").len());
        ensure!(few + many == 50 && few >= 1 && many > few, "{few} and {many} of 50 calls, shares 1 to 4");
        ensure!(scene.names.asked("_sip._udp.um.example.com") <= 4, "asked again within the TTL");
        Ok(())
    })
}

#[test]
fn naptr_chooses_the_transport_of_an_entry_that_names_none() -> Result<()> {
    in_place(|place| {
        let at = place.at(11, 5081);
        let scene = Scene::set(
            place,
            0,
            |names| {
                names.pointer(NAME, 300, (20, 1, "SIP+D2U", "_sip._udp.um.example.com."))?;
                names.pointer(NAME, 300, (10, 1, "SIP+D2T", "_sip._tcp.um.example.com."))?;
                names.service("_sip._tcp.um.example.com", 300, (1, 1, at.port(), "a.example.com."))?;
                names.address("a.example.com", 300, at.ip());
                Ok(())
            },
            |topology| topology.protocol = None,
        )?;
        let server = server(at, Transport::Tcp)?;
        scene.answered()?;
        ensure!(server.seen("INVITE").len() == 1, "the call did not come over TCP");
        scene.product.settled(Duration::from_secs(5))
    })
}

#[test]
fn an_answer_is_believed_for_its_ttl_and_not_longer() -> Result<()> {
    in_place(|place| {
        let (old, new) = (place.at(11, 5060), place.at(12, 5060));
        let scene = Scene::set(
            place,
            5060,
            |names| {
                names.address(NAME, 2, old.ip());
                Ok(())
            },
            |_| (),
        )?;
        let (first, second) = (server(old, Transport::Udp)?, server(new, Transport::Udp)?);
        scene.answered()?;
        scene.names.remove(NAME);
        scene.names.address(NAME, 2, new.ip());
        std::thread::sleep(Duration::from_millis(2_100));
        scene.answered()?;
        ensure!(
            (first.seen("INVITE").len(), second.seen("INVITE").len()) == (1, 1),
            "not by the new record: {} and {}",
            first.seen("INVITE").len(),
            second.seen("INVITE").len()
        );
        Ok(())
    })
}

#[test]
fn a_missing_name_is_not_asked_for_again_for_five_seconds() -> Result<()> {
    in_place(|place| {
        let at = place.at(11, 5060);
        let scene = Scene::set(place, 5060, |_| Ok(()), |_| ())?;
        let server = server(at, Transport::Udp)?;
        let (status, took) = scene.call()?;
        ensure!(status == 503 && took < Duration::from_secs(2), "{status} after {took:?}");
        let asked = scene.names.asked(NAME);
        let (status, _) = scene.call()?;
        ensure!(status == 503 && scene.names.asked(NAME) == asked, "asked again at once");
        scene.names.address(NAME, 60, at.ip());
        std::thread::sleep(Duration::from_millis(5_200));
        scene.answered()?;
        ensure!(server.seen("INVITE").len() == 1, "the server was not called");
        Ok(())
    })
}

/// RFC 8767.
#[test]
fn a_dead_resolver_leaves_the_last_answer_in_force() -> Result<()> {
    in_place(|place| {
        let at = place.at(11, 5060);
        let prepare = |names: &NameServer| {
            names.address(NAME, 1, at.ip());
            Ok(())
        };
        let scene = Scene::set(place, 5060, prepare, |_| ())?;
        let server = server(at, Transport::Udp)?;
        scene.answered()?;
        for mood in [Mood::Silent, Mood::Fails] {
            scene.names.set(mood);
            std::thread::sleep(Duration::from_millis(1_500));
            let first = scene.answered()?;
            ensure!(first < Duration::from_millis(1_900), "{mood:?}: the first call took {first:?}");
            let next = scene.answered()?;
            ensure!(next < Duration::from_millis(900), "{mood:?}: the next call took {next:?}");
        }
        ensure!(server.seen("INVITE").len() == 5, "not every call reached the server");
        Ok(())
    })
}

#[test]
fn a_server_with_ipv6_addresses_only_is_reached_over_ipv6() -> Result<()> {
    in_place(|place| {
        // ::1 is the only address of its family here, and other tests of this machine may be using it.
        let port = u16::try_from(20_000 + std::process::id() % 20_000)? | 1;
        let at: SocketAddr = format!("[::1]:{port}").parse()?;
        let names = NameServer::start(place.at(9, 5353))?;
        names.service("_sip._udp.um.example.com", 300, (1, 1, at.port(), "six.example.com."))?;
        names.address("six.example.com", 300, at.ip());
        let mut topology = plan(place, Transport::Udp, Transport::Udp, &[place.at(11, 0)]);
        topology.entries[0].name = Some(NAME);
        let line = format!("bind_address: {}, receive_port: 5062", place.host(2));
        let six = format!("bind_address: \"::1\", receive_port: {}", port + 1);
        let manifest = topology.manifest().replace(&line, &six);
        ensure!(manifest.contains(&six), "the line towards the UM servers is bound elsewhere");
        let server = server(at, Transport::Udp)?;
        let nameserver = names.local.to_string();
        let product = Product::start_flagged(place, &manifest, &["--nameserver", &nameserver])?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("6000", "")?;
        let answer = call.outcome(PATIENCE)?;
        ensure!(answer.status() == Some(200), "the caller got {}", answer.first_line());
        let invite = server.first("INVITE", Duration::ZERO)?.message;
        let via = invite.header("Via").unwrap_or_default();
        ensure!(via.contains(&format!("[::1]:{}", port + 1)), "Via is {via}");
        let contact = invite.header("Contact").unwrap_or_default();
        ensure!(contact.contains(&format!("@[::1]:{}", port + 1)), "Contact is {contact}");
        ensure!(invite.body().contains("c=IN IP6 ::1"), "the offer is\n{}", invite.body());
        let here = format!("c=IN IP4 {}", place.host(2));
        ensure!(answer.body().contains(&here), "the answer is\n{}", answer.body());
        ensure!(names.asked("six.example.com") >= 1, "nobody asked");
        call.hang_up()?;
        product.settled(Duration::from_secs(5))
    })
}
