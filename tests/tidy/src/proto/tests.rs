//! The rules about `.proto` files, on files written for them.

use std::sync::Arc;

use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::*;

struct One(Arc<str>);

impl FileResolver for One {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "um/v1/one.proto" {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

fn breaches_of(source: &str) -> Vec<String> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(One(source.into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_source_info(true).open_file("um/v1/one.proto").expect("it compiles");
    breaches(&compiler.file_descriptor_set()).into_iter().map(|finding| finding.to_string()).collect()
}

#[test]
fn a_field_without_a_comment_is_found_with_its_line() {
    let found = breaches_of(
        "syntax = \"proto3\";\npackage um.v1;\n// A thing.\nmessage Thing {\n  string name = 1;\n  string id = 2; // Its id.\n}\n",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("proto/um/v1/one.proto:5: field `Thing.name` has no comment"), "{found:?}");
}

#[test]
fn enums_services_and_rpcs_want_comments_and_names() {
    let found = breaches_of(
        "syntax = \"proto3\";\npackage um.v1;\n// E.\nenum E {\n  // Zero.\n  NONE = 0;\n}\n// M.\nmessage M {}\n// S.\nservice Things {\n  rpc get_thing(M) returns (M);\n}\n",
    );
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_package_that_is_not_its_folder_is_found() {
    assert_eq!(breaches_of("syntax = \"proto3\";\npackage um.v2;\n").len(), 1);
}

#[test]
fn a_map_needs_no_comment_beyond_its_field() {
    let found = breaches_of(
        "syntax = \"proto3\";\npackage um.v1;\n// M.\nmessage M {\n  // Labels.\n  map<string, string> labels = 1;\n}\n",
    );
    assert!(found.is_empty(), "{found:?}");
}
