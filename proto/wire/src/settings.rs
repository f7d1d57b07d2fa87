//! Settings, to and from the model.

use um_topology as model;
use um_topology::{Id, Kind, Name};

use crate::reader::{Reader, host_text};
use crate::v1::{self, settings};
use crate::{Common, Invalid};

impl TryFrom<&v1::Settings> for model::Settings {
    type Error = Invalid;

    fn try_from(from: &v1::Settings) -> Result<Self, Invalid> {
        let mut reader = Reader::default();
        reader.own_name(Kind::Settings, &from.name);
        let contact_line = from.station_defaults.as_ref().and_then(|defaults| defaults.contact_line.as_ref());
        let settings = Self {
            meta: from.to_meta(),
            domains: reader.parse_all("domains", &from.domains),
            station_defaults: model::StationDefaults {
                contact_line: reader.reference("station_defaults.contact_line", Kind::Line, contact_line),
            },
            allowed_redirect_hosts: reader.parse_all("allowed_redirect_hosts", &from.allowed_redirect_hosts),
            routing: from.routing.map(routing_to_model).unwrap_or_default(),
        };
        reader.finish(settings)
    }
}

impl From<&model::Settings> for v1::Settings {
    fn from(from: &model::Settings) -> Self {
        let contact_line =
            from.station_defaults.contact_line.as_ref().map(|id| Name::line(Id::clone(id)).to_string());
        let mut settings = Self {
            domains: from.domains.iter().map(host_text).collect(),
            station_defaults: contact_line.map(|line| settings::StationDefaults { contact_line: Some(line) }),
            allowed_redirect_hosts: from
                .allowed_redirect_hosts
                .iter()
                .map(|pattern| pattern.text().to_owned())
                .collect(),
            routing: routing_from_model(&from.routing),
            ..Self::default()
        };
        settings.set_name(Name::settings().to_string());
        settings.set_meta(from.meta.as_deref());
        settings
    }
}

const fn routing_to_model(from: settings::Routing) -> model::RoutingSettings {
    let settings::Routing { rewrite_request_uri, registration_has_priority } = from;
    model::RoutingSettings { rewrite_request_uri, registration_has_priority }
}

fn routing_from_model(from: &model::RoutingSettings) -> Option<settings::Routing> {
    let model::RoutingSettings { rewrite_request_uri, registration_has_priority } = *from;
    let routing = settings::Routing { rewrite_request_uri, registration_has_priority };
    (routing != settings::Routing::default()).then_some(routing)
}
