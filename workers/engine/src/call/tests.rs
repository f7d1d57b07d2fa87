//! The machine of one call: set-up, failover with its times, and the rows of the race table.
//! A call is driven here without any SIP: words in, orders out, on a virtual clock.

use std::net::SocketAddr;
use std::time::Duration;

use um_routing::redirect::Contact;
use um_routing::{
    AttemptPlan, HeaderPlan, Party, Peer, RedirectPolicy, Service, SessionPlan, Target, TargetId,
};
use um_topology::{Entry, Host, Id, Line, ProxyList, SipAddress, Station, Topology, Transport, Uri};

use super::words::{Carrier, Heard, Media, Origin, Reach, Refusal, Sign};
use super::*;
use crate::input::ConnectError;

mod failover_times;
mod races;
mod redirects;
mod transfer;

/// A call with a clock, and what it ordered since one last looked.
struct Bench {
    call: Call,
    now: Instant,
    began: Instant,
}

impl Bench {
    /// A call with so many targets, its relay open.
    fn new(targets: u8) -> Self {
        let mut bench = Self::preparing(targets);
        bench.tell(Event::RelayOpened);
        bench
    }

    fn preparing(targets: u8) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test needs some instant; only differences are looked at"
        )]
        let now = Instant::now();
        let mut call = Call::new(now, Arc::new(Plan { route: route(targets), own: Vec::new() }));
        assert_eq!(call.poll_output(), Some(Act::OpenRelay));
        Self { call, now, began: now }
    }

    fn tell(&mut self, event: Event) {
        self.call.handle(self.now, event);
    }

    fn hear(&mut self, attempt: u16, heard: Heard) {
        self.tell(Event::Heard(AttemptId(attempt), heard));
    }

    fn acts(&mut self) -> Vec<Act> {
        std::iter::from_fn(|| self.call.poll_output()).collect()
    }

    /// Orders without the notes about targets and attempts.
    fn orders(&mut self) -> Vec<Act> {
        let mut acts = self.acts();
        acts.retain(|act| !matches!(act, Act::Mark(..) | Act::Finished(..)));
        acts
    }

    /// Takes the orders of an attempt up to its INVITE, and says that it was sent.
    fn send(&mut self, attempt: u16) {
        let acts = self.acts();
        if acts.iter().any(|act| matches!(act, Act::Locate(..))) {
            self.hear(attempt, Heard::Located(Arc::from([address(u8::try_from(attempt).unwrap())])));
            let acts = self.acts();
            assert!(
                matches!(acts.last(), Some(Act::Reach(reach)) if reach.attempt == AttemptId(attempt)),
                "{acts:?}"
            );
        } else {
            assert!(
                matches!(acts.last(), Some(Act::Reach(reach)) if reach.attempt == AttemptId(attempt)),
                "{acts:?}"
            );
        }
        self.hear(attempt, Heard::Sent);
    }

    /// Moves the clock to the next deadline and says when that is, counted from the first event.
    fn wait(&mut self) -> u128 {
        self.now = self.call.poll_timeout().expect("a deadline");
        self.call.handle_timeout(self.now);
        (self.now - self.began).as_millis()
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        if self.call.poll_timeout().is_some_and(|at| at <= self.now) {
            self.call.handle_timeout(self.now);
        }
    }

    /// Answers the present attempt and takes the orders.
    fn answer(&mut self, attempt: u16) {
        self.hear(attempt, Heard::Answered(Media::Usable));
        let (id, acts) = (AttemptId(attempt), self.orders());
        assert_eq!(acts, [Act::Acknowledge(id), Act::Answer(id)]);
    }
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 5060))
}

fn refused(status: u16) -> Heard {
    Heard::Refused(Refusal { status, retry_after: None })
}

fn rejected(acts: &[Act]) -> Option<(u16, Option<u32>)> {
    acts.iter().find_map(|act| {
        if let Act::Reject(rejection) = act { Some((rejection.status, rejection.retry_after)) } else { None }
    })
}

fn over(acts: &[Act]) -> Option<Reason> {
    if let Some(Act::Over(ending)) = acts.last() { Some(ending.reason) } else { None }
}

fn marks(acts: &[Act]) -> Vec<(usize, Sign)> {
    acts.iter()
        .filter_map(|act| if let Act::Mark(target, sign) = act { Some((*target, *sign)) } else { None })
        .collect()
}

fn route(targets: u8) -> Route {
    let entries = (0..targets)
        .map(|index| Entry::new(Id::new(&format!("e{index}")), Host::Ip(address(index).ip()), Some(5060)));
    let list = ProxyList::new("um", entries.collect());
    let mut line = Line::new("a", "lo".parse().unwrap());
    line.proxy_list = Some(Id::new("um"));
    let uri = |host: &str| Uri::sip(Some("6000"), host.parse().unwrap(), None);
    let hosts: Vec<Host> = vec!["um1.example.com".parse().unwrap()];
    let target = |index: u8| Target {
        id: TargetId::Entry { list: Id::new("um"), entry: Id::new(&format!("e{index}")) },
        host: hosts[0].clone(),
        port: None,
        transport: Transport::Udp,
        request_uri: uri("um1.example.com"),
        last_resort: false,
    };
    Route {
        line_in: Id::new("a"),
        line_out: Id::new("a"),
        station: Some(Arc::new(Station::new(
            "um",
            SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), None),
        ))),
        row: None,
        user: None,
        service: Service::SubscriberAccess,
        headers: HeaderPlan {
            to: uri("um.example.com"),
            from: Party { display: None, uri: uri("pbx.example.com") },
            diversion: None,
            history: Vec::new(),
        },
        targets: (0..targets).map(target).collect(),
        inbound: SessionPlan::new(&Topology::new(), &line, None, true),
        outbound: SessionPlan::new(&Topology::new(), &line, None, true),
        warm_down: Duration::from_secs(5),
        plan: AttemptPlan::new(&line, Some(&list)),
        redirect: RedirectPolicy::new(&[], hosts.iter(), Transport::Udp),
        passthrough: false,
        inbound_peer: Peer::Other,
        outbound_peer: Peer::Um,
    }
}

#[test]
fn nothing_is_sent_before_the_relay_is_open() {
    let mut bench = Bench::preparing(1);
    assert_eq!(bench.acts(), []);
    bench.tell(Event::RelayOpened);
    assert!(matches!(bench.acts()[..], [Act::Locate(AttemptId(0), 0, _)]));
}

#[test]
fn a_call_without_ports_is_rejected_503() {
    let mut bench = Bench::preparing(1);
    bench.tell(Event::RelayFailed);
    let acts = bench.acts();
    assert_eq!((rejected(&acts), over(&acts)), (Some((503, Some(10))), Some(Reason::NoPorts)));
}

#[test]
fn a_relay_that_does_not_open_in_time_is_as_good_as_none() {
    let mut bench = Bench::preparing(1);
    assert_eq!(bench.wait(), 2_000);
    let acts = bench.acts();
    assert_eq!((rejected(&acts), over(&acts)), (Some((503, Some(10))), Some(Reason::NoPorts)));
    assert!(acts.contains(&Act::CloseRelay));
}

#[test]
fn provisional_and_answer_are_passed_on_and_the_answer_is_acknowledged_at_once() {
    let mut bench = Bench::new(1);
    bench.send(0);
    bench.hear(0, Heard::Trying);
    assert_eq!(bench.acts(), []);
    bench.hear(0, Heard::Progress(180));
    bench.hear(0, Heard::Progress(183));
    assert_eq!(bench.orders(), [Act::Ring(AttemptId(0), 180), Act::Ring(AttemptId(0), 183)]);
    bench.answer(0);
    bench.tell(Event::Acknowledged(Side::Inbound));
    assert_eq!(bench.acts(), []);
    assert_eq!(bench.call.poll_timeout(), None, "an established call holds no timer");
}

#[test]
fn a_final_refusal_goes_to_the_caller_as_it_is() {
    for status in [403, 404, 486, 488, 600, 603] {
        let mut bench = Bench::new(2);
        bench.send(0);
        bench.hear(0, refused(status));
        let acts = bench.acts();
        assert_eq!((rejected(&acts), over(&acts)), (Some((status, None)), Some(Reason::Refused)));
        assert_eq!(marks(&acts), [(0, Sign::Refused(Refusal { status, retry_after: None }))]);
    }
}

#[test]
fn a_challenge_that_is_not_the_callers_is_told_as_502() {
    let mut bench = Bench::new(1);
    bench.send(0);
    bench.hear(0, refused(407));
    assert_eq!(rejected(&bench.acts()), Some((502, None)));
}
