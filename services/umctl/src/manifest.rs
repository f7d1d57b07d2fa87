//! Manifests: YAML documents, each one resource, in the form of the API's fields (domain.md 1.10).
//!
//! [`read`] turns files into resources and remembers where each field stands, so that a refusal of the server can be
//! told by file and line; [`write()`] does the reverse. Both walk the descriptors of `um.v1`, so a new field needs no
//! change here.

mod node;
mod reader;
mod scalar;
mod source;
mod writer;

use std::collections::BTreeMap;
use std::fmt;

use um_wire::v1;

pub(crate) use self::source::read;
pub(crate) use self::writer::write;
use crate::failure::Failure;
use crate::kind;

/// Resources and where they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) items: Vec<Item>,
}

/// One resource of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) resource: v1::Resource,
    file: String,
    /// Where each field stands, by its path; the document itself under the empty path.
    places: BTreeMap<String, Position>,
}

/// A place in a file, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A fault of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) position: Position,
    /// Path of the field; empty where none is meant.
    pub(crate) path: String,
    pub(crate) message: String,
}

impl Manifest {
    /// Returns the resources.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &v1::Resource> {
        self.items.iter().map(|item| &item.resource)
    }

    /// Finds the place that a path of the server means, `resources[2].line.transport.t1` or `line.transport.t1`, and
    /// what is left of the path. An unset field is told at the next one around it.
    pub(crate) fn locate(&self, path: &str) -> Option<(String, String)> {
        let (item, path) = match path.strip_prefix("resources[").and_then(|rest| rest.split_once(']')) {
            Some((index, rest)) => {
                (self.items.get(index.parse::<usize>().ok()?)?, rest.trim_start_matches('.'))
            }
            None if self.items.len() == 1 => (self.items.first()?, path),
            None => (self.items.iter().find(|item| path.starts_with(item.resource.name()))?, path),
        };
        let field = item.resource.kind().map(kind::field).unwrap_or_default();
        let path = path.strip_prefix(item.resource.name()).unwrap_or(path);
        let path = path.strip_prefix(field).unwrap_or(path).trim_start_matches('.');
        let mut around = path;
        loop {
            if let Some(position) = item.places.get(around) {
                return Some((format!("{}:{position}", item.file), path.to_owned()));
            }
            around = around.rfind(['.', '[']).map_or("", |end| &around[..end]);
        }
    }

    /// Finds resources that are given twice.
    fn duplicates(&self) -> Vec<Finding> {
        let mut first: BTreeMap<&str, &Item> = BTreeMap::new();
        let mut findings = Vec::new();
        for item in &self.items {
            let name = item.resource.name();
            match first.get(name) {
                Some(earlier) => findings.push(Finding {
                    file: item.file.clone(),
                    position: item.position(),
                    path: String::new(),
                    message: format!(
                        "{name} is given twice, first at {}:{}",
                        earlier.file,
                        earlier.position()
                    ),
                }),
                None => {
                    first.insert(name, item);
                }
            }
        }
        findings
    }
}

impl Item {
    fn position(&self) -> Position {
        self.places.get("").copied().unwrap_or_default()
    }
}

/// Reads the documents of one text; `file` is what findings call it.
///
/// # Errors
///
/// Every fault of the text.
pub(crate) fn parse(file: &str, text: &str) -> Result<Manifest, Failure> {
    let manifest = reader::read(file, text).map_err(Failure::Manifest)?;
    checked(manifest)
}

fn checked(manifest: Manifest) -> Result<Manifest, Failure> {
    let duplicates = manifest.duplicates();
    if duplicates.is_empty() { Ok(manifest) } else { Err(Failure::Manifest(duplicates)) }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.position)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests;
