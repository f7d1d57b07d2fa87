//! What holds during a call: session settings of a line and of a station, and which of the two counts.
//!
//! A station's own value wins over that of the line it is reached by; where both are silent the default holds. Each
//! `effective_` function answers for one setting, with or without a station: a PBX has none.

use std::time::Duration;

use crate::line::{Line, Usage};
use crate::station::{Station, StationType, UmProvider};

/// Session settings of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineSession {
    /// Where our INVITE puts the SDP offer (RFC 3261 §13.2.1). Unset: NORMAL.
    pub media_timing: Option<MediaTiming>,
    /// The same for re-INVITEs of our own (RFC 3261 §14.1). Unset: NORMAL.
    pub media_reinvite_timing: Option<MediaTiming>,
    /// How soon a dead session must be noticed, 10 s–24 h; zero: no session timer (RFC 4028). Unset: 60 s.
    pub session_timeout: Option<Duration>,
    /// Longest wait for the answer after 101–199, counted from our INVITE, 5–600 s. Unset: 180 s.
    pub answer_timeout: Option<Duration>,
    /// What becomes of a hold that the other side of a call asks for. Unset: LOCAL where a UM server takes part, else
    /// FORWARD.
    pub hold_mode: Option<HoldMode>,
}

/// Session settings of a station; what is unset comes from the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationSession {
    /// How soon a dead session must be noticed, as on the line.
    pub session_timeout: Option<Duration>,
    /// Where our INVITE puts the SDP offer, as on the line.
    pub media_timing: Option<MediaTiming>,
    /// The same for re-INVITEs of our own.
    pub media_reinvite_timing: Option<MediaTiming>,
    /// How long the ports of a call stay taken after its end, so that late packets reach no other call, 0–60 s.
    /// Unset: 5 s.
    pub warm_down: Option<Duration>,
    /// True: the worker terminates RTP, so that a change of the far server is invisible. Unset: true.
    pub disable_media_passthrough: Option<bool>,
}

/// Where our INVITE or re-INVITE puts the SDP offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaTiming {
    /// The INVITE carries the offer.
    Normal,
    /// The INVITE carries no SDP; the peer offers in its 2xx or in a reliable 1xx (RFC 3262 §5), we answer in the ACK
    /// or in the PRACK.
    Delayed,
}

/// What becomes of a hold that the other side of a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldMode {
    /// It is answered here; this side hears nothing of it.
    Local,
    /// The direction is passed on to this side by a re-INVITE.
    Forward,
}

/// What becomes of a REFER from a peer of a line (RFC 3515).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferMode {
    /// The transfer is carried out here; only UM servers may ask for one.
    Local,
    /// The REFER is passed on to the other side of the call.
    Pass,
}

/// What a fax re-INVITE on a line may negotiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaxProtocol {
    /// T.38 over UDPTL, and G.711 where the peer falls back to it.
    T38,
    /// G.711 only; an offer of T.38 is declined with 488.
    G711Passthrough,
    /// Neither: an offer of T.38, and one that changes a call to G.711 alone, is declined with 488.
    None,
}

/// Returns where our INVITE puts the SDP offer.
#[must_use]
pub fn effective_media_timing(station: Option<&Station>, line: &Line) -> MediaTiming {
    let own = station.and_then(|station| station.session.media_timing);
    own.or(line.session.media_timing).unwrap_or(MediaTiming::Normal)
}

/// Returns where a re-INVITE of our own puts the SDP offer.
#[must_use]
pub fn effective_media_reinvite_timing(station: Option<&Station>, line: &Line) -> MediaTiming {
    let own = station.and_then(|station| station.session.media_reinvite_timing);
    own.or(line.session.media_reinvite_timing).unwrap_or(MediaTiming::Normal)
}

/// Returns how soon a dead session must be noticed; nothing where there is no session timer.
#[must_use]
pub fn effective_session_timeout(station: Option<&Station>, line: &Line) -> Option<Duration> {
    let own = station.and_then(|station| station.session.session_timeout);
    let timeout = own.or(line.session.session_timeout).unwrap_or(DEFAULT_SESSION_TIMEOUT);
    (!timeout.is_zero()).then_some(timeout)
}

/// Returns how long the ports of a call stay taken after its end.
#[must_use]
pub fn effective_warm_down(station: Option<&Station>) -> Duration {
    station.and_then(|station| station.session.warm_down).unwrap_or(DEFAULT_WARM_DOWN)
}

impl Line {
    /// Returns the smallest gap between the ACK of an INVITE transaction and a re-INVITE of ours in the same dialog.
    #[must_use]
    pub fn effective_reinvite_delay(&self) -> Duration {
        self.transport.reinvite_delay.unwrap_or(DEFAULT_REINVITE_DELAY)
    }

    /// Returns the longest wait for the answer after 101–199, counted from the INVITE.
    #[must_use]
    pub fn effective_answer_timeout(&self) -> Duration {
        self.session.answer_timeout.unwrap_or(DEFAULT_ANSWER_TIMEOUT)
    }

    /// Returns what becomes of a hold that the other side of a call asks for; `with_um` says whether a UM server takes
    /// part in the call.
    #[must_use]
    pub fn effective_hold_mode(&self, with_um: bool) -> HoldMode {
        self.session.hold_mode.unwrap_or(if with_um { HoldMode::Local } else { HoldMode::Forward })
    }

    /// Returns what becomes of a REFER.
    #[must_use]
    pub fn effective_transfer_mode(&self) -> TransferMode {
        self.transfer_mode.unwrap_or(TransferMode::Local)
    }

    /// Returns what a fax re-INVITE may negotiate.
    #[must_use]
    pub fn effective_fax_protocol(&self) -> FaxProtocol {
        self.fax_protocol.unwrap_or(FaxProtocol::T38)
    }
}

/// Says which setting makes our INVITEs or re-INVITEs to a UM server wait for its offer where that cannot work: servers
/// of the Exchange family end such calls.
pub(crate) fn refused_delay(station: &Station, line: &Line) -> Option<&'static str> {
    match (station.station_type, station.effective_um_provider()) {
        (Some(StationType::UnifiedMessaging) | None, UmProvider::Exchange) => {}
        (Some(StationType::UnifiedMessaging) | None, UmProvider::Generic) => return None,
    }
    let delayed = |timing| timing == MediaTiming::Delayed;
    let initial = delayed(effective_media_timing(Some(station), line));
    let later = delayed(effective_media_reinvite_timing(Some(station), line));
    if initial { Some("session.media_timing") } else { later.then_some("session.media_reinvite_timing") }
}

/// Says which field of a line makes INVITEs to UM servers wait for their offer on a line that is theirs alone.
pub(crate) fn refused_delays_of_um_line(line: &Line) -> impl Iterator<Item = &'static str> {
    let timings = [
        ("session.media_timing", line.session.media_timing),
        ("session.media_reinvite_timing", line.session.media_reinvite_timing),
    ];
    let um = line.effective_usage() == Usage::Um;
    timings
        .into_iter()
        .filter(move |(_, timing)| um && *timing == Some(MediaTiming::Delayed))
        .map(|(field, _)| field)
}

/// `session_timeout` where neither station nor line has one.
pub const DEFAULT_SESSION_TIMEOUT: Duration = Duration::from_secs(60);
/// `answer_timeout` of a line that has none.
pub const DEFAULT_ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
/// `warm_down` of a station that has none.
pub const DEFAULT_WARM_DOWN: Duration = Duration::from_secs(5);
/// `reinvite_delay` of a line that has none.
pub const DEFAULT_REINVITE_DELAY: Duration = Duration::from_millis(750);

#[cfg(test)]
mod tests;
