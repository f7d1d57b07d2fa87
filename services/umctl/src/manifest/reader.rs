//! From YAML to resources, along the descriptors: every fault of a text is found, each with its place and path.

use std::collections::BTreeMap;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind as FieldKind, MapKey, MessageDescriptor, Value,
};
use um_topology::Kind;
use um_wire::{descriptor, v1};

use super::node::{Content, Node};
use super::scalar::{Plain, resolve};
use super::{Finding, Item, Manifest, Position, node};
use crate::failure::nearest;
use crate::{duration, kind};

/// Reads the documents of a text.
pub(super) fn read(file: &str, text: &str) -> Result<Manifest, Vec<Finding>> {
    let documents = node::documents(text).map_err(|malformed| {
        let node::Malformed { position, message } = malformed;
        vec![Finding { file: file.to_owned(), position, path: String::new(), message }]
    })?;
    let mut findings = Vec::new();
    let mut manifest = Manifest::default();
    for document in &documents {
        let mut reader = Reader { file, findings: Vec::new(), places: BTreeMap::new() };
        let resource = reader.document(document);
        let Reader { findings: found, places, .. } = reader;
        if found.is_empty() {
            manifest.items.extend(resource.map(|resource| Item { resource, file: file.to_owned(), places }));
        }
        findings.extend(found);
    }
    if findings.is_empty() { Ok(manifest) } else { Err(findings) }
}

/// Reads one document.
struct Reader<'a> {
    file: &'a str,
    findings: Vec<Finding>,
    places: BTreeMap<String, Position>,
}

impl Reader<'_> {
    fn document(&mut self, document: &Node) -> Option<v1::Resource> {
        self.places.insert(String::new(), document.position);
        let Content::Map(pairs) = &document.content else {
            self.find(document, "", format!("is {}, not a resource with `kind:`", document.content.what()));
            return None;
        };
        let kind = self.kind_of(document, pairs)?;
        let message = kind::message(kind);
        let fields: Vec<_> = pairs.iter().filter(|(key, _)| text_of(key) != Some(KIND)).collect();
        let mut dynamic = self.message(&message, &fields, "");
        self.name(kind, document, &mut dynamic);
        let mut envelope = DynamicMessage::new(descriptor::message("Resource"));
        envelope.set_field_by_name(kind::field(kind), Value::Message(dynamic));
        match envelope.transcode_to() {
            Ok(resource) => Some(resource),
            Err(error) => {
                self.find(document, "", format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn kind_of(&mut self, document: &Node, pairs: &[(Node, Node)]) -> Option<Kind> {
        let kinds = Kind::ALL.map(Kind::manifest_kind);
        let mut given = pairs.iter().filter(|(key, _)| text_of(key) == Some(KIND));
        let Some((_, value)) = given.next() else {
            self.find(document, "", format!("has no `kind:`; it is one of {}", kinds.join(", ")));
            return None;
        };
        if let Some((key, _)) = given.next() {
            self.find(key, KIND, "is given twice".to_owned());
        }
        let word = text_of(value).unwrap_or_default();
        let found = Kind::ALL.into_iter().find(|kind| kind.manifest_kind() == word);
        if found.is_none() {
            let hint = hint(word, kinds).unwrap_or_else(|| format!("; the kinds are {}", kinds.join(", ")));
            self.find(value, KIND, format!("`{word}` is not a kind{hint}"));
        }
        found
    }

    /// Makes the full name of the bare id.
    fn name(&mut self, kind: Kind, document: &Node, message: &mut DynamicMessage) {
        let Some(Value::String(id)) = message.get_field_by_name(NAME).map(|value| value.into_owned()) else {
            return;
        };
        if kind == Kind::Settings {
            if !id.is_empty() && id != kind.collection() {
                self.find(document, NAME, "must be left out: there is only one".to_owned());
            }
        } else if id.is_empty() && !self.findings.iter().any(|finding| finding.path == NAME) {
            self.find(document, NAME, "is required".to_owned());
        }
        message.set_field_by_name(NAME, Value::String(kind::full_name(kind, &id)));
    }

    fn message(
        &mut self,
        message: &MessageDescriptor,
        pairs: &[&(Node, Node)],
        path: &str,
    ) -> DynamicMessage {
        let mut dynamic = DynamicMessage::new(message.clone());
        let mut given: BTreeMap<u32, ()> = BTreeMap::new();
        for (key, value) in pairs {
            let Some(field) = self.field(message, key, path) else { continue };
            let path = join(path, field.name());
            if given.insert(field.number(), ()).is_some() {
                self.find(key, &path, "is given twice".to_owned());
                continue;
            }
            self.places.insert(path.clone(), value.position);
            if let Some(value) = self.value(&field, value, &path) {
                dynamic.set_field(&field, value);
            }
        }
        dynamic
    }

    /// Finds the field that a key names, by its proto name or in lowerCamelCase.
    fn field(&mut self, message: &MessageDescriptor, key: &Node, path: &str) -> Option<FieldDescriptor> {
        let Some(name) = text_of(key) else {
            self.find(key, path, "a field name is a plain word".to_owned());
            return None;
        };
        let by_name = message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name));
        match by_name {
            Some(field) if descriptor::is_output_only(&field) && field.name() != ETAG => {
                self.find(key, &join(path, name), "is set by the server and cannot be given".to_owned());
                None
            }
            Some(field) => Some(field),
            None => {
                let names: Vec<_> = message
                    .fields()
                    .filter(|field| !descriptor::is_output_only(field))
                    .map(|field| field.name().to_owned())
                    .collect();
                let hint = hint(name, names.iter().map(String::as_str));
                let of = if path.is_empty() { message.name().to_owned() } else { path.to_owned() };
                let message = format!("is not a field of {of}{}", hint.unwrap_or_default());
                self.find(key, &join(path, name), message);
                None
            }
        }
    }

    fn value(&mut self, field: &FieldDescriptor, node: &Node, path: &str) -> Option<Value> {
        match &node.content {
            Content::List(items) if field.is_list() => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.places.insert(path.clone(), item.position);
                    values.extend(self.one(field, item, &path));
                }
                Some(Value::List(values))
            }
            Content::Map(pairs) if field.is_map() => self.labels(pairs, path),
            Content::Scalar { .. } | Content::List(_) | Content::Map(_)
                if field.is_list() || field.is_map() =>
            {
                let expected = if field.is_list() { "a list" } else { "a group of fields" };
                self.find(node, path, format!("is {}, and must be {expected}", node.content.what()));
                None
            }
            Content::Scalar { .. } | Content::List(_) | Content::Map(_) => self.one(field, node, path),
        }
    }

    /// Reads a map from text to text.
    fn labels(&mut self, pairs: &[(Node, Node)], path: &str) -> Option<Value> {
        let mut value = Value::Map([].into());
        let map = value.as_map_mut()?;
        for (key, node) in pairs {
            let Some(name) = text_of(key) else {
                self.find(key, path, "a key is a plain word".to_owned());
                continue;
            };
            let path = join(path, name);
            self.places.insert(path.clone(), node.position);
            let Some(text) = self.text(node, &path) else { continue };
            if map.insert(MapKey::String(name.to_owned()), Value::String(text)).is_some() {
                self.find(key, &path, "is given twice".to_owned());
            }
        }
        Some(value)
    }

    /// Reads one value of a field, which is an item where the field is a list.
    fn one(&mut self, field: &FieldDescriptor, node: &Node, path: &str) -> Option<Value> {
        match field.kind() {
            FieldKind::Message(message) if message.full_name() == DURATION => self.duration(node, path),
            FieldKind::Message(message) => {
                let Content::Map(pairs) = &node.content else {
                    self.find(
                        node,
                        path,
                        format!("is {}, and must be a group of fields", node.content.what()),
                    );
                    return None;
                };
                let pairs: Vec<_> = pairs.iter().collect();
                Some(Value::Message(self.message(&message, &pairs, path)))
            }
            FieldKind::Enum(values) => self.enumerated(&values, node, path),
            FieldKind::Bool => match self.plain(node, path, "true or false")? {
                Plain::Bool(value) => Some(Value::Bool(value)),
                Plain::Null | Plain::Whole(_) | Plain::Real(_) | Plain::Text => {
                    self.wrong(node, path, "true or false")
                }
            },
            FieldKind::Uint32 => match self.plain(node, path, "a whole number")? {
                Plain::Whole(number) => match u32::try_from(number) {
                    Ok(number) => Some(Value::U32(number)),
                    Err(_) => self.wrong(node, path, "a whole number from 0 to 4294967295"),
                },
                Plain::Null | Plain::Bool(_) | Plain::Real(_) | Plain::Text => {
                    self.wrong(node, path, "a whole number")
                }
            },
            FieldKind::String => {
                let text = self.text(node, path)?;
                Some(Value::String(match descriptor::reference(field) {
                    Some(collection) if !text.contains('/') => format!("{collection}/{text}"),
                    Some(_) | None => text,
                }))
            }
            FieldKind::Double
            | FieldKind::Float
            | FieldKind::Int32
            | FieldKind::Int64
            | FieldKind::Uint64
            | FieldKind::Sint32
            | FieldKind::Sint64
            | FieldKind::Fixed32
            | FieldKind::Fixed64
            | FieldKind::Sfixed32
            | FieldKind::Sfixed64
            | FieldKind::Bytes => self.wrong(node, path, "left out: this version cannot read it"),
        }
    }

    fn enumerated(&mut self, values: &EnumDescriptor, node: &Node, path: &str) -> Option<Value> {
        let names: Vec<_> = values
            .values()
            .filter(|value| value.number() != 0)
            .map(|value| value.name().to_owned())
            .collect();
        let word = match &node.content {
            Content::Scalar { text, .. } => text.as_str(),
            Content::List(_) | Content::Map(_) => return self.wrong(node, path, &names.join(", ")),
        };
        let known = values.values().find(|value| value.number() != 0 && value.name() == word);
        if known.is_none() {
            let hint = hint(word, names.iter().map(String::as_str)).unwrap_or_default();
            self.find(node, path, format!("`{word}` is not one of {}{hint}", names.join(", ")));
        }
        known.map(|value| Value::EnumNumber(value.number()))
    }

    fn duration(&mut self, node: &Node, path: &str) -> Option<Value> {
        let Content::Scalar { text, .. } = &node.content else {
            return self.wrong(node, path, "a duration such as 500ms, 12s or 1m30s");
        };
        match duration::parse(text) {
            Ok(duration) => {
                let proto = um_wire::time::duration_to_proto(duration);
                let mut message = DynamicMessage::new(descriptor::pool().get_message_by_name(DURATION)?);
                message.transcode_from(&proto).ok()?;
                Some(Value::Message(message))
            }
            Err(why) => {
                self.find(node, path, why);
                None
            }
        }
    }

    /// Reads a text; a plain scalar that has another type needs quotes to be one.
    fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        let Content::Scalar { text, plain } = &node.content else {
            return self.wrong(node, path, "a text");
        };
        if *plain {
            match resolve(text) {
                Plain::Text => {}
                Plain::Null => {
                    self.find(node, path, "has no value; leave the field out".to_owned());
                    return None;
                }
                Plain::Bool(_) | Plain::Whole(_) | Plain::Real(_) => {
                    self.find(node, path, format!("is a text; write it in quotes: \"{text}\""));
                    return None;
                }
            }
        }
        Some(text.clone())
    }

    /// Returns what an unquoted scalar means; a quoted one is a text.
    fn plain(&mut self, node: &Node, path: &str, expected: &str) -> Option<Plain> {
        match &node.content {
            Content::Scalar { text, plain: true } => Some(resolve(text)),
            Content::Scalar { plain: false, .. } => Some(Plain::Text),
            Content::List(_) | Content::Map(_) => self.wrong(node, path, expected),
        }
    }

    fn wrong<T>(&mut self, node: &Node, path: &str, expected: &str) -> Option<T> {
        let what = match &node.content {
            Content::Scalar { text, .. } if text.is_empty() => "empty".to_owned(),
            Content::Scalar { text, plain: true } => format!("`{text}`"),
            Content::Scalar { text, plain: false } => format!("the text \"{text}\""),
            Content::List(_) | Content::Map(_) => node.content.what().to_owned(),
        };
        self.find(node, path, format!("is {what}, and must be {expected}"));
        None
    }

    fn find(&mut self, node: &Node, path: &str, message: String) {
        let (file, path) = (self.file.to_owned(), path.to_owned());
        self.findings.push(Finding { file, position: node.position, path, message });
    }
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar { text, .. } => Some(text),
        Content::List(_) | Content::Map(_) => None,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn hint<'a>(wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wrong, right).map(|word| format!("; did you mean {word}?"))
}

const KIND: &str = "kind";
const NAME: &str = "name";
const ETAG: &str = "etag";
const DURATION: &str = "google.protobuf.Duration";
