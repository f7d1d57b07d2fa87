//! `topology`: what belongs to what, as a tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use um_wire::v1;
use um_wire::v1::resource::Spec;

use super::no_such_form;
use crate::config::Form;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::{kind, output};

/// Shows lines with their proxy lists, the stations that use them, and how many users these have.
///
/// # Errors
///
/// The server does not answer.
pub(crate) async fn run(connection: &Connection, form: Form) -> Result<(), Failure> {
    match form {
        Form::Tree => {}
        Form::Table | Form::Wide | Form::Json | Form::Yaml | Form::Name => {
            return Err(no_such_form(form, "topology"));
        }
    }
    let mut picture = Picture::default();
    let mut stream = connection.topology().export(v1::ExportRequest::default()).await?.into_inner();
    while let Some(part) = stream.message().await? {
        picture.revision = part.revision;
        part.resources.into_iter().for_each(|resource| picture.add(resource));
    }
    output::line(&picture.tree())
}

/// The resources by name, and the users only counted, because there may be a million.
#[derive(Debug, Default)]
struct Picture {
    revision: i64,
    lines: Vec<v1::Line>,
    lists: BTreeMap<String, v1::ProxyList>,
    stations: Vec<v1::Station>,
    settings: v1::Settings,
    users: BTreeMap<String, usize>,
    /// By position.
    routes: BTreeMap<u32, v1::Route>,
}

/// A line of the tree and what stands below it.
struct Branch {
    text: String,
    below: Vec<Self>,
}

fn route_leaf(route: &v1::Route) -> Branch {
    let pattern = |text: &Option<String>| text.clone().unwrap_or_else(|| ".*".to_owned());
    leaf(format!(
        "route {} at {}: from {} to {} as {} to list {}{}",
        kind::bare_id(&route.name),
        route.position.unwrap_or_default(),
        pattern(&route.from_regex),
        pattern(&route.to_regex),
        route.routes_to.as_deref().unwrap_or("$1"),
        kind::bare_id(route.proxy_list()),
        if route.enabled == Some(false) { " disabled" } else { "" }
    ))
}

impl Picture {
    fn add(&mut self, resource: v1::Resource) {
        match resource.spec {
            Some(Spec::Line(line)) => self.lines.push(line),
            Some(Spec::ProxyList(list)) => {
                self.lists.insert(list.name.clone(), list);
            }
            Some(Spec::Station(station)) => self.stations.push(station),
            Some(Spec::User(user)) => {
                let station = user.um.and_then(|um| um.destination).unwrap_or_default();
                *self.users.entry(station).or_default() += 1;
            }
            Some(Spec::Route(route)) => {
                self.routes.insert(route.position.unwrap_or_default(), route);
            }
            Some(Spec::Settings(settings)) => self.settings = settings,
            Some(Spec::Credential(_)) | None => {}
        }
    }

    fn tree(&self) -> String {
        let mut text = format!("topology at revision {}", self.revision);
        if !self.settings.domains.is_empty() {
            let _ = write!(text, ", domains {}", self.settings.domains.join(" "));
        }
        let mut below: Vec<_> = self.lines.iter().map(|line| self.line(line)).collect();
        let used = |list: &str| self.lines.iter().any(|line| line.proxy_list.as_deref() == Some(list));
        below.extend(self.lists.values().filter(|list| !used(&list.name)).map(list_branch));
        let lineless = self.stations.iter().filter(|station| self.line_of(station).is_none());
        below.extend(lineless.map(|station| self.station(station)));
        below.extend(self.routes.values().map(route_leaf));
        if let Some(count) = self.users.get("") {
            below.push(leaf(format!("{count} users without a mailbox")));
        }
        let mut out = text;
        draw(&below, "", &mut out);
        out
    }

    fn line(&self, line: &v1::Line) -> Branch {
        let transport =
            line.effective_transport.clone().or_else(|| line.transport.clone()).unwrap_or_default();
        let protocol = if transport.protocol.is_some() { transport.protocol().as_str_name() } else { "UDP" };
        let usage = if line.usage.is_some() { line.usage().as_str_name() } else { "GENERAL" };
        let mut text = format!(
            "line {} {protocol} {}:{} {usage}",
            kind::bare_id(&line.name),
            transport.bind_address(),
            transport.receive_port.unwrap_or(5060)
        );
        if line.active == Some(false) {
            text.push_str(" draining");
        }
        let mut below = Vec::new();
        if let Some(list) = line.proxy_list.as_ref().and_then(|name| self.lists.get(name)) {
            below.push(list_branch(list));
        }
        let own = self.stations.iter().filter(|station| self.line_of(station) == Some(line.name.as_str()));
        below.extend(own.map(|station| self.station(station)));
        Branch { text, below }
    }

    /// Returns the line that a station sends on.
    fn line_of<'a>(&'a self, station: &'a v1::Station) -> Option<&'a str> {
        let defaults = || self.settings.station_defaults.as_ref()?.contact_line.as_deref();
        station.contact_line.as_deref().or_else(defaults)
    }

    fn station(&self, station: &v1::Station) -> Branch {
        let mut text = format!("station {}", kind::bare_id(&station.name));
        if let Some(extension) = &station.extension {
            let _ = write!(text, " {extension}");
        }
        if let Some(address) = &station.connection_address {
            let parts = format!("{}@{}", address.user(), address.host());
            let _ = write!(text, " to {}", address.uri.as_ref().unwrap_or(&parts));
        }
        let users = self.users.get(&station.name).copied().unwrap_or(0);
        let _ = write!(text, ", {users} users");
        leaf(text)
    }
}

fn list_branch(list: &v1::ProxyList) -> Branch {
    let strategy = if list.strategy.is_some() { list.strategy().as_str_name() } else { "ORDERED" };
    let text = format!("proxy list {} {strategy}", kind::bare_id(&list.name));
    let below = list.entries.iter().map(|entry| {
        let port = entry.port.map(|port| format!(":{port}")).unwrap_or_default();
        let drained = if entry.active == Some(false) { " drained" } else { "" };
        let (priority, address) = (entry.priority.unwrap_or(1), entry.address());
        leaf(format!("{} {address}{port} priority {priority}{drained}", entry.id()))
    });
    Branch { text, below: below.collect() }
}

const fn leaf(text: String) -> Branch {
    Branch { text, below: Vec::new() }
}

fn draw(branches: &[Branch], indent: &str, out: &mut String) {
    for (index, branch) in branches.iter().enumerate() {
        let last = index + 1 == branches.len();
        let (knot, below) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let _ = write!(out, "\n{indent}{knot}{}", branch.text);
        draw(&branch.below, &format!("{indent}{below}"), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    #[test]
    fn lines_carry_their_lists_stations_and_users() {
        let text = "\
kind: ProxyList
name: um
entries: [{id: um1, address: 127.0.0.1, port: 5071}, {id: um2, address: 127.0.0.1, port: 5072, priority: 2}]
---
kind: Line
name: um
transport: {protocol: TCP, bind_address: 127.0.0.1}
proxy_list: um
---
kind: Station
name: voicemail
type: UNIFIED_MESSAGING
connection_address: {user: \"6000\", host: um.example.com}
---
kind: User
name: dana
extension: \"2001\"
um: {destination: voicemail}
---
kind: User
name: lee
extension: \"2002\"
---
kind: Settings
station_defaults: {contact_line: um}
";
        let mut picture = Picture { revision: 7, ..Picture::default() };
        let manifest = manifest::parse("all.yaml", text).unwrap();
        manifest.resources().cloned().for_each(|resource| picture.add(resource));
        assert_eq!(
            picture.tree(),
            "topology at revision 7
├── line um TCP 127.0.0.1:5060 GENERAL
│   ├── proxy list um ORDERED
│   │   ├── um1 127.0.0.1:5071 priority 1
│   │   └── um2 127.0.0.1:5072 priority 2
│   └── station voicemail to 6000@um.example.com, 1 users
└── 1 users without a mailbox"
        );
    }
}
