//! The worker: sockets, threads, clock and discovery client around the pure machines of `um-engine` and `um-media`.

pub mod clock;
pub mod media;
