//! Words that promise work or hide it: ignored tests, `todo!`, notes to oneself.

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust;

/// In code.
const CODE: &[(&str, &str)] = &[
    ("#[ignore", "a test runs or goes: what it needs is installed by `make bootstrap`"),
    ("todo!", "write it, or leave the name out until it does something"),
    ("unimplemented!", "write it, or leave the name out until it does something"),
];

/// In comments.
const COMMENTS: &[(&str, &str)] = &[
    ("TODO", "do it, or open an issue and say here what is true now"),
    ("FIXME", "do it, or open an issue and say here what is true now"),
    ("XXX", "do it, or open an issue and say here what is true now"),
    ("HACK", "say why it must be so, or mend it"),
];

/// Every such word in every Rust file.
#[must_use]
pub fn words(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.rust() {
        let split = rust::split(&file.text);
        for (text, bans) in [(&split.code, CODE), (&split.comments, COMMENTS)] {
            for (word, remedy) in bans {
                let found = rust::words(text, word);
                findings.extend(found.map(|at| {
                    Finding::at(&file.path, rust::line_of(text, at), format!("`{word}`: {remedy}"))
                }));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_found_and_strings_are_not() {
        let text = "//! A file.\n#[test]\n#[ignore = \"slow\"]\nfn a() { todo!() }\n// TODO later\nconst S: &str = \"TODO #[ignore]\";\n";
        let lines =
            words(&Repo::of(&[("a.rs", text)])).into_iter().map(|finding| finding.line).collect::<Vec<_>>();
        assert_eq!(lines, [3, 4, 5]);
    }
}
