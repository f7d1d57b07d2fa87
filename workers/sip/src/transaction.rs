//! The transaction machines of RFC 3261 §17, one file each, and the timers they share.
//!
//! A machine here knows no message: it is told the status code of a response and holds the bytes that it may have
//! to send again. Matching messages to machines, and building messages, is the endpoint's work.
//!
//! | machine | RFC 3261 | timers |
//! |---|---|---|
//! | [`ClientInvite`] | §17.1.1, RFC 6026 | A B D M |
//! | [`ClientNonInvite`] | §17.1.2 | E F K |
//! | [`ServerInvite`] | §17.2.1, RFC 6026 | G H I L |
//! | [`ServerNonInvite`] | §17.2.2, RFC 4320 | J |
//! | [`Acceptance`] | §13.3.1.4 | the repeated 2xx of a UAS |
//! | [`Provisional`] | RFC 3262 §3 | the repeated reliable 1xx of a UAS |

use std::time::{Duration, Instant};

pub use self::acceptance::Acceptance;
pub use self::client_invite::ClientInvite;
pub use self::client_non_invite::ClientNonInvite;
pub use self::provisional::Provisional;
pub use self::server_invite::ServerInvite;
pub use self::server_non_invite::ServerNonInvite;
pub use self::timers::{Timer, TimerTable};
pub use self::timing::{Backoff, Reliability, Timing};

use self::outbox::Outbox;

pub mod acceptance;
pub mod client_invite;
pub mod client_non_invite;
mod outbox;
pub mod provisional;
pub mod server_invite;
pub mod server_non_invite;
mod timers;
mod timing;

/// Returns when the next send is due: on schedule, or counted from now when the schedule was missed, so that a
/// late call is not followed by a burst.
fn next_send(from: Instant, interval: Duration, now: Instant) -> Instant {
    let at = from + interval;
    if at > now { at } else { now + interval }
}

#[cfg(test)]
pub(crate) mod testing;
