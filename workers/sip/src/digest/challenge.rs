//! One challenge of a WWW-Authenticate or Proxy-Authenticate (RFC 7616 §3.3).

use std::borrow::Cow;

use super::{
    Algorithm, Challenger,
    fields::{Fields, resolved},
};
use crate::scan;

/// What the answer protects (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// Method and URI, without a count: the form of RFC 2069, where the challenge names none.
    Plain,
    /// Method and URI, counted.
    Auth,
    /// Method, URI and body, counted.
    AuthInt,
}

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Who asks.
    pub challenger: Challenger,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The protection that an answer gives: `auth` where there is a choice.
    pub qop: Qop,
    /// The credentials were right and only the nonce is too old (RFC 7616 §3.3).
    pub stale: bool,
    pub(super) realm: Box<str>,
    pub(super) nonce: Box<str>,
    pub(super) opaque: Option<Box<str>>,
    /// The challenge named its algorithm, so the answer does too.
    pub(super) names_algorithm: bool,
}

impl Challenge {
    /// The realm, escapes resolved.
    #[must_use]
    pub fn realm(&self) -> Cow<'_, str> {
        resolved(&self.realm)
    }

    /// Whether the same secret answers both.
    #[must_use]
    pub fn is_of_same_space(&self, other: &Self) -> bool {
        self.challenger == other.challenger && self.realm == other.realm
    }

    fn of(challenger: Challenger, fields: &Fields<'_>) -> Option<Self> {
        let text = |name| fields.raw(name).filter(|value| !value.chars().any(char::is_control));
        let named = fields.raw("algorithm");
        Some(Self {
            challenger,
            algorithm: named.map_or(Some(Algorithm::Md5), Algorithm::from_name)?,
            qop: qop(fields.raw("qop"))?,
            stale: fields.raw("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            realm: text("realm")?.into(),
            nonce: text("nonce")?.into(),
            opaque: text("opaque").map(Into::into),
            names_algorithm: named.is_some(),
        })
    }
}

/// The protection to give; `None` if only unknown ones are wanted.
fn qop(wanted: Option<&str>) -> Option<Qop> {
    let Some(wanted) = wanted else { return Some(Qop::Plain) };
    let names = |name: &str| wanted.split(',').any(|other| other.trim().eq_ignore_ascii_case(name));
    match (names("auth"), names("auth-int")) {
        (true, _) => Some(Qop::Auth),
        (false, true) => Some(Qop::AuthInt),
        (false, false) => None,
    }
}

/// Reads the challenges in one header line: a new one begins where a scheme stands before the first field.
pub(super) fn read_all(challenger: Challenger, value: &[u8]) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut open: Option<Fields<'_>> = None;
    let mut close = |fields: Option<Fields<'_>>| {
        found.extend(fields.and_then(|fields| Challenge::of(challenger, &fields)));
    };
    for part in scan::split_outside(value, b',') {
        let part = scan::trim(part);
        let field = match scheme(part) {
            Some((scheme, field)) => {
                close(open.take());
                // Fields of another scheme belong to nothing that can be answered.
                open = scheme.eq_ignore_ascii_case(b"Digest").then(Fields::default);
                field
            }
            None => part,
        };
        if let Some(fields) = &mut open {
            fields.push(field);
        }
    }
    close(open);
    found
}

/// Splits `Scheme name=value`; `None` for a field alone.
fn scheme(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = part.iter().position(|byte| scan::is_lws(*byte))?;
    let (scheme, field) = part.split_at_checked(blank)?;
    let field = scan::trim_start(field);
    // `name = value` has a blank too, and no scheme.
    (scan::token_text(scheme).is_some() && !field.starts_with(b"=")).then_some((scheme, field))
}
