//! The API's `.proto` files: they compile, everything in them is commented, and names follow the rules that clients rely on.

use std::path::Path;

use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
};

use crate::finding::Finding;

/// Compiles every `.proto` below a folder, keeping comments.
///
/// # Errors
/// The compiler's message, with file and line.
pub fn compile(folder: &Path) -> Result<FileDescriptorSet, String> {
    let mut files = walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .peekable();
    if files.peek().is_none() {
        return Err(format!("no .proto file below {}", folder.display()));
    }
    let mut compiler = protox::Compiler::new([folder]).map_err(|error| error.to_string())?;
    compiler.include_source_info(true).include_imports(false);
    compiler.open_files(files).map_err(|error| format!("{error:?}"))?;
    Ok(compiler.file_descriptor_set())
}

/// Findings about comments and names in a set of files.
#[must_use]
pub fn breaches(set: &FileDescriptorSet) -> Vec<Finding> {
    set.file.iter().flat_map(in_file).collect()
}

/// Walks one file with the descriptor path of where it stands.
struct Walk<'a> {
    file: &'a FileDescriptorProto,
    findings: Vec<Finding>,
}

fn in_file(file: &FileDescriptorProto) -> Vec<Finding> {
    let mut walk = Walk { file, findings: Vec::new() };
    let package = file.package().replace('.', "/");
    if !file.name().starts_with(&format!("{package}/")) {
        walk.say(&[2], format!("package `{}` does not match the folder", file.package()));
    }
    for (index, message) in file.message_type.iter().enumerate() {
        walk.message(&[4, number(index)], message);
    }
    for (index, each) in file.enum_type.iter().enumerate() {
        walk.enumeration(&[5, number(index)], each);
    }
    for (index, service) in file.service.iter().enumerate() {
        walk.service(&[6, number(index)], service);
    }
    walk.findings
}

impl Walk<'_> {
    fn message(&mut self, path: &[i32], message: &DescriptorProto) {
        if message.options.as_ref().is_some_and(|options| options.map_entry()) {
            return;
        }
        self.commented(path, &format!("message `{}`", message.name()));
        self.name(path, message.name(), upper_camel(message.name()), "UpperCamelCase");
        for (index, field) in message.field.iter().enumerate() {
            let here = join(path, &[2, number(index)]);
            self.commented(&here, &format!("field `{}.{}`", message.name(), field.name()));
            self.name(&here, field.name(), lower_snake(field.name()), "lower_snake_case");
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            self.message(&join(path, &[3, number(index)]), nested);
        }
        for (index, nested) in message.enum_type.iter().enumerate() {
            self.enumeration(&join(path, &[4, number(index)]), nested);
        }
    }

    fn enumeration(&mut self, path: &[i32], each: &EnumDescriptorProto) {
        self.commented(path, &format!("enum `{}`", each.name()));
        for (index, value) in each.value.iter().enumerate() {
            let here = join(path, &[2, number(index)]);
            self.commented(&here, &format!("value `{}.{}`", each.name(), value.name()));
            self.name(&here, value.name(), upper_snake(value.name()), "UPPER_SNAKE_CASE");
            if value.number() == 0 && !value.name().ends_with("_UNSPECIFIED") {
                self.say(
                    &here,
                    format!(
                        "value 0 `{}` must end in _UNSPECIFIED: it is what an unset field reads as",
                        value.name()
                    ),
                );
            }
        }
    }

    fn service(&mut self, path: &[i32], service: &ServiceDescriptorProto) {
        self.commented(path, &format!("service `{}`", service.name()));
        self.name(path, service.name(), service.name().ends_with("Service"), "…Service");
        for (index, method) in service.method.iter().enumerate() {
            let here = join(path, &[2, number(index)]);
            self.commented(&here, &format!("rpc `{}.{}`", service.name(), method.name()));
            self.name(&here, method.name(), upper_camel(method.name()), "UpperCamelCase");
        }
    }

    fn name(&mut self, path: &[i32], name: &str, well_formed: bool, form: &str) {
        if !well_formed {
            self.say(path, format!("`{name}` is not {form}"));
        }
    }

    fn commented(&mut self, path: &[i32], what: &str) {
        let text = |comment: &Option<String>| comment.as_ref().is_some_and(|text| !text.trim().is_empty());
        let location = self.location(path);
        if !location.is_some_and(|found| text(&found.leading_comments) || text(&found.trailing_comments)) {
            self.say(
                path,
                format!("{what} has no comment: say what it is, its unit, range, default and RFC section"),
            );
        }
    }

    fn say(&mut self, path: &[i32], what: String) {
        let line = self.location(path).and_then(|found| found.span.first()).map_or(0, |&line| line + 1);
        let file = format!("proto/{}", self.file.name());
        self.findings.push(Finding::at(&file, usize::try_from(line).unwrap_or(0), what));
    }

    fn location(&self, path: &[i32]) -> Option<&Location> {
        self.file.source_code_info.as_ref()?.location.iter().find(|location| location.path == path)
    }
}

fn number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn join(path: &[i32], more: &[i32]) -> Vec<i32> {
    [path, more].concat()
}

fn upper_camel(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn lower_snake(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn upper_snake(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests;
