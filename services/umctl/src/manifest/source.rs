//! Where manifests come from: files, directories, the standard input.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Manifest, checked, reader};
use crate::failure::Failure;

/// Reads all manifests of `-f` arguments: files, directories (their `.yaml`, `.yml` and `.json` files, in the order of
/// names, not below), and `-` for the standard input.
///
/// # Errors
///
/// A file that cannot be read, or every fault of all files together.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Manifest, Failure> {
    let mut manifest = Manifest::default();
    let mut findings = Vec::new();
    for path in paths {
        for (file, text) in texts(path)? {
            match reader::read(&file, &text) {
                Ok(read) => manifest.items.extend(read.items),
                Err(found) => findings.extend(found),
            }
        }
    }
    if !findings.is_empty() {
        return Err(Failure::Manifest(findings));
    }
    if manifest.items.is_empty() {
        return Err(Failure::Other("there is no resource in what -f names".to_owned()));
    }
    checked(manifest)
}

fn texts(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| Failure::Other(format!("-: {error}")))?;
        return Ok(vec![("-".to_owned(), text)]);
    }
    let failed = |path: &Path, error: &io::Error| Failure::Other(format!("{}: {error}", path.display()));
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| failed(path, &error))? {
            let file = entry.map_err(|error| failed(path, &error))?.path();
            let extension = file.extension().and_then(|extension| extension.to_str());
            if file.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).map_err(|error| failed(file, &error))?;
        Ok((file.display().to_string(), text))
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_manifests_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.yml", "kind: User\nname: b\nextension: \"2\"\n");
        write("a.yaml", "kind: User\nname: a\nextension: \"1\"\n");
        write("c.json", r#"{"kind": "User", "name": "c", "extension": "3"}"#);
        write("notes.txt", "not a manifest");
        let manifest = read(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = manifest.resources().map(um_wire::v1::Resource::name).collect();
        assert_eq!(names, ["users/a", "users/b", "users/c"]);
    }

    #[test]
    fn faults_of_all_files_are_told_together() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.yaml", "b.yaml"] {
            fs::write(folder.path().join(name), "kind: Lien\n").unwrap();
        }
        let told = read(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(told.contains("a.yaml:1:7: kind: ") && told.contains("b.yaml:1:7: kind: "), "{told}");
    }

    #[test]
    fn nothing_to_read_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&[folder.path().to_owned()]).unwrap_err().exit_code(), 1);
        assert!(
            read(&[folder.path().join("missing.yaml")]).unwrap_err().to_string().contains("missing.yaml")
        );
    }
}
