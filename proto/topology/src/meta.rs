//! The fields that every resource has: display name, description, labels, annotations.

use std::collections::BTreeMap;

/// Describing fields of a resource; they never change how a call is handled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// A name for people, at most 128 characters; empty: none.
    pub display_name: Box<str>,
    /// Free text, at most 4 KiB; empty: none.
    pub description: Box<str>,
    /// Short attributes to select by: at most 32, key 1–63 and value 0–63 bytes.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Free attributes: at most 32, key 1–63 bytes, value at most 4 KiB.
    pub annotations: BTreeMap<Box<str>, Box<str>>,
}

impl Meta {
    /// Returns the form in which resources keep it: nothing at all when every field is empty.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}
