//! Session settings of lines and stations, to and from the model.

use um_topology as model;
use um_topology::session as rule;

use crate::reader::Reader;
use crate::time::duration_to_proto;
use crate::v1::line::line_session;
use crate::v1::{line, media_timing, station};

pub(crate) fn line_to_model(reader: &mut Reader, from: &line::LineSession) -> model::LineSession {
    let reinvite = from.media_reinvite_timing;
    model::LineSession {
        media_timing: reader.value("session.media_timing", from.media_timing, timing_to_model),
        media_reinvite_timing: reader.value("session.media_reinvite_timing", reinvite, timing_to_model),
        session_timeout: reader.duration("session.session_timeout", from.session_timeout.as_ref()),
        answer_timeout: reader.duration("session.answer_timeout", from.answer_timeout.as_ref()),
        hold_mode: reader.value("session.hold_mode", from.hold_mode, hold_to_model),
    }
}

pub(crate) fn line_from_model(from: &model::LineSession) -> Option<line::LineSession> {
    let session = line::LineSession {
        media_timing: from.media_timing.map(|timing| timing_from_model(timing).into()),
        media_reinvite_timing: from.media_reinvite_timing.map(|timing| timing_from_model(timing).into()),
        session_timeout: from.session_timeout.map(duration_to_proto),
        answer_timeout: from.answer_timeout.map(duration_to_proto),
        hold_mode: from.hold_mode.map(|mode| hold_from_model(mode).into()),
    };
    (session != line::LineSession::default()).then_some(session)
}

/// The session settings of a line with every default filled in that does not hang on the call.
pub(crate) fn effective_line(line: &model::Line) -> line::LineSession {
    let timeout = rule::effective_session_timeout(None, line).unwrap_or_default();
    line::LineSession {
        media_timing: Some(timing_from_model(rule::effective_media_timing(None, line)).into()),
        media_reinvite_timing: Some(
            timing_from_model(rule::effective_media_reinvite_timing(None, line)).into(),
        ),
        session_timeout: Some(duration_to_proto(timeout)),
        answer_timeout: Some(duration_to_proto(line.effective_answer_timeout())),
        hold_mode: line.session.hold_mode.map(|mode| hold_from_model(mode).into()),
    }
}

pub(crate) fn station_to_model(reader: &mut Reader, from: &station::Session) -> model::StationSession {
    let reinvite = from.media_reinvite_timing;
    model::StationSession {
        session_timeout: reader.duration("session.session_timeout", from.session_timeout.as_ref()),
        media_timing: reader.value("session.media_timing", from.media_timing, timing_to_model),
        media_reinvite_timing: reader.value("session.media_reinvite_timing", reinvite, timing_to_model),
        warm_down: reader.duration("session.warm_down", from.warm_down.as_ref()),
        disable_media_passthrough: from.disable_media_passthrough,
    }
}

pub(crate) fn station_from_model(from: &model::StationSession) -> Option<station::Session> {
    let session = station::Session {
        session_timeout: from.session_timeout.map(duration_to_proto),
        media_timing: from.media_timing.map(|timing| timing_from_model(timing).into()),
        media_reinvite_timing: from.media_reinvite_timing.map(|timing| timing_from_model(timing).into()),
        warm_down: from.warm_down.map(duration_to_proto),
        disable_media_passthrough: from.disable_media_passthrough,
    };
    (session != station::Session::default()).then_some(session)
}

/// The session settings of a station on a line, with every default filled in.
pub(crate) fn effective_station(station: &model::Station, line: &model::Line) -> station::Session {
    let timeout = rule::effective_session_timeout(Some(station), line).unwrap_or_default();
    let (timing, reinvite) = (
        rule::effective_media_timing(Some(station), line),
        rule::effective_media_reinvite_timing(Some(station), line),
    );
    station::Session {
        session_timeout: Some(duration_to_proto(timeout)),
        media_timing: Some(timing_from_model(timing).into()),
        media_reinvite_timing: Some(timing_from_model(reinvite).into()),
        warm_down: Some(duration_to_proto(rule::effective_warm_down(Some(station)))),
        disable_media_passthrough: Some(station.effective_disable_media_passthrough()),
    }
}

const fn timing_to_model(timing: media_timing::Value) -> Option<model::MediaTiming> {
    match timing {
        media_timing::Value::Unspecified => None,
        media_timing::Value::Normal => Some(model::MediaTiming::Normal),
        media_timing::Value::Delayed => Some(model::MediaTiming::Delayed),
    }
}

const fn timing_from_model(timing: model::MediaTiming) -> media_timing::Value {
    match timing {
        model::MediaTiming::Normal => media_timing::Value::Normal,
        model::MediaTiming::Delayed => media_timing::Value::Delayed,
    }
}

const fn hold_to_model(mode: line_session::HoldMode) -> Option<model::HoldMode> {
    match mode {
        line_session::HoldMode::Unspecified => None,
        line_session::HoldMode::Local => Some(model::HoldMode::Local),
        line_session::HoldMode::Forward => Some(model::HoldMode::Forward),
    }
}

const fn hold_from_model(mode: model::HoldMode) -> line_session::HoldMode {
    match mode {
        model::HoldMode::Local => line_session::HoldMode::Local,
        model::HoldMode::Forward => line_session::HoldMode::Forward,
    }
}

pub(crate) const fn transfer_to_model(mode: line::TransferMode) -> Option<model::TransferMode> {
    match mode {
        line::TransferMode::Unspecified => None,
        line::TransferMode::Local => Some(model::TransferMode::Local),
        line::TransferMode::Pass => Some(model::TransferMode::Pass),
    }
}

pub(crate) const fn transfer_from_model(mode: model::TransferMode) -> line::TransferMode {
    match mode {
        model::TransferMode::Local => line::TransferMode::Local,
        model::TransferMode::Pass => line::TransferMode::Pass,
    }
}

pub(crate) const fn fax_to_model(fax: line::FaxProtocol) -> Option<model::FaxProtocol> {
    match fax {
        line::FaxProtocol::Unspecified => None,
        line::FaxProtocol::T38 => Some(model::FaxProtocol::T38),
        line::FaxProtocol::G711Passthrough => Some(model::FaxProtocol::G711Passthrough),
        line::FaxProtocol::None => Some(model::FaxProtocol::None),
    }
}

pub(crate) const fn fax_from_model(fax: model::FaxProtocol) -> line::FaxProtocol {
    match fax {
        model::FaxProtocol::T38 => line::FaxProtocol::T38,
        model::FaxProtocol::G711Passthrough => line::FaxProtocol::G711Passthrough,
        model::FaxProtocol::None => line::FaxProtocol::None,
    }
}
