//! The generated code of `proto/um/v1` and its conversions to and from the model of `um-topology`.
//!
//! Not here: validation across fields and resources (the model has it), and what a service does with a request.
//! [`v1`] is what travels, [`resource`] the way to and from the model, [`mask`] and [`diff`] work on any kind by its
//! descriptors, [`stored`] is what stands in the store, [`sync`] the discovery protocol on the wire.

pub mod credential;
pub mod descriptor;
pub mod diff;
pub mod effective;
pub mod invalid;
pub mod kinded;
pub mod line;
pub mod mask;
pub mod proxy_list;
pub mod resource;
pub mod route;
pub mod session;
pub mod settings;
pub mod station;
pub mod stored;
pub mod sync;
pub mod time;
pub mod user;

mod reader;

pub use descriptor::FILE_DESCRIPTOR_SET;
pub use invalid::Invalid;
pub use kinded::{Common, Kinded, Output};

/// Package `um.v1`: messages, clients and servers, as generated.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its documentation is that of the .proto files"
)]
pub mod v1 {
    tonic::include_proto!("um.v1");
}
