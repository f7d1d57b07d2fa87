//! docs/sip-conformance.md: its tables have one form, and every test that they name is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust;

/// The document.
pub const PATH: &str = "docs/sip-conformance.md";
/// First row of every table in it.
pub const HEAD: &str = "| RFC | section | behaviour | test |";

/// Every row that is not of the form, that names a test which is not there, or that stands twice.
#[must_use]
pub fn breaches(repo: &Repo) -> Vec<Finding> {
    let Some(document) = repo.file(PATH) else {
        return vec![Finding::file(PATH, "is missing: it says which test shows what the workers do")];
    };
    let tests = tests(repo);
    let mut findings = Vec::new();
    let mut seen = BTreeMap::<&str, usize>::new();
    let mut rows = 0;
    for (number, line) in document.text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if !line.starts_with('|') || line == HEAD || line.chars().all(|c| matches!(c, '|' | '-' | ' ')) {
            continue;
        }
        rows += 1;
        if let Some(first) = seen.insert(line, number) {
            findings.push(Finding::at(PATH, number, format!("stands in line {first} already: take one out")));
        }
        findings.extend(row(number, line, &tests));
    }
    if rows == 0 {
        findings.push(Finding::file(PATH, format!("has no row below `{HEAD}`")));
    }
    findings
}

/// What is wrong with one row.
fn row(number: usize, line: &str, tests: &BTreeSet<String>) -> Vec<Finding> {
    let cells = line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let [rfc, _, behaviour, named] = cells[..] else {
        return vec![Finding::at(
            PATH,
            number,
            format!("has {} cells, four are wanted: {HEAD}", cells.len()),
        )];
    };
    let mut findings = Vec::new();
    if rfc.is_empty() || !rfc.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ')) {
        findings.push(Finding::at(PATH, number, format!("`{rfc}` is no number of an RFC")));
    }
    if behaviour.is_empty() {
        findings.push(Finding::at(PATH, number, "says no behaviour"));
    }
    let names = named.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    if names.is_empty() {
        findings.push(Finding::at(PATH, number, "names no test, in backticks"));
    }
    for name in names.into_iter().filter(|name| !tests.contains(*name)) {
        let what = format!("no test is called `{name}`: name the one that shows this");
        findings.push(Finding::at(PATH, number, what));
    }
    findings
}

/// Names of all test functions: those with an attribute that ends in `test` above them.
fn tests(repo: &Repo) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in repo.rust() {
        let mut marked = false;
        for line in rust::split(&file.text).code.lines().map(str::trim) {
            marked |= is_test_attribute(line);
            let Some(name) = function(line) else { continue };
            if marked {
                names.insert(name.to_owned());
            }
            marked = false;
        }
    }
    names
}

/// Tells `#[test]`, `#[tokio::test]` and `#[tokio::test(…)]` from other attributes.
fn is_test_attribute(line: &str) -> bool {
    let Some(path) = line.strip_prefix("#[").and_then(|rest| rest.split([']', '(']).next()) else {
        return false;
    };
    path == "test" || path.ends_with("::test")
}

/// Name of the function that begins in a line.
fn function(line: &str) -> Option<&str> {
    let start = rust::words(line, "fn").next()?;
    let rest = line[start + 2..].trim_start();
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &str) -> usize {
        let document = format!("# Title\n\n{HEAD}\n|---|---|---|---|\n{rows}");
        let code = "//! Tests.\n#[test]\nfn calls_end() {}\n#[tokio::test(flavor = \"current_thread\")]\nasync fn calls_begin() {}\nfn no_test() {}\n// #[test]\nfn in_a_comment() {}\n";
        breaches(&Repo::of(&[(PATH, &document), ("a/tests/b.rs", code)])).len()
    }

    #[test]
    fn rows_that_are_true_are_quiet() {
        assert_eq!(found("| 3261 | 15 | A call ends | `calls_end` |\n"), 0);
        assert_eq!(found("| 3261, 6026 | 15 | Calls | `calls_end`, `calls_begin` |\n"), 0);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        for name in ["calls_stay", "no_test", "in_a_comment", "calls"] {
            assert_eq!(found(&format!("| 3261 | 15 | A call ends | `{name}` |\n")), 1, "{name}");
        }
    }

    #[test]
    fn a_row_of_another_form_is_found() {
        assert_eq!(found("| 3261 | 15 | `calls_end` |\n"), 1);
        assert_eq!(found("| RFC | 15 | A call ends | `calls_end` |\n"), 1);
        assert_eq!(found("| 3261 | 15 | | calls_end |\n"), 2);
        assert_eq!(found(""), 1);
    }

    #[test]
    fn a_row_that_stands_twice_is_found() {
        assert_eq!(found(&"| 3261 | 15 | A call ends | `calls_end` |\n".repeat(2)), 1);
        assert_eq!(breaches(&Repo::of(&[])).len(), 1);
    }
}
