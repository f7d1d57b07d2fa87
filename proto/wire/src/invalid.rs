//! Why a message is not a resource: every field that cannot be read, by its path.

use std::fmt;

use um_topology::FieldViolation;

/// The fields of a resource that cannot be read; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// One per field, by its path in proto names, `transport.bind_address`.
    pub violations: Vec<FieldViolation>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.violations.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", violation.field, violation.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
