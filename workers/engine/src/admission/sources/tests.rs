//! Rates and shares of source addresses.

use super::*;

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

fn source(number: u32) -> IpAddr {
    IpAddr::from(number.to_be_bytes())
}

#[test]
fn a_rate_holds_for_each_source_alone() {
    let (mut sources, now) = (Sources::new([1; 32], Some(5)), start());
    let mut allowed = |at, of| (0..20).filter(|_| sources.is_within_rate(at, source(of))).count();
    assert_eq!((allowed(now, 1), allowed(now, 2)), (5, 5));
    assert_eq!(allowed(now + Duration::from_millis(400), 1), 2);
    assert_eq!(allowed(now + Duration::from_secs(9), 1), 5);
}

#[test]
fn without_a_rate_every_source_may_come() {
    let (mut sources, now) = (Sources::new([1; 32], None), start());
    assert!((0..100_000).all(|_| sources.is_within_rate(now, source(1))));
}

#[test]
fn a_flood_from_many_addresses_does_not_grow_the_table() {
    let (mut sources, now) = (Sources::new([1; 32], Some(5)), start());
    for number in 0..200_000 {
        sources.is_within_rate(now, source(number));
        sources.is_below_share(now, source(number));
    }
    assert_eq!(sources.slots.len(), SLOTS);
}

#[test]
fn a_single_source_has_nothing_to_share() {
    let (mut sources, mut now) = (Sources::new([1; 32], None), start());
    for _ in 0..5_000 {
        now += Duration::from_millis(1);
        assert!(!sources.is_below_share(now, source(1)));
        sources.note_admitted(now, source(1));
    }
}

#[test]
fn a_loud_source_uses_up_its_share_and_a_quiet_one_does_not() {
    let (mut sources, mut now) = (Sources::new([1; 32], None), start());
    let mut loud_below = 0;
    for tick in 0..10_000_u32 {
        now += Duration::from_millis(1);
        // The loud one is let in every millisecond, the quiet one every tenth.
        loud_below += u32::from(sources.is_below_share(now, source(0)));
        sources.note_admitted(now, source(0));
        if tick % 10 == 0 {
            assert!(tick < 100 || sources.is_below_share(now, source(1)), "at {tick} ms");
            sources.note_admitted(now, source(1));
        }
    }
    assert!((5_000..6_000).contains(&loud_below), "{loud_below}");
}

#[test]
fn a_flood_that_changes_its_address_gets_nobody_a_share() {
    let (mut sources, now) = (Sources::new([1; 32], None), start());
    let below = (0..10_000).filter(|number| sources.is_below_share(now, source(*number))).count();
    assert!(below <= 80, "{below}");
}

#[test]
fn an_ipv6_source_is_its_network() {
    let sources = Sources::new([1; 32], None);
    let of = |text: &str| sources.index(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
}
