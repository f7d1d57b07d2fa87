//! Why an act on the store failed, in terms that do not betray the backend.
//!
//! The one distinction every caller of a write needs is [`StoreError::outcome_unknown`].

use std::path::PathBuf;

use crate::item::{LeaseId, Revision};

/// A failed act on the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or refuses to serve now; nothing was changed.
    #[error("store unavailable: {reason}")]
    Unavailable {
        /// What the last attempt ran into.
        reason: String,
    },
    /// No answer in time or the connection broke under a write: it may have happened or not.
    #[error("store did not answer, the outcome is unknown: {reason}")]
    Timeout {
        /// What the attempt ran into.
        reason: String,
    },
    /// History at the asked revision is gone.
    #[error("revision is compacted, the oldest readable one is {oldest}")]
    Compacted {
        /// The oldest revision that can still be read and watched from.
        oldest: Revision,
    },
    /// The asked revision has not been written yet.
    #[error("revision is in the future, the store is at {current}")]
    FutureRevision {
        /// Where the store stands; 0 where the backend does not say.
        current: Revision,
    },
    /// The request exceeds a limit that both backends share; it was not sent.
    #[error("{what} too large: {size} exceeds {limit}")]
    TooLarge {
        /// What was measured: `compares`, `operations` or `bytes`.
        what: &'static str,
        /// How much the request has.
        size: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// The store has no space left; nothing was changed. Reads and deletions may still work.
    #[error("store is full: {reason}")]
    Full {
        /// Which limit: the disk, or the backend's quota.
        reason: String,
    },
    /// The store's data cannot be trusted; an operator must restore it.
    #[error("store is corrupt: {reason}")]
    Corrupt {
        /// What does not fit.
        reason: String,
    },
    /// The request makes no sense (empty key, a key twice in one transaction); a fault of the caller.
    #[error("invalid request to the store: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The lease has expired, was revoked or never existed; nothing was changed.
    #[error("lease {lease} does not exist")]
    LeaseNotFound {
        /// The lease that was named.
        lease: LeaseId,
    },
    /// The store does not accept our credentials, or they do not cover the keys.
    #[error("store denied access: {reason}")]
    Denied {
        /// The store's words.
        reason: String,
    },
    /// Another process has the store file open.
    #[error("store file {} is in use by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The text that names the store cannot be understood.
    #[error("store `{spec}`: {reason}")]
    Spec {
        /// What was given.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// Returns whether a write that ended so may nevertheless have taken effect.
    ///
    /// Such a write is resolved by reading what it would have written (its `req/` key), never by
    /// simply repeating it.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Returns whether the same request may succeed later without anyone changing it.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    pub(crate) fn timeout(reason: impl Into<String>) -> Self {
        Self::Timeout { reason: reason.into() }
    }

    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt { reason: reason.into() }
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }
}
