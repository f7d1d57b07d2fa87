//! The hash functions of digest authentication (RFC 7616 §3.3, RFC 8760 §2.1), written as hexadecimal.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

/// An algorithm of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `MD5`, also where none is named.
    Md5,
    /// `MD5-sess`
    Md5Session,
    /// `SHA-256`
    Sha256,
    /// `SHA-256-sess`
    Sha256Session,
    /// `SHA-512-256`
    Sha512,
    /// `SHA-512-256-sess`
    Sha512Session,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Md5, Self::Md5Session, Self::Sha256, Self::Sha256Session, Self::Sha512, Self::Sha512Session];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Session => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Session => "SHA-256-sess",
            Self::Sha512 => "SHA-512-256",
            Self::Sha512Session => "SHA-512-256-sess",
        }
    }

    /// Reads a name in any case; `None` for one that is not known here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether the secret is bound to the first nonces (RFC 7616 §3.4.2).
    #[must_use]
    pub const fn is_session(self) -> bool {
        matches!(self, Self::Md5Session | Self::Sha256Session | Self::Sha512Session)
    }

    /// Hashes parts joined by colons.
    pub(super) fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 | Self::Md5Session => joined::<Md5>(parts),
            Self::Sha256 | Self::Sha256Session => joined::<Sha256>(parts),
            Self::Sha512 | Self::Sha512Session => joined::<Sha512_256>(parts),
        }
    }
}

fn joined<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
