//! The fields in which two versions of a resource differ, for Apply and Diff.
//!
//! Works on the JSON form with proto names. Lists of things with an `id` (entries of a proxy list) are compared by it,
//! other lists as a whole.

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::{Map, Value};

use crate::{descriptor, v1};

/// Returns what differs in what the user wrote, in the order of paths. A side that is absent counts as empty.
#[must_use]
pub fn fields(before: Option<&v1::Resource>, after: Option<&v1::Resource>) -> Vec<v1::FieldDiff> {
    let (before, after) = (before.map(json).unwrap_or_default(), after.map(json).unwrap_or_default());
    let mut diffs = Vec::new();
    objects("", &before, &after, &mut diffs);
    diffs
}

/// Returns a resource without output fields and name as a JSON object with proto names.
fn json(resource: &v1::Resource) -> Map<String, Value> {
    let mut resource = resource.clone();
    if let Some(common) = resource.common_mut() {
        common.clear_output();
        common.set_name(String::new());
    }
    let encoded = prost::Message::encode_to_vec(&resource);
    let options = SerializeOptions::new().use_proto_field_name(true);
    let value = DynamicMessage::decode(descriptor::message("Resource"), &*encoded)
        .ok()
        .and_then(|message| message.serialize_with_options(serde_json::value::Serializer, &options).ok());
    // The envelope has one member, the resource.
    match value {
        Some(Value::Object(envelope)) => match envelope.into_iter().next() {
            Some((_, Value::Object(object))) => object,
            Some(_) | None => Map::new(),
        },
        Some(_) | None => Map::new(),
    }
}

fn objects(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    diffs: &mut Vec<v1::FieldDiff>,
) {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        values(&path, before.get(name), after.get(name), diffs);
    }
}

fn values(path: &str, before: Option<&Value>, after: Option<&Value>, diffs: &mut Vec<v1::FieldDiff>) {
    if before == after {
        return;
    }
    let empty = Map::new();
    let object = |value: Option<&Value>| match value {
        Some(Value::Object(object)) => Some(object.clone()),
        None => Some(empty.clone()),
        Some(_) => None,
    };
    if let (Some(before), Some(after)) = (object(before), object(after))
        && !(before.is_empty() && after.is_empty())
    {
        return objects(path, &before, &after, diffs);
    }
    if let (Some(before), Some(after)) = (by_id(before), by_id(after))
        && !(before.is_empty() && after.is_empty())
    {
        return lists(path, &before, &after, diffs);
    }
    diffs.push(field(path, before, after));
}

/// Compares two lists of things with ids: each by itself, then their order.
fn lists(
    path: &str,
    before: &[(String, &Map<String, Value>)],
    after: &[(String, &Map<String, Value>)],
    diffs: &mut Vec<v1::FieldDiff>,
) {
    let find = |list: &[(String, &Map<String, Value>)], id: &str| {
        list.iter().find(|(other, _)| other == id).map(|(_, object)| (*object).clone())
    };
    for (id, object) in before {
        objects(&format!("{path}[{id}]"), object, &find(after, id).unwrap_or_default(), diffs);
    }
    for (id, object) in after.iter().filter(|(id, _)| find(before, id).is_none()) {
        objects(&format!("{path}[{id}]"), &Map::new(), object, diffs);
    }
    let ids = |list: &[(String, &Map<String, Value>)]| {
        Value::Array(list.iter().map(|(id, _)| Value::String(id.clone())).collect())
    };
    let (before, after) = (ids(before), ids(after));
    if before != after {
        diffs.push(field(path, Some(&before), Some(&after)));
    }
}

/// Returns a list of objects by their ids; nothing where it is no such list or an id occurs twice.
fn by_id(value: Option<&Value>) -> Option<Vec<(String, &Map<String, Value>)>> {
    let items = match value {
        None => return Some(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return None,
    };
    let mut list: Vec<(String, &Map<String, Value>)> = Vec::with_capacity(items.len());
    for item in items {
        let object = item.as_object()?;
        let id = object.get("id")?.as_str()?;
        if list.iter().any(|(other, _)| other == id) {
            return None;
        }
        list.push((id.to_owned(), object));
    }
    Some(list)
}

fn field(path: &str, before: Option<&Value>, after: Option<&Value>) -> v1::FieldDiff {
    let text = |value: Option<&Value>| value.map(ToString::to_string).unwrap_or_default();
    v1::FieldDiff { path: path.to_owned(), before: text(before), after: text(after) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{line, proxy_list};

    fn entry(id: &str, port: u32) -> proxy_list::Entry {
        proxy_list::Entry { id: Some(id.into()), port: Some(port), ..Default::default() }
    }

    fn list(entries: &[(&str, u32)]) -> v1::Resource {
        let entries = entries.iter().map(|(id, port)| entry(id, *port)).collect();
        v1::ProxyList { name: "proxyLists/um".into(), entries, ..Default::default() }.into()
    }

    fn texts(diffs: &[v1::FieldDiff]) -> Vec<String> {
        diffs.iter().map(|diff| format!("{} {} -> {}", diff.path, diff.before, diff.after)).collect()
    }

    #[test]
    fn entries_are_compared_by_id_and_their_order_is_told() {
        let (before, after) = (list(&[("a", 1), ("b", 2)]), list(&[("b", 3), ("a", 1)]));
        let diffs = fields(Some(&before), Some(&after));
        assert_eq!(texts(&diffs), ["entries[b].port 2 -> 3", r#"entries ["a","b"] -> ["b","a"]"#]);
    }

    #[test]
    fn a_new_entry_is_told_by_its_fields() {
        let diffs = fields(Some(&list(&[("a", 1)])), Some(&list(&[("a", 1), ("b", 2)])));
        assert_eq!(
            texts(&diffs),
            [r#"entries[b].id  -> "b""#, "entries[b].port  -> 2", r#"entries ["a"] -> ["a","b"]"#]
        );
    }

    #[test]
    fn output_fields_do_not_differ_and_names_are_proto_names() {
        let line = |etag: &str, port| -> v1::Resource {
            let transport = line::LineTransport { receive_port: Some(port), ..Default::default() };
            v1::Line {
                name: "lines/a".into(),
                etag: etag.into(),
                transport: Some(transport),
                ..Default::default()
            }
            .into()
        };
        let diffs = fields(Some(&line("1", 5060)), Some(&line("2", 5061)));
        assert_eq!(texts(&diffs), ["transport.receive_port 5060 -> 5061"]);
        assert!(fields(Some(&line("1", 5060)), Some(&line("2", 5060))).is_empty());
        assert_eq!(texts(&fields(None, Some(&line("1", 5060)))), ["transport.receive_port  -> 5060"]);
    }
}
