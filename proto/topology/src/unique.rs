//! Values that only one resource may have, by space.
//!
//! The store keeps one key per value, so a value's text is part of the stored format: its normal form must not change.

use std::fmt;
use std::sync::Arc;

use crate::line::{BindAddress, Line};
use crate::number::{dialled_key, is_e164, is_extension, uri_key};
use crate::resource::Resource;
use crate::station::Station;
use crate::uri::{Scheme, Uri};
use crate::user::{AddressMode, User};

/// A space of unique values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Numbers that can be dialled: extensions of users and stations, and aliases that are extensions.
    Ext,
    /// Identities of UM servers: `user@host:port`, `user@*` where only the user counts.
    SipId,
    /// Configured mailbox addresses.
    Mailbox,
    /// Aliases that are E.164 numbers or SIP URIs.
    Alias,
    /// Listeners: transport, bind address, port.
    Listen,
    /// Credentials: user name and realm.
    Login,
    /// Places of route rows.
    Position,
}

impl Space {
    /// Returns the name that the store's keys use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ext => "ext",
            Self::SipId => "sipid",
            Self::Mailbox => "mailbox",
            Self::Alias => "alias",
            Self::Listen => "listen",
            Self::Login => "login",
            Self::Position => "position",
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One unique value of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueValue {
    /// Where it must be unique.
    pub space: Space,
    /// The value in its normal form.
    pub value: Arc<str>,
    /// Path of the field that it comes from.
    pub field: String,
}

/// Returns the unique values of a resource, each once. Fields that are not valid have none.
#[must_use]
pub fn unique_values(resource: &Resource) -> Vec<UniqueValue> {
    let mut values = Vec::new();
    match resource {
        Resource::Line(line) => of_line(line, &mut values),
        Resource::Station(station) => of_station(station, &mut values),
        Resource::User(user) => of_user(user, &mut values),
        Resource::Credential(credential) => {
            // A realm may hold any text, so it stands last.
            let realm = credential.realm.as_deref().map(|realm| format!("@{realm}")).unwrap_or_default();
            let name = &credential.username;
            let value = format!("{}:{name}{realm}", name.len());
            push(&mut values, Space::Login, Arc::from(value), "username");
        }
        Resource::Route(row) => {
            let position = row.position.map(|position| position.to_string());
            position.into_iter().for_each(|position| {
                push(&mut values, Space::Position, Arc::from(position), "position");
            });
        }
        Resource::ProxyList(_) | Resource::Settings(_) => {}
    }
    values
}

/// Returns the space and the normal form of an alias: an extension, an E.164 number, a `tel:` or a `sip:` URI with a
/// user; nothing for any other text.
#[must_use]
pub fn alias_key(alias: &str) -> Option<(Space, String)> {
    if is_extension(alias) {
        return Some((Space::Ext, alias.to_owned()));
    }
    if is_e164(alias) {
        return Some((Space::Alias, alias.to_owned()));
    }
    let uri: Uri = alias.parse().ok()?;
    match (uri.scheme, &uri.user) {
        (Scheme::Tel, Some(number)) => {
            let number = dialled_key(number);
            (is_extension(&number) || is_e164(&number)).then(|| alias_key(&number)).flatten()
        }
        (Scheme::Sip, Some(_)) => Some((Space::Alias, uri_key(&uri)?)),
        (Scheme::Sip | Scheme::Sips | Scheme::Tel, _) => None,
    }
}

fn of_line(line: &Line, values: &mut Vec<UniqueValue>) {
    let Some(bind) = &line.transport.bind_address else { return };
    let bind = match bind {
        BindAddress::Cidr(net) => net.trunc().to_string(),
        BindAddress::Ip(_) | BindAddress::Interface(_) => bind.to_string(),
    };
    let value = format!("{}:{bind}:{}", line.effective_protocol(), line.effective_receive_port());
    push(values, Space::Listen, Arc::from(value), "transport.receive_port");
}

fn of_station(station: &Station, values: &mut Vec<UniqueValue>) {
    if let Some(extension) = station.extension.as_ref().filter(|extension| is_extension(extension)) {
        push(values, Space::Ext, extension.clone(), "extension");
    }
    if let Some(key) = station.identification_address.as_ref().and_then(|identity| identity.key()) {
        push(values, Space::SipId, Arc::from(key), "identification_address");
    }
}

fn of_user(user: &User, values: &mut Vec<UniqueValue>) {
    if is_extension(&user.extension) {
        push(values, Space::Ext, user.extension.clone(), "extension");
    }
    match (user.um.effective_address_mode(), &user.um.address) {
        (AddressMode::Other, Some(address)) => {
            push(values, Space::Mailbox, Arc::from(address.key()), "um.address");
        }
        (AddressMode::Other | AddressMode::InternalExtension, _) => {}
    }
    for (index, alias) in user.aliases.iter().enumerate() {
        if let Some((space, key)) = alias_key(alias) {
            let key = if *key == **alias { alias.clone() } else { Arc::from(key) };
            push(values, space, key, &format!("aliases[{index}]"));
        }
    }
}

fn push(values: &mut Vec<UniqueValue>, space: Space, value: Arc<str>, field: &str) {
    if !values.iter().any(|known| known.space == space && known.value == value) {
        values.push(UniqueValue { space, value, field: field.to_owned() });
    }
}
