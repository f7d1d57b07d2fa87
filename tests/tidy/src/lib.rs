//! The house rules as functions from the repository to findings; `tests/` asserts that there are none.
//!
//! Each rule is a pure function over [`Repo`], with tests of its own that show it catches what it is for. A finding names the
//! place, what is wrong and what to do. Exceptions stand in one list per rule, and a list may only shrink.
#![forbid(unsafe_code)]

pub mod architecture;
pub mod banned;
pub mod conformance;
pub mod dependency;
pub mod finding;
pub mod length;
pub mod manifest;
pub mod naming;
pub mod proto;
pub mod purity;
pub mod repo;
pub mod rust;
pub mod telemetry;
pub mod workplace;

pub use self::finding::{Finding, assert_clean};
pub use self::repo::Repo;
