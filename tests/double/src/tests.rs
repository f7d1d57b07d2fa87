//! Agent calls agent over a virtual link.

mod behaviours;
mod calls;
mod link;
mod refusals;
