//! Digest authentication as UAC (RFC 3261 §22, RFC 7616, RFC 8760): challenges are read, and answered with credentials.
//!
//! [`choose`] picks what can be answered among the challenges of a 401 or 407; a [`Grant`] is the answer to one of them
//! and writes the credentials of every further request to the same protection space: it counts, takes the next nonce
//! that a server hands out, and starts anew when a nonce was stale. Nothing is kept or sent here; the client nonce
//! comes from the caller.

mod algorithm;
mod challenge;
mod fields;
mod grant;
mod info;

use std::fmt;

pub use self::{
    algorithm::Algorithm,
    challenge::{Challenge, Qop},
    grant::Grant,
    info::AuthenticationInfo,
};
use crate::{header_name::HeaderName, message::Message};

/// Who asks: the server itself, or a proxy on the way (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Challenger {
    /// 401, WWW-Authenticate, Authorization.
    Server,
    /// 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Challenger {
    /// The header of its challenges.
    #[must_use]
    pub fn asks_in(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::WwwAuthenticate,
            Self::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    /// The header of our credentials.
    #[must_use]
    pub fn answered_in(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::Authorization,
            Self::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}

/// A user and a secret. `Debug` hides both.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: Box<str>,
    /// Password.
    pub password: Box<str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Message {
    /// The challenges of a response that can be answered here, in their order: Digest with a known algorithm and a
    /// known protection. Others are left out, as RFC 7616 §3.7 wants.
    #[must_use]
    pub fn challenges(&self, challenger: Challenger) -> Vec<Challenge> {
        let lines = self.lines_of(challenger.asks_in()).take(CHALLENGES_MAX);
        lines.flat_map(|line| challenge::read_all(challenger, line.value)).take(CHALLENGES_MAX).collect()
    }
}

/// Picks for each realm the topmost challenge (RFC 8760 §2.4) if there are credentials for the realm. Empty: nothing
/// can be answered.
#[must_use]
pub fn choose<T>(challenges: &[Challenge], credentials: impl Fn(&str) -> Option<T>) -> Vec<(&Challenge, T)> {
    let mut chosen: Vec<(&Challenge, T)> = Vec::new();
    for challenge in challenges {
        let taken = chosen.iter().any(|(other, _)| other.is_of_same_space(challenge));
        if let Some(credentials) = credentials(&challenge.realm()).filter(|_| !taken) {
            chosen.push((challenge, credentials));
        }
    }
    chosen
}

/// Most challenges of one response that are looked at.
const CHALLENGES_MAX: usize = 16;

#[cfg(test)]
mod tests;
