//! What the two ends say to each other, without the parts that the machines only pass on (identity, reports, live
//! entries, commands): those go past them, on the same stream.

use std::sync::Arc;

use crate::Change;

/// From worker to control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// First message of a stream.
    Hello(Hello),
    /// All of an update is in force.
    Ack {
        /// Nonce of the update.
        nonce: u64,
        /// Its revision.
        revision: i64,
    },
    /// An update is in force but for some resources, which stay as they were.
    Nack {
        /// Nonce of the update.
        nonce: u64,
        /// Its revision.
        revision: i64,
        /// What is not in force; never empty.
        failures: Vec<Failure>,
    },
}

/// What a worker runs when its stream begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The topology in force, from an earlier stream or from its last known good.
    pub last_applied: Option<Applied>,
}

/// A topology in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The store that counted the revision.
    pub store_id: Arc<str>,
    /// The revision.
    pub revision: i64,
    /// True where some resources of that revision are not in force; no delta can start from it.
    pub partial: bool,
}

/// A resource that a worker could not put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name, `lines/um-plain`; [`Failure::EVERYTHING`] where the update as a whole was refused.
    pub name: Arc<str>,
    /// A closed word, `PORT_TAKEN`.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
}

impl Failure {
    /// The name in a failure of the update as a whole.
    pub const EVERYTHING: &'static str = "*";

    /// Makes a failure.
    #[must_use]
    pub fn new(name: Arc<str>, reason: &str, message: impl Into<String>) -> Self {
        Self { name, reason: reason.to_owned(), message: message.into() }
    }
}

/// From control to worker.
#[derive(Clone, Debug, PartialEq)]
pub enum FromControl<R> {
    /// A part of everything at one revision.
    Snapshot {
        /// Names the update in its acknowledgement; grows within a stream.
        nonce: u64,
        /// The revision.
        revision: i64,
        /// The store that counts it.
        store_id: Arc<str>,
        /// Number of the part, from 0.
        chunk: u32,
        /// Whether it is the last part.
        last: bool,
        /// Some resources, by name.
        resources: Vec<(Arc<str>, R)>,
    },
    /// A part of what changed since the update before.
    Delta {
        /// Names the update in its acknowledgement; grows within a stream.
        nonce: u64,
        /// The revision that it leads to.
        revision: i64,
        /// The revision that it starts from. Equal to `revision`: what was refused shall be tried again.
        from_revision: i64,
        /// Number of the part, from 0.
        chunk: u32,
        /// Whether it is the last part.
        last: bool,
        /// Some changes.
        changes: Vec<Change<R>>,
    },
    /// Nothing changed up to a revision; needs no acknowledgement.
    Bookmark {
        /// The revision.
        revision: i64,
    },
}
