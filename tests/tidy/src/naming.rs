//! Names of files and folders: they are nouns of their subject, and `foo.rs` stands beside `foo/`.

use crate::finding::Finding;
use crate::repo::Repo;

/// Names that say nothing.
pub const SAY_NOTHING: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc"];

/// Extensions that the rule is about.
const KINDS: &[&str] = &["rs", "proto", "py", "sh"];

/// Notes that `docs/` may hold.
pub const NOTES: usize = 5;

/// Files whose name, or whose folder's name, says nothing; and every `mod.rs`.
#[must_use]
pub fn names(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| KINDS.iter().any(|kind| file.is(kind))) {
        if file.name() == "mod.rs" {
            findings.push(Finding::file(
                &file.path,
                "move it beside its folder: `foo.rs` and `foo/`, never `mod.rs`",
            ));
        }
        let parts = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        if let Some(empty) = parts.into_iter().find(|part| SAY_NOTHING.contains(part)) {
            findings.push(Finding::file(
                &file.path,
                format!("`{empty}` says nothing: name the noun that it holds"),
            ));
        }
    }
    findings
}

/// More notes in `docs/` than anybody reads.
#[must_use]
pub fn notes(repo: &Repo) -> Vec<Finding> {
    let count = repo.below("docs").count();
    if count > NOTES {
        vec![Finding::file("docs", format!("{count} notes, at most {NOTES}: merge or drop some"))]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found() {
        let repo = Repo::of(&[
            ("a/src/utils.rs", ""),
            ("a/src/common/x.rs", ""),
            ("a/src/foo/mod.rs", ""),
            ("a/src/commonplace.rs", ""),
            ("proto/v1/common.proto", ""),
            ("docs/common.md", ""),
        ]);
        assert_eq!(names(&repo).len(), 4);
    }

    #[test]
    fn a_sixth_note_is_found() {
        let five =
            [("docs/a.md", ""), ("docs/b.md", ""), ("docs/c.md", ""), ("docs/d.md", ""), ("docs/e.md", "")];
        assert!(notes(&Repo::of(&five)).is_empty());
        let six = [&five[..], &[("docs/f.md", "")]].concat();
        assert_eq!(notes(&Repo::of(&six)).len(), 1);
    }
}
