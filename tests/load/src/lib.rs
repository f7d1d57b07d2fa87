//! Load programs: they start the product as processes, load it from the same machine, and print what it cost.
//!
//! The product is pinned to core 0 and the generators run on the others, so "one core" means that. A figure is given
//! with its spread over several runs; nothing here is a target or a test.

/// Prints a line of the result.
macro_rules! say {
    ($($text:tt)*) => {
        crate::figures::say(format_args!($($text)*))
    };
}

pub mod clock;
pub mod control;
pub mod figures;
pub mod hostile;
pub mod kamailio;
pub mod media;
pub mod overload;
pub mod process;
pub mod rig;
pub mod signalling;
