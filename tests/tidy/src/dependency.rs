//! Who may use whom: the table of ARCHITECTURE.md, read from the manifests.

use toml::Value;

use crate::finding::Finding;
use crate::manifest::{Manifest, manifests};
use crate::repo::Repo;

/// A crate, its folder, what it may use of ours, and whether it is pure.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name of the crate.
    pub name: &'static str,
    /// Its folder.
    pub folder: &'static str,
    /// Crates of ours that it may use.
    pub may_use: &'static [&'static str],
    /// Whether it is a machine without sockets, clocks and runtime.
    pub pure: bool,
}

/// The table. `tests/*` may use everything.
pub const TABLE: &[Row] = &[
    row("um-topology", "proto/topology", &[], true),
    row("um-routing", "proto/routing", &["um-topology"], true),
    row("um-wire", "proto/wire", &["um-topology", "um-discovery"], false),
    row("um-discovery", "proto/discovery", &[], true),
    row("um-telemetry", "proto/telemetry", &[], false),
    row("um-store", "services/store", &["um-topology", "um-wire"], false),
    row(
        "um-control",
        "services/control",
        &["um-store", "um-discovery", "um-routing", "um-wire", "um-topology", "um-telemetry"],
        false,
    ),
    row("umctl", "services/umctl", &["um-topology", "um-wire"], false),
    row("um-sip", "workers/sip", &[], true),
    row("um-media", "workers/media", &[], true),
    row("um-engine", "workers/engine", &["um-sip", "um-media", "um-routing", "um-topology"], true),
    row(
        "um-worker",
        "workers/worker",
        &["um-engine", "um-sip", "um-media", "um-discovery", "um-wire", "um-topology", "um-telemetry"],
        false,
    ),
];

/// What a pure crate never builds on, by the start of the name.
pub const IMPURE: &[&str] = &[
    "async-",
    "axum",
    "crossbeam",
    "etcd",
    "getrandom",
    "hickory",
    "hyper",
    "libc",
    "mio",
    "opentelemetry",
    "prost",
    "rand",
    "redb",
    "rustix",
    "socket2",
    "tokio",
    "tonic",
    "tracing-",
    "um-wire",
];

/// Crates that speak protobuf, with the others of `tests/`.
const PROTOBUF: &[&str] = &["um-wire", "um-store", "um-control", "umctl", "um-worker"];

const fn row(name: &'static str, folder: &'static str, may_use: &'static [&'static str], pure: bool) -> Row {
    Row { name, folder, may_use, pure }
}

/// Breaches of the table and of the rules about foreign crates.
#[must_use]
pub fn breaches(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in manifests(repo) {
        if !manifest.workspace_lints {
            findings.push(Finding::file(
                &manifest.path,
                "add `[lints] workspace = true`: the lint table holds for every crate",
            ));
        }
        findings.extend(private_versions(&manifest));
        findings.extend(rsip(&manifest));
        if manifest.folder.starts_with("tests/") {
            continue;
        }
        match TABLE.iter().find(|row| row.name == manifest.name && row.folder == manifest.folder) {
            Some(row) => findings.extend(against(row, &manifest)),
            None => findings.push(Finding::file(
                &manifest.path,
                format!("`{}` is not in the dependency table: put it there (tests/tidy/src/dependency.rs) and in ARCHITECTURE.md", manifest.name),
            )),
        }
    }
    findings
}

fn against(row: &Row, manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    for used in manifest.normal() {
        let ours = used == "umctl" || used.starts_with("um-");
        if ours && !row.may_use.contains(&used) {
            findings.push(Finding::file(
                &manifest.path,
                format!(
                    "`{}` may not use `{used}`: move the shared part down, or pass it in as a value",
                    row.name
                ),
            ));
        }
        if row.pure && IMPURE.iter().any(|start| used.starts_with(start)) {
            findings.push(Finding::file(
                &manifest.path,
                format!(
                    "`{}` is pure and may not use `{used}`: input comes in as an argument, output is polled",
                    row.name
                ),
            ));
        }
        if matches!(used, "prost" | "prost-types" | "tonic") && !PROTOBUF.contains(&row.name) {
            findings.push(Finding::file(
                &manifest.path,
                format!(
                    "`{}` may not see protobuf (`{used}`): convert in um-wire or in a binary's adapter",
                    row.name
                ),
            ));
        }
    }
    findings
}

fn rsip(manifest: &Manifest) -> Vec<Finding> {
    let uses = manifest.all().filter(|(_, used)| *used == "rsip" && manifest.name != "um-sip");
    uses.map(|(section, _)| {
        Finding::file(&manifest.path, format!("`rsip` stands in [{section}]: only um-sip may name it"))
    })
    .collect()
}

fn private_versions(manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (section, table) in &manifest.dependencies {
        for (name, value) in table {
            // A crate may depend on itself, to turn on its own features in its tests.
            if value.get("workspace") != Some(&Value::Boolean(true)) && *name != manifest.name {
                let what = format!(
                    "`{name}` in [{section}] has a version of its own: declare it in the root manifest, `{name}.workspace = true` here"
                );
                findings.push(Finding::file(&manifest.path, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches_of(path: &str, manifest: &str) -> Vec<String> {
        breaches(&Repo::of(&[(path, manifest)])).into_iter().map(|finding| finding.what).collect()
    }

    const LINTS: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn an_upward_dependency_is_found() {
        let text =
            format!("[package]\nname = \"um-sip\"\n{LINTS}[dependencies]\num-engine.workspace = true\n");
        assert!(breaches_of("workers/sip/Cargo.toml", &text)[0].contains("may not use `um-engine`"));
    }

    #[test]
    fn a_runtime_in_a_pure_crate_is_found_even_for_one_target() {
        let text = format!(
            "[package]\nname = \"um-media\"\n{LINTS}[target.'cfg(unix)'.dependencies]\ntokio.workspace = true\n"
        );
        assert!(breaches_of("workers/media/Cargo.toml", &text)[0].contains("is pure"));
        let for_tests = text.replace(".dependencies", ".dev-dependencies");
        assert!(breaches_of("workers/media/Cargo.toml", &for_tests).is_empty());
    }

    #[test]
    fn rsip_outside_its_crate_is_found_in_tests_too() {
        let text =
            format!("[package]\nname = \"um-double\"\n{LINTS}[dev-dependencies]\nrsip.workspace = true\n");
        assert_eq!(breaches_of("tests/double/Cargo.toml", &text).len(), 1);
    }

    #[test]
    fn protobuf_in_routing_a_private_version_and_missing_lints_are_found() {
        let text = "[package]\nname = \"um-routing\"\n[dependencies]\nprost = \"0.14\"\n";
        assert_eq!(breaches_of("proto/routing/Cargo.toml", text).len(), 4);
    }

    #[test]
    fn a_crate_that_is_in_no_table_is_found() {
        let text = format!("[package]\nname = \"um-new\"\n{LINTS}");
        assert!(breaches_of("proto/new/Cargo.toml", &text)[0].contains("dependency table"));
    }
}
