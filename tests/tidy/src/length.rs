//! Length of files and functions, the opening comment of each file, and the size of `main.rs`.

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust;

/// Most lines of a Rust file.
pub const FILE_LINES: usize = 600;
/// Most lines of code in a function's body.
pub const FUNCTION_LINES: usize = 70;
/// A `main.rs` stays below.
pub const MAIN_LINES: usize = 60;

/// Files that may be longer, with the length that they must not exceed. Only ever shorten this list.
pub const LONG_FILES: &[(&str, usize)] = &[];

/// Functions that may be longer, as `path function`. Only ever shorten this list.
pub const LONG_FUNCTIONS: &[(&str, usize)] = &[];

/// Files longer than allowed, and exceptions that are no longer needed.
#[must_use]
pub fn files(repo: &Repo, exceptions: &[(&str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.rust() {
        let lines = file.text.lines().count();
        let allowed =
            exceptions.iter().find(|(path, _)| *path == file.path).map_or(FILE_LINES, |(_, lines)| *lines);
        if lines > allowed {
            findings.push(Finding::file(
                &file.path,
                format!("{lines} lines, at most {allowed}: move a noun of it to a file of its own"),
            ));
        }
    }
    findings.extend(exceptions.iter().filter_map(|(path, _)| {
        let lines = repo.file(path).map_or(0, |file| file.text.lines().count());
        (lines <= FILE_LINES)
            .then(|| Finding::file(path, "needs no exception any more: take it out of LONG_FILES"))
    }));
    findings
}

/// Functions longer than allowed, and exceptions that are no longer needed.
#[must_use]
pub fn functions(repo: &Repo, exceptions: &[(&str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    for file in repo.rust() {
        for function in rust::functions(&rust::split(&file.text).code) {
            let key = format!("{} {}", file.path, function.name);
            let exception = exceptions.iter().find(|(name, _)| *name == key);
            used.extend(exception.filter(|_| function.lines > FUNCTION_LINES).map(|(name, _)| *name));
            let allowed = exception.map_or(FUNCTION_LINES, |(_, lines)| *lines);
            if function.lines > allowed {
                let what = format!(
                    "`{}` has {} lines of code, at most {allowed}: give its steps names",
                    function.name, function.lines
                );
                findings.push(Finding::at(&file.path, function.line, what));
            }
        }
    }
    findings.extend(
        exceptions.iter().filter(|(name, _)| !used.contains(name)).map(|(name, _)| {
            Finding::file(name, "needs no exception any more: take it out of LONG_FUNCTIONS")
        }),
    );
    findings
}

/// Files that do not open with a `//!` comment that says something.
#[must_use]
pub fn headers(repo: &Repo) -> Vec<Finding> {
    repo.rust()
        .filter(|file| {
            let first = file.text.lines().next().unwrap_or_default();
            first.strip_prefix("//!").is_none_or(|words| words.split_whitespace().count() < 2)
        })
        .map(|file| {
            Finding::at(
                &file.path,
                1,
                "open the file with `//!`: what it is, what it is not, which RFC section",
            )
        })
        .collect()
}

/// `main.rs` files that do more than configure, build, run and drain.
#[must_use]
pub fn mains(repo: &Repo) -> Vec<Finding> {
    repo.rust()
        .filter(|file| file.path.ends_with("src/main.rs") && file.text.lines().count() >= MAIN_LINES)
        .map(|file| {
            Finding::file(
                &file.path,
                format!("not under {MAIN_LINES} lines: configure, build, run, drain; the rest is library"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_601_lines_is_found() {
        let repo = Repo::of(&[("a.rs", &"x\n".repeat(601)), ("b.rs", &"x\n".repeat(600))]);
        assert_eq!(files(&repo, &[]).len(), 1);
        assert!(files(&repo, &[("a.rs", 601)]).is_empty());
        assert_eq!(files(&repo, &[("a.rs", 601), ("b.rs", 700)]).len(), 1, "b.rs needs none");
    }

    #[test]
    fn a_function_of_71_lines_is_found() {
        let body =
            |lines: usize| format!("//! A file of lines.\nfn f() {{\n{}}}\n", "    go();\n".repeat(lines));
        let repo = Repo::of(&[("a.rs", &body(71)), ("b.rs", &body(70))]);
        assert_eq!(functions(&repo, &[]).len(), 1);
        assert!(functions(&repo, &[("a.rs f", 71)]).is_empty());
        assert_eq!(functions(&repo, &[("a.rs f", 71), ("b.rs f", 80)]).len(), 1, "b.rs f needs none");
    }

    #[test]
    fn a_missing_or_empty_header_is_found() {
        let repo = Repo::of(&[
            ("a.rs", "use x;\n"),
            ("b.rs", "//! Placeholder.\n"),
            ("c.rs", "//! Reads a thing.\n"),
            ("d.rs", ""),
        ]);
        let found = headers(&repo).into_iter().map(|finding| finding.path).collect::<Vec<_>>();
        assert_eq!(found, ["a.rs", "b.rs", "d.rs"]);
    }

    #[test]
    fn a_long_main_is_found() {
        let repo = Repo::of(&[("a/src/main.rs", &"x\n".repeat(60)), ("b/src/main.rs", &"x\n".repeat(59))]);
        assert_eq!(mains(&repo).len(), 1);
    }
}
