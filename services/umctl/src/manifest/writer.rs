//! From resources to YAML, along the descriptors, so that what is written reads back as the same resource.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind as FieldKind, MapKey, Value};
use um_wire::{descriptor, v1};

use super::scalar::{needs_no_quotes, quoted};
use crate::failure::Failure;
use crate::{duration, json, kind};

/// Writes a resource as a document, without what only the server writes and without `---`.
///
/// # Errors
///
/// A resource of a kind that this version does not know.
pub(crate) fn write(resource: &v1::Resource) -> Result<String, Failure> {
    let Some(kind) = resource.kind() else {
        return Err(Failure::Other("a resource is of a kind that this version does not know".to_owned()));
    };
    let mut resource = resource.clone();
    if let Some(common) = resource.common_mut() {
        common.clear_output();
    }
    let envelope = json::reflect("Resource", &resource)?;
    let mut out = Out { text: format!("kind: {}\n", kind.manifest_kind()) };
    if let Some(Value::Message(message)) =
        envelope.get_field_by_name(kind::field(kind)).map(|value| value.into_owned())
    {
        if kind != um_topology::Kind::Settings {
            out.text.push_str(&format!("name: {}\n", scalar(kind::bare_id(resource.name()))));
        }
        out.fields(&message, 0, |field| field.name() != "name");
    }
    Ok(out.text)
}

struct Out {
    text: String,
}

impl Out {
    /// Writes the fields that are set, in the order of their numbers.
    fn fields(&mut self, message: &DynamicMessage, indent: usize, keep: impl Fn(&FieldDescriptor) -> bool) {
        let mut fields: Vec<_> = message.fields().filter(|(field, _)| keep(field)).collect();
        fields.sort_by_key(|(field, _)| field.number());
        for (field, value) in fields {
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str(field.name());
            self.text.push(':');
            self.field(&field, value, indent);
        }
    }

    /// Writes what follows the colon of a field, and the line end.
    fn field(&mut self, field: &FieldDescriptor, value: &Value, indent: usize) {
        if let Some(map) = value.as_map() {
            let mut pairs: Vec<_> =
                map.iter().filter_map(|(key, value)| Some((key_of(key)?, value))).collect();
            pairs.sort_unstable_by_key(|(key, _)| *key);
            self.text.push('\n');
            for (key, value) in pairs {
                let value = value.as_str().unwrap_or_default();
                let indent = " ".repeat(indent + 2);
                self.text.push_str(&format!("{indent}{}: {}\n", scalar(key), scalar(value)));
            }
        } else if let Some(items) = value.as_list() {
            self.list(field, items, indent);
        } else if let Some(message) = group(value) {
            if message.fields().next().is_none() {
                self.text.push_str(" {}\n");
            } else {
                self.text.push('\n');
                self.fields(message, indent + 2, |_| true);
            }
        } else {
            self.text.push(' ');
            self.text.push_str(&one(field, value));
            self.text.push('\n');
        }
    }

    fn list(&mut self, field: &FieldDescriptor, items: &[Value], indent: usize) {
        if items.iter().all(|item| group(item).is_none()) {
            let items: Vec<_> = items.iter().map(|item| one(field, item)).collect();
            self.text.push_str(&format!(" [{}]\n", items.join(", ")));
            return;
        }
        self.text.push('\n');
        for message in items.iter().filter_map(group) {
            let start = self.text.len();
            self.fields(message, indent + 2, |_| true);
            if self.text.len() == start {
                self.text.push_str(&format!("{}- {{}}\n", " ".repeat(indent)));
            } else {
                // The dash stands where the first field's indentation begins.
                self.text.replace_range(start + indent..=start + indent, "-");
            }
        }
    }
}

/// Returns a message whose fields are written one by one, which a duration is not.
fn group(value: &Value) -> Option<&DynamicMessage> {
    value.as_message().filter(|message| duration_of(message).is_none())
}

/// Writes a single value.
fn one(field: &FieldDescriptor, value: &Value) -> String {
    if let Some(duration) = value.as_message().and_then(duration_of) {
        return duration::format(duration);
    }
    if let Some(text) = value.as_str() {
        let text = if descriptor::reference(field).is_some() { kind::bare_id(text) } else { text };
        return scalar(text);
    }
    if let (FieldKind::Enum(values), Some(number)) = (field.kind(), value.as_enum_number()) {
        let name = values.get_value(number).map(|value| value.name().to_owned());
        return name.unwrap_or_else(|| number.to_string());
    }
    if let Some(flag) = value.as_bool() {
        return flag.to_string();
    }
    value.as_u32().map(|number| number.to_string()).unwrap_or_default()
}

fn duration_of(message: &DynamicMessage) -> Option<std::time::Duration> {
    use prost_reflect::ReflectMessage;

    if message.descriptor().full_name() != "google.protobuf.Duration" {
        return None;
    }
    let duration: prost_types::Duration = message.transcode_to().ok()?;
    um_wire::time::duration_from_proto(&duration)
}

fn key_of(key: &MapKey) -> Option<&str> {
    key.as_str()
}

fn scalar(text: &str) -> String {
    if needs_no_quotes(text) { text.to_owned() } else { quoted(text) }
}
