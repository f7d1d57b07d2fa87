//! Both ends of the discovery protocol as pure machines: how a topology gets from control to a worker, and how the
//! worker says that it is in force (api-design.md section 5, rules S1 to S7).
//!
//! [`server::Subscription`] is control's end of one worker's stream, [`client::Session`] the worker's end across all
//! its streams. Both are generic over what they carry, keyed by name. There is no gRPC here, no clock and no file:
//! time comes in as an argument, and messages, wishes to connect and things to persist come out of `poll_output`.
//!
//! ```text
//!        worker                                control
//!   Connect ------------------------------------->
//!   Hello {last_applied} ------------------------>   last_applied known here? Delta : Snapshot
//!   <----------- Snapshot {nonce, chunk 0 … last}     at most one nonce is unanswered;
//!   Apply, then Ack {nonce} --------------------->    what is published meanwhile is coalesced
//!   <------------------------------ Delta {nonce}
//!   Nack {nonce, failures} ---------------------->    an empty Delta after a while: try these again
//!   <------------------------- Bookmark {revision}    sign of life
//! ```

#![forbid(unsafe_code)]

pub mod backoff;
pub mod client;
pub mod delta;
pub mod message;
pub mod server;
pub mod snapshot;

pub use delta::Change;
pub use message::{Applied, Failure, FromControl, FromWorker, Hello};
pub use snapshot::{Resources, Snapshot};
