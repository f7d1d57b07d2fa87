//! The generated code of `proto/um/v1` and its conversions to and from the model of `um-topology`.
//!
//! Not here: validation (the model has it), and what a service does with a request.

/// Package `um.v1`: messages, clients and servers, as generated.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its documentation is that of the .proto files"
)]
pub mod v1 {
    tonic::include_proto!("um.v1");
}

/// All files of package `um.v1` with what they import, as an encoded `FileDescriptorSet`, comments and extension options included.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("um.v1");
