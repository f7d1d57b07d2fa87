//! SIP.

pub mod transaction;
