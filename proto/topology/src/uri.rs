//! SIP, SIPS and TEL URIs as configuration and routing need them (RFC 3261 §19.1, RFC 3966).
//!
//! A value type: parsed once, compared by parts, written with the escapes that RFC 3261 §25.1 asks for. It is not the
//! wire parser of a message; `um-sip` has its own lazy one.

use std::fmt;
use std::str::FromStr;

use crate::host::{Host, HostError};

mod escape;

/// The scheme of a [`Uri`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
}

impl Scheme {
    /// Returns the scheme's name without the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
        }
    }

    /// Returns the port that is meant where none is written: 5060, `sips` 5061 (RFC 3261 §19.1.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Sip | Self::Tel => 5060,
            Self::Sips => 5061,
        }
    }
}

/// A SIP, SIPS or TEL URI by its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// The user part, unescaped; the number of a TEL URI.
    pub user: Option<Box<str>>,
    /// The host; none only in a TEL URI.
    pub host: Option<Host>,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// URI parameters in order, names and values unescaped.
    pub params: Vec<(Box<str>, Option<Box<str>>)>,
    /// What stands after `?`, as written. Routing never applies it.
    pub headers: Option<Box<str>>,
}

impl Uri {
    /// Makes `sip:user@host` without parameters.
    #[must_use]
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        let user = user.filter(|user| !user.is_empty()).map(Box::from);
        Self { scheme: Scheme::Sip, user, host: Some(host), port, params: Vec::new(), headers: None }
    }

    /// Adds or replaces a parameter.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        self.set_param(name, value);
        self
    }

    /// Adds or replaces a parameter; names compare without case.
    pub fn set_param(&mut self, name: &str, value: Option<&str>) {
        self.remove_param(name);
        self.params.push((Box::from(name), value.map(Box::from)));
    }

    /// Removes a parameter.
    pub fn remove_param(&mut self, name: &str) {
        self.params.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Returns the value of a parameter; the empty text if it stands without one.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(found.1.as_deref().unwrap_or_default())
    }

    /// Returns the port that the URI means: the written one, else 5060 (`sips`: 5061).
    #[must_use]
    pub fn effective_port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.scheme.default_port())
    }

    /// Says whether two URIs name the same place: scheme, user, host, effective port and transport are equal. Other
    /// parameters and headers do not count; this is what the redirect loop check compares.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        let hosts = match (&self.host, &other.host) {
            (Some(a), Some(b)) => a.same(b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let transport = |uri: &Self| uri.param("transport").map(str::to_ascii_lowercase);
        self.scheme == other.scheme
            && self.user == other.user
            && hosts
            && self.effective_port() == other.effective_port()
            && transport(self) == transport(other)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.len() > MAX_URI {
            return Err(UriError::TooLong);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "sip" => parse_sip(Scheme::Sip, rest),
            "sips" => parse_sip(Scheme::Sips, rest),
            "tel" => parse_tel(rest),
            _ => Err(UriError::Scheme),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.as_str())?;
        if let Some(user) = &self.user {
            escape::write(f, user, escape::is_user_char)?;
            if self.host.is_some() {
                f.write_str("@")?;
            }
        }
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in &self.params {
            f.write_str(";")?;
            escape::write(f, name, escape::is_param_char)?;
            if let Some(value) = value {
                f.write_str("=")?;
                escape::write(f, value, escape::is_param_char)?;
            }
        }
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

/// Why a text is not a URI that a call can be routed by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Longer than any URI that we take.
    #[error("longer than {MAX_URI} bytes")]
    TooLong,
    /// Not `sip:`, `sips:` or `tel:`.
    #[error("it must begin with `sip:`, `sips:` or `tel:`")]
    Scheme,
    /// The host part is broken or missing.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A percent sign without two hexadecimal digits, bytes that are not UTF-8, or a control character.
    #[error("an escape is broken or a character is not allowed")]
    Escape,
    /// The number of a TEL URI is missing or holds other characters than a number has.
    #[error("a `tel:` URI needs a number")]
    Number,
}

fn parse_sip(scheme: Scheme, rest: &str) -> Result<Uri, UriError> {
    // The user part may hold `;` and `?` unescaped, a host never holds `@`: the last `@` before any header part decides.
    let (user, rest) = match rest.split_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, Some(headers)),
        None => (rest, None),
    };
    let mut parts = rest.split(';');
    let (host, port) = host_port(parts.next().unwrap_or_default())?;
    // A password in a URI is sent by nobody that we know and must not be passed on (RFC 3261 §19.1.2).
    let user = user.map(|user| user.split_once(':').map_or(user, |(user, _password)| user));
    Ok(Uri {
        scheme,
        user: user.filter(|user| !user.is_empty()).map(escape::read).transpose()?,
        host: Some(host),
        port,
        params: params(parts)?,
        headers: headers.map(escape::check).transpose()?,
    })
}

fn parse_tel(rest: &str) -> Result<Uri, UriError> {
    let mut parts = rest.split(';');
    let number = parts.next().unwrap_or_default();
    let digits = number.strip_prefix('+').unwrap_or(number);
    let allowed = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'-' | b'.' | b'(' | b')' | b'*' | b'#');
    if !digits.bytes().any(|b| b.is_ascii_digit()) || !digits.bytes().all(allowed) {
        return Err(UriError::Number);
    }
    let user = Some(Box::from(number));
    Ok(Uri { scheme: Scheme::Tel, user, host: None, port: None, params: params(parts)?, headers: None })
}

fn host_port(text: &str) -> Result<(Host, Option<u16>), UriError> {
    let colon = match text.rfind(']') {
        Some(bracket) => text[bracket..].find(':').map(|at| bracket + at),
        None => text.find(':'),
    };
    let Some(colon) = colon else { return Ok((text.parse()?, None)) };
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok((host.parse()?, Some(port))),
        Ok(_) | Err(_) => Err(UriError::Port),
    }
}

type Params = Vec<(Box<str>, Option<Box<str>>)>;

fn params<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Params, UriError> {
    parts
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => Ok((escape::read(name)?, Some(escape::read(value)?))),
            None => Ok((escape::read(part)?, None)),
        })
        .collect()
}

const MAX_URI: usize = 2048;

#[cfg(test)]
mod tests;
