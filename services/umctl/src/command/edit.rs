//! `edit`: a resource in an editor; what is saved replaces it, guarded by the etag that was read.

use std::io::Write;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::config::Edit;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::manifest::{self, Manifest};
use crate::{kind, output};

/// Edits a resource. What cannot be accepted is shown at the top of the file, and the editor opens again.
///
/// # Errors
///
/// The resource does not exist or was changed meanwhile, or the editor failed or left the file as it was.
pub(crate) async fn run(connection: &Connection, arguments: &Edit) -> Result<(), Failure> {
    let kind = kind::parse(&arguments.one.kind)?;
    let resource = connection.get(kind, kind::full_name(kind, &arguments.one.id)).await?;
    let etag = resource.common().map(|common| common.etag().to_owned()).unwrap_or_default();
    let original = manifest::write(&resource)?;
    let mut text = original.clone();
    let mut last: Option<Failure> = None;
    loop {
        let edited = edit(&arguments.editor, &text)?;
        if let Some(failure) = last.take().filter(|_| edited == text) {
            return Err(Failure::Other(format!("left as it was, nothing is changed:\n{failure}")));
        }
        if without_remarks(&edited) == original {
            return output::line(&format!("{} unchanged", resource.name()));
        }
        let answer = match manifest::parse("edited", &edited) {
            Ok(manifest) => replace(connection, resource.name(), &etag, &manifest).await,
            Err(failure) => Err(failure),
        };
        let failure = match answer {
            Ok(()) => return output::line(&format!("{} edited", resource.name())),
            Err(failure @ (Failure::Manifest(_) | Failure::Usage(_))) => failure,
            Err(failure @ Failure::Server(_)) if failure.exit_code() == 1 => failure,
            Err(failure) => return Err(failure),
        };
        text = remarked(&edited, &failure);
        last = Some(failure);
    }
}

async fn replace(
    connection: &Connection,
    name: &str,
    etag: &str,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let [item] = manifest.items.as_slice() else {
        return Err(Failure::Usage(format!("the file must hold one resource, {name}")));
    };
    if item.resource.name() != name {
        return Err(Failure::Usage(format!("the file must hold {name}, not {}", item.resource.name())));
    }
    let mut resource = item.resource.clone();
    if let Some(common) = resource.common_mut() {
        common.set_output(um_wire::Output { etag: etag.to_owned(), ..um_wire::Output::default() });
    }
    connection.replace(resource).await.map_err(|failure| failure.about(manifest))?;
    Ok(())
}

/// Has a text edited, and returns what was saved.
fn edit(editor: &str, text: &str) -> Result<String, Failure> {
    let mut file = tempfile::Builder::new().prefix("umctl-").suffix(".yaml").tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    let status = launch(editor, &file)
        .map_err(|error| Failure::Other(format!("the editor `{editor}` cannot be started: {error}")))?;
    if !status.success() {
        return Err(Failure::Other(format!("the editor `{editor}` ended with {status}; nothing is changed")));
    }
    Ok(std::fs::read_to_string(file.path())?)
}

/// Starts the editor through the shell, because `EDITOR` may hold arguments.
fn launch(editor: &str, file: &NamedTempFile) -> std::io::Result<std::process::ExitStatus> {
    Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("umctl").arg(file.path()).status()
}

/// Puts what is wrong at the top of the text, in place of what was wrong before.
fn remarked(text: &str, failure: &Failure) -> String {
    let remarks: String = failure.to_string().lines().map(|line| format!("{REMARK}{line}\n")).collect();
    format!("{remarks}{}", without_remarks(text))
}

fn without_remarks(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with(REMARK)).map(|line| format!("{line}\n")).collect()
}

const REMARK: &str = "#! ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_stand_at_the_top_and_are_replaced() {
        let failure = |text: &str| Failure::Other(text.to_owned());
        let first = remarked("kind: Line\n", &failure("one\ntwo"));
        assert_eq!(first, "#! one\n#! two\nkind: Line\n");
        assert_eq!(remarked(&first, &failure("three")), "#! three\nkind: Line\n");
        assert_eq!(without_remarks(&first), "kind: Line\n");
    }

    #[test]
    fn the_editor_gets_the_text_and_returns_what_it_saves() {
        assert_eq!(edit("sed -i s/a/b/", "a\n").unwrap(), "b\n");
        assert!(edit("false", "a\n").is_err());
    }
}
