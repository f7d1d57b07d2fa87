//! Who sent a request: whether the line admits him, and on which side of the gateway he stands.
//!
//! `deny` is read before `allow`; a line for UM servers is closed to all others. A UM server that shares its address with
//! a PBX is told apart by From, which is believed only from a UM server's address.

use um_topology::{Id, Line, Station, Topology, Usage};

use crate::facts::Facts;
use crate::reject::RejectReason;
use crate::route::Peer;
use crate::view::View;

/// The side that a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A UM server, of this station where it can be told.
    UmServer(Option<Id>),
    /// Everybody else. Trusted: `allow` names the source, so that it may say who calls.
    Pbx {
        /// Whether the caller's identity is believed.
        trusted: bool,
    },
}

impl Origin {
    /// Returns who it is as the far end of a leg.
    pub(crate) const fn peer(&self) -> Peer {
        match self {
            Self::UmServer(_) => Peer::Um,
            Self::Pbx { .. } => Peer::Other,
        }
    }
}

/// Admits a source and finds its side.
pub(crate) fn origin(
    topology: &Topology,
    line: &Line,
    facts: &Facts,
    view: &dyn View,
) -> Result<Origin, RejectReason> {
    if line.access.denies(facts.source) {
        return Err(RejectReason::SourceDenied);
    }
    let trusted = line.access.allows(facts.source);
    match line.effective_usage() {
        Usage::General if !trusted && !line.access.allow.is_empty() => Err(RejectReason::SourceNotAllowed),
        Usage::General => Ok(match um_sender(topology, facts, view) {
            Some(station) => Origin::UmServer(Some(station.id.clone())),
            None => Origin::Pbx { trusted },
        }),
        Usage::Um => {
            let at = topology.um_servers().station_at(facts.source, |host| view.addresses(host));
            if at.is_none() && !trusted {
                return Err(RejectReason::SourceNotAllowed);
            }
            let identified = topology.identified(&facts.from.uri).map(|station| &station.id);
            Ok(Origin::UmServer(identified.or(at).cloned()))
        }
    }
}

/// Returns the UM station that sent a request on a line for everybody: its server's address and a From that is its own.
fn um_sender<'a>(topology: &'a Topology, facts: &Facts, view: &dyn View) -> Option<&'a Station> {
    let from = &facts.from.uri;
    let unidentified = |station: &&Station| station.identification_address.is_none();
    let pilot = from.user.as_deref().unwrap_or_default();
    let by_pilot = topology.stations_of_pilot(pilot).map(|station| &**station).filter(unidentified);
    let hosts = from.host.iter().flat_map(|host| topology.um_servers().stations_of(host));
    let by_target = hosts
        .filter_map(|id| topology.station(id).map(|station| &**station))
        .filter(unidentified)
        .filter(|station| topology.is_target_of(station, from));
    let identified = topology.identified(from).map(|station| &**station);
    identified
        .into_iter()
        .chain(by_pilot)
        .chain(by_target)
        .find(|station| topology.is_um_server_of(station, facts.source, |host| view.addresses(host)))
}
