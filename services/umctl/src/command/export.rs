//! `export`: all resources as manifests that apply reads back unchanged.

use um_wire::resource::kind_to_proto;
use um_wire::v1;

use crate::config::Export;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::{kind, manifest, output};

/// Writes all resources of some kinds, in an order in which they can be applied.
///
/// # Errors
///
/// The server does not answer, or the stream ends early.
pub(crate) async fn run(connection: &Connection, arguments: &Export) -> Result<(), Failure> {
    let kinds = arguments.kinds.iter().map(|word| kind::parse(word)).collect::<Result<Vec<_>, _>>()?;
    let kinds = kinds.into_iter().map(|kind| kind_to_proto(kind).into()).collect();
    let mut stream = connection.topology().export(v1::ExportRequest { kinds }).await?.into_inner();
    let mut first = true;
    while let Some(part) = stream.message().await? {
        let mut text = String::new();
        for resource in &part.resources {
            if !std::mem::take(&mut first) {
                text.push_str("---\n");
            }
            text.push_str(&manifest::write(resource)?);
        }
        output::raw(&text)?;
    }
    Ok(())
}
