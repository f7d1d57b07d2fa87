//! Writing of messages: requests and responses of typed parts, with lines of other messages copied byte by
//! byte where they pass through untouched.
//!
//! What comes out is well formed whatever went in. Every value is written through [`ValueWriter`], which turns
//! line breaks and control characters into blanks, so no value can begin another header line; Content-Length
//! is counted here; the mandatory headers are arguments of the constructors, so none can be forgotten.

mod derived;
mod output;
mod request;
mod response;

pub use derived::{ack_for_failure, cancel};
pub use output::ValueWriter;
pub use request::{RequestBuilder, RequestHead};
pub use response::ResponseBuilder;

#[cfg(test)]
mod tests;
