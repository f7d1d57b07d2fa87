//! The product against software that is not ours: SIPp, baresip, etcd, and UM servers that misbehave on real sockets.
//!
//! This library is what the tests in `tests/` are written with: processes on loopback addresses of their own, SIPp with
//! its figures read back, a caller and a UM server of thirty lines of SIP text each that share no code with the product.
//! Every wait has an end, every process dies with its owner, and a test that fails shows the tails of all logs.

pub mod caller;
pub mod clock;
pub mod dns;
pub mod flood;
pub mod http;
pub mod kamailio;
pub mod message;
pub mod place;
pub mod plan;
pub mod process;
pub mod product;
pub mod server;
pub mod sipp;
pub mod verdicts;

pub use caller::Caller;
pub use dns::{Mood, NameServer};
pub use flood::{Flood, HalfOpen, Mix};
pub use kamailio::Kamailio;
pub use place::Place;
pub use plan::{Entry, Plan, Transport};
pub use process::Process;
pub use product::Product;
pub use server::{Behaviour, Server};
pub use sipp::{Figures, Sipp};
