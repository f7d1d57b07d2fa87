//! The far ends of the product's calls: a UM server and a caller, for tests, for `make run` and for trying things by hand.
//!
//! [`ServerAgent`] and [`CallerAgent`] are pure machines over [`um_sip::Endpoint`]: no socket, no clock; the binary `um-double` and
//! the simulation drive the same code through [`Agent`]. Both speak in tones that say who they are, so a test can *hear* which
//! server and which mailbox a call reached. The server is strict on purpose: a call that is wrong for a UM server is refused, and
//! every refusal says why.

#![forbid(unsafe_code)]

pub mod agent;
pub mod announcement;
mod audio;
pub mod caller;
pub mod g711;
pub mod hearing;
pub mod ladder;
pub mod server;
pub mod tone;
pub mod voice;
mod wire;

pub use agent::{Agent, Input, Listen, Output};
pub use announcement::{Announcement, Service};
pub use caller::{CallNumber, CallerAgent, CallerConfig, Outcome, Plan, Report};
pub use ladder::{Arrow, Ladder, Rung};
pub use server::{Behaviour, CallRecord, ServerAgent, ServerConfig, Stats};

#[cfg(test)]
mod tests;
