//! The clock of the tests, and waiting that ends.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Time between two looks at what is waited for.
const GLANCE: Duration = Duration::from_millis(20);

/// Returns the monotonic time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Looks until `look` finds something, and returns that.
///
/// # Errors
///
/// Time is over; the message says what was waited for and what was seen last.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let end = now() + limit;
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(last) if now() >= end => bail!("waited {limit:?} for {what}: {last:#}"),
            Err(_) => thread::sleep(GLANCE),
        }
    }
}

/// Lets a time pass in which something must stay as it is.
pub fn pass(time: Duration) {
    thread::sleep(time);
}
