//! Writing to the terminal. A reader that is gone (`umctl get user | head`) is not an error.

use std::io::{self, Write};

use crate::failure::Failure;

/// Writes a text and a line end to the standard output.
///
/// # Errors
///
/// The output is closed or full.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end_matches('\n'))?;
    Ok(out.flush()?)
}

/// Writes a text as it is to the standard output.
///
/// # Errors
///
/// The output is closed or full.
pub(crate) fn raw(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes a remark to the standard error. If that is closed as well, nobody is there to tell.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says why the command failed.
pub(crate) fn complain(failure: &Failure) {
    let text = failure.to_string();
    if !text.is_empty() {
        remark(&format!("umctl: {text}"));
    }
}
