//! What a topology means for one INVITE: who is called, whose mailbox is wanted, which UM servers are tried in which
//! order, what the outbound INVITE says, and why.
//!
//! [`decide`] is the whole of it, for the live call in a worker and for the dry run in the control plane alike. Besides,
//! [`retryable`] judges how an attempt ended and [`redirect`] where a 302 may lead. Nothing here sends, waits or reads
//! a clock; what is observed comes in through [`View`].

#![forbid(unsafe_code)]

pub mod cause;
pub mod decision;
pub mod explanation;
pub mod facts;
pub mod joining;
pub mod plan;
pub mod redirect;
pub mod reject;
pub mod retryable;
pub mod rotation;
pub mod route;
pub mod session_plan;
pub mod view;

mod diversion;
mod headers;
mod mailbox;
mod source;
mod strategy;
mod target;

pub use cause::Cause;
pub use decision::{Decision, Outcome, decide, decide_referred};
pub use explanation::{Explanation, Rejection, Stage, TargetExplanation, Why};
pub use facts::{Diversion, Facts, HistoryEntry, HistoryRelation, Party};
pub use joining::{Ourselves, joining};
pub use plan::{AttemptPlan, Left};
pub use redirect::{Contact, Hop, RedirectError, RedirectPolicy, RedirectTrail};
pub use reject::{Reject, RejectReason};
pub use retryable::{AttemptEnd, Effect, FinalResponse, LocalFailure, Verdict};
pub use rotation::Rotation;
pub use route::{HeaderPlan, Peer, Route, Service, Target};
pub use session_plan::SessionPlan;
pub use view::{TargetId, TargetState, View};
