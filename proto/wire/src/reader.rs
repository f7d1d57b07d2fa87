//! Reads fields into the types of the model and collects what cannot be read, so that all of it is reported at once.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use um_topology::{FieldViolation, Host, Id, Kind, Name, Resource};

use crate::Invalid;

/// Collects violations.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    violations: Vec<FieldViolation>,
}

impl Reader {
    /// Returns the value, unless something could not be read: then what the model finds wrong in the rest is told too.
    pub(crate) fn finish<T: Into<Resource>>(self, value: T) -> Result<T, Invalid> {
        if self.violations.is_empty() {
            return Ok(value);
        }
        let mut violations = self.violations;
        let unread = violations.len();
        for found in um_topology::validate(&value.into()) {
            if !violations[..unread].iter().any(|unread| hangs_on(&found.field, &unread.field)) {
                violations.push(found);
            }
        }
        Err(Invalid { violations })
    }

    pub(crate) fn reject(&mut self, field: &str, message: impl Display) {
        self.violations.push(FieldViolation::new(field, message.to_string()));
    }

    /// Reads a text form.
    pub(crate) fn parse<T>(&mut self, field: &str, text: Option<&String>) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        match text?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.reject(field, error);
                None
            }
        }
    }

    /// Reads a list of text forms.
    pub(crate) fn parse_all<T>(&mut self, field: &str, texts: &[String]) -> Vec<T>
    where
        T: FromStr<Err: Display>,
    {
        let items = texts.iter().enumerate();
        items.filter_map(|(index, text)| self.parse(&format!("{field}[{index}]"), Some(text))).collect()
    }

    /// Reads a port; 0 is left to the model.
    pub(crate) fn port(&mut self, field: &str, port: Option<u32>) -> Option<u16> {
        match u16::try_from(port?) {
            Ok(port) => Some(port),
            Err(_) => {
                self.reject(field, "must be 1 to 65535");
                None
            }
        }
    }

    /// Reads a duration.
    pub(crate) fn duration(
        &mut self,
        field: &str,
        duration: Option<&prost_types::Duration>,
    ) -> Option<Duration> {
        match crate::time::duration_from_proto(duration?) {
            Some(duration) => Some(duration),
            None => {
                self.reject(field, "must not be negative");
                None
            }
        }
    }

    /// Reads an enum value; the zero value and unknown ones are refused, because presence says "unset".
    pub(crate) fn value<P, T>(
        &mut self,
        field: &str,
        number: Option<i32>,
        to: impl FnOnce(P) -> Option<T>,
    ) -> Option<T>
    where
        P: TryFrom<i32>,
    {
        let value = P::try_from(number?).ok().and_then(to);
        if value.is_none() {
            self.reject(field, "is not one of the values; leave it out for the default");
        }
        value
    }

    /// Reads the name of the resource itself.
    pub(crate) fn own_name(&mut self, kind: Kind, name: &str) -> Id {
        self.name_of("name", kind, name).unwrap_or_else(|| Id::new(name))
    }

    /// Reads a reference.
    pub(crate) fn reference(&mut self, field: &str, kind: Kind, name: Option<&String>) -> Option<Id> {
        self.name_of(field, kind, name?)
    }

    /// Reads a host of which nothing but the host is written.
    pub(crate) fn host(&mut self, field: &str, text: Option<&String>) -> Option<Host> {
        self.parse(field, text)
    }

    fn name_of(&mut self, field: &str, kind: Kind, name: &str) -> Option<Id> {
        match name.parse::<Name>() {
            Ok(name) if name.kind == kind => Some(name.id),
            Ok(_) | Err(_) => {
                let expected = if kind == Kind::Settings { "settings" } else { kind.collection() };
                let form = if kind == Kind::Settings { "" } else { "/{id}" };
                self.reject(field, format_args!("`{}` is not a name `{expected}{form}`", clipped(name)));
                None
            }
        }
    }
}

/// Says whether what was found at `field` may be so only because `unread` is missing in the value.
fn hangs_on(field: &str, unread: &str) -> bool {
    let below = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    // An item that could not be read is left out of its list, so the others have moved.
    let list = unread.strip_suffix(']').and_then(|open| open.rsplit_once('[')).map(|(list, _)| list);
    below(field, list.unwrap_or(unread)) || below(unread, field) || DEPENDENT.contains(&(unread, field))
}

/// Rules of the model that hold a field against another one: the other one, and the field.
const DEPENDENT: [(&str, &str); 5] = [
    ("strategy", "hash_on"),
    ("um.address_mode", "um.address"),
    ("transport.t1", "transport.t2"),
    ("from_regex", "routes_to"),
    ("to_regex", "routes_to"),
];

fn clipped(text: &str) -> String {
    text.chars().take(128).collect()
}

/// Returns a host as an operator writes it: an IPv6 address without brackets.
pub(crate) fn host_text(host: &Host) -> String {
    match host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::hangs_on;

    #[test]
    fn what_only_follows_from_an_unread_field_is_not_told() {
        for (field, unread) in [
            ("transport.bind_address", "transport.bind_address"),
            ("connection_address", "connection_address.host"),
            ("domains[1]", "domains[0]"),
            ("hash_on", "strategy"),
        ] {
            assert!(hangs_on(field, unread), "{field} after {unread}");
        }
        for (field, unread) in [
            ("transport.receive_port", "transport.bind_address"),
            ("entries[1].port", "entries[1].address"),
            ("entries[1].id", "entries[0].health.dead_codes"),
            ("domain", "domains[0]"),
        ] {
            assert!(!hangs_on(field, unread), "{field} after {unread}");
        }
    }
}
