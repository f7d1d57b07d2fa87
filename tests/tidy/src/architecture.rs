//! ARCHITECTURE.md stays short and true: what it names exists, and the data paths name functions that are there.

use crate::finding::Finding;
use crate::manifest::manifests;
use crate::repo::{Repo, TextFile};
use crate::rust;

/// The document.
pub const PATH: &str = "ARCHITECTURE.md";
/// Most lines of it.
pub const LINES: usize = 200;
/// Headings of the data paths, and how many steps each has at least.
pub const DATA_PATHS: &[(&str, usize)] =
    &[("### An INVITE", 8), ("### An RTP packet", 5), ("### UpdateLine", 8)];

/// Everything that is wrong with the document.
#[must_use]
pub fn breaches(repo: &Repo) -> Vec<Finding> {
    let Some(document) = repo.file(PATH) else {
        return vec![Finding::file(PATH, "is missing: a stranger starts there")];
    };
    let mut findings = Vec::new();
    let lines = document.text.lines().count();
    if lines > LINES {
        findings.push(Finding::file(PATH, format!("{lines} lines, at most {LINES}: move a note to docs/")));
    }
    findings.extend(missing_files(repo, document));
    findings.extend(missing_crates(repo, document));
    for (heading, steps) in DATA_PATHS {
        findings.extend(data_path(repo, document, heading, *steps));
    }
    findings
}

/// Files that other documents name and that are not there.
#[must_use]
pub fn missing_files_of(repo: &Repo, path: &str) -> Vec<Finding> {
    match repo.file(path) {
        Some(document) => missing_files(repo, document),
        None => vec![Finding::file(path, "is missing")],
    }
}

fn missing_files(repo: &Repo, document: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in numbered(document) {
        let quoted = quoted(line).into_iter().filter(|quoted| names_a_file(quoted));
        for path in quoted.filter(|path| repo.file(path).is_none() && !repo.below(path).any(|_| true)) {
            findings.push(Finding::at(
                &document.path,
                number,
                format!("`{path}` is not there: name the file as it is now"),
            ));
        }
    }
    findings
}

fn missing_crates(repo: &Repo, document: &TextFile) -> Vec<Finding> {
    let absent = manifests(repo)
        .into_iter()
        .filter(|manifest| !document.text.contains(&format!("`{}`", manifest.name)));
    absent
        .map(|manifest| {
            Finding::file(PATH, format!("`{}` ({}) is not in the crate map", manifest.name, manifest.folder))
        })
        .collect()
}

/// Steps of a data path: each names a file and, right after it, a function of that file.
fn data_path(repo: &Repo, document: &TextFile, heading: &str, least: usize) -> Vec<Finding> {
    let steps = steps(document, heading);
    let mut findings = Vec::new();
    if steps.len() < least {
        let what = format!("`{heading}` has {} steps, at least {least} are expected", steps.len());
        findings.push(Finding::file(PATH, what));
    }
    for (number, step) in steps {
        let quoted = quoted(&step);
        if !quoted.iter().any(|quoted| names_a_file(quoted)) {
            findings.push(Finding::at(PATH, number, "a step names its file, with its path from the root"));
        }
        for pair in quoted.windows(2) {
            let (path, name) = (pair[0], pair[1]);
            let Some(file) = repo.file(path).filter(|_| !names_a_file(name)) else { continue };
            let function = name.rsplit("::").next().unwrap_or(name).trim_end_matches("()");
            if rust::words(&rust::split(&file.text).code, function).next().is_none() {
                let what = format!("`{function}` is not in `{path}`: name it as it is now");
                findings.push(Finding::at(PATH, number, what));
            }
        }
    }
    findings
}

/// The numbered steps below a heading with the lines that they begin at; a step may go on in indented lines.
fn steps(document: &TextFile, heading: &str) -> Vec<(usize, String)> {
    let section = numbered(document).skip_while(|(_, line)| *line != heading).skip(1);
    let mut steps = Vec::<(usize, String)>::new();
    for (number, line) in section.take_while(|(_, line)| !line.starts_with('#')) {
        if line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok()) {
            steps.push((number, line.to_owned()));
        } else if let (true, Some((_, step))) = (line.starts_with(' '), steps.last_mut()) {
            step.push_str(line);
        }
    }
    steps
}

fn numbered(document: &TextFile) -> impl Iterator<Item = (usize, &str)> {
    document.text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// What stands between backticks.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// A path from the root: begins with a top folder, ends in an extension, and has no blanks or placeholders.
fn names_a_file(quoted: &str) -> bool {
    let rooted = ["deploy/", "docs/", "proto/", "services/", "tests/", "tools/", "workers/"];
    let known = [".rs", ".proto", ".toml", ".md", ".yaml", ".sh"].iter().any(|end| quoted.ends_with(end));
    known
        && rooted.iter().any(|folder| quoted.starts_with(folder))
        && !quoted.contains([' ', '*', '<', '{', '$', '…'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(step: &str) -> Repo {
        let steps = (1..=8).map(|number| format!("{number}. {step}\n")).collect::<String>();
        let document =
            DATA_PATHS.iter().map(|(heading, _)| format!("{heading}\n{steps}\n")).collect::<String>();
        Repo::of(&[(PATH, &document), ("workers/a/src/b.rs", "//! B is here.\nfn handle_input() {}\n")])
    }

    #[test]
    fn a_step_that_is_true_is_quiet() {
        assert_eq!(breaches(&repo("`workers/a/src/b.rs` `handle_input` does it")), []);
    }

    #[test]
    fn a_renamed_file_or_function_is_found() {
        assert_eq!(breaches(&repo("`workers/a/src/c.rs` `handle_input`")).len(), 24);
        assert_eq!(breaches(&repo("`workers/a/src/b.rs` `Engine::handle_output`")).len(), 24);
        assert_eq!(breaches(&repo("the engine does it")).len(), 24);
    }

    #[test]
    fn a_step_may_go_on_in_the_next_line() {
        assert_eq!(breaches(&repo("`workers/a/src/b.rs`\n   `handle_input` does it")), []);
        assert_eq!(breaches(&repo("`workers/a/src/b.rs`\n   `handle_output` does it")).len(), 24);
    }

    #[test]
    fn a_missing_path_and_a_missing_crate_are_found() {
        let mut repo = repo("`workers/a/src/b.rs` `handle_input`");
        repo.files.push(TextFile::new("workers/a/Cargo.toml", "[package]\nname = \"um-a\"\n"));
        assert_eq!(breaches(&repo).len(), 1);
        assert_eq!(breaches(&Repo::of(&[(PATH, "")])).len(), 3);
        assert_eq!(breaches(&Repo::of(&[])).len(), 1);
    }

    #[test]
    fn line_201_is_found() {
        let mut repo = repo("`workers/a/src/b.rs` `handle_input`");
        repo.files[0].text.push_str(&"x\n".repeat(200));
        assert_eq!(breaches(&repo).len(), 1);
    }
}
