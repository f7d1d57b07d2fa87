//! The descriptors of `um.v1`: for server reflection, for masks and diffs, and for umctl's manifests.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, ExtensionDescriptor, FieldDescriptor, MessageDescriptor};

/// All files of package `um.v1` with what they import, as an encoded `FileDescriptorSet`, comments and extension
/// options included.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("um.v1");

/// Returns the descriptors of everything in `um.v1`.
#[must_use]
pub fn pool() -> &'static DescriptorPool {
    &OPTIONS.pool
}

/// Returns the descriptor of a message of `um.v1`, by its short name.
///
/// # Panics
///
/// When there is no such message, which is a fault of the caller.
#[must_use]
pub fn message(short_name: &str) -> MessageDescriptor {
    pool()
        .get_message_by_name(&format!("um.v1.{short_name}"))
        .expect("callers name messages of um.v1 as the .proto files do")
}

/// Says whether only the server writes a field (option `um.v1.output_only`).
#[must_use]
pub fn is_output_only(field: &FieldDescriptor) -> bool {
    field.options().get_extension(&OPTIONS.output_only).as_bool().unwrap_or(false)
}

/// Says whether only a client writes a field (option `um.v1.input_only`).
#[must_use]
pub fn is_input_only(field: &FieldDescriptor) -> bool {
    field.options().get_extension(&OPTIONS.input_only).as_bool().unwrap_or(false)
}

/// Returns the collection to which a reference field points (option `um.v1.reference`), `lines`.
#[must_use]
pub fn reference(field: &FieldDescriptor) -> Option<String> {
    let options = field.options();
    let collection = options.get_extension(&OPTIONS.reference);
    collection.as_str().filter(|collection| !collection.is_empty()).map(ToOwned::to_owned)
}

struct Options {
    pool: DescriptorPool,
    output_only: ExtensionDescriptor,
    input_only: ExtensionDescriptor,
    reference: ExtensionDescriptor,
}

static OPTIONS: LazyLock<Options> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build script compiled it");
    let extension = |name| pool.get_extension_by_name(name).expect("options.proto declares it");
    Options {
        output_only: extension("um.v1.output_only"),
        input_only: extension("um.v1.input_only"),
        reference: extension("um.v1.reference"),
        pool: pool.clone(),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_way_through_the_build_script() {
        let line = message("Line");
        let field = |name| line.get_field_by_name(name).unwrap();
        assert!(is_output_only(&field("uid")) && !is_output_only(&field("usage")));
        assert_eq!(reference(&field("proxy_list")).as_deref(), Some("proxyLists"));
        assert_eq!(reference(&field("domain")), None);
        let password = message("Credential").get_field_by_name("password").unwrap();
        assert!(is_input_only(&password) && !is_input_only(&field("usage")));
    }

    #[test]
    fn every_field_and_value_has_a_comment() {
        for file in pool().files().filter(|file| file.package_name() == "um.v1") {
            let proto = file.file_descriptor_proto();
            let info = proto.source_code_info.as_ref().unwrap();
            let uncommented: Vec<_> = info
                .location
                .iter()
                // Fields of messages, values of enums and methods, at any depth: [.., m, 2, f], [.., e, 2, v], [6, s, 2, r].
                .filter(|location| {
                    let path = &location.path;
                    path.len() >= 4 && path.len() % 2 == 0 && path[path.len() - 2] == 2
                })
                .filter(|location| {
                    location.leading_comments.as_deref().is_none_or(|text| text.trim().is_empty())
                })
                .map(|location| (location.path.clone(), location.span.clone()))
                .collect();
            assert!(uncommented.is_empty(), "{}: {uncommented:?}", file.name());
        }
    }
}
