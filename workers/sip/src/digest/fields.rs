//! `name=value` lists of WWW-Authenticate and its kin (RFC 3261 §25.1 `auth-param`): comma-separated, some quoted.

use std::borrow::Cow;

use crate::{params::quote, scan};

/// The fields of one value, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    /// Adds `name=value`; what is none is left out.
    pub(super) fn push(&mut self, field: &'a [u8]) {
        let Some((name, value)) = scan::split_once(field, b'=') else { return };
        let name = scan::token_text(scan::trim(name));
        if let (Some(name), Ok(value)) = (name, std::str::from_utf8(scan::trim(value))) {
            self.fields.push((name, value));
        }
    }

    /// Reads a whole list.
    pub(super) fn read(value: &'a [u8]) -> Self {
        let mut fields = Self::default();
        for field in scan::split_outside(value, b',') {
            fields.push(field);
        }
        fields
    }

    /// The text of a field between its quotes, escapes as they are: that is what is hashed (RFC 7616 §3.3 `unq`).
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
    }
}

/// The meaning of a field's text: escapes resolved.
pub(super) fn resolved(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(scan::unquote(&format!("\"{raw}\"")).into_owned())
}

/// The text between the quotes of a text of ours, escaped, and without what would end its header line.
pub(super) fn escaped(text: &str) -> String {
    let quoted = quote(text);
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}
