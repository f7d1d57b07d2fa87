//! Resources for the tests, as small as they may be.

use um_wire::v1::{self, line, proxy_list, station, transport::Protocol, user};

use crate::fixture::Control;

/// A line on a port of its own.
pub(crate) fn line(id: &str, port: u32) -> v1::Line {
    v1::Line {
        name: format!("lines/{id}"),
        transport: Some(line::LineTransport {
            protocol: Some(Protocol::Tcp.into()),
            bind_address: Some("127.0.0.1".into()),
            receive_port: Some(port),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A proxy list of entries `um1`, `um2` … in failover order.
pub(crate) fn list(id: &str, entries: u32) -> v1::ProxyList {
    let entry = |number: u32| proxy_list::Entry {
        id: Some(format!("um{number}")),
        address: Some("127.0.0.1".into()),
        port: Some(5070 + number),
        priority: Some(number),
        ..Default::default()
    };
    v1::ProxyList {
        name: format!("proxyLists/{id}"),
        entries: (1..=entries).map(entry).collect(),
        ..Default::default()
    }
}

/// A UM station that sends on a line.
pub(crate) fn station(id: &str, extension: &str, line: &str) -> v1::Station {
    v1::Station {
        name: format!("stations/{id}"),
        r#type: Some(station::Type::UnifiedMessaging.into()),
        extension: Some(extension.into()),
        connection_address: Some(station::ConnectionAddress {
            host: Some("127.0.0.1".into()),
            port: Some(5071),
            ..Default::default()
        }),
        contact_line: Some(format!("lines/{line}")),
        ..Default::default()
    }
}

/// A credential for any realm.
pub(crate) fn credential(id: &str, password: Option<&str>) -> v1::Credential {
    v1::Credential {
        name: format!("credentials/{id}"),
        username: Some(format!("{id}-user")),
        password: password.map(Into::into),
        ..Default::default()
    }
}

/// A row of the routing table.
pub(crate) fn route(id: &str, position: u32, to: &str, list: &str) -> v1::Route {
    v1::Route {
        name: format!("routes/{id}"),
        position: Some(position),
        to_regex: Some(to.into()),
        proxy_list: Some(format!("proxyLists/{list}")),
        ..Default::default()
    }
}

/// A user with a mailbox.
pub(crate) fn user(id: &str, extension: &str, station: Option<&str>) -> v1::User {
    v1::User {
        name: format!("users/{id}"),
        extension: Some(extension.into()),
        um: station.map(|station| user::Um {
            destination: Some(format!("stations/{station}")),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The topology that most tests begin with: `proxyLists/um`, `lines/um` on it, `stations/vm` (6000), `users/dana` (2001).
pub(crate) fn example() -> Vec<v1::Resource> {
    let um = v1::Line { proxy_list: Some("proxyLists/um".into()), ..line("um", 5060) };
    vec![
        user("dana", "2001", Some("vm")).into(),
        station("vm", "6000", "um").into(),
        um.into(),
        list("um", 2).into(),
    ]
}

/// An Apply of resources.
pub(crate) fn apply(resources: Vec<v1::Resource>) -> v1::ApplyRequest {
    v1::ApplyRequest { resources, ..Default::default() }
}

impl Control {
    /// Applies the example.
    pub(crate) async fn apply_example(&mut self) -> v1::ApplyResponse {
        self.topology.apply(apply(example())).await.unwrap().into_inner()
    }

    /// Applies resources.
    pub(crate) async fn apply(&mut self, resources: Vec<v1::Resource>) -> v1::ApplyResponse {
        self.topology.apply(apply(resources)).await.unwrap().into_inner()
    }

    /// Creates a user without a mailbox.
    pub(crate) async fn create_user(&mut self, id: &str, extension: &str) -> v1::User {
        let request = v1::CreateUserRequest {
            user_id: id.into(),
            user: Some(user(id, extension, None)),
            ..Default::default()
        };
        self.users.create_user(request).await.unwrap().into_inner()
    }

    /// Reads a line.
    pub(crate) async fn line(&self, id: &str) -> v1::Line {
        let request = v1::GetLineRequest { name: format!("lines/{id}"), read_mask: None };
        self.lines.clone().get_line(request).await.unwrap().into_inner()
    }

    /// Everything that is there.
    pub(crate) async fn export(&mut self) -> (i64, Vec<v1::Resource>) {
        let mut stream = self.topology.export(v1::ExportRequest::default()).await.unwrap().into_inner();
        let (mut revision, mut resources) = (0, Vec::new());
        while let Some(part) = stream.message().await.unwrap() {
            assert!(revision == 0 || revision == part.revision, "an export is of one revision");
            revision = part.revision;
            resources.extend(part.resources);
        }
        (revision, resources)
    }
}

/// What became of each resource of an Apply.
pub(crate) fn actions(response: &v1::ApplyResponse) -> Vec<(&str, v1::apply_result::Action)> {
    response.results.iter().map(|result| (result.name.as_str(), result.action())).collect()
}

/// A mask of paths.
pub(crate) fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

/// A condition of a resource.
pub(crate) fn condition<'a>(conditions: &'a [v1::Condition], kind: &str) -> &'a v1::Condition {
    conditions.iter().find(|condition| condition.r#type == kind).unwrap()
}
