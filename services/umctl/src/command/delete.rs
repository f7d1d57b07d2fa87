//! `delete`: one resource; a refusal names what refers to it.

use tonic_types::StatusExt;

use crate::config::Delete;
use crate::connection::{Connection, Deletion};
use crate::failure::Failure;
use crate::{kind, output};

/// Deletes a resource.
///
/// # Errors
///
/// Something refers to it, or it does not exist.
pub(crate) async fn run(connection: &Connection, arguments: &Delete) -> Result<(), Failure> {
    let kind = kind::parse(&arguments.kind)?;
    let name = kind::full_name(kind, &arguments.id);
    let deletion = Deletion {
        name: name.clone(),
        etag: arguments.etag.clone(),
        allow_missing: arguments.ignore_missing,
        validate_only: false,
    };
    match connection.delete(kind, deletion).await {
        Ok(()) => output::line(&format!("{name} deleted")),
        Err(failure) => match in_use(&failure) {
            Some(users) => Err(Failure::Conflict(format!("{name} is in use by {users}\n(RESOURCE_IN_USE)"))),
            None => Err(failure),
        },
    }
}

/// Returns who refers to a resource, from a refusal to delete it: `lines/a, lines/b and 3 more`.
pub(super) fn in_use(failure: &Failure) -> Option<String> {
    let Failure::Server(refusal) = failure else { return None };
    let info = refusal.status.get_details_error_info().filter(|info| info.reason == "RESOURCE_IN_USE")?;
    let referents = info.metadata.get("referents")?;
    let names: Vec<_> = referents.split(',').collect();
    let total =
        info.metadata.get("total").and_then(|total| total.parse::<usize>().ok()).unwrap_or(names.len());
    let more = total.saturating_sub(names.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("{}{rest}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn referents_are_named_and_the_rest_counted() {
        let metadata =
            [("referents".to_owned(), "lines/a,lines/b".to_owned()), ("total".to_owned(), "5".to_owned())];
        let details = ErrorDetails::with_error_info("RESOURCE_IN_USE", "um.v1", metadata);
        let status = tonic::Status::with_error_details(tonic::Code::FailedPrecondition, "in use", details);
        assert_eq!(in_use(&status.into()).as_deref(), Some("lines/a, lines/b and 3 more"));
        assert_eq!(in_use(&tonic::Status::not_found("").into()), None);
    }
}
