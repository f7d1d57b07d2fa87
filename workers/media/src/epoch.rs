//! The one instant from which the tests of this crate count.

use std::time::Instant;

/// Returns an instant; what it is does not matter, as tests only ever add to it.
#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` cannot be made otherwise; tests never compare it with real time"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}
