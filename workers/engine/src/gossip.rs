//! What the shards of one worker tell each other. They share no memory; each applies what it hears to
//! its own picture and repeats nothing.

use std::time::Instant;

use um_routing::TargetId;
use um_topology::Id;

use crate::admission::LineCount;
use crate::health::Evidence;

/// One message to all other shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gossip {
    /// A target showed life or failed, and that changed our picture of it.
    Target {
        /// The target.
        target: TargetId,
        /// What it did.
        evidence: Evidence,
        /// When.
        at: Instant,
    },
    /// How many calls of this shard count against limits now. Only what changed is named.
    Load {
        /// The shard that speaks.
        shard: u16,
        /// Calls towards a target.
        targets: Vec<(TargetId, u32)>,
        /// Calls of a line.
        lines: Vec<(Id, LineCount)>,
    },
}
