//! What the rules read from a `Cargo.toml`.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::repo::{Repo, TextFile};

/// One crate of the workspace.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Path of the manifest.
    pub path: String,
    /// Folder of the crate.
    pub folder: String,
    /// Name of the crate.
    pub name: String,
    /// Dependencies by section: `dependencies`, `dev-dependencies`, `build-dependencies`.
    pub dependencies: BTreeMap<String, Table>,
    /// Whether it takes the workspace's lints.
    pub workspace_lints: bool,
}

impl Manifest {
    /// Names in the section that ends up in the product.
    pub fn normal(&self) -> impl Iterator<Item = &str> {
        self.section("dependencies")
    }

    /// Names in every section, with the section.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.dependencies
            .iter()
            .flat_map(|(section, table)| table.keys().map(|name| (section.as_str(), name.as_str())))
    }

    fn section(&self, name: &str) -> impl Iterator<Item = &str> {
        self.dependencies.get(name).into_iter().flat_map(|table| table.keys().map(String::as_str))
    }
}

/// Every crate of the workspace.
///
/// # Panics
/// When a manifest is not TOML: then cargo would not build it either.
#[must_use]
pub fn manifests(repo: &Repo) -> Vec<Manifest> {
    repo.files
        .iter()
        .filter(|file| file.name() == "Cargo.toml" && file.path != "Cargo.toml")
        .map(manifest)
        .collect()
}

fn manifest(file: &TextFile) -> Manifest {
    let table = file.text.parse::<Table>().expect("a manifest is TOML");
    let mut dependencies = BTreeMap::<String, Table>::new();
    collect(&table, &mut dependencies);
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    for target in targets.filter_map(Value::as_table) {
        collect(target, &mut dependencies);
    }
    let lookup = |section: &str, key: &str| table.get(section).and_then(|section| section.get(key)).cloned();
    Manifest {
        path: file.path.clone(),
        folder: file.path.trim_end_matches("/Cargo.toml").to_owned(),
        name: lookup("package", "name").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default(),
        dependencies,
        workspace_lints: lookup("lints", "workspace") == Some(Value::Boolean(true)),
    }
}

fn collect(table: &Table, into: &mut BTreeMap<String, Table>) {
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        if let Some(entries) = table.get(section).and_then(Value::as_table) {
            into.entry(section.to_owned()).or_default().extend(entries.clone());
        }
    }
}
