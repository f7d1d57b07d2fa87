//! Resolved values beside what the user wrote: the `effective…` output fields (api-design.md section 1, rule 3).

use um_topology::{Id, Name, Topology};

use crate::v1::resource::Spec;
use crate::v1::{self, station};

/// Fills the effective fields of a resource as it stands in a topology. A resource that is not in it gets none.
pub fn fill(resource: &mut v1::Resource, topology: &Topology) {
    match &mut resource.spec {
        Some(Spec::Line(line)) => fill_line(line, topology),
        Some(Spec::Station(station)) => fill_station(station, topology),
        Some(
            Spec::ProxyList(_) | Spec::Credential(_) | Spec::User(_) | Spec::Route(_) | Spec::Settings(_),
        )
        | None => {}
    }
}

/// Fills a line's `effective_transport` and `effective_session`.
pub fn fill_line(line: &mut v1::Line, topology: &Topology) {
    let model = id_of(&line.name).and_then(|id| topology.line(&id));
    line.effective_transport = model.map(|model| crate::line::effective_transport(model));
    line.effective_session = model.map(|model| crate::session::effective_line(model));
}

/// Fills a station's `effective`.
pub fn fill_station(station: &mut v1::Station, topology: &Topology) {
    station.effective = id_of(&station.name).and_then(|id| topology.station(&id)).map(|model| {
        let defaults =
            topology.settings().and_then(|settings| settings.station_defaults.contact_line.as_ref());
        let (line, line_origin) = match (&model.contact_line, defaults) {
            (Some(line), _) => (Some(line), "station"),
            (None, Some(line)) => (Some(line), "settings"),
            (None, None) => (None, ""),
        };
        let (use_proxy, use_proxy_origin) = match model.transport.use_proxy {
            Some(use_proxy) => (use_proxy, "station"),
            None => {
                let list = line.and_then(|id| topology.line(id)).and_then(|line| line.proxy_list.as_ref());
                (list.is_some(), "line")
            }
        };
        let session = line.and_then(|id| topology.line(id)).map(|line| (&**model, &**line));
        let origin = |own: bool, lines: fn(&um_topology::LineSession) -> bool| {
            let line = session.is_some_and(|(_, line)| lines(&line.session));
            if own {
                "station"
            } else if line {
                "line"
            } else {
                "built-in"
            }
            .to_owned()
        };
        let own = &model.session;
        station::Effective {
            session: session.map(|(station, line)| crate::session::effective_station(station, line)),
            session_timeout_origin: origin(own.session_timeout.is_some(), |line| {
                line.session_timeout.is_some()
            }),
            media_timing_origin: origin(own.media_timing.is_some(), |line| line.media_timing.is_some()),
            media_reinvite_timing_origin: origin(own.media_reinvite_timing.is_some(), |line| {
                line.media_reinvite_timing.is_some()
            }),
            contact_line: line.map(|id| Name::line(id.clone()).to_string()).unwrap_or_default(),
            contact_line_origin: line_origin.to_owned(),
            use_proxy,
            use_proxy_origin: use_proxy_origin.to_owned(),
        }
    });
}

fn id_of(name: &str) -> Option<Id> {
    name.parse::<Name>().ok().map(|name| name.id)
}

#[cfg(test)]
mod tests {
    use um_topology::{BindAddress, Change, Line, Settings, SipAddress, Station, StationDefaults};

    use super::*;

    #[test]
    fn a_station_shows_which_line_it_uses_and_why() {
        let mut line = Line::new("um", BindAddress::Interface("eth0".into()));
        line.session.session_timeout = Some(std::time::Duration::from_secs(300));
        let settings = Settings {
            station_defaults: StationDefaults { contact_line: Some("um".into()) },
            ..Settings::default()
        };
        let host = "um.example.com".parse().unwrap();
        let station = Station::new("voicemail", SipAddress::parts(Some("6000"), host, Some(5060)));
        let changes: Vec<Change> = vec![line.into(), settings.into(), station.clone().into()];
        let topology = Topology::new().apply(1, &changes).unwrap();

        let mut shown = v1::Station::from(&station);
        fill_station(&mut shown, &topology);
        let effective = shown.effective.unwrap();
        assert_eq!((&*effective.contact_line, &*effective.contact_line_origin), ("lines/um", "settings"));
        assert_eq!((effective.use_proxy, &*effective.use_proxy_origin), (false, "line"));
        assert_eq!(
            (&*effective.session_timeout_origin, &*effective.media_timing_origin),
            ("line", "built-in")
        );
        let session = effective.session.unwrap();
        assert_eq!(session.session_timeout.unwrap().seconds, 300);
        assert_eq!(session.media_timing(), v1::media_timing::Value::Normal);
    }

    #[test]
    fn a_line_shows_the_timers_of_its_profile() {
        let line = Line::new("pbx", BindAddress::Interface("eth0".into()));
        let topology = Topology::new().apply(1, &[line.clone().into()]).unwrap();
        let mut shown: v1::Resource = v1::Line::from(&line).into();
        fill(&mut shown, &topology);
        let shown = v1::Line::try_from(shown).unwrap();
        let transport = shown.effective_transport.unwrap();
        assert_eq!((transport.receive_port, transport.max_invite_retry), (Some(5060), Some(6)));
        assert_eq!(transport.retryable_codes.as_deref(), Some("480, 500-599"));
        let session = shown.effective_session.unwrap();
        assert_eq!((session.answer_timeout.unwrap().seconds, session.hold_mode), (180, None));
        assert_eq!(shown.transport.unwrap().receive_port, None, "what the user wrote stays");
    }
}
