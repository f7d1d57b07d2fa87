//! A credential: who we are to a peer that challenges us (RFC 3261 §22, RFC 7616, RFC 8760).

use std::fmt;
use std::sync::Arc;

use crate::id::Id;
use crate::meta::Meta;

/// A user name and password for one realm, or for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The id, `credentials/{id}`.
    pub id: Id,
    /// Describing fields.
    pub meta: Option<Box<Meta>>,
    /// The `username` of an Authorization header, 1–128 bytes; with its realm unique. Required.
    pub username: Arc<str>,
    /// The realm whose challenges it answers, at most 128 bytes. Unset: any.
    pub realm: Option<Arc<str>>,
    /// The password, 1–256 bytes. Required.
    pub password: Option<Secret>,
}

impl Credential {
    /// Makes a credential that answers the challenges of any realm.
    #[must_use]
    pub fn new(id: impl Into<Id>, username: &str, password: &str) -> Self {
        let password = Some(Secret::new(password));
        Self { id: id.into(), meta: None, username: Arc::from(username), realm: None, password }
    }

    /// Returns the one of several credentials that answers a challenge of a realm: the first of that realm, else the
    /// first of any realm.
    #[must_use]
    pub fn for_realm<'a>(credentials: &'a [Arc<Self>], realm: &str) -> Option<&'a Arc<Self>> {
        let named = credentials.iter().find(|credential| credential.realm.as_deref() == Some(realm));
        named.or_else(|| credentials.iter().find(|credential| credential.realm.is_none()))
    }
}

/// A text that nothing shows: it has no `Display`, and its `Debug` says only that it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a text into secrecy.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// Returns the text, for the one who answers a challenge, seals it or hands it on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realm_of_a_challenge_decides_between_credentials() {
        let of = |id: &str, realm: Option<&str>| {
            Arc::new(Credential { realm: realm.map(Arc::from), ..Credential::new(id, id, "x") })
        };
        let all = [of("any", None), of("um", Some("um.example.com")), of("um2", Some("um.example.com"))];
        let chosen = |realm: &str| Credential::for_realm(&all, realm).map(|one| one.id.as_str());
        assert_eq!(chosen("um.example.com"), Some("um"));
        assert_eq!(chosen("UM.example.com"), Some("any"));
        assert!(Credential::for_realm(&all[1..], "other").is_none());
    }

    #[test]
    fn a_password_is_never_shown() {
        let credential = Credential::new("um", "gateway", "correct-horse");
        assert!(!format!("{credential:?}").contains("correct"));
        assert_eq!(credential.password.unwrap().expose(), "correct-horse");
    }
}
