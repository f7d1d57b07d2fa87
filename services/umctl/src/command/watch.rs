//! `get -w`: first what there is, then every change, across reconnects without a gap.

use std::time::Duration;

use tonic::Code;
use um_topology::Kind;
use um_wire::resource::kind_to_proto;
use um_wire::v1;
use um_wire::v1::change::Type;
use um_wire::v1::watch_response::Message;

use super::{get, no_such_form};
use crate::config::Form;
use crate::connection::{Connection, Listed};
use crate::failure::Failure;
use crate::{kind, manifest, output, table};

/// Shows resources and then their changes until it is interrupted.
///
/// # Errors
///
/// The server refuses to go on; a lost connection is opened again.
pub(crate) async fn run(
    connection: &Connection,
    form: Form,
    kind: Kind,
    id: Option<&str>,
    listed: Listed,
) -> Result<(), Failure> {
    let name = id.map(|id| kind::full_name(kind, id));
    if matches!(form, Form::Table | Form::Wide) {
        let rows: Vec<_> =
            listed.resources.iter().map(|resource| table::row(resource, form == Form::Wide)).collect();
        output::line(&table::render(&table::headings(kind, form == Form::Wide), rows))?;
    } else {
        for resource in &listed.resources {
            output::line(&put(form, resource)?)?;
        }
    }
    let mut revision = listed.revision;
    loop {
        match follow(connection, form, kind, name.as_deref(), &mut revision).await {
            Ok(()) => {}
            Err(Failure::Server(refusal)) if is_passing(refusal.status.code()) => {
                output::remark(&format!("watch interrupted, going on from revision {revision}"));
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Shows the changes of one stream after a revision, and moves the revision on.
async fn follow(
    connection: &Connection,
    form: Form,
    kind: Kind,
    name: Option<&str>,
    revision: &mut i64,
) -> Result<(), Failure> {
    let request = v1::WatchRequest {
        kinds: vec![kind_to_proto(kind).into()],
        start_revision: *revision,
        ..v1::WatchRequest::default()
    };
    let mut stream = connection.topology().watch(request).await?.into_inner();
    while let Some(response) = stream.message().await? {
        *revision = response.revision.max(*revision);
        let Some(Message::Changes(changes)) = response.message else { continue };
        for change in changes.changes {
            if name.is_none_or(|name| name == change.name) {
                output::line(&shown(form, &change)?)?;
            }
        }
    }
    Ok(())
}

fn shown(form: Form, change: &v1::Change) -> Result<String, Failure> {
    match (change.r#type(), &change.resource) {
        (Type::Put, Some(resource)) => put(form, resource),
        (Type::Put | Type::Delete | Type::Unspecified, _) => Ok(match form {
            Form::Json => serde_json::json!({"name": change.name, "deleted": true}).to_string(),
            Form::Yaml => format!("# {} is deleted\n---", change.name),
            Form::Name => change.name.clone(),
            Form::Table | Form::Wide | Form::Tree => format!("{}  deleted", kind::bare_id(&change.name)),
        }),
    }
}

/// Writes one resource for a reader that follows: JSON on one line, YAML as a document.
fn put(form: Form, resource: &v1::Resource) -> Result<String, Failure> {
    Ok(match form {
        Form::Table | Form::Wide => table::row(resource, form == Form::Wide).join("  "),
        Form::Json => get::object(resource)?.to_string(),
        Form::Yaml => format!("{}---", manifest::write(resource)?),
        Form::Name => resource.name().to_owned(),
        Form::Tree => return Err(no_such_form(form, "get")),
    })
}

/// Says whether a stream that ended so can be resumed where it was.
const fn is_passing(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::Unknown | Code::Cancelled)
}

const PAUSE: Duration = Duration::from_millis(500);
