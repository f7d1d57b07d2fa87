//! What holds on one leg once it has a dialog: offers, re-INVITEs, session timer, hold, transfer, fax.

use std::sync::Arc;
use std::time::Duration;

use um_topology::session::{
    effective_media_reinvite_timing, effective_media_timing, effective_session_timeout,
};
use um_topology::{
    Credential, FaxProtocol, HoldMode, Line, MediaTiming, Station, Topology, TransferMode, User,
};

/// The session settings of one leg, resolved: the station's own, else those of the line, else the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPlan {
    /// Where our INVITE on this leg puts the SDP offer (RFC 3261 §13.2.1).
    pub media_timing: MediaTiming,
    /// Where our re-INVITEs on this leg put it (RFC 3261 §14.1).
    pub media_reinvite_timing: MediaTiming,
    /// Smallest gap between the ACK of an INVITE transaction of this dialog and a re-INVITE of ours, and between two of
    /// our re-INVITEs; the back-off after a 491 (RFC 3261 §14.1) comes on top.
    pub reinvite_delay: Duration,
    /// How soon a dead session must be noticed (RFC 4028); none: no session timer on this leg.
    pub session_timeout: Option<Duration>,
    /// What this leg learns of a hold that the other leg's peer asks for.
    pub hold: HoldMode,
    /// What becomes of a REFER from this leg's peer.
    pub transfer: TransferMode,
    /// What a fax re-INVITE may negotiate on this leg.
    pub fax: FaxProtocol,
    /// What answers a challenge of this leg's peer (RFC 3261 §22.2), the station's before the line's;
    /// [`Credential::for_realm`] chooses.
    pub credentials: Arc<[Arc<Credential>]>,
}

impl SessionPlan {
    /// Makes the plan of a leg on a line; `station` is what stands behind it, if that is known, `with_um` says whether a
    /// UM server takes part in the call.
    #[must_use]
    pub fn new(topology: &Topology, line: &Line, station: Option<&Station>, with_um: bool) -> Self {
        Self {
            media_timing: effective_media_timing(station, line),
            media_reinvite_timing: effective_media_reinvite_timing(station, line),
            reinvite_delay: line.effective_reinvite_delay(),
            session_timeout: effective_session_timeout(station, line),
            hold: line.effective_hold_mode(with_um),
            transfer: line.effective_transfer_mode(),
            fax: line.effective_fax_protocol(),
            credentials: topology.credentials_for(station, line),
        }
    }

    /// Takes fax away where the user whose mailbox it is has no fax capability.
    #[must_use]
    pub fn towards_mailbox_of(self, user: Option<&User>) -> Self {
        let capable = user.is_none_or(User::effective_fax_capability);
        let fax = if capable { self.fax } else { FaxProtocol::None };
        Self { fax, ..self }
    }
}

#[cfg(test)]
mod tests {
    use um_topology::{SipAddress, UserCalls};

    use super::*;

    fn line() -> Line {
        Line::new("um", "127.0.0.1".parse().unwrap())
    }

    #[test]
    fn a_leg_has_its_lines_settings_and_its_stations_before_them() {
        let mut line = line();
        line.transport.reinvite_delay = Some(Duration::from_secs(2));
        line.session.session_timeout = Some(Duration::from_secs(1800));
        line.transfer_mode = Some(TransferMode::Pass);
        let address = SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), None);
        let mut station = Station::new("voicemail", address);
        station.session.session_timeout = Some(Duration::from_secs(90));
        let plan = SessionPlan::new(&Topology::new(), &line, Some(&station), true);
        assert_eq!((plan.reinvite_delay.as_secs(), plan.transfer), (2, TransferMode::Pass));
        assert_eq!(plan.session_timeout, Some(Duration::from_secs(90)));
        assert_eq!(plan.hold, HoldMode::Local);
        let without = SessionPlan::new(&Topology::new(), &line, None, false);
        assert_eq!(without.session_timeout, Some(Duration::from_secs(1800)));
        assert_eq!(without.hold, HoldMode::Forward);
    }

    #[test]
    fn a_stations_credential_comes_before_those_of_its_line() {
        let mut line = line();
        line.authentication.outbound_credentials = vec!["any".into(), "um".into()];
        let address = SipAddress::parts(Some("6000"), "um.example.com".parse().unwrap(), None);
        let mut station = Station::new("voicemail", address);
        station.contact_line = Some("um".into());
        station.authentication = Some("own".into());
        let credential = |id: &str| Credential::new(id, id, "x").into();
        let changes = [
            credential("own"),
            credential("any"),
            credential("um"),
            line.clone().into(),
            station.clone().into(),
        ];
        let topology = Topology::new().apply(1, &changes).unwrap();
        let names = |station: Option<&Station>| {
            let plan = SessionPlan::new(&topology, &line, station, true);
            plan.credentials.iter().map(|one| one.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(Some(&station)), ["own", "any", "um"]);
        assert_eq!(names(None), ["any", "um"]);
    }

    #[test]
    fn the_mailbox_of_a_user_without_fax_gets_none() {
        let mut user = User::new("dana", "2001");
        let plan = || SessionPlan::new(&Topology::new(), &line(), None, true);
        assert_eq!(plan().towards_mailbox_of(Some(&user)).fax, FaxProtocol::T38);
        user.calls = UserCalls { fax_capability: Some(false), ..UserCalls::default() }.boxed();
        assert_eq!(plan().towards_mailbox_of(Some(&user)).fax, FaxProtocol::None);
        assert_eq!(plan().towards_mailbox_of(None).fax, FaxProtocol::T38);
    }
}
