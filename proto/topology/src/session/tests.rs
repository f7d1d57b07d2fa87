//! Which value counts: the station's, the line's, the default.

use super::*;
use crate::sip_address::SipAddress;

fn line() -> Line {
    Line::new("um", "127.0.0.1".parse().unwrap())
}

fn station() -> Station {
    Station::new("voicemail", SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), None))
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn a_stations_own_value_wins_over_the_lines() {
    let (mut line, mut station) = (line(), station());
    assert_eq!(effective_session_timeout(Some(&station), &line), seconds(60));
    assert_eq!(effective_media_timing(Some(&station), &line), MediaTiming::Normal);

    line.session.session_timeout = seconds(1800);
    line.session.media_timing = Some(MediaTiming::Delayed);
    line.session.media_reinvite_timing = Some(MediaTiming::Delayed);
    assert_eq!(effective_session_timeout(Some(&station), &line), seconds(1800));
    assert_eq!(effective_session_timeout(None, &line), seconds(1800));
    assert_eq!(effective_media_timing(Some(&station), &line), MediaTiming::Delayed);

    station.session.session_timeout = seconds(90);
    station.session.media_timing = Some(MediaTiming::Normal);
    station.session.media_reinvite_timing = Some(MediaTiming::Normal);
    assert_eq!(effective_session_timeout(Some(&station), &line), seconds(90));
    assert_eq!(effective_media_timing(Some(&station), &line), MediaTiming::Normal);
    assert_eq!(effective_media_reinvite_timing(Some(&station), &line), MediaTiming::Normal);
    assert_eq!(effective_media_reinvite_timing(None, &line), MediaTiming::Delayed);
}

#[test]
fn a_timeout_of_zero_means_no_session_timer() {
    let (mut line, mut station) = (line(), station());
    station.session.session_timeout = Some(Duration::ZERO);
    assert_eq!(effective_session_timeout(Some(&station), &line), None);
    line.session.session_timeout = Some(Duration::ZERO);
    assert_eq!(effective_session_timeout(None, &line), None);
    station.session.session_timeout = seconds(60);
    assert_eq!(effective_session_timeout(Some(&station), &line), seconds(60));
}

#[test]
fn hold_is_passed_on_by_default_only_where_no_um_server_takes_part() {
    let mut line = line();
    assert_eq!(line.effective_hold_mode(true), HoldMode::Local);
    assert_eq!(line.effective_hold_mode(false), HoldMode::Forward);
    line.session.hold_mode = Some(HoldMode::Forward);
    assert_eq!(line.effective_hold_mode(true), HoldMode::Forward);
    line.session.hold_mode = Some(HoldMode::Local);
    assert_eq!(line.effective_hold_mode(false), HoldMode::Local);
}

#[test]
fn a_line_has_the_defaults_of_the_catalogue() {
    let line = line();
    assert_eq!(line.effective_reinvite_delay().as_millis(), 750);
    assert_eq!(line.effective_answer_timeout().as_secs(), 180);
    assert_eq!(line.effective_transfer_mode(), TransferMode::Local);
    assert_eq!(line.effective_fax_protocol(), FaxProtocol::T38);
    assert_eq!(effective_warm_down(None).as_secs(), 5);
    assert_eq!(effective_warm_down(Some(&station())).as_secs(), 5);
}

#[test]
fn a_delayed_offer_is_refused_towards_exchange_only() {
    let (mut line, mut station) = (line(), station());
    line.session.media_reinvite_timing = Some(MediaTiming::Delayed);
    assert_eq!(refused_delay(&station, &line), Some("session.media_reinvite_timing"));
    line.session.media_timing = Some(MediaTiming::Delayed);
    assert_eq!(refused_delay(&station, &line), Some("session.media_timing"));
    station.um_provider = Some(UmProvider::Generic);
    assert_eq!(refused_delay(&station, &line), None);
}
