//! The answer to one challenge, good for every request to the same protection space (RFC 7616 §3.4, §3.6).

use std::fmt;

use super::{Algorithm, AuthenticationInfo, Challenge, Challenger, Credentials, Qop, fields::escaped};
use crate::{header_name::HeaderName, method::Method};

/// Answers one challenge and counts the requests that use its nonce. `Debug` hides what is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    challenge: Challenge,
    /// As it stands between quotes.
    username: Box<str>,
    /// `H(user:realm:password)`; the password itself is not kept.
    secret: Box<str>,
    /// What `-sess` binds the secret to: nonce and client nonce of the first answer.
    bound: Option<Box<str>>,
    client_nonce: Box<str>,
    /// Requests with this nonce so far.
    count: u32,
}

impl Grant {
    /// Answers a challenge. `client_nonce` is random text that no other grant of this process has.
    #[must_use]
    pub fn new(challenge: Challenge, credentials: &Credentials, client_nonce: &str) -> Self {
        let username = escaped(&credentials.username).into_boxed_str();
        let client_nonce = escaped(client_nonce).into_boxed_str();
        let algorithm = challenge.algorithm;
        let secret = algorithm.hash(&[
            username.as_bytes(),
            challenge.realm.as_bytes(),
            credentials.password.as_bytes(),
        ]);
        let bound = algorithm.is_session().then(|| {
            algorithm.hash(&[secret.as_bytes(), challenge.nonce.as_bytes(), client_nonce.as_bytes()]).into()
        });
        Self { challenge, username, secret: secret.into(), bound, client_nonce, count: 0 }
    }

    /// The header to write [`Self::authorize`] in.
    #[must_use]
    pub fn header(&self) -> HeaderName {
        self.challenge.challenger.answered_in()
    }

    /// Who asked.
    #[must_use]
    pub fn challenger(&self) -> Challenger {
        self.challenge.challenger
    }

    /// Whether a challenge asks for the same secret as the one that this answers.
    #[must_use]
    pub fn answers(&self, challenge: &Challenge) -> bool {
        self.challenge.is_of_same_space(challenge)
    }

    /// Whether a challenge to a request with these credentials says that they are wrong: it asks for the same secret
    /// with neither `stale` nor another nonce than the one that was answered (RFC 7616 §3.3). To try again is useless.
    #[must_use]
    pub fn is_refused_by(&self, challenge: &Challenge) -> bool {
        self.answers(challenge) && self.count > 0 && !challenge.stale
    }

    /// Writes the credentials of the next request, as the value of [`Self::header`]. `uri` is its Request-URI as it
    /// stands on the wire.
    #[must_use]
    pub fn authorize(&mut self, method: &Method, uri: &str, body: &[u8]) -> String {
        self.count = self.count.saturating_add(1);
        let Challenge { algorithm, qop, realm, nonce, opaque, names_algorithm, .. } = &self.challenge;
        let response = self.response(method.as_str(), uri, body);
        let (username, client_nonce) = (&self.username, &self.client_nonce);
        let mut value = format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
        );
        let mut push = |field: String| value.push_str(&field);
        if *names_algorithm {
            push(format!(", algorithm={}", algorithm.as_str()));
        }
        if let Some(opaque) = opaque {
            push(format!(", opaque=\"{opaque}\""));
        }
        match qop {
            Qop::Plain if algorithm.is_session() => push(format!(", cnonce=\"{client_nonce}\"")),
            Qop::Plain => {}
            Qop::Auth | Qop::AuthInt => {
                push(format!(", qop={}, cnonce=\"{client_nonce}\", nc={:08x}", qop_name(*qop), self.count));
            }
        }
        value
    }

    /// Takes the nonce that a server handed out for the next request (RFC 7616 §3.5).
    pub fn take_next_nonce(&mut self, info: &AuthenticationInfo) {
        if let Some(nonce) = &info.next_nonce {
            self.challenge.nonce = nonce.clone();
            self.count = 0;
        }
    }

    /// `KD(H(A1), …)` of RFC 7616 §3.4.1.
    fn response(&self, method: &str, uri: &str, body: &[u8]) -> String {
        let Challenge { algorithm, qop, nonce, .. } = &self.challenge;
        let secret = self.bound.as_ref().unwrap_or(&self.secret).as_bytes();
        let request = request_hash(*algorithm, *qop, method, uri, body);
        match qop {
            Qop::Plain => algorithm.hash(&[secret, nonce.as_bytes(), request.as_bytes()]),
            Qop::Auth | Qop::AuthInt => {
                let count = format!("{:08x}", self.count);
                let (client_nonce, name) = (self.client_nonce.as_bytes(), qop_name(*qop).as_bytes());
                algorithm.hash(&[
                    secret,
                    nonce.as_bytes(),
                    count.as_bytes(),
                    client_nonce,
                    name,
                    request.as_bytes(),
                ])
            }
        }
    }
}

/// `H(A2)` of RFC 7616 §3.4.3.
fn request_hash(algorithm: Algorithm, qop: Qop, method: &str, uri: &str, body: &[u8]) -> String {
    match qop {
        Qop::Plain | Qop::Auth => algorithm.hash(&[method.as_bytes(), uri.as_bytes()]),
        Qop::AuthInt => {
            let body = algorithm.hash(&[body]);
            algorithm.hash(&[method.as_bytes(), uri.as_bytes(), body.as_bytes()])
        }
    }
}

fn qop_name(qop: Qop) -> &'static str {
    match qop {
        Qop::Plain | Qop::Auth => "auth",
        Qop::AuthInt => "auth-int",
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("challenge", &self.challenge)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
