//! `get`: resources as tables, JSON, manifests or names.

use serde_json::{Map, Value};
use um_topology::Kind;
use um_wire::v1;

use super::{no_such_form, watch};
use crate::config::{Form, Get};
use crate::connection::{Connection, Listed};
use crate::failure::Failure;
use crate::{json, kind, manifest, output, table};

/// Shows resources of a kind, or one of them.
///
/// # Errors
///
/// There is no such kind or resource, or the server does not answer.
pub(crate) async fn run(connection: &Connection, form: Form, arguments: &Get) -> Result<(), Failure> {
    let kind = kind::parse(&arguments.kind)?;
    let listed = match &arguments.id {
        Some(id) => {
            let resource = connection.get(kind, kind::full_name(kind, id)).await?;
            // The store's revision is unknown here; the resource's own is a safe start for a watch.
            let revision =
                resource.spec.as_ref().map(|spec| table::Outputs::of(spec).revision).unwrap_or_default();
            Listed { resources: vec![resource], revision }
        }
        None => connection.list(kind).await?,
    };
    if arguments.watch {
        return watch::run(connection, form, kind, arguments.id.as_deref(), listed).await;
    }
    if listed.resources.is_empty() && matches!(form, Form::Table | Form::Wide) {
        output::remark(&format!("there are no {}", kind.collection()));
        return Ok(());
    }
    output::line(&shown(form, kind, arguments.id.is_some(), &listed)?)
}

/// Writes resources in a form; `one` where a single resource was asked for.
fn shown(form: Form, kind: Kind, one: bool, listed: &Listed) -> Result<String, Failure> {
    let resources = &listed.resources;
    Ok(match form {
        Form::Table | Form::Wide => {
            let wide = form == Form::Wide;
            let rows = resources.iter().map(|resource| table::row(resource, wide)).collect();
            table::render(&table::headings(kind, wide), rows)
        }
        Form::Json => {
            let objects = resources.iter().map(object).collect::<Result<Vec<_>, _>>()?;
            match (one, objects.into_iter().next_back()) {
                (true, Some(object)) => format!("{object:#}"),
                (true, None) => String::new(),
                (false, _) => format!("{:#}", list(kind, listed)?),
            }
        }
        Form::Yaml => {
            let documents = resources.iter().map(manifest::write).collect::<Result<Vec<_>, _>>()?;
            documents.join("---\n")
        }
        Form::Name => resources.iter().map(v1::Resource::name).collect::<Vec<_>>().join("\n"),
        Form::Tree => return Err(no_such_form(form, "get")),
    })
}

/// Returns a resource as JSON, out of its envelope.
pub(super) fn object(resource: &v1::Resource) -> Result<Value, Failure> {
    let envelope = json::value(&json::reflect("Resource", resource)?)?;
    let inner = envelope.as_object().and_then(|envelope| envelope.values().next().cloned());
    Ok(inner.unwrap_or(Value::Null))
}

/// Returns resources as the list answer of their kind: `{"lines": […], "revision": "7"}`.
fn list(kind: Kind, listed: &Listed) -> Result<Value, Failure> {
    let objects = listed.resources.iter().map(object).collect::<Result<Vec<_>, _>>()?;
    let mut map = Map::new();
    map.insert(kind.collection().to_owned(), Value::Array(objects));
    map.insert("revision".to_owned(), Value::String(listed.revision.to_string()));
    Ok(Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Listed {
        let text = "kind: Line\nname: pbx\nusage: GENERAL\ntransport: {protocol: UDP, bind_address: eth0}\n";
        let manifest = manifest::parse("lines.yaml", text).unwrap();
        let mut resource = manifest.items[0].resource.clone();
        let conditions = vec![v1::Condition {
            r#type: "Programmed".into(),
            status: v1::condition::Status::False.into(),
            reason: "PortTaken".into(),
            message: "worker w1: 5060 is taken".into(),
            ..Default::default()
        }];
        resource.common_mut().unwrap().set_output(um_wire::Output {
            revision: 7,
            conditions,
            ..Default::default()
        });
        Listed { resources: vec![resource], revision: 9 }
    }

    #[test]
    fn a_line_that_is_not_programmed_says_so_in_the_table() {
        let table = shown(Form::Table, Kind::Line, false, &listed()).unwrap();
        let expected = "NAME  STATE   USAGE    TRANSPORT  LISTEN     PROXY-LIST  PROGRAMMED         HEALTH  AGE\n\
                        pbx   ACTIVE  GENERAL  UDP        eth0:5060  -           False (PortTaken)  -       -";
        assert_eq!(table, expected);
        let wide = shown(Form::Wide, Kind::Line, false, &listed()).unwrap();
        assert!(wide.lines().nth(1).unwrap().ends_with("worker w1: 5060 is taken"), "{wide}");
    }

    #[test]
    fn every_kind_has_as_many_cells_as_headings() {
        let empty: [v1::Resource; 5] = [
            v1::Line::default().into(),
            v1::ProxyList::default().into(),
            v1::Station::default().into(),
            v1::User::default().into(),
            v1::Settings::default().into(),
        ];
        for resource in empty {
            for wide in [false, true] {
                let kind = resource.kind().unwrap();
                assert_eq!(table::row(&resource, wide).len(), table::headings(kind, wide).len(), "{kind:?}");
            }
        }
    }

    #[test]
    fn json_is_protobufs_and_yaml_is_a_manifest() {
        let json = shown(Form::Json, Kind::Line, false, &listed()).unwrap();
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["lines"][0]["transport"]["bindAddress"], "eth0");
        assert_eq!(
            (&value["revision"], &value["lines"][0]["conditions"][0]["status"]),
            (&"9".into(), &"FALSE".into())
        );
        let yaml = shown(Form::Yaml, Kind::Line, true, &listed()).unwrap();
        assert!(yaml.starts_with("kind: Line\nname: pbx\nusage: GENERAL\n"), "{yaml}");
        assert_eq!(shown(Form::Name, Kind::Line, false, &listed()).unwrap(), "lines/pbx");
    }
}
