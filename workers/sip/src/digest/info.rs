//! `Authentication-Info` (RFC 3261 §20.6, RFC 7616 §3.5): what a server says with a success.

use super::fields::Fields;
use crate::error::Fault;

/// A value of the header, as far as a client uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationInfo {
    /// The nonce for the next request.
    pub next_nonce: Option<Box<str>>,
    /// Proof that the server knows the secret.
    pub response_digest: Option<Box<str>>,
}

impl AuthenticationInfo {
    /// Reads `nextnonce="…",rspauth="…"`.
    ///
    /// # Errors
    /// When it holds neither.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let fields = Fields::read(value);
        let text =
            |name| fields.raw(name).filter(|value| !value.chars().any(char::is_control)).map(Into::into);
        let info = Self { next_nonce: text("nextnonce"), response_digest: text("rspauth") };
        if info.next_nonce.is_none() && info.response_digest.is_none() {
            Err(Fault::Syntax)
        } else {
            Ok(info)
        }
    }
}
