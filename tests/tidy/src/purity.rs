//! What a pure crate never names: a socket, a clock, a thread, a runtime, global randomness, protobuf.

use crate::dependency::{Row, TABLE};
use crate::finding::Finding;
use crate::repo::{Repo, TextFile};
use crate::rust;

/// A word and what to do instead.
type Ban = (&'static str, &'static str);

/// Words that no pure crate holds outside its tests.
const BANNED: &[Ban] = &[
    ("tokio", "the binary drives the machine"),
    ("tonic", "the binary drives the machine"),
    ("prost", "um-wire converts"),
    ("um_wire", "um-wire converts"),
    ("etcd", "the store is behind um-store"),
    ("etcd_client", "the store is behind um-store"),
    ("opentelemetry", "expose events and counters; the binary records them"),
    ("UdpSocket", "return what to send; the binary owns the socket"),
    ("TcpStream", "return what to send; the binary owns the socket"),
    ("TcpListener", "return what to send; the binary owns the socket"),
    ("UnixStream", "return what to send; the binary owns the socket"),
    ("Instant::now", "take `now` as an argument"),
    ("SystemTime", "take the time as an argument"),
    ("UNIX_EPOCH", "take the time as an argument"),
    (".elapsed(", "it reads the clock: take `now` and subtract"),
    ("std::thread", "a machine has no threads"),
    ("std::env", "configuration comes in as a value"),
    ("std::fs", "files are the binary's"),
    ("std::process", "a machine ends no process"),
    ("RandomState", "hash with an injected seed"),
    ("thread_rng", "take randomness from the injected source"),
    ("OsRng", "take randomness from the injected source"),
    ("getrandom", "take randomness from the injected source"),
    ("fastrand", "take randomness from the injected source"),
    ("unsafe", "pure crates forbid it"),
];

/// Words that not even a test of a pure crate holds.
const BANNED_IN_TESTS: &[Ban] =
    &[("thread::sleep", "time is a value: add to `now`"), ("tokio", "drive the machine by hand")];

/// How code names the crate.
const RSIP: &str = "rsip::";

/// Every banned word in every pure crate, and pure crates that do not forbid `unsafe`.
#[must_use]
pub fn breaches(repo: &Repo) -> Vec<Finding> {
    TABLE.iter().filter(|row| row.pure).flat_map(|row| in_crate(repo, row)).collect()
}

/// `rsip` in the code of any crate but um-sip.
#[must_use]
pub fn rsip(repo: &Repo) -> Vec<Finding> {
    let elsewhere = repo.rust().filter(|file| !file.path.starts_with("workers/sip/"));
    let ban: &[Ban] = &[(RSIP, "only um-sip may name it: use um-sip's types")];
    elsewhere.flat_map(|file| words(file, &rust::split(&file.text).code, ban)).collect()
}

fn in_crate(repo: &Repo, row: &Row) -> Vec<Finding> {
    let mut findings = Vec::new();
    let root = format!("{}/src/lib.rs", row.folder);
    let only_tests = test_modules(repo, row);
    for file in repo.below(row.folder).filter(|file| file.is("rs")) {
        let code = rust::split(&file.text).code;
        if is_test(file, row) || only_tests.iter().any(|module| in_module(file, module)) {
            findings.extend(words(file, &code, BANNED_IN_TESTS));
        } else {
            findings.extend(words(
                file,
                &rust::without_tests(&code).replace("forbid(unsafe_code)", ""),
                BANNED,
            ));
            findings.extend(words(file, &code, BANNED_IN_TESTS));
        }
        if file.path == root && !code.contains("#![forbid(unsafe_code)]") {
            findings.push(Finding::file(
                &file.path,
                "a pure crate says `#![forbid(unsafe_code)]`: add it below the header",
            ));
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

fn is_test(file: &TextFile, row: &Row) -> bool {
    let inside = file.path[row.folder.len()..].trim_start_matches('/');
    !inside.starts_with("src/") || file.name() == "tests.rs" || inside.contains("/tests/")
}

/// Paths without extension of the modules that are declared under `#[cfg(test)]`.
fn test_modules(repo: &Repo, row: &Row) -> Vec<String> {
    let mut modules = Vec::new();
    for file in repo.below(row.folder).filter(|file| file.is("rs")) {
        let folder = match file.name() {
            "lib.rs" | "main.rs" => file.path.trim_end_matches(file.name()).trim_end_matches('/'),
            _ => file.path.trim_end_matches(".rs"),
        };
        for (at, marker) in file.text.match_indices("#[cfg(test)]") {
            let rest = file.text[at + marker.len()..].trim_start().trim_start_matches("pub(crate) ");
            let name = rest.strip_prefix("mod ").and_then(|rest| rest.split_once(';')).map(|(name, _)| name);
            modules.extend(name.filter(|name| !name.contains('{')).map(|name| format!("{folder}/{name}")));
        }
    }
    modules
}

fn in_module(file: &TextFile, module: &str) -> bool {
    file.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn words(file: &TextFile, code: &str, bans: &[Ban]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (word, remedy) in bans {
        for position in rust::words(code, word) {
            let what = format!("`{word}` does not belong here: {remedy}");
            findings.push(Finding::at(&file.path, rust::line_of(code, position), what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "//! A crate of this test.\n#![forbid(unsafe_code)]\n";

    #[test]
    fn a_clock_in_a_machine_is_found_and_in_its_tests_is_not() {
        let clock = "fn f() { let now = std::time::Instant::now(); }\n";
        let repo = Repo::of(&[
            ("workers/sip/src/lib.rs", LIB),
            ("workers/sip/src/a.rs", clock),
            ("workers/sip/src/a/tests.rs", clock),
            ("workers/sip/src/b.rs", &format!("#[cfg(test)]\nmod tests {{ {clock} }}\n")),
            ("workers/sip/src/c.rs", "#[cfg(test)]\npub(crate) mod testing;\n"),
            ("workers/sip/src/c/testing.rs", clock),
            ("workers/worker/src/clock.rs", clock),
        ]);
        let found = breaches(&repo);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].path.as_str(), found[0].line), ("workers/sip/src/a.rs", 1));
    }

    #[test]
    fn a_sleeping_test_and_a_crate_that_permits_unsafe_are_found() {
        let repo = Repo::of(&[
            ("proto/routing/src/lib.rs", "//! A crate of this test.\n"),
            ("proto/routing/src/tests.rs", "fn f() { std::thread::sleep(D) }"),
        ]);
        assert_eq!(breaches(&repo).len(), 2);
    }

    #[test]
    fn words_in_comments_and_longer_names_are_none() {
        let text = format!("{LIB}// tokio drives it\nuse sdp::prost_like;\nstruct TokioLike;\n");
        assert!(breaches(&Repo::of(&[("workers/media/src/lib.rs", &text)])).is_empty());
    }

    #[test]
    fn rsip_in_the_engine_is_found() {
        let repo = Repo::of(&[
            ("workers/engine/src/a.rs", &format!("use {RSIP}Uri;")),
            ("workers/sip/src/a.rs", &format!("use {RSIP}Uri;")),
        ]);
        assert_eq!(rsip(&repo).len(), 1);
    }
}
