//! Reads fields into the types of the model and collects what cannot be read, so that all of it is reported at once.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use um_topology::{FieldViolation, Host, Id, Kind, Name};

use crate::Invalid;

/// Collects violations.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    violations: Vec<FieldViolation>,
}

impl Reader {
    /// Returns the value, unless something could not be read.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Invalid> {
        if self.violations.is_empty() { Ok(value) } else { Err(Invalid { violations: self.violations }) }
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
