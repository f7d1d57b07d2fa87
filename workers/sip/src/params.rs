//! Header parameters, `;name=value` (RFC 3261 §25.1 `generic-param`): a list that keeps its order and the
//! spelling of what it was read from.

use std::{borrow::Cow, fmt};

use crate::{
    error::Fault,
    scan::{self, Span},
};

/// One parameter as found on the wire: name and raw value, both trimmed; a quoted value keeps its quotes.
pub(crate) type RawParam<'a> = (&'a [u8], Option<&'a [u8]>);

/// Iterates over the parameters of `bytes`, which begins with a semicolon or is empty. An empty parameter (`;;`)
/// is a fault (RFC 4475 §3.1.2.1).
pub(crate) fn raw_params(bytes: &[u8]) -> impl Iterator<Item = Result<RawParam<'_>, Fault>> {
    let behind = scan::trim(bytes).strip_prefix(b";");
    behind
        .into_iter()
        .flat_map(|behind| scan::split_outside(behind, b';'))
        .map(|part| raw_param(scan::trim(part)))
}

fn raw_param(part: &[u8]) -> Result<RawParam<'_>, Fault> {
    let (name, value) = match scan::split_once(part, b'=') {
        Some((name, value)) => (scan::trim_end(name), Some(scan::trim_start(value))),
        None => (part, None),
    };
    if name.is_empty() || !name.iter().copied().all(scan::is_token) {
        return Err(Fault::Syntax);
    }
    match value {
        Some([b'"', ..]) if value.and_then(scan::quoted_end) != value.map(<[u8]>::len) => {
            Err(Fault::Unbalanced)
        }
        Some([]) => Ok((name, None)),
        _ => Ok((name, value)),
    }
}

/// A parameter's value that identifies something (`tag`, `branch`): visible characters, no separators.
pub(crate) fn is_identifier(value: &[u8]) -> bool {
    !value.is_empty()
        && value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b';' && !wants_quotes(*byte))
}

/// An ordered list of parameters. Names have no case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params {
    text: String,
    spans: Vec<(Span, Option<Span>)>,
}

impl Params {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `;name=value;name…`, as it stands behind a value, white space and folds allowed.
    ///
    /// # Errors
    /// When a name is not a token or a quoted string is not closed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut params = Self::new();
        for param in raw_params(bytes) {
            let (name, value) = param?;
            let name = std::str::from_utf8(name).map_err(|_| Fault::Encoding)?;
            let value = value.map(|value| scan::clean_text(value).ok_or(Fault::Encoding)).transpose()?;
            // What stands there unquoted against the grammar is understood, and quoted when it is written again.
            let value = value.map(|value| if breaks_out(&value) { quote(&value) } else { value });
            params.push_raw(name, value.as_deref());
        }
        Ok(params)
    }

    /// Reads a value whose first part holds neither quotes nor semicolons: that part, trimmed, and its parameters.
    pub(crate) fn behind(value: &[u8]) -> Result<(&[u8], Self), Fault> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (first, params) = value.split_at_checked(end).ok_or(Fault::Syntax)?;
        Ok((scan::trim(first), Self::parse(params)?))
    }

    /// Like [`Params::behind`], where the first part is a token.
    pub(crate) fn behind_token(value: &[u8]) -> Result<(&str, Self), Fault> {
        let (first, params) = Self::behind(value)?;
        if first.is_empty() {
            return Err(Fault::Empty);
        }
        Ok((scan::token_text(first).ok_or(Fault::Syntax)?, params))
    }

    /// The value of the first parameter with this name, quotes and escapes resolved; `None` if there is no
    /// such parameter or it has no value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.find(name)?.map(scan::unquote)
    }

    /// The value as it is written, quotes kept.
    #[must_use]
    pub fn raw_value(&self, name: &str) -> Option<&str> {
        self.find(name)?
    }

    /// Tells whether there is a parameter with this name, with or without a value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Iterates over names and raw values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.spans
            .iter()
            .map(|(name, value)| (name.of_text(&self.text), value.map(|value| value.of_text(&self.text))))
    }

    /// Tells whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Sets a parameter in its place, or appends it. A value that is not a token, host or number is quoted; a
    /// name that is not a token is not written at all, for no peer could read it.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.set_raw(name, value.map(quoted_if_needed).as_deref());
    }

    /// Like [`Params::set`], always as a quoted string, where a header's grammar asks for one.
    pub fn set_quoted(&mut self, name: &str, value: &str) {
        self.set_raw(name, Some(&quote(value)));
    }

    fn set_raw(&mut self, name: &str, value: Option<&str>) {
        if scan::token_text(name.as_bytes()).is_none() {
            return;
        }
        let mut next = Self::new();
        let mut done = false;
        for (other, other_value) in self.iter() {
            if !other.eq_ignore_ascii_case(name) {
                next.push_raw(other, other_value);
            } else if !done {
                next.push_raw(name, value);
                done = true;
            }
        }
        if !done {
            next.push_raw(name, value);
        }
        *self = next;
    }

    /// Like [`Params::set`], in a chain.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.set(name, value);
        self
    }

    /// Takes all parameters with this name out.
    pub fn remove(&mut self, name: &str) {
        if !self.contains(name) {
            return;
        }
        let mut next = Self::new();
        for (other, value) in self.iter().filter(|(other, _)| !other.eq_ignore_ascii_case(name)) {
            next.push_raw(other, value);
        }
        *self = next;
    }

    fn find(&self, name: &str) -> Option<Option<&str>> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn push_raw(&mut self, name: &str, value: Option<&str>) {
        let mut append = |part: &str| {
            let start = self.text.len();
            self.text.push_str(part);
            Span::new(start, self.text.len())
        };
        let spans = (append(name), value.map(&mut append));
        self.spans.push(spans);
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// Tells whether a value that is not a quoted string holds what only a quoted string may hold.
fn breaks_out(value: &str) -> bool {
    !value.starts_with('"') && value.bytes().any(wants_quotes)
}

/// A character that ends a value, or begins something else, unless it is quoted.
fn wants_quotes(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'<' | b'>' | b',' | b'\\' | b'(' | b')')
}

/// Makes a value fit to stand behind `=`: as it is where the grammar allows, else as a quoted string.
pub(crate) fn quoted_if_needed(value: &str) -> Cow<'_, str> {
    let plain = |byte: u8| scan::is_token(byte) || matches!(byte, b'[' | b']' | b':' | b'@' | b'/');
    if !value.is_empty() && value.bytes().all(plain) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(quote(value))
    }
}

/// Writes a quoted string: quotes and backslashes escaped, control characters left out.
pub(crate) fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for character in value.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_folds_quotes_and_flags() {
        let params =
            Params::parse(b" ; tag \r\n = a6c85cf ; q=0.33;\r\n text=\"a;b\\\"c\" ; lr").expect("valid");
        assert_eq!(params.value("TAG").as_deref(), Some("a6c85cf"));
        assert_eq!(params.value("text").as_deref(), Some("a;b\"c"));
        assert_eq!(params.raw_value("text"), Some(r#""a;b\"c""#));
        assert!(params.contains("lr") && params.value("lr").is_none());
        assert_eq!(params.to_string(), r#";tag=a6c85cf;q=0.33;text="a;b\"c";lr"#);
    }

    #[test]
    fn refuses_open_quotes_and_odd_names() {
        assert_eq!(Params::parse(b";a=\"b"), Err(Fault::Unbalanced));
        assert_eq!(Params::parse(b";a=\"b\"c"), Err(Fault::Unbalanced));
        assert_eq!(Params::parse(b";a b=c"), Err(Fault::Syntax));
        assert_eq!(Params::parse(b";=c"), Err(Fault::Syntax));
        assert_eq!(Params::parse(b";a;;b"), Err(Fault::Syntax));
        assert_eq!(Params::parse(b";"), Err(Fault::Syntax));
    }

    #[test]
    fn what_should_have_been_quoted_is_quoted_when_written() {
        let params = Params::parse(b";text=User busy;instance=<urn:x>").expect("understood");
        assert_eq!(params.value("text").as_deref(), Some("User busy"));
        assert_eq!(params.to_string(), ";text=\"User busy\";instance=\"<urn:x>\"");
    }

    #[test]
    fn set_replaces_in_place_and_remove_takes_all() {
        let mut params = Params::parse(b";a=1;b;A=2;c=3").expect("valid");
        params.set("a", Some("9"));
        assert_eq!(params.to_string(), ";a=9;b;c=3");
        params.remove("B");
        params.set("d", None);
        assert_eq!(params.to_string(), ";a=9;c=3;d");
    }

    #[test]
    fn a_value_cannot_break_out_of_its_parameter() {
        let params = Params::new().with("p", Some("x;y=\"z\"\r\nVia: evil")).with("bad name", None);
        assert_eq!(params.to_string(), r#";p="x;y=\"z\"Via: evil""#);
    }
}
