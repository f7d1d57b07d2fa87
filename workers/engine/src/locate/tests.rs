//! Places over a cache of records: what is asked, TTL, negative and stale answers, who waits, and bounds.

use super::*;
use crate::input::{Pointer, Record, RecordKind, Service};

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

/// A locator and what it was last told to ask.
struct Bench {
    locator: Locator<u8>,
    now: Instant,
    asked: Vec<(QueryId, String, RecordKind)>,
    answers: Vec<(u8, Located)>,
}

const V4: Families = Families { v4: true, v6: false };

impl Bench {
    fn new(limit: usize) -> Self {
        Self { locator: Locator::new(limit, 7), now: start(), asked: Vec::new(), answers: Vec::new() }
    }

    fn locate(&mut self, name: &str, port: Option<u16>, user: u8) -> Located {
        self.locate_by(name, port, user, Means { families: V4, alternative: None, lot: user.into() })
    }

    fn locate_by(&mut self, name: &str, port: Option<u16>, user: u8, means: Means) -> Located {
        let place = Place { host: name.parse().unwrap(), port, transport: Transport::Udp };
        let located = self.locator.locate(self.now, &place, means, user);
        self.drain();
        located
    }

    fn drain(&mut self) {
        while let Some(output) = self.locator.poll_output() {
            match output {
                LocatorOutput::Ask(query, question) => {
                    self.asked.push((query, question.name.into_string(), question.kind));
                }
                LocatorOutput::Answer(user, located) => self.answers.push((user, located)),
            }
        }
    }

    /// The names of the open questions of a kind.
    fn open(&self, kind: RecordKind) -> Vec<&str> {
        self.asked.iter().filter(|(_, _, of)| *of == kind).map(|(_, name, _)| &**name).collect()
    }

    fn answer(&mut self, name: &str, kind: RecordKind, result: Result<Resolution, ResolveError>) {
        let place = self.asked.iter().position(|(_, asked, of)| asked == name && *of == kind);
        let (query, ..) = self.asked.remove(place.unwrap_or_else(|| panic!("{name} {kind:?} was not asked")));
        self.locator.resolved(self.now, query, result);
        self.drain();
    }

    fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(due) = self.locator.poll_timeout().filter(|due| *due <= until) {
            self.now = due;
            self.locator.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }
}

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], port))
}

fn at(addresses: &[SocketAddr]) -> Located {
    Located::At { transport: Transport::Udp, addresses: addresses.into() }
}

fn a(last: u8, ttl: u64) -> Result<Resolution, ResolveError> {
    let records = vec![Record::Address(address(last, 0).ip())];
    Ok(Resolution { records, ttl: Duration::from_secs(ttl) })
}

fn srv(records: &[(u16, u16, u16, &str)], ttl: u64) -> Result<Resolution, ResolveError> {
    let service = |(priority, weight, port, target): &(u16, u16, u16, &str)| {
        Record::Service(Service {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: (*target).into(),
        })
    };
    Ok(Resolution { records: records.iter().map(service).collect(), ttl: Duration::from_secs(ttl) })
}

const GONE: Result<Resolution, ResolveError> = Err(ResolveError::NotFound);
const DEAD: Result<Resolution, ResolveError> = Err(ResolveError::TimedOut);

#[test]
fn an_address_needs_no_question() {
    let mut bench = Bench::new(8);
    assert_eq!(bench.locate("127.0.0.9", None, 1), at(&[address(9, 5060)]));
    assert!(bench.asked.is_empty());
}

/// RFC 3263 §4.2: a port rules SRV out.
#[test]
fn a_name_with_a_port_is_asked_once_and_answers_all_who_wait() {
    let mut bench = Bench::new(8);
    assert_eq!(bench.locate("um1.example.com", Some(5062), 1), Located::Asked);
    assert_eq!(bench.locate("UM1.example.com.", Some(5064), 2), Located::Asked);
    assert_eq!(bench.asked.len(), 1);
    bench.answer("um1.example.com", RecordKind::A, a(1, 30));
    assert_eq!(bench.answers, [(1, at(&[address(1, 5062)])), (2, at(&[address(1, 5064)]))]);
    bench.wait(26_900);
    assert_eq!(bench.locate("um1.example.com", Some(5062), 3), at(&[address(1, 5062)]));
    assert!(bench.asked.is_empty());
}

#[test]
fn an_answer_in_use_is_refreshed_before_its_ttl_ends_and_never_serves_after_it() {
    let mut bench = Bench::new(8);
    bench.locate("um1", Some(5060), 1);
    bench.answer("um1", RecordKind::A, a(1, 30));
    bench.wait(27_500);
    assert_eq!(bench.locate("um1", Some(5060), 1), at(&[address(1, 5060)]));
    assert_eq!(bench.open(RecordKind::A), ["um1"], "nobody has to wait for the refresh");
    bench.answer("um1", RecordKind::A, a(2, 30));
    assert_eq!(bench.locate("um1", Some(5060), 1), at(&[address(2, 5060)]));
    bench.wait(30_000);
    assert_eq!(bench.locate("um1", Some(5060), 1), Located::Asked);
}

/// RFC 3263 §4.2, RFC 2782.
#[test]
fn without_a_port_srv_comes_first_by_priority_and_every_address_is_found() {
    let mut bench = Bench::new(16);
    assert_eq!(bench.locate("example.com", None, 1), Located::Asked);
    assert_eq!(bench.open(RecordKind::Srv), ["_sip._udp.example.com"]);
    let records = [(20, 1, 5070, "b.example.com"), (10, 1, 5060, "a.example.com")];
    bench.answer("_sip._udp.example.com", RecordKind::Srv, srv(&records, 60));
    assert_eq!(bench.open(RecordKind::A), ["a.example.com", "b.example.com"], "both at once");
    bench.answer("b.example.com", RecordKind::A, a(2, 60));
    assert!(bench.answers.is_empty());
    bench.answer("a.example.com", RecordKind::A, a(1, 60));
    assert_eq!(bench.answers, [(1, at(&[address(1, 5060), address(2, 5070)]))]);
    assert_eq!(bench.locator.known("example.com"), [address(1, 0).ip(), address(2, 0).ip()]);
}

#[test]
fn servers_of_equal_priority_share_by_lot_and_one_lot_has_one_order() {
    let mut bench = Bench::new(16);
    bench.locate("example.com", None, 1);
    let records = [(1, 10, 5060, "a.example.com"), (1, 30, 5060, "b.example.com")];
    bench.answer("_sip._udp.example.com", RecordKind::Srv, srv(&records, 600));
    bench.answer("a.example.com", RecordKind::A, a(1, 600));
    bench.answer("b.example.com", RecordKind::A, a(2, 600));
    let mut heavy = 0;
    for user in 0..200 {
        let first = bench.locate("example.com", None, user);
        assert_eq!(bench.locate("example.com", None, user), first);
        heavy += u32::from(first == at(&[address(2, 5060), address(1, 5060)]));
    }
    assert!((110..190).contains(&heavy), "{heavy} of 200 began with the three times heavier one");
}

#[test]
fn without_srv_the_name_itself_is_asked_at_the_default_port() {
    let mut bench = Bench::new(8);
    bench.locate("um1", None, 1);
    bench.answer("_sip._udp.um1", RecordKind::Srv, GONE);
    bench.answer("um1", RecordKind::A, a(1, 60));
    assert_eq!(bench.answers, [(1, at(&[address(1, 5060)]))]);
}

/// RFC 2782: a single record with the target "." denies the service.
#[test]
fn a_denied_service_is_not_looked_for_elsewhere() {
    let mut bench = Bench::new(8);
    bench.locate("um1", None, 1);
    bench.answer("_sip._udp.um1", RecordKind::Srv, srv(&[(0, 0, 0, ".")], 60));
    assert_eq!(bench.answers, [(1, Located::Nowhere(ResolveError::NotFound))]);
    assert!(bench.asked.is_empty());
}

/// RFC 3263 §4.1.
#[test]
fn naptr_chooses_the_transport_where_nothing_fixes_it() {
    let mut bench = Bench::new(8);
    let means = Means { families: V4, alternative: Some(Transport::Tcp), lot: 0 };
    bench.locate_by("example.com", None, 1, means);
    assert_eq!(bench.open(RecordKind::Naptr), ["example.com"]);
    let pointer = |order, services: &str, replacement: &str| {
        Record::Pointer(Pointer {
            order,
            preference: 1,
            flags: "s".into(),
            services: services.into(),
            replacement: replacement.into(),
        })
    };
    let records = vec![
        pointer(20, "SIP+D2U", "_sip._udp.example.com."),
        pointer(10, "SIP+D2T", "_sip._tcp.example.net."),
        pointer(5, "SIPS+D2T", "_sips._tcp.example.com."),
    ];
    let ttl = Duration::from_secs(60);
    bench.answer("example.com", RecordKind::Naptr, Ok(Resolution { records, ttl }));
    bench.answer("_sip._tcp.example.net", RecordKind::Srv, srv(&[(1, 1, 5080, "a.example.net")], 60));
    bench.answer("a.example.net", RecordKind::A, a(4, 60));
    let addresses = Arc::from([address(4, 5080)]);
    assert_eq!(bench.answers, [(1, Located::At { transport: Transport::Tcp, addresses })]);
}

#[test]
fn both_families_are_asked_where_the_line_has_both_and_ipv6_comes_first() {
    let mut bench = Bench::new(8);
    let means = Means { families: Families::BOTH, alternative: None, lot: 0 };
    bench.locate_by("um1", Some(5060), 1, means);
    assert_eq!((bench.open(RecordKind::A), bench.open(RecordKind::Aaaa)), (vec!["um1"], vec!["um1"]));
    bench.answer("um1", RecordKind::A, a(1, 60));
    let ip: IpAddr = "::1".parse().unwrap();
    let ttl = Duration::from_secs(60);
    bench.answer("um1", RecordKind::Aaaa, Ok(Resolution { records: vec![Record::Address(ip)], ttl }));
    assert_eq!(bench.answers, [(1, at(&[SocketAddr::new(ip, 5060), address(1, 5060)]))]);
    let means = Means { families: Families { v4: false, v6: true }, alternative: None, lot: 0 };
    assert_eq!(bench.locate_by("um1", Some(5060), 1, means), at(&[SocketAddr::new(ip, 5060)]));
}

#[test]
fn a_name_without_address_is_not_asked_again_for_five_seconds() {
    let mut bench = Bench::new(8);
    bench.locate("gone", Some(5060), 1);
    bench.answer("gone", RecordKind::A, GONE);
    let nowhere = Located::Nowhere(ResolveError::NotFound);
    bench.wait(4_400);
    assert_eq!(bench.locate("gone", Some(5060), 1), nowhere);
    assert!(bench.asked.is_empty());
    bench.wait(700);
    assert_eq!(bench.locate("gone", Some(5060), 1), Located::Asked);
}

#[test]
fn a_name_that_is_gone_does_not_serve_on() {
    let mut bench = Bench::new(8);
    bench.locate("um1", Some(5060), 1);
    bench.answer("um1", RecordKind::A, a(1, 1));
    bench.wait(1_000);
    bench.locate("um1", Some(5060), 1);
    bench.answer("um1", RecordKind::A, GONE);
    assert_eq!(bench.answers.pop(), Some((1, Located::Nowhere(ResolveError::NotFound))));
}

/// RFC 8767.
#[test]
fn a_stale_answer_serves_while_the_resolver_is_dead() {
    let mut bench = Bench::new(8);
    bench.locate("um1", Some(5060), 1);
    bench.answer("um1", RecordKind::A, a(1, 1));
    bench.answers.clear();
    bench.wait(60_000);
    assert_eq!(bench.locate("um1", Some(5060), 2), Located::Asked);
    bench.wait(499);
    assert!(bench.answers.is_empty());
    bench.wait(1);
    assert_eq!(bench.answers, [(2, at(&[address(1, 5060)]))], "half a second is patience enough");
    assert_eq!(bench.locate("um1", Some(5060), 3), at(&[address(1, 5060)]), "and nobody else waits");
    bench.answer("um1", RecordKind::A, DEAD);
    bench.wait(4_000);
    assert_eq!(bench.locate("um1", Some(5060), 3), at(&[address(1, 5060)]));
    assert!(bench.asked.is_empty(), "a dead resolver is asked every 5 s");
    bench.wait(86_400_000);
    bench.locate("um1", Some(5060), 4);
    bench.answer("um1", RecordKind::A, DEAD);
    assert_eq!(
        bench.answers.pop(),
        Some((4, Located::Nowhere(ResolveError::TimedOut))),
        "after a day it is over"
    );
}

#[test]
fn who_asks_waits_two_seconds_at_most_and_takes_what_there_is() {
    let mut bench = Bench::new(16);
    bench.locate("example.com", None, 1);
    let records = [(1, 1, 5060, "a.example.com"), (2, 1, 5060, "b.example.com")];
    bench.answer("_sip._udp.example.com", RecordKind::Srv, srv(&records, 60));
    bench.answer("b.example.com", RecordKind::A, a(2, 60));
    bench.wait(1_999);
    bench.wait(1);
    assert_eq!(bench.answers, [(1, at(&[address(2, 5060)]))]);
}

#[test]
fn a_silent_resolver_is_given_up() {
    let mut bench = Bench::new(8);
    bench.locate("um1", Some(5060), 1);
    bench.wait(2_000);
    assert_eq!(bench.answers, [(1, Located::Nowhere(ResolveError::TimedOut))]);
    bench.wait(100);
    assert_eq!((bench.locator.poll_timeout(), bench.locator.asking()), (None, 0));
}

#[test]
fn the_cache_stays_within_its_bound() {
    let mut bench = Bench::new(2);
    for name in ["a", "b"] {
        bench.locate(name, Some(5060), 1);
        bench.answer(name, RecordKind::A, a(1, 60));
    }
    bench.locate("a", Some(5060), 1);
    assert_eq!(bench.locate("c", Some(5060), 1), Located::Asked);
    assert_eq!(bench.locator.known("b"), Vec::<IpAddr>::new(), "it was of no use for the longest time");
    assert_eq!(bench.locator.known("a"), [address(1, 0).ip()]);
    assert_eq!(bench.locate("d", Some(5060), 2), Located::Asked);
    let full = Located::Nowhere(ResolveError::Failed);
    assert_eq!(bench.locate("e", Some(5060), 3), full, "both are being asked");
}

#[test]
fn who_gave_up_waiting_is_not_told() {
    let mut bench = Bench::new(8);
    bench.locate("a", Some(5060), 1);
    bench.locator.forget(1);
    bench.answer("a", RecordKind::A, a(1, 60));
    assert!(bench.answers.is_empty());
    assert_eq!(bench.locator.poll_timeout(), None);
}

#[test]
fn learned_places_are_known_to_their_last_record_and_kept_fresh() {
    let mut bench = Bench::new(16);
    let place = Place { host: "um1".parse().unwrap(), port: Some(5060), transport: Transport::Udp };
    bench.locator.learn(bench.now, [place].into_iter());
    bench.drain();
    bench.answer("um1", RecordKind::Aaaa, GONE);
    bench.answer("um1", RecordKind::A, a(1, 8));
    assert_eq!(bench.locator.known("um1"), [address(1, 0).ip()]);
    bench.wait(10_000);
    bench.answer("um1", RecordKind::A, a(2, 8));
    assert_eq!(bench.locator.known("um1"), [address(2, 0).ip()]);
    assert!(bench.answers.is_empty());
    bench.locator.learn(bench.now, std::iter::empty());
    bench.wait(2_100);
    assert_eq!(bench.locator.poll_timeout(), None);
}

#[test]
fn an_address_that_did_not_answer_is_tried_after_the_others_of_its_name() {
    let mut bench = Bench::new(8);
    bench.locate("um1", Some(5060), 1);
    let records = [1, 2, 3].map(|last| Record::Address(address(last, 0).ip())).to_vec();
    let ttl = Duration::from_secs(600);
    bench.answer("um1", RecordKind::A, Ok(Resolution { records, ttl }));
    bench.locator.note(bench.now, address(1, 5060), Answered::No);
    let dead_last = at(&[address(2, 5060), address(3, 5060), address(1, 5060)]);
    assert_eq!(bench.locate("um1", Some(5060), 1), dead_last);
    bench.locator.note(bench.now, address(1, 5060), Answered::Yes);
    let in_order = at(&[address(1, 5060), address(2, 5060), address(3, 5060)]);
    assert_eq!(bench.locate("um1", Some(5060), 1), in_order);
    bench.locator.note(bench.now, address(1, 5060), Answered::No);
    bench.wait(30_000);
    assert_eq!(bench.locate("um1", Some(5060), 1), in_order, "it gets its chance again");
}
