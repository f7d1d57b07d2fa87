//! Negotiation and deadlines of the session timer, one fact a test.

use super::*;
use crate::transaction::testing::{epoch, ms};

fn timer(timeout_s: u64) -> SessionTimer {
    SessionTimer::new(Policy::of(Duration::from_secs(timeout_s)).expect("a timer"))
}

fn expires(interval: u32, refresher: Refresher) -> SessionExpires {
    SessionExpires::new(interval, Some(refresher))
}

fn wish(interval: u32, refresher: Option<Refresher>) -> Wish {
    Wish { expires: Some(SessionExpires::new(interval, refresher)), min: None, supports_timer: true }
}

/// Runs to the next output; returns it and the seconds from `start`.
fn next(timer: &mut SessionTimer, start: Instant) -> (Output, u64) {
    for _ in 0..10 {
        let at = timer.poll_timeout().expect("a deadline");
        timer.handle_timeout(at);
        if let Some(output) = timer.poll_output() {
            assert!(timer.poll_timeout().is_none_or(|next| next > at), "a deadline in the past");
            return (output, (at - start).as_secs());
        }
    }
    panic!("no output")
}

#[test]
fn less_than_90_s_is_asked_for_as_90_s_and_probed_for_at_half_the_value() {
    let short = timer(60);
    let asked = short.ask();
    assert_eq!((asked.expires.to_string(), asked.min.to_string()), ("90".into(), "90".into()));
    assert_eq!(
        Policy::of(Duration::from_secs(60)).and_then(|policy| policy.probe),
        Some(Duration::from_secs(30))
    );
    let long = timer(1_800).ask();
    assert_eq!((long.expires.to_string(), long.min.to_string()), ("1800".into(), "90".into()));
    assert_eq!(Policy::of(Duration::from_secs(90)).and_then(|policy| policy.probe), None);
    assert_eq!(Policy::of(Duration::ZERO), None);
}

#[test]
fn a_422_raises_the_interval_once() {
    let mut timer = timer(60);
    let again = timer.handle_too_small(Some(MinSe { seconds: 600 })).expect("once");
    assert_eq!((again.expires.to_string(), again.min.to_string()), ("600".into(), "600".into()));
    assert_eq!(timer.handle_too_small(Some(MinSe { seconds: 900 })), None);
}

#[test]
fn a_422_that_names_nothing_usable_is_final() {
    for min in [None, Some(MinSe { seconds: 10 }), Some(MinSe { seconds: u32::MAX })] {
        assert_eq!(timer(60).handle_too_small(min), None, "{min:?}");
    }
    let asked = timer(1_800).handle_too_small(Some(MinSe { seconds: 600 })).expect("once");
    assert_eq!(
        asked.expires.interval, 1_800,
        "ours was long enough: somebody else wants to hear it in Min-SE"
    );
}

#[test]
fn we_refresh_at_half_the_interval() {
    let (start, mut timer) = (epoch(), timer(1_800));
    timer.handle_answer(start, Some(expires(1_200, Refresher::Uac)));
    assert_eq!(next(&mut timer, start), (Output::Refresh, 600));
    assert_eq!(timer.ask().expires, expires(1_200, Refresher::Uac), "the terms are kept");
    let later = start + ms(600_100);
    timer.handle_answer(later, Some(expires(1_200, Refresher::Uac)));
    assert_eq!(next(&mut timer, later), (Output::Refresh, 600));
}

#[test]
fn a_2xx_without_session_expires_makes_us_refresh_at_our_value() {
    let (start, mut timer) = (epoch(), timer(1_800));
    timer.handle_answer(start, None);
    assert_eq!(next(&mut timer, start), (Output::Refresh, 900));
}

#[test]
fn a_peer_that_does_not_refresh_is_dead_before_the_end() {
    for (interval, end) in [(1_800, 1_768), (90, 60), (96, 64), (99, 67)] {
        let (start, mut timer) = (epoch(), timer(1_800));
        timer.handle_answer(start, Some(expires(interval, Refresher::Uas)));
        assert_eq!(next(&mut timer, start), (Output::Dead, end), "of {interval} s");
        assert_eq!(timer.poll_timeout(), None);
    }
}

#[test]
fn a_refresh_of_the_peer_begins_the_time_anew() {
    let (start, mut timer) = (epoch(), timer(600));
    let grant = timer.judge(&wish(600, None)).expect("long enough");
    timer.handle_request(start, &grant);
    let later = start + ms(300_000);
    let grant = timer.judge(&wish(600, Some(Refresher::Uac))).expect("long enough");
    timer.handle_request(later, &grant);
    assert_eq!(next(&mut timer, later), (Output::Dead, 568));
}

#[test]
fn a_refresh_that_is_refused_is_tried_again_until_the_end() {
    let (start, mut timer) = (epoch(), timer(90));
    timer.handle_answer(start, Some(expires(90, Refresher::Uac)));
    assert_eq!(next(&mut timer, start), (Output::Refresh, 45));
    timer.handle_failure(start + ms(45_000), Failure::Later(Duration::from_secs(10)));
    assert_eq!(next(&mut timer, start), (Output::Refresh, 55));
    timer.handle_failure(start + ms(56_000), Failure::Later(Duration::from_secs(10)));
    assert_eq!(next(&mut timer, start), (Output::Refresh, 66));
    timer.handle_failure(start + ms(67_000), Failure::Later(Duration::from_secs(30)));
    assert_eq!(next(&mut timer, start), (Output::Dead, 90));
}

#[test]
fn a_refresh_of_which_nothing_is_heard_is_asked_for_again() {
    let (start, mut timer) = (epoch(), timer(1_800));
    timer.handle_answer(start, None);
    assert_eq!(next(&mut timer, start), (Output::Refresh, 900));
    assert_eq!(next(&mut timer, start), (Output::Refresh, 933));
}

#[test]
fn a_refresh_without_an_answer_is_the_end() {
    let (start, mut timer) = (epoch(), timer(1_800));
    timer.handle_answer(start, None);
    assert_eq!(next(&mut timer, start), (Output::Refresh, 900));
    timer.handle_failure(start + ms(932_000), Failure::Gone);
    assert_eq!((timer.poll_output(), timer.poll_timeout()), (Some(Output::Dead), None));
}

/// RFC 4028 §9, table 2.
#[test]
fn the_refresher_is_who_can_and_wants() {
    let timer = timer(1_800);
    let grant = |wish: &Wish| {
        let grant = timer.judge(wish).expect("long enough");
        (grant.expires.map(|expires| expires.to_string()), grant.requires_timer)
    };
    assert_eq!(grant(&wish(1_800, None)), (Some("1800;refresher=uac".into()), true));
    assert_eq!(grant(&wish(1_800, Some(Refresher::Uac))), (Some("1800;refresher=uac".into()), true));
    assert_eq!(grant(&wish(1_800, Some(Refresher::Uas))), (Some("1800;refresher=uas".into()), false));
    let ignorant = Wish::default();
    assert_eq!(grant(&ignorant), (None, false));
    let inserted = Wish { supports_timer: false, ..wish(1_800, None) };
    assert_eq!(grant(&inserted), (None, false), "a proxy asked for it: we refresh");
}

#[test]
fn the_interval_granted_is_ours_between_min_se_and_what_was_asked() {
    let granted = |timeout: u64, asked: Option<u32>, min: Option<u32>| {
        let wish = Wish {
            expires: asked.map(|asked| SessionExpires::new(asked, None)),
            min: min.map(|seconds| MinSe { seconds }),
            supports_timer: true,
        };
        timer(timeout).judge(&wish).map(|grant| grant.expires.map_or(0, |expires| expires.interval))
    };
    assert_eq!(granted(600, Some(1_800), None), Ok(600), "it may be shortened");
    assert_eq!(granted(600, Some(1_800), Some(900)), Ok(900), "but not below Min-SE");
    assert_eq!(granted(1_800, Some(600), None), Ok(600), "and not prolonged");
    assert_eq!(granted(600, None, Some(700)), Ok(700));
    assert_eq!(granted(600, Some(89), None), Err(MinSe::LEAST));
    assert_eq!(granted(600, Some(90), Some(10)), Ok(90));
    assert_eq!(
        granted(600, Some(300), Some(900)),
        Ok(900),
        "of two that contradict each other the longer counts"
    );
}

#[test]
fn an_interval_too_small_is_borne_from_who_would_not_understand_422() {
    let wish = Wish { supports_timer: false, ..wish(30, None) };
    let grant = timer(600).judge(&wish).expect("no 422");
    let (start, mut timer) = (epoch(), timer(600));
    timer.handle_request(start, &grant);
    assert_eq!(next(&mut timer, start), (Output::Refresh, 45), "we refresh at the least interval");
}

#[test]
fn probes_go_on_while_they_are_answered() {
    let (start, mut timer) = (epoch(), timer(20));
    timer.handle_answer(start, Some(expires(90, Refresher::Uas)));
    assert_eq!(next(&mut timer, start), (Output::Probe, 10));
    timer.handle_probed(start + ms(10_000), Ok(()));
    assert_eq!(next(&mut timer, start), (Output::Probe, 20));
    timer.handle_probed(start + ms(21_000), Err(Failure::Later(Duration::ZERO)));
    assert_eq!(next(&mut timer, start), (Output::Probe, 31), "any answer is a sign of life");
    timer.handle_probed(start + ms(52_000), Err(Failure::Gone));
    assert_eq!((timer.poll_output(), timer.poll_timeout()), (Some(Output::Dead), None));
}

#[test]
fn what_comes_after_the_end_changes_nothing() {
    let (start, mut timer) = (epoch(), timer(20));
    timer.handle_answer(start, None);
    timer.handle_failure(start, Failure::Gone);
    timer.poll_output();
    timer.handle_probed(start, Ok(()));
    timer.handle_failure(start, Failure::Gone);
    timer.handle_timeout(start + ms(500_000));
    assert_eq!((timer.poll_output(), timer.poll_timeout()), (None, None));
}
