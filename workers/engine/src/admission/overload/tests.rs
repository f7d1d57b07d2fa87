//! The controller in virtual time.

use super::*;

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant; it is never compared with the present"
    )]
    Instant::now()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Judges a newcomer every millisecond for `length`, all of which have waited `waited`.
fn newcomers(overload: &mut Overload, from: Instant, length: u64, waited: u64) -> Vec<Wait> {
    (0..length).map(|at| overload.judge_wait(from + ms(at), ms(waited))).collect()
}

#[test]
fn a_moment_of_noise_changes_nothing() {
    let (mut overload, now) = (Overload::default(), start());
    assert!(newcomers(&mut overload, now, 400, 300).iter().all(|wait| *wait == Wait::Short));
    newcomers(&mut overload, now + ms(400), 1, 1);
    assert!(newcomers(&mut overload, now + ms(401), 400, 300).iter().all(|wait| *wait == Wait::Short));
    overload.note_empty(now + ms(801));
    assert!(newcomers(&mut overload, now + ms(802), 400, 300).iter().all(|wait| *wait == Wait::Short));
    assert!(!overload.is_shedding());
}

#[test]
fn waits_that_stay_long_bring_the_short_limit_and_calm_ends_it() {
    let (mut overload, now) = (Overload::default(), start());
    newcomers(&mut overload, now, 501, 50);
    assert!(overload.is_shedding());
    assert_eq!(overload.judge_wait(now + ms(501), ms(41)), Wait::Long);
    assert_eq!(overload.judge_wait(now + ms(502), ms(39)), Wait::Short);
    // One that came quickly is no proof yet; when none has been late for a while, it is over.
    overload.judge_wait(now + ms(510), ms(1));
    assert!(overload.is_shedding());
    overload.judge_wait(now + ms(703), ms(1));
    assert!(!overload.is_shedding());
    // Soon afterwards it takes less to come back.
    newcomers(&mut overload, now + ms(800), 101, 50);
    assert!(overload.is_shedding());
}

#[test]
fn nobody_is_served_after_a_second() {
    let (mut overload, now) = (Overload::default(), start());
    assert_eq!(overload.judge_wait(now, ms(1_001)), Wait::TooLong);
    assert_eq!(overload.judge_wait(now, ms(999)), Wait::Short);
}

#[test]
fn late_messages_of_admitted_calls_hold_newcomers_off_and_then_pace_them() {
    for of in [Lag::Signalling, Lag::Media] {
        let (mut overload, mut now) = (Overload::default(), start());
        for _ in 0..2_000 {
            now += ms(1);
            assert_eq!(overload.admit(now), Ok(()));
        }
        for _ in 0..20 {
            now += ms(10);
            overload.note_lag(now, of, ms(150));
        }
        assert_eq!(overload.admit(now), Err(ShedReason::Lag), "{of:?}");
        for _ in 0..30 {
            now += ms(10);
            overload.note_lag(now, of, ms(1));
        }
        // From below a thousand a second it rises.
        let mut admitted = Vec::new();
        for _ in 0..20 {
            let count = (0..200).filter(|_| {
                now += Duration::from_micros(500);
                overload.admit(now).is_ok()
            });
            admitted.push(count.count());
        }
        assert!(admitted[1] < 100 && admitted[19] > 150, "{admitted:?}");
        // Nobody asks for more than it gives, so it goes.
        for _ in 0..1_500 {
            now += ms(1);
            overload.note_lag(now, of, ms(1));
            let _ = overload.admit(now);
        }
        assert!(!overload.is_shedding());
    }
}

#[test]
fn one_late_message_among_timely_ones_holds_nobody_off() {
    let (mut overload, mut now) = (Overload::default(), start());
    for number in 0..1_000_u32 {
        now += ms(1);
        overload.note_lag(now, Lag::Signalling, ms(if number % 10 == 0 { 1 } else { 500 }));
        assert_eq!(overload.admit(now), Ok(()));
    }
}

#[test]
fn lag_of_which_nothing_more_is_heard_is_over() {
    let (mut overload, mut now) = (Overload::default(), start());
    for _ in 0..20 {
        now += ms(10);
        overload.note_lag(now, Lag::Media, ms(400));
    }
    assert_eq!(overload.admit(now), Err(ShedReason::Lag));
    now += ms(400);
    assert_eq!(overload.admit(now), Ok(()));
}
