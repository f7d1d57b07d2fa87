//! A route row: calls whose From and Request-URI match go to the targets of a list.
//!
//! Patterns are compiled when they are written, match whole texts in linear time, and are bounded in size. What they are
//! held against is `user@host` with the host in lower case, without scheme, parameters and a default port.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};

use crate::id::Id;
use crate::meta::Meta;
use crate::uri::Uri;

/// One row of the routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// The id, `routes/{id}`.
    pub id: Id,
    /// Describing fields.
    pub meta: Option<Box<Meta>>,
    /// Place in the table, low first, 0–1 000 000, unique. Required.
    pub position: Option<u32>,
    /// Whether the row counts. Unset: true.
    pub enabled: Option<bool>,
    /// What From must be. Unset: anything.
    pub from_regex: Option<Pattern>,
    /// What the Request-URI must be. Unset: anything.
    pub to_regex: Option<Pattern>,
    /// The new user part. Unset: `$1`.
    pub routes_to: Option<Template>,
    /// Where the call goes. Required.
    pub proxy_list: Option<Id>,
}

impl RouteRow {
    /// Makes a row that takes every call and leaves the user part as it is.
    #[must_use]
    pub fn new(id: impl Into<Id>, position: u32, proxy_list: impl Into<Id>) -> Self {
        Self {
            id: id.into(),
            meta: None,
            position: Some(position),
            enabled: None,
            from_regex: None,
            to_regex: None,
            routes_to: None,
            proxy_list: Some(proxy_list.into()),
        }
    }

    /// Says whether the row counts.
    #[must_use]
    pub fn effective_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }

    /// Returns the user part that a call has behind this row; nothing if the row does not take it. Empty: no user part.
    #[must_use]
    pub fn routed_user(&self, from: &Uri, request_uri: &Uri) -> Option<String> {
        if !self.effective_enabled() {
            return None;
        }
        let (from, to) = (subject(from), subject(request_uri));
        let from_groups = Groups::of(self.from_regex.as_ref(), &from)?;
        let to_groups = Groups::of(self.to_regex.as_ref(), &to)?;
        let user = request_uri.user.as_deref().unwrap_or_default();
        let expanded = |part: &Part| match part {
            Part::Text(text) => text.to_string(),
            Part::To(group) if to_groups.count() == 0 && *group == 1 => user.to_owned(),
            Part::To(group) | Part::ToNamed(group) => to_groups.get(*group).to_owned(),
            Part::From(group) => from_groups.get(*group).to_owned(),
        };
        match &self.routes_to {
            Some(template) => Some(template.parts.iter().map(expanded).collect()),
            None => Some(expanded(&Part::To(1))),
        }
    }

    /// Returns what the template names that the patterns do not have.
    pub(crate) fn missing_groups(&self) -> Vec<String> {
        let (from, to) = (groups(self.from_regex.as_ref()), groups(self.to_regex.as_ref()));
        let parts = self.routes_to.as_ref().map(|template| &template.parts[..]).unwrap_or_default();
        let missing = parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::To(1) if to == 0 => None,
            Part::To(group) => (*group > to).then(|| format!("${group}")),
            Part::ToNamed(group) => (*group > to).then(|| format!("${{to:{group}}}")),
            Part::From(group) => (*group > from).then(|| format!("${{from:{group}}}")),
        });
        missing.collect()
    }
}

/// A regular expression that matches whole texts only; remembers its spelling.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
}

impl Pattern {
    /// Returns the pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN {
            return Err(PatternError::TooLong(text.len()));
        }
        let compile = |text: &str| {
            let regex = RegexBuilder::new(text).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build();
            regex.map_err(|error| PatternError::Broken(one_line(&error)))
        };
        // By itself first: `a)|(b` would be right only inside the anchors.
        compile(text)?;
        Ok(Self { text: Arc::from(text), regex: compile(&format!("^(?:{text})$"))? })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is longer than a pattern may be.
    #[error("{0} bytes are more than {MAX_PATTERN}")]
    TooLong(usize),
    /// It is not a regular expression, or one that is too large.
    #[error("is not a pattern: {0}")]
    Broken(String),
}

/// The new user part of a routed call, with places for groups of the patterns; remembers its spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: Arc<str>,
    parts: Arc<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    /// `$n`: a group of the Request-URI pattern; of one without groups `$1` is the user part as it came.
    To(usize),
    /// `${to:n}`: a group of the Request-URI pattern.
    ToNamed(usize),
    /// `${from:n}`: a group of the From pattern.
    From(usize),
}

impl Template {
    /// Returns the template as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(TemplateError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(TemplateError::Control);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            push_text(&mut parts, before);
            let (part, left) = place(after).ok_or(TemplateError::Place)?;
            match part {
                Part::Text(dollar) => push_text(&mut parts, &dollar),
                Part::To(_) | Part::ToNamed(_) | Part::From(_) => parts.push(part),
            }
            rest = left;
        }
        push_text(&mut parts, rest);
        Ok(Self { text: Arc::from(text), parts: Arc::from(parts) })
    }
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is longer than a template may be.
    #[error("{0} bytes are more than {MAX_TEMPLATE}")]
    TooLong(usize),
    /// It could not stand in a user part.
    #[error("control characters are not allowed")]
    Control,
    /// A dollar sign begins nothing that is known.
    #[error("after `$` stands a digit 1 to 9, `{{from:1}}`, `{{to:1}}`, or another `$`")]
    Place,
}

/// Reads what stands behind a dollar sign; returns it and the rest.
fn place(after: &str) -> Option<(Part, &str)> {
    if let Some(rest) = after.strip_prefix('$') {
        return Some((Part::Text("$".into()), rest));
    }
    if let Some(inner) = after.strip_prefix('{') {
        let (inner, rest) = inner.split_once('}')?;
        let (side, group) = inner.split_once(':')?;
        let group = digit(group)?;
        return match side {
            "from" => Some((Part::From(group), rest)),
            "to" => Some((Part::ToNamed(group), rest)),
            _ => None,
        };
    }
    let group = digit(after.get(..1)?)?;
    Some((Part::To(group), &after[1..]))
}

fn digit(text: &str) -> Option<usize> {
    let group: usize = text.parse().ok().filter(|_| text.len() == 1)?;
    (1..=9).contains(&group).then_some(group)
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Part::Text(before)) = parts.last_mut() {
        *before = format!("{before}{text}").into();
    } else {
        parts.push(Part::Text(text.into()));
    }
}

/// The groups of a match; an unset pattern matches everything and has none.
struct Groups<'t>(Option<Captures<'t>>);

impl<'t> Groups<'t> {
    fn of(pattern: Option<&Pattern>, text: &'t str) -> Option<Self> {
        match pattern {
            None => Some(Self(None)),
            Some(pattern) => pattern.regex.captures(text).map(|captures| Self(Some(captures))),
        }
    }

    fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |captures| captures.len() - 1)
    }

    /// A group that took no part in the match is empty.
    fn get(&self, group: usize) -> &str {
        self.0.as_ref().and_then(|captures| captures.get(group)).map_or("", |found| found.as_str())
    }
}

fn groups(pattern: Option<&Pattern>) -> usize {
    pattern.map_or(0, |pattern| pattern.regex.captures_len() - 1)
}

/// What a pattern is held against: `user@host`, the number alone of a `tel:` URI.
fn subject(uri: &Uri) -> String {
    let user = uri.user.as_deref().unwrap_or_default();
    let Some(host) = &uri.host else { return user.to_owned() };
    let at = if user.is_empty() { "" } else { "@" };
    match uri.port.filter(|port| *port != uri.scheme.default_port()) {
        Some(port) => format!("{user}{at}{}:{port}", host.key()),
        None => format!("{user}{at}{}", host.key()),
    }
}

fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

/// Longest pattern, in bytes.
pub const MAX_PATTERN: usize = 512;
/// Longest template, in bytes.
pub const MAX_TEMPLATE: usize = 128;
/// Last place in the table.
pub const MAX_POSITION: u32 = 1_000_000;
/// Most memory of a compiled pattern, in bytes, and of its cache.
const MAX_COMPILED: usize = 256 << 10;

#[cfg(test)]
mod tests;
