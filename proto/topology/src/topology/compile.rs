//! Whether resources that are right by themselves work together: every UM station has a line to send from, and a list
//! to send to where it uses one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Topology;
use crate::id::{Kind, Name};
use crate::line::Line;
use crate::proxy_list::ProxyList;
use crate::session::refused_delay;
use crate::station::Station;
use crate::uri::Scheme;
use crate::violation::{Violation, ViolationKind};

/// Checks every station that a change of these resources can concern.
pub(super) fn check(next: &Topology, changed: &BTreeSet<&Name>) -> Vec<Violation> {
    let all = changed.iter().any(|name| matches!(name.kind, Kind::ProxyList | Kind::Line | Kind::Settings));
    let concerned = |station: &&Station| all || changed.contains(&Name::station(station.id.clone()));
    next.stations()
        .map(|station| &**station)
        .filter(concerned)
        .flat_map(|station| check_station(next, station))
        .collect()
}

fn check_station(next: &Topology, station: &Station) -> Vec<Violation> {
    let line = next.contact_line(station);
    let delay = line.and_then(|line| refused_delay(station, line)).map(|field| Violation {
        resource: Name::station(station.id.clone()),
        field: field.to_owned(),
        kind: ViolationKind::Incompatible,
        message: "servers of provider EXCHANGE need the offer in the INVITE: set NORMAL here".to_owned(),
    });
    check_way(next, station).into_iter().chain(delay).collect()
}

fn check_way(next: &Topology, station: &Station) -> Option<Violation> {
    let violation = |field: &str, message: String| Violation {
        resource: Name::station(station.id.clone()),
        field: field.to_owned(),
        kind: ViolationKind::Incompatible,
        message,
    };
    let Some(line) = next.contact_line_id(station) else {
        let message = "no line to send from: set it here or in the settings' `station_defaults.contact_line`";
        return Some(violation("contact_line", message.to_owned()));
    };
    // A line or list that does not exist is reported as a missing reference.
    let line = next.line(line)?;
    let Some(list) = &line.proxy_list else {
        if station.transport.use_proxy == Some(true) {
            let message = format!("line `{}` has no proxy list to send to", line.id);
            return Some(violation("transport.use_proxy", message));
        }
        return check_direct(station).map(|message| violation("connection_address", message));
    };
    if station.transport.use_proxy == Some(false) {
        return check_direct(station).map(|message| violation("connection_address", message));
    }
    let list = next.proxy_list(list)?;
    list.entries.is_empty().then(|| {
        let message = format!("proxy list `{}` of line `{}` is empty", list.id, line.id);
        violation("transport.use_proxy", message)
    })
}

/// A `tel:` URI names no host, so there must be a list that does.
fn check_direct(station: &Station) -> Option<String> {
    let address = station.connection_address.as_ref()?;
    (address.uri().scheme == Scheme::Tel)
        .then(|| "a `tel:` address needs a proxy list: it names no host to send to".to_owned())
}

impl Topology {
    /// Returns the id of the line that a station is reached by: its own, else that of the settings.
    pub(super) fn contact_line_id<'a>(&'a self, station: &'a Station) -> Option<&'a str> {
        let default =
            || self.settings.as_ref().and_then(|settings| settings.station_defaults.contact_line.as_ref());
        station.contact_line.as_ref().or_else(default).map(|id| &**id)
    }

    /// Returns the line that a station is reached by.
    #[must_use]
    pub fn contact_line(&self, station: &Station) -> Option<&Arc<Line>> {
        self.line(self.contact_line_id(station)?)
    }

    /// Returns the list that a station is reached through: none if it is reached at its connection address.
    #[must_use]
    pub fn target_list(&self, station: &Station) -> Option<&Arc<ProxyList>> {
        let list = self.contact_line(station)?.proxy_list.as_ref()?;
        if station.transport.use_proxy.unwrap_or(true) { self.proxy_list(list) } else { None }
    }
}
