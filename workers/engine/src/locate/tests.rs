//! The cache of names: TTL, negative and stale answers, waiting askers.

use super::*;

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

fn place(name: &str) -> Place {
    Place { host: name.parse().unwrap(), port: Some(5062), transport: Transport::Udp }
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 5062))
}

fn found(last: u8, ttl: u64) -> Result<Resolution, ResolveError> {
    Ok(Resolution { addresses: vec![address(last)], ttl: Duration::from_secs(ttl) })
}

fn asked(locator: &mut Locator<u8>) -> Option<QueryId> {
    match locator.poll_output() {
        Some(LocatorOutput::Ask(query, _)) => Some(query),
        Some(LocatorOutput::Answer(..)) | None => None,
    }
}

#[test]
fn an_address_needs_no_question() {
    let mut locator = Locator::new(8);
    let here = Place { port: None, ..place("127.0.0.9") };
    assert_eq!(
        locator.locate(start(), &here, 1),
        Located::At([SocketAddr::from(([127, 0, 0, 9], 5060))].into())
    );
    assert_eq!(asked(&mut locator), None);
}

#[test]
fn a_name_is_asked_once_and_answers_all_who_wait() {
    let (mut locator, now) = (Locator::new(8), start());
    assert_eq!(locator.locate(now, &place("um1.example.com"), 1), Located::Asked);
    assert_eq!(locator.locate(now, &place("UM1.example.com."), 2), Located::Asked);
    let query = asked(&mut locator).unwrap();
    assert_eq!(asked(&mut locator), None);
    locator.resolved(now, query, found(1, 30));
    let at = Located::At([address(1)].into());
    assert_eq!(locator.poll_output(), Some(LocatorOutput::Answer(1, at.clone())));
    assert_eq!(locator.poll_output(), Some(LocatorOutput::Answer(2, at.clone())));
    assert_eq!(locator.locate(now + Duration::from_secs(29), &place("um1.example.com"), 3), at);
    assert_eq!(locator.locate(now + Duration::from_secs(30), &place("um1.example.com"), 3), Located::Asked);
}

#[test]
fn a_name_without_address_is_not_asked_again_for_five_seconds() {
    let (mut locator, now) = (Locator::new(8), start());
    locator.locate(now, &place("gone"), 1);
    let query = asked(&mut locator).unwrap();
    locator.resolved(now, query, Err(ResolveError::NotFound));
    locator.poll_output();
    let nowhere = Located::Nowhere(ResolveError::NotFound);
    assert_eq!(locator.locate(now + Duration::from_millis(4_999), &place("gone"), 1), nowhere);
    assert_eq!(locator.locate(now + Duration::from_secs(5), &place("gone"), 1), Located::Asked);
}

#[test]
fn a_stale_answer_serves_while_the_resolver_is_dead() {
    let (mut locator, now) = (Locator::new(8), start());
    locator.locate(now, &place("um1"), 1);
    let query = asked(&mut locator).unwrap();
    locator.resolved(now, query, found(1, 1));
    let later = now + Duration::from_secs(60);
    locator.poll_output();
    locator.locate(later, &place("um1"), 2);
    let query = asked(&mut locator).unwrap();
    locator.resolved(later, query, Err(ResolveError::TimedOut));
    assert_eq!(locator.poll_output(), Some(LocatorOutput::Answer(2, Located::At([address(1)].into()))));
}

#[test]
fn a_silent_resolver_is_given_up() {
    let (mut locator, now) = (Locator::new(8), start());
    locator.locate(now, &place("um1"), 1);
    asked(&mut locator).unwrap();
    let at = locator.poll_timeout().unwrap();
    assert_eq!(at - now, Duration::from_millis(2_100));
    locator.handle_timeout(at);
    let nowhere = Located::Nowhere(ResolveError::TimedOut);
    assert_eq!(locator.poll_output(), Some(LocatorOutput::Answer(1, nowhere)));
    assert_eq!((locator.poll_timeout(), locator.asking()), (None, 0));
}

#[test]
fn the_cache_stays_within_its_bound() {
    let (mut locator, now) = (Locator::new(2), start());
    for (index, name) in ["a", "b"].into_iter().enumerate() {
        locator.locate(now, &place(name), 1);
        let query = asked(&mut locator).unwrap();
        locator.resolved(now, query, found(1, 10 + index as u64));
        locator.poll_output();
    }
    assert_eq!(locator.locate(now, &place("c"), 1), Located::Asked);
    assert_eq!(locator.known("a"), Vec::<IpAddr>::new());
    assert_eq!(locator.known("b"), vec![address(1).ip()]);
    assert_eq!(locator.locate(now, &place("d"), 1), Located::Asked);
    assert_eq!(
        locator.locate(now, &place("e"), 1),
        Located::Nowhere(ResolveError::Failed),
        "both are being asked"
    );
}

#[test]
fn who_gave_up_waiting_is_not_told() {
    let (mut locator, now) = (Locator::new(2), start());
    locator.locate(now, &place("a"), 1);
    let query = asked(&mut locator).unwrap();
    locator.forget(&place("a"), &1);
    locator.resolved(now, query, found(1, 10));
    assert_eq!(locator.poll_output(), None);
}
