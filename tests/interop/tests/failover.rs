//! Every reason to go on to the next target, from a socket that really behaves so, with the time until the next attempt.
//!
//! Lower bounds are strict, upper ones leave room for a busy machine. Both ends of a time are messages as the far sides
//! saw them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use um_interop::message::Message;
use um_interop::plan::Plan;
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::server::BlackHole;
use um_interop::{Behaviour, Caller, Place, Product, Server, Transport, clock};

/// Room for a busy machine.
const ROOM: Duration = Duration::from_millis(900);
/// Longest time for any call here.
const PATIENCE: Duration = Duration::from_secs(20);

/// A product whose first UM server is `first` and whose second one answers.
struct Scene<'a> {
    place: &'a Place,
    product: Product<'a>,
    second: Server,
    transport: Transport,
}

/// What a call met.
struct Met {
    began: Instant,
    /// When the second server had the INVITE.
    next: Instant,
    invite: Message,
}

impl<'a> Scene<'a> {
    fn set(place: &'a Place, transport: Transport, change: impl FnOnce(&mut Plan)) -> Result<Self> {
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let second = Server::start(servers[1], transport, Behaviour::Answer)?;
        let mut topology = plan(place, Transport::Udp, transport, &servers);
        topology.attempt_timeout = "1200ms";
        topology.timeout = "1500ms";
        topology.connect_timer = "800ms";
        change(&mut topology);
        Ok(Self { place, product: Product::start(place, &topology)?, second, transport })
    }

    fn first(&self, behaviour: Behaviour) -> Result<Server> {
        Server::start(self.place.at(11, 5060), self.transport, behaviour)
    }

    /// Places a call that the second server must answer, hangs up, and waits until nothing of it is left.
    fn call(&self) -> Result<Met> {
        let caller = Caller::new(self.place.host(20).into(), self.product.callers())?;
        let mut call = caller.call("6000", "")?;
        let answer = call.outcome(PATIENCE)?;
        ensure!(answer.status() == Some(200), "the caller got {}", answer.first_line());
        let invite = self.second.first("INVITE", Duration::ZERO)?;
        call.hang_up()?;
        self.product.settled(Duration::from_secs(5))?;
        Ok(Met { began: call.began, next: invite.at, invite: invite.message })
    }

    fn state(&self, entry: &str, wanted: &str) -> Result<()> {
        clock::until(&format!("{entry} to be {wanted}"), Duration::from_secs(3), || {
            let state = self.product.target_state(entry)?;
            ensure!(state == wanted, "it is {state}");
            Ok(())
        })
    }
}

fn between(what: &str, from: Instant, to: Instant, least: Duration) -> Result<()> {
    let took = to.duration_since(from);
    ensure!(
        took >= least && took <= least + ROOM,
        "{what} took {took:?}, not {least:?} to {:?}",
        least + ROOM
    );
    Ok(())
}

/// The first server hears the INVITE and behaves so; the next attempt follows after `least`, and is a call of its own.
fn from_message(transport: Transport, behaviour: Behaviour, least: Duration, state: &str) -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, transport, |_| ())?;
        let first = scene.first(behaviour)?;
        let met = scene.call()?;
        let tried = first.first("INVITE", Duration::ZERO)?;
        between("the next attempt", tried.at, met.next, least)?;
        let (one, two) = (&tried.message, &met.invite);
        ensure!(
            one.header("Call-ID") != two.header("Call-ID"),
            "the next attempt has the Call-ID of the first"
        );
        ensure!(one.header("From") != two.header("From"), "the next attempt has the From tag of the first");
        ensure!(one.header("Via") != two.header("Via"), "the next attempt has the branch of the first");
        scene.state("um1", state)
    })
}

/// Nobody hears the INVITE; the next attempt follows `least` after the caller's.
fn from_nothing(transport: Transport, least: Duration) -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, transport, |_| ())?;
        let met = scene.call()?;
        between("the next attempt", met.began, met.next, least)?;
        scene.state("um1", "SUSPECT")
    })
}

#[test]
fn a_udp_port_nobody_has_is_left_at_once() -> Result<()> {
    from_nothing(Transport::Udp, Duration::ZERO)
}

#[test]
fn a_refused_tcp_connection_is_left_at_once() -> Result<()> {
    from_nothing(Transport::Tcp, Duration::ZERO)
}

#[test]
fn a_silent_udp_server_is_left_after_the_attempt_timeout() -> Result<()> {
    from_message(Transport::Udp, Behaviour::Silent, Duration::from_millis(1190), "SUSPECT")
}

#[test]
fn a_silent_tcp_server_is_left_after_the_attempt_timeout() -> Result<()> {
    from_message(Transport::Tcp, Behaviour::Silent, Duration::from_millis(1190), "SUSPECT")
}

#[test]
fn a_tcp_server_that_drops_syns_is_left_after_the_connect_timer() -> Result<()> {
    in_place(|place| {
        let hole = BlackHole::start(place.at(11, 5060))?;
        let scene = Scene::set(place, Transport::Tcp, |_| ())?;
        let met = scene.call()?;
        between("the next attempt", met.began, met.next, Duration::from_millis(800))?;
        scene.state("um1", "SUSPECT")?;
        drop(hole);
        Ok(())
    })
}

#[test]
fn a_connect_timer_above_the_attempt_timeout_is_cut_to_it() -> Result<()> {
    in_place(|place| {
        let _hole = BlackHole::start(place.at(11, 5060))?;
        let scene = Scene::set(place, Transport::Tcp, |plan| plan.connect_timer = "5s")?;
        let met = scene.call()?;
        between("the next attempt", met.began, met.next, Duration::from_millis(1200))
    })
}

#[test]
fn a_connection_closed_before_the_first_response_is_left_at_once() -> Result<()> {
    from_message(Transport::Tcp, Behaviour::Close, Duration::ZERO, "SUSPECT")
}

#[test]
fn a_server_that_closes_a_reused_connection_is_tried_once_more_on_a_fresh_one() -> Result<()> {
    in_place(|place| {
        // A probe opens the connection that the call reuses.
        let scene = Scene::set(place, Transport::Tcp, |plan| plan.options_interval = "2s")?;
        let first = scene.first(Behaviour::Close)?;
        first.first("OPTIONS", Duration::from_secs(5))?;
        clock::pass(Duration::from_millis(100));
        scene.call()?;
        let tried = first.seen("INVITE");
        ensure!(tried.len() == 2, "the first server had {} INVITEs", tried.len());
        Ok(())
    })
}

#[test]
fn a_server_that_stops_after_100_is_cancelled_and_left_after_the_timeout() -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, Transport::Udp, |_| ())?;
        let first = scene.first(Behaviour::Trying { cancellable: true })?;
        let met = scene.call()?;
        let tried = first.first("INVITE", Duration::ZERO)?;
        let cancelled = first.first("CANCEL", Duration::ZERO).context("the old leg was left ringing")?;
        between("the CANCEL", tried.at, cancelled.at, Duration::from_millis(1490))?;
        between("the next attempt", cancelled.at, met.next, Duration::ZERO)?;
        ensure!(!first.seen("ACK").is_empty(), "the 487 was not acknowledged");
        scene.state("um1", "SUSPECT")
    })
}

#[test]
fn a_server_that_leaves_even_the_cancel_is_waited_for_two_seconds_more() -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, Transport::Tcp, |_| ())?;
        let first = scene.first(Behaviour::Trying { cancellable: false })?;
        let met = scene.call()?;
        let tried = first.first("INVITE", Duration::ZERO)?;
        between("the next attempt", tried.at, met.next, Duration::from_millis(3490))
    })
}

#[test]
fn a_480_is_left_at_once_and_says_nothing_of_the_server() -> Result<()> {
    let behaviour = Behaviour::Refuse("480 Temporarily Unavailable", String::new());
    from_message(Transport::Udp, behaviour, Duration::ZERO, "UP")
}

#[test]
fn a_500_is_left_at_once() -> Result<()> {
    let behaviour = Behaviour::Refuse("500 Server Internal Error", String::new());
    from_message(Transport::Tcp, behaviour, Duration::ZERO, "SUSPECT")
}

#[test]
fn a_503_without_retry_after_is_left_at_once() -> Result<()> {
    let behaviour = Behaviour::Refuse("503 Service Unavailable", String::new());
    from_message(Transport::Udp, behaviour, Duration::ZERO, "SUSPECT")
}

#[test]
fn a_503_with_retry_after_is_left_at_once_and_not_tried_until_then() -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, Transport::Tcp, |_| ())?;
        let busy = Behaviour::Refuse("503 Service Unavailable", "Retry-After: 4\r\n".to_owned());
        let first = scene.first(busy)?;
        let met = scene.call()?;
        let refused = first.first("INVITE", Duration::ZERO)?;
        between("the next attempt", refused.at, met.next, Duration::ZERO)?;
        scene.state("um1", "BLOCKED")?;
        scene.call()?;
        ensure!(first.seen("INVITE").len() == 1, "the server was called while it was blocked");
        clock::pass((refused.at + Duration::from_millis(4300)).saturating_duration_since(clock::now()));
        scene.call()?;
        ensure!(first.seen("INVITE").len() == 2, "the server was not called again after its Retry-After");
        Ok(())
    })
}

#[test]
fn a_server_whose_probes_die_is_skipped_without_delay() -> Result<()> {
    in_place(|place| {
        let dead = Server::start(place.at(11, 5060), Transport::Udp, Behaviour::Dead)?;
        let scene = Scene::set(place, Transport::Udp, |plan| plan.options_interval = "2s")?;
        clock::until("the probes to find it dead", Duration::from_secs(15), || {
            let state = scene.product.target_state("um1")?;
            ensure!(state == "DOWN" || state == "PROBING", "it is {state}");
            Ok(())
        })?;
        let met = scene.call()?;
        between("the first attempt", met.began, met.next, Duration::ZERO)?;
        ensure!(dead.seen("INVITE").is_empty(), "a DOWN server was called while another was UP");
        Ok(())
    })
}

#[test]
fn a_name_that_nobody_knows_is_left_within_the_resolver_timeout() -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, Transport::Udp, |plan| plan.entries[0].name = Some("um1.invalid"))?;
        let met = scene.call()?;
        let took = met.next.duration_since(met.began);
        ensure!(took <= Duration::from_secs(2) + ROOM, "the next attempt took {took:?}");
        scene.state("um1", "SUSPECT")
    })
}

#[test]
fn a_redirect_to_a_dead_host_fails_over_to_the_next_target() -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, Transport::Tcp, |_| ())?;
        let contact = format!("Contact: <sip:6000@{};transport=tcp>\r\n", place.at(13, 5065));
        let first = scene.first(Behaviour::Refuse("302 Moved Temporarily", contact))?;
        let met = scene.call()?;
        let redirected = first.first("INVITE", Duration::ZERO)?;
        between("the next attempt", redirected.at, met.next, Duration::ZERO)?;
        let uri = met.invite.uri_in("To").context("a To")?;
        ensure!(uri.starts_with("sip:6000@"), "To is {uri}");
        Ok(())
    })
}

#[test]
fn a_redirect_is_followed_within_the_call() -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, Transport::Udp, |_| ())?;
        let moved = Server::start(place.at(13, 5065), Transport::Udp, Behaviour::Answer)?;
        let contact = format!("Contact: <sip:6000@{}>\r\n", place.at(13, 5065));
        let first = scene.first(Behaviour::Refuse("302 Moved Temporarily", contact))?;
        let caller = Caller::new(place.host(20).into(), scene.product.callers())?;
        let mut call = caller.call("6000", "")?;
        let answer = call.outcome(PATIENCE)?;
        ensure!(answer.status() == Some(200), "{}", answer.first_line());
        let (one, two) = (first.first("INVITE", PATIENCE)?.message, moved.first("INVITE", PATIENCE)?.message);
        ensure!(one.header("Call-ID") == two.header("Call-ID"), "a redirected attempt keeps its Call-ID");
        ensure!(one.header("From") == two.header("From"), "a redirected attempt keeps its From tag");
        ensure!(one.header("To") == two.header("To"), "a redirected attempt keeps its To");
        let cseq = (one.header("CSeq").context("CSeq")?, two.header("CSeq").context("CSeq")?);
        ensure!(cseq == ("1 INVITE", "2 INVITE"), "{cseq:?}");
        ensure!(two.uri().contains(":5065"), "the Request-URI is {}", two.uri());
        ensure!(scene.second.seen("INVITE").is_empty(), "the next target was tried all the same");
        call.hang_up()?;
        scene.product.settled(Duration::from_secs(5))
    })
}

#[test]
fn all_targets_dead_is_503_with_retry_after() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let product = Product::start(place, &plan(place, Transport::Udp, Transport::Tcp, &servers))?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("6000", "")?;
        let refusal = call.outcome(PATIENCE)?;
        ensure!(refusal.status() == Some(503), "{}", refusal.first_line());
        ensure!(refusal.header("Retry-After") == Some("10"), "{}", refusal.text);
        product.settled(Duration::from_secs(5))
    })
}

#[test]
fn a_486_is_final_and_reaches_the_caller() -> Result<()> {
    in_place(|place| {
        let scene = Scene::set(place, Transport::Udp, |_| ())?;
        let _first = scene.first(Behaviour::Refuse("486 Busy Here", String::new()))?;
        let caller = Caller::new(place.host(20).into(), scene.product.callers())?;
        let mut call = caller.call("6000", "")?;
        let refusal = call.outcome(PATIENCE)?;
        ensure!(refusal.status() == Some(486), "{}", refusal.first_line());
        ensure!(scene.second.seen("INVITE").is_empty(), "the next target was tried all the same");
        Ok(())
    })
}
