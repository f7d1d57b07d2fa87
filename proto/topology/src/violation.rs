//! What is wrong with a change: one [`Violation`] per problem, all of them at once.

use std::fmt;

use crate::id::Name;
use crate::unique::Space;

/// One problem of a resource in a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The resource that is refused.
    pub resource: Name,
    /// Path of the field in proto names, `entries[1].health.fall`; empty where the whole resource is meant.
    pub field: String,
    /// What kind of problem it is; decides the error reason of the API.
    pub kind: ViolationKind,
    /// One sentence for a person.
    pub message: String,
}

/// The kinds of problems, each with what a caller needs to act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViolationKind {
    /// A field's value is not allowed (`FIELD_INVALID`).
    Invalid,
    /// A referenced resource does not exist (`REFERENCE_MISSING`).
    ReferenceMissing {
        /// What is missing.
        target: Name,
    },
    /// A value that must be unique belongs to another resource (`VALUE_TAKEN`).
    ValueTaken {
        /// The space in which it must be unique.
        space: Space,
        /// The value in its normal form.
        value: String,
        /// Who has it.
        holder: Name,
    },
    /// A resource that is deleted is still referred to (`RESOURCE_IN_USE`).
    InUse {
        /// The first referents, at most 20, in name order.
        referents: Vec<Name>,
        /// How many there are.
        total: usize,
    },
    /// Resources that are right by themselves do not work together (`TOPOLOGY_INVALID`).
    Incompatible,
    /// The topology would hold more resources of a kind than it may (`QUOTA_EXCEEDED`).
    LimitReached {
        /// The most that are allowed.
        limit: usize,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return write!(f, "{}: {}", self.resource, self.message);
        }
        write!(f, "{}: {}: {}", self.resource, self.field, self.message)
    }
}

/// A value of a field that is not allowed, found by looking at one resource alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field in proto names.
    pub field: String,
    /// One sentence for a person.
    pub message: String,
}

impl FieldViolation {
    /// Makes a violation.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// Says whose field it is.
    #[must_use]
    pub fn of(self, resource: Name) -> Violation {
        Violation { resource, field: self.field, kind: ViolationKind::Invalid, message: self.message }
    }
}
