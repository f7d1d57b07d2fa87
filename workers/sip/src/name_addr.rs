//! `name-addr` and `addr-spec` with parameters (RFC 3261 §20.10, §25.1): From, To, Contact, Route,
//! Record-Route, Diversion, P-Asserted-Identity and their like.

use std::{borrow::Cow, fmt};

use crate::{
    error::Fault,
    params::{self, Params},
    scan::{self, Span},
    uri::Uri,
};

/// An address with an optional display name and header parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Display name, quotes and escapes resolved; bytes that are not UTF-8 are replaced.
    pub display: Option<Box<str>>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// Makes one without display name and parameters.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// Sets the display name.
    #[must_use]
    pub fn with_display(mut self, display: &str) -> Self {
        self.display = Some(display.into());
        self
    }

    /// Sets the tag (RFC 3261 §19.3).
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When quotes or brackets do not balance, or the URI or a parameter does not follow its grammar.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let spans = NameAddrSpans::scan(value)?;
        Ok(Self {
            display: display_text(spans.display.of(value)),
            uri: Uri::parse(spans.uri.of(value))?,
            params: Params::parse(spans.params.of(value))?,
        })
    }

    /// The tag of a From or To.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.raw_value("tag")
    }
}

impl fmt::Display for NameAddr {
    /// Always in brackets, so that a parameter can never be taken for one of the URI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = self.display.as_deref().filter(|display| !display.is_empty()) {
            write!(f, "{} ", params::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// Tells whether a `<` stands outside of quotes, where no parameter may have one.
fn opens_bracket(params: &[u8]) -> bool {
    let mut rest = params;
    while let Some(at) = memchr::memchr2(b'"', b'<', rest) {
        let here = rest.get(at..).unwrap_or_default();
        if here.starts_with(b"<") {
            return true;
        }
        let Some(end) = scan::quoted_end(here) else { return false };
        rest = here.get(end..).unwrap_or_default();
    }
    false
}

/// Resolves what stands in front of the bracket: a quoted string, or words.
fn display_text(raw: &[u8]) -> Option<Box<str>> {
    let raw = scan::trim(raw);
    if raw.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    let text: String = scan::unquote(&text).chars().filter(|character| !character.is_control()).collect();
    Some(text.into())
}

/// Positions of the parts of one value, found without an allocation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameAddrSpans {
    pub(crate) display: Span,
    pub(crate) uri: Span,
    /// From the first semicolon behind the address to the end of the value.
    pub(crate) params: Span,
}

impl NameAddrSpans {
    /// Scans one value; spans are relative to it.
    pub(crate) fn scan(value: &[u8]) -> Result<Self, Fault> {
        let text = scan::trim(value);
        let display_end = match text {
            [] => return Err(Fault::Empty),
            [b'"', ..] => Some(scan::quoted_end(text).ok_or(Fault::Unbalanced)?),
            _ => memchr::memchr(b'<', text),
        };
        let Some(display_end) = display_end else {
            return Self::scan_bare(value, text);
        };
        let (display, rest) = text.split_at_checked(display_end).ok_or(Fault::Syntax)?;
        let [b'<', rest @ ..] = scan::trim_start(rest) else { return Err(Fault::Syntax) };
        let (uri, params) = scan::split_once(rest, b'>').ok_or(Fault::Unbalanced)?;
        let params = scan::trim_start(params);
        // What is opened there would swallow a tag that is put behind it.
        if !matches!(params, [] | [b';', ..])
            || opens_bracket(params)
            || (!matches!(display, [b'"', ..]) && memchr::memchr(b'"', display).is_some())
        {
            return Err(Fault::Syntax);
        }
        Self::of_parts(value, display, scan::trim(uri), params)
    }

    /// Without brackets all parameters belong to the header, and `?` and `,` cannot stand in the URI.
    fn scan_bare(value: &[u8], text: &[u8]) -> Result<Self, Fault> {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let (uri, params) = text.split_at_checked(end).ok_or(Fault::Syntax)?;
        if memchr::memchr3(b'?', b',', b'>', uri).is_some() {
            return Err(Fault::Syntax);
        }
        Self::of_parts(value, &[], scan::trim_end(uri), params)
    }

    fn of_parts(value: &[u8], display: &[u8], uri: &[u8], params: &[u8]) -> Result<Self, Fault> {
        if uri.is_empty() {
            return Err(Fault::Empty);
        }
        if scan::ends_uri(uri) {
            return Err(Fault::Syntax);
        }
        Ok(Self {
            display: Span::within(value, display),
            uri: Span::within(value, uri),
            params: Span::within(value, params),
        })
    }

    /// The tag parameter of a value that was scanned, relative to it.
    pub(crate) fn tag(&self, value: &[u8]) -> Result<Option<Span>, Fault> {
        let mut tag = None;
        for param in params::raw_params(self.params.of(value)) {
            let (name, text) = param?;
            if tag.is_none() && name.eq_ignore_ascii_case(b"tag") {
                let text = text.filter(|text| params::is_identifier(text)).ok_or(Fault::Syntax)?;
                tag = Some(Span::within(value, text));
            }
        }
        Ok(tag)
    }
}

#[cfg(test)]
mod tests;
