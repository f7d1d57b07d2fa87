//! One worker shard as one machine: SIP calls between callers and UM servers with failover, health of
//! targets, admission, and the orders for the media relays.
//!
//! It opens no socket, reads no clock and starts no thread. A driver (or a simulation) feeds it
//! [`Input`]s with the time, drains [`Output`]s, and calls back at the deadline; see [`Engine`].
//! Several engines of one worker share nothing: each owns the transactions, dialogs and calls whose
//! identifiers carry its number ([`um_sip::shard`]), and they tell each other of targets and loads by [`Gossip`].
//!
//! | module | is |
//! |---|---|
//! | [`engine`](Engine) | routes inputs to the children and their outputs out |
//! | `call` | the B2BUA call in its own words, with the table of races |
//! | `leg` | between the words of a call and SIP messages |
//! | `health`, `admission` | which targets and callers are served |
//! | `locate`, `connections` | addresses of names, connections to peers |

#![forbid(unsafe_code)]

mod admission;
mod call;
mod configuration;
mod connections;
mod engine;
mod gossip;
mod health;
mod input;
mod leg;
mod locate;
mod observation;
mod output;

pub use admission::lobby::{Lobby, ShedReason, Verdict, Waiting};
pub use admission::overload::Lag;
pub use admission::{LineCount, Refusal};
pub use call::words::Reason;
pub use configuration::{Advertised, BoundLine, Configuration, EngineConfig, EngineLimits, LinePhase};
pub use engine::{Engine, TargetReport, Usage};
pub use gossip::Gossip;
pub use health::{Circuit, Evidence};
pub use input::{ConnectError, Drain, Input, Pointer, Record, RecordKind, Resolution, ResolveError, Service};
pub use observation::{CallKey, CallRecord, Observation, Outcome, Rejected};
pub use output::{Output, QueryId};
pub use um_routing::TargetId;
