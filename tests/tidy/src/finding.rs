//! One breach of one rule, said so that the reader knows what to do.

use std::fmt;

/// Where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root of the repository.
    pub path: String,
    /// Line, from 1; 0 is the whole file.
    pub line: usize,
    /// What is wrong, and the remedy.
    pub what: String,
}

impl Finding {
    /// A finding at a line.
    pub fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }

    /// A finding about a whole file.
    pub fn file(path: &str, what: impl Into<String>) -> Self {
        Self::at(path, 0, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Fails with every finding, sorted, when there is one.
///
/// # Panics
/// When there is a finding; that is what it is for.
pub fn assert_clean(mut findings: Vec<Finding>) {
    findings.sort();
    let lines = findings.iter().map(|finding| format!("  {finding}\n")).collect::<String>();
    assert!(findings.is_empty(), "{} to mend:\n{lines}", findings.len());
}
