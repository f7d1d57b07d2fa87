//! Tables: which columns a kind has, and how a cell is written.

use comfy_table::{ContentArrangement, Table, presets};
use um_topology::Kind;
use um_wire::v1;
use um_wire::v1::resource::Spec;

use crate::{clock, duration, kind};

/// Lays out rows under headings, without lines.
pub(crate) fn render(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(ToString::to_string));
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Returns the headings of a kind.
pub(crate) fn headings(kind: Kind, wide: bool) -> Vec<&'static str> {
    let mut headings: Vec<&'static str> = match kind {
        Kind::Line => vec!["NAME", "STATE", "USAGE", "TRANSPORT", "LISTEN", "PROXY-LIST"],
        Kind::ProxyList => vec!["NAME", "STRATEGY", "ENTRIES"],
        Kind::Station => vec!["NAME", "STATE", "TYPE", "EXTENSION", "PILOT", "LINE"],
        Kind::Credential => vec!["NAME", "USERNAME", "REALM", "PASSWORD"],
        Kind::Route => vec!["NAME", "POSITION", "STATE", "FROM", "TO", "ROUTES-TO", "PROXY-LIST"],
        Kind::User => vec!["NAME", "EXTENSION", "STATION", "MAILBOX", "ALIASES"],
        Kind::Settings => vec!["NAME", "DOMAINS", "CONTACT-LINE"],
    };
    headings.extend(["PROGRAMMED", "HEALTH", "AGE"]);
    if wide {
        headings.extend(["REVISION", "LABELS", "MESSAGE"]);
    }
    headings
}

/// Returns the cells of a resource, in the order of [`headings`].
pub(crate) fn row(resource: &v1::Resource, wide: bool) -> Vec<String> {
    let Some(spec) = &resource.spec else { return Vec::new() };
    let mut cells = vec![kind::bare_id(resource.name()).to_owned()];
    match spec {
        Spec::Line(line) => cells.extend(line_cells(line)),
        Spec::ProxyList(list) => cells.extend([
            list.strategy.map_or_else(none, |_| list.strategy().as_str_name().to_owned()),
            entries(list),
        ]),
        Spec::Station(station) => cells.extend(station_cells(station)),
        Spec::User(user) => cells.extend(user_cells(user)),
        Spec::Credential(credential) => cells.extend([
            credential.username().to_owned(),
            credential.realm.clone().unwrap_or_else(|| "any".to_owned()),
            if credential.has_password { "sealed" } else { "none" }.to_owned(),
        ]),
        Spec::Route(route) => cells.extend(route_cells(route)),
        Spec::Settings(settings) => {
            let defaults = settings.station_defaults.as_ref();
            let line = defaults.and_then(|defaults| defaults.contact_line.as_deref());
            cells.extend([or_none(settings.domains.join(",")), id(line)]);
        }
    }
    let outputs = Outputs::of(spec);
    let age = clock::age(outputs.create_time).map_or_else(none, duration::rough);
    cells.extend([outputs.condition("Programmed"), outputs.condition("Healthy"), age]);
    if wide {
        let labels: Vec<_> = outputs.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        cells.extend([outputs.revision.to_string(), or_none(labels.join(",")), outputs.messages()]);
    }
    cells
}

fn line_cells(line: &v1::Line) -> [String; 5] {
    let written = line.transport.clone().unwrap_or_default();
    let effective = line.effective_transport.clone().unwrap_or_else(|| written.clone());
    let port = effective.receive_port.unwrap_or(5060);
    let bind = written.bind_address.unwrap_or_default();
    let protocol = if effective.protocol.is_some() { effective.protocol().as_str_name() } else { "UDP" };
    [
        state(line.active),
        if line.usage.is_some() { line.usage().as_str_name() } else { "GENERAL" }.to_owned(),
        protocol.to_owned(),
        format!("{bind}:{port}"),
        id(line.proxy_list.as_deref()),
    ]
}

fn station_cells(station: &v1::Station) -> [String; 5] {
    let effective = station.effective.as_ref().map(|effective| effective.contact_line.as_str());
    let pilot = station.connection_address.as_ref().map(|address| match &address.uri {
        Some(uri) => uri.clone(),
        None => address.user.clone().unwrap_or_default(),
    });
    [
        state(station.active),
        if station.r#type.is_some() { station.r#type().as_str_name().to_owned() } else { none() },
        or_none(station.extension().to_owned()),
        or_none(pilot.unwrap_or_default()),
        id(station.contact_line.as_deref().or(effective)),
    ]
}

fn route_cells(route: &v1::Route) -> [String; 6] {
    let pattern = |text: &Option<String>| text.clone().unwrap_or_else(|| ".*".to_owned());
    [
        route.position.map_or_else(none, |position| position.to_string()),
        if route.enabled == Some(false) { "DISABLED" } else { "ENABLED" }.to_owned(),
        pattern(&route.from_regex),
        pattern(&route.to_regex),
        route.routes_to.clone().unwrap_or_else(|| "$1".to_owned()),
        id(route.proxy_list.as_deref()),
    ]
}

fn user_cells(user: &v1::User) -> [String; 4] {
    let um = user.um.clone().unwrap_or_default();
    let mailbox = match (&um.destination, &um.address) {
        (None, _) => none(),
        (Some(_), Some(address)) => address.clone(),
        (Some(_), None) => user.extension().to_owned(),
    };
    [user.extension().to_owned(), id(um.destination.as_deref()), mailbox, or_none(user.aliases.join(","))]
}

/// Writes entries in the order of the list: `um1=127.0.0.1:5071`, with the priority where it is not 1.
fn entries(list: &v1::ProxyList) -> String {
    let entries = list.entries.iter().map(|entry| {
        let port = entry.port.map(|port| format!(":{port}")).unwrap_or_default();
        let priority = entry.priority.filter(|priority| *priority != 1);
        let priority = priority.map(|priority| format!("({priority})")).unwrap_or_default();
        let drained = if entry.active == Some(false) { "(drained)" } else { "" };
        format!("{}={}{port}{priority}{drained}", entry.id(), entry.address())
    });
    or_none(entries.collect::<Vec<_>>().join(","))
}

/// What the server adds, whatever the kind.
pub(crate) struct Outputs<'a> {
    pub(crate) conditions: &'a [v1::Condition],
    pub(crate) create_time: Option<&'a prost_types::Timestamp>,
    pub(crate) update_time: Option<&'a prost_types::Timestamp>,
    pub(crate) revision: i64,
    pub(crate) uid: &'a str,
    labels: &'a std::collections::BTreeMap<String, String>,
}

impl<'a> Outputs<'a> {
    /// Returns what the server added to a resource.
    pub(crate) fn of(spec: &'a Spec) -> Self {
        macro_rules! outputs {
            ($message:expr) => {
                Self {
                    conditions: &$message.conditions,
                    create_time: $message.create_time.as_ref(),
                    update_time: $message.update_time.as_ref(),
                    revision: $message.revision,
                    uid: &$message.uid,
                    labels: &$message.labels,
                }
            };
        }
        match spec {
            Spec::Line(line) => outputs!(line),
            Spec::ProxyList(list) => outputs!(list),
            Spec::Station(station) => outputs!(station),
            Spec::User(user) => outputs!(user),
            Spec::Credential(credential) => outputs!(credential),
            Spec::Route(route) => outputs!(route),
            Spec::Settings(settings) => outputs!(settings),
        }
    }

    /// Writes a condition: `True`, `False (PortTaken)`.
    fn condition(&self, kind: &str) -> String {
        self.conditions.iter().find(|condition| condition.r#type == kind).map_or_else(none, status)
    }

    /// Writes the messages of the conditions that do not hold.
    fn messages(&self) -> String {
        let unmet =
            self.conditions.iter().filter(|condition| condition.status() != v1::condition::Status::True);
        let messages: Vec<_> = unmet
            .filter(|condition| !condition.message.is_empty())
            .map(|condition| condition.message.as_str())
            .collect();
        or_none(messages.join("; "))
    }
}

/// Writes a condition's status with its reason: `True`, `False (PortTaken)`.
pub(crate) fn status(condition: &v1::Condition) -> String {
    let word = match condition.status() {
        v1::condition::Status::True => return "True".to_owned(),
        v1::condition::Status::False => "False",
        v1::condition::Status::Unknown | v1::condition::Status::Unspecified => "Unknown",
    };
    if condition.reason.is_empty() { word.to_owned() } else { format!("{word} ({})", condition.reason) }
}

fn state(active: Option<bool>) -> String {
    if active == Some(false) { "DRAINING" } else { "ACTIVE" }.to_owned()
}

fn id(name: Option<&str>) -> String {
    or_none(name.map(kind::bare_id).unwrap_or_default().to_owned())
}

pub(crate) fn or_none(text: String) -> String {
    if text.is_empty() { none() } else { text }
}

fn none() -> String {
    "-".to_owned()
}
