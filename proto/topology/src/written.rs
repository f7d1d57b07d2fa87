//! A value together with the text that the operator wrote for it.
//!
//! What is written is what is read back: two spellings of one value are different
//! resources to the API, although they act alike.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// A parsed value that remembers its spelling; displays as written.
#[derive(Clone, PartialEq, Eq)]
pub struct Written<T> {
    text: Box<str>,
    value: T,
}

impl<T> Written<T> {
    /// Returns the text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the parsed value.
    #[must_use]
    pub const fn value(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> From<T> for Written<T> {
    /// Takes the canonical spelling of a value that nobody wrote.
    fn from(value: T) -> Self {
        Self { text: value.to_string().into_boxed_str(), value }
    }
}

impl<T: FromStr> FromStr for Written<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        Ok(Self { value: text.parse()?, text: Box::from(text) })
    }
}

impl<T> Deref for Written<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> fmt::Display for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> fmt::Debug for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
