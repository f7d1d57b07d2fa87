//! Messages as protobuf's JSON, lowerCamelCase, for `-o json`.

use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;
use um_wire::descriptor;

use crate::failure::Failure;

/// Returns a message of `um.v1` in its reflected form; `short_name` is its type.
///
/// # Errors
///
/// Never for a message of that type.
pub(crate) fn reflect(short_name: &str, message: &impl prost::Message) -> Result<DynamicMessage, Failure> {
    reflect_as(descriptor::message(short_name), message)
}

/// Returns a message in its reflected form.
///
/// # Errors
///
/// Never for a message of that type.
pub(crate) fn reflect_as(
    descriptor: MessageDescriptor,
    message: &impl prost::Message,
) -> Result<DynamicMessage, Failure> {
    DynamicMessage::decode(descriptor, &*message.encode_to_vec())
        .map_err(|error| Failure::Other(format!("an answer cannot be shown: {error}")))
}

/// Returns a message as JSON, with unset fields left out.
///
/// # Errors
///
/// The message holds something that has no JSON form.
pub(crate) fn value(message: &DynamicMessage) -> Result<Value, Failure> {
    let options = SerializeOptions::new();
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| Failure::Other(format!("an answer has no JSON form: {error}")))
}

/// Returns a message of `um.v1` as indented JSON.
///
/// # Errors
///
/// As of [`value`].
pub(crate) fn text(short_name: &str, message: &impl prost::Message) -> Result<String, Failure> {
    Ok(format!("{:#}", value(&reflect(short_name, message)?)?))
}
