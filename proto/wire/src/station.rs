//! Stations, to and from the model.

use um_topology as model;
use um_topology::{Id, Kind, Name};

use crate::reader::{Reader, host_text};
use crate::v1::{self, station};
use crate::{Common, Invalid, session};

impl TryFrom<&v1::Station> for model::Station {
    type Error = Invalid;

    fn try_from(from: &v1::Station) -> Result<Self, Invalid> {
        let mut reader = Reader::default();
        let identification = from.identification_address.as_ref();
        let connection = from.connection_address.as_ref();
        let station = Self {
            id: reader.own_name(Kind::Station, &from.name),
            meta: from.to_meta(),
            station_type: reader.value("type", from.r#type, type_to_model),
            um_provider: reader.value("um_provider", from.um_provider, provider_to_model),
            extension: from.extension.as_deref().map(Into::into),
            active: from.active,
            identification_address: identification.and_then(|address| {
                Parts::from(address)
                    .read(&mut reader, "identification_address")
                    .map(|read| model::IdentificationAddress { address: read, user_only: address.user_only })
            }),
            connection_address: connection
                .and_then(|address| Parts::from(address).read(&mut reader, "connection_address")),
            contact_line: reader.reference("contact_line", Kind::Line, from.contact_line.as_ref()),
            extension_prefix: from.extension_prefix.as_deref().map(Into::into),
            transport: model::StationTransport {
                use_proxy: from.transport.as_ref().and_then(|transport| transport.use_proxy),
            },
            session: from
                .session
                .as_ref()
                .map(|session| session::station_to_model(&mut reader, session))
                .unwrap_or_default(),
            authentication: reader.reference(
                "authentication",
                Kind::Credential,
                from.authentication.as_ref(),
            ),
            mailbox_pick: reader.value("mailbox_pick", from.mailbox_pick, pick_to_model),
            pass_unknown_diversion: from.pass_unknown_diversion,
        };
        reader.finish(station)
    }
}

impl From<&model::Station> for v1::Station {
    fn from(from: &model::Station) -> Self {
        let use_proxy = from.transport.use_proxy;
        let mut station = Self {
            r#type: from.station_type.map(|kind| type_from_model(kind).into()),
            um_provider: from.um_provider.map(|provider| provider_from_model(provider).into()),
            extension: from.extension.as_deref().map(Into::into),
            active: from.active,
            identification_address: from.identification_address.as_ref().map(|identification| {
                let Parts { user, host, port, uri } = Parts::of(&identification.address);
                station::IdentificationAddress { user, host, port, uri, user_only: identification.user_only }
            }),
            connection_address: from.connection_address.as_ref().map(|address| {
                let Parts { user, host, port, uri } = Parts::of(address);
                station::ConnectionAddress { user, host, port, uri }
            }),
            contact_line: from.contact_line.as_ref().map(|id| Name::line(Id::clone(id)).to_string()),
            extension_prefix: from.extension_prefix.as_deref().map(Into::into),
            transport: use_proxy.map(|_| station::StationTransport { use_proxy }),
            session: session::station_from_model(&from.session),
            authentication: from
                .authentication
                .as_ref()
                .map(|id| Name::credential(Id::clone(id)).to_string()),
            mailbox_pick: from.mailbox_pick.map(|pick| pick_from_model(pick).into()),
            pass_unknown_diversion: from.pass_unknown_diversion,
            ..Self::default()
        };
        station.set_name(Name::station(from.id.clone()).to_string());
        station.set_meta(from.meta.as_deref());
        station
    }
}

/// The two forms of an address, as both address messages have them.
struct Parts {
    user: Option<String>,
    host: Option<String>,
    port: Option<u32>,
    uri: Option<String>,
}

impl Parts {
    fn of(address: &model::SipAddress) -> Self {
        match address {
            model::SipAddress::Parts { user, host, port } => Self {
                user: user.as_deref().map(Into::into),
                host: Some(host_text(host)),
                port: port.map(Into::into),
                uri: None,
            },
            model::SipAddress::Uri(uri) => {
                Self { user: None, host: None, port: None, uri: Some(uri.text().to_owned()) }
            }
        }
    }

    fn read(&self, reader: &mut Reader, path: &str) -> Option<model::SipAddress> {
        if let Some(uri) = &self.uri {
            if self.user.is_some() || self.host.is_some() || self.port.is_some() {
                reader
                    .reject(&format!("{path}.uri"), "stands instead of user, host and port, not beside them");
                return None;
            }
            let uri = reader.parse(&format!("{path}.uri"), Some(uri))?;
            return Some(model::SipAddress::Uri(Box::new(uri)));
        }
        let port = reader.port(&format!("{path}.port"), self.port);
        if self.host.is_none() {
            reader.reject(&format!("{path}.host"), "is required, unless `uri` is given");
        }
        let host = reader.host(&format!("{path}.host"), self.host.as_ref())?;
        Some(model::SipAddress::Parts { user: self.user.as_deref().map(Into::into), host, port })
    }
}

impl From<&station::IdentificationAddress> for Parts {
    fn from(from: &station::IdentificationAddress) -> Self {
        let from = from.clone();
        Self { user: from.user, host: from.host, port: from.port, uri: from.uri }
    }
}

impl From<&station::ConnectionAddress> for Parts {
    fn from(from: &station::ConnectionAddress) -> Self {
        let from = from.clone();
        Self { user: from.user, host: from.host, port: from.port, uri: from.uri }
    }
}

const fn type_to_model(kind: station::Type) -> Option<model::StationType> {
    match kind {
        station::Type::Unspecified => None,
        station::Type::UnifiedMessaging => Some(model::StationType::UnifiedMessaging),
    }
}

const fn type_from_model(kind: model::StationType) -> station::Type {
    match kind {
        model::StationType::UnifiedMessaging => station::Type::UnifiedMessaging,
    }
}

const fn provider_to_model(provider: station::UmProvider) -> Option<model::UmProvider> {
    match provider {
        station::UmProvider::Unspecified => None,
        station::UmProvider::Exchange => Some(model::UmProvider::Exchange),
        station::UmProvider::Generic => Some(model::UmProvider::Generic),
    }
}

const fn provider_from_model(provider: model::UmProvider) -> station::UmProvider {
    match provider {
        model::UmProvider::Exchange => station::UmProvider::Exchange,
        model::UmProvider::Generic => station::UmProvider::Generic,
    }
}

const fn pick_to_model(pick: station::MailboxPick) -> Option<model::MailboxPick> {
    match pick {
        station::MailboxPick::Unspecified => None,
        station::MailboxPick::Last => Some(model::MailboxPick::Last),
        station::MailboxPick::First => Some(model::MailboxPick::First),
    }
}

const fn pick_from_model(pick: model::MailboxPick) -> station::MailboxPick {
    match pick {
        model::MailboxPick::Last => station::MailboxPick::Last,
        model::MailboxPick::First => station::MailboxPick::First,
    }
}
