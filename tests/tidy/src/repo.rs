//! The repository as the rules see it: every text file that would be committed, read once.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// One text file.
#[derive(Clone, Debug)]
pub struct TextFile {
    /// Path from the root, with forward slashes.
    pub path: String,
    /// Contents.
    pub text: String,
}

impl TextFile {
    /// A file that exists only in a test.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// File name without its folders.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether the path ends in the extension.
    #[must_use]
    pub fn is(&self, extension: &str) -> bool {
        self.name().rsplit_once('.').is_some_and(|(_, after)| after == extension)
    }
}

/// All files, in the order of their paths.
#[derive(Clone, Debug)]
pub struct Repo {
    /// The root; empty for a repository that exists only in a test.
    pub root: PathBuf,
    /// The files.
    pub files: Vec<TextFile>,
}

impl Repo {
    /// Reads the repository that this crate stands in.
    ///
    /// # Panics
    /// When a file cannot be read: then nothing can be said about it.
    #[must_use]
    pub fn read() -> Self {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace root");
        let mut files = Vec::new();
        for entry in WalkDir::new(&root).sort_by_file_name().into_iter().filter_entry(committed) {
            let entry = entry.expect("a folder of the repository can be listed");
            if !entry.file_type().is_file() {
                continue;
            }
            let bytes = fs::read(entry.path()).expect("a file of the repository can be read");
            // What is not UTF-8 is a capture or a picture, and no rule is about those.
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let path = entry.path().strip_prefix(&root).expect("below the root");
            files.push(TextFile { path: path.to_string_lossy().replace('\\', "/"), text });
        }
        Self { root, files }
    }

    /// A repository that exists only in a test.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self {
            root: PathBuf::new(),
            files: files.iter().map(|(path, text)| TextFile::new(path, text)).collect(),
        }
    }

    /// The file at a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// All Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.is("rs"))
    }

    /// All files below a folder.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a TextFile> {
        self.files
            .iter()
            .filter(move |file| file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    }
}

/// Whether a folder or file belongs to the repository: not what git ignores, not git itself.
fn committed(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let top = entry.depth() == 1;
    !(name == ".git" || top && (name == "target" || name == "var") || name.ends_with(".rs.bk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_file_and_nothing_that_is_built() {
        let repo = Repo::read();
        assert!(repo.file("tests/tidy/src/repo.rs").is_some());
        assert!(
            repo.files
                .iter()
                .all(|file| !file.path.starts_with("target/") && !file.path.starts_with(".git/"))
        );
    }
}
