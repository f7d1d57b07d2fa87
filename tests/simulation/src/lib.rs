//! The worker's engine in a world of virtual time: callers, one worker with its shards, three UM servers, and a network that
//! loses, delays, doubles and reorders. A seed determines everything. The faults are enums ([`conduct::Conduct`],
//! [`scenario::Act`], [`caller::Leave`]); oracles judge every step and the end ([`ledger`], `world/`).
//!
//! It opens no socket and reads no clock; what a real socket does is for the integration tests.

#![forbid(unsafe_code)]

pub mod caller;
pub mod conduct;
pub mod ledger;
pub mod plant;
pub mod random;
pub mod reference;
pub mod scenario;
pub mod server;
pub mod site;
pub mod talk;
pub mod trace;
pub mod wire;
pub mod world;

pub use plant::Plant;
pub use scenario::Scenario;
pub use world::{Failure, Summary, World};

/// Runs one scenario.
///
/// # Errors
/// The first fault that was found, with the last events.
pub fn run(scenario: Scenario, plant: Plant) -> Result<Summary, Failure> {
    World::new(scenario, plant).run()
}
