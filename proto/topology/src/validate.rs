//! The field rules of each kind: everything that can be said of one resource alone.
//!
//! All problems are found at once and named by their field's path in proto names (`transport.receive_port`,
//! `entries[1].health.fall`). Texts that cannot be turned into the model at all (a broken CIDR, an unknown enum value)
//! are found by whoever converts them; he reports his findings together with these.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::id::{Id, Kind};
use crate::resource::Resource;
use crate::violation::FieldViolation;

mod credential;
mod line;
mod meta;
mod proxy_list;
mod route_row;
mod settings;
mod station;
mod user;

/// Checks one resource by itself; returns every problem.
#[must_use]
pub fn validate(resource: &Resource) -> Vec<FieldViolation> {
    let mut findings = Findings::default();
    let name = resource.name();
    if !name.id.is_valid_for(name.kind) {
        findings.add("name", format!("`{}` is not an id: {}", shortened(&name.id), id_form(name.kind)));
    }
    if let Some(meta) = resource.meta() {
        meta::check(meta, &mut findings);
    }
    match resource {
        Resource::ProxyList(list) => proxy_list::check(list, &mut findings),
        Resource::Credential(credential) => credential::check(credential, &mut findings),
        Resource::Line(line) => line::check(line, &mut findings),
        Resource::Station(station) => station::check(station, &mut findings),
        Resource::User(user) => user::check(user, &mut findings),
        Resource::Route(row) => route_row::check(row, &mut findings),
        Resource::Settings(settings) => settings::check(settings, &mut findings),
    }
    findings.0
}

/// The problems found so far.
#[derive(Default)]
struct Findings(Vec<FieldViolation>);

impl Findings {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldViolation::new(field, message));
    }

    /// Wants a number in a range, if there is one.
    fn number<T: PartialOrd + Display + Copy>(
        &mut self,
        field: &str,
        value: Option<T>,
        range: RangeInclusive<T>,
    ) {
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            let (low, high) = (range.start(), range.end());
            self.add(field, format!("{value} is not between {low} and {high}"));
        }
    }

    /// Wants a duration in a range of milliseconds, if there is one.
    fn duration(&mut self, field: &str, value: Option<Duration>, milliseconds: RangeInclusive<u64>) {
        let (low, high) = (milliseconds.start(), milliseconds.end());
        let range = Duration::from_millis(*low)..=Duration::from_millis(*high);
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            let message = format!("{value:?} is not between {:?} and {:?}", range.start(), range.end());
            self.add(field, message);
        }
    }

    /// Wants a session timeout to be zero or long enough to be probed (RFC 4028).
    fn session_timeout(&mut self, value: Option<Duration>) {
        let range = Duration::from_secs(10)..=Duration::from_secs(86_400);
        if let Some(value) = value.filter(|value| !value.is_zero() && !range.contains(value)) {
            let (low, high) = (range.start(), range.end());
            self.add(
                "session.session_timeout",
                format!("{value:?} is neither 0 nor between {low:?} and {high:?}"),
            );
        }
    }

    /// Wants at most so many items.
    fn count(&mut self, field: &str, length: usize, limit: usize) {
        if length > limit {
            self.add(field, format!("{length} items are more than {limit}"));
        }
    }

    /// Wants at most so many bytes.
    fn length(&mut self, field: &str, text: &str, limit: usize) {
        if text.len() > limit {
            self.add(field, format!("{} bytes are more than {limit}", text.len()));
        }
    }

    /// Wants a reference to have the form of an id.
    fn reference(&mut self, field: &str, id: Option<&Id>, kind: Kind) {
        if let Some(id) = id.filter(|id| !id.is_valid_for(kind)) {
            self.add(field, format!("`{}` is not an id: {}", shortened(id), id_form(kind)));
        }
    }
}

/// Returns the beginning of a text, for messages.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

const fn id_form(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "1 to 64 letters, digits, `.`, `_`, `-`, `@`, with a letter or digit at both ends",
        Kind::ProxyList | Kind::Credential | Kind::Line | Kind::Station | Kind::Route => {
            "1 to 64 lower case letters, digits, `.`, `_`, `-`, with a letter or digit at both ends"
        }
        Kind::Settings => "there is only `settings`",
    }
}

#[cfg(test)]
mod tests;
