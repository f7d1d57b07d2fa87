//! Field masks on any kind, by its descriptors: which fields an update changes, which a read returns (AIP-134, AIP-157).
//!
//! A path is `transport.receive_port`, `labels` or `labels.site`; a list is replaced as a whole.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, ReflectMessage, Value};
use prost_types::FieldMask;
use um_topology::FieldViolation;

use crate::{Invalid, Kinded, descriptor};

/// Returns `current` as an update changes it. Without a mask the fields that are set in `patch` count, `*` replaces
/// all. Name and output fields stay those of `current`.
///
/// # Errors
///
/// Every path that names no field, or one that only the server writes.
pub fn apply<M: Kinded>(current: &M, patch: &M, mask: Option<&FieldMask>) -> Result<M, Invalid> {
    let (mut target, patch) = (dynamic(current), dynamic(patch));
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        merge(&mut target, &patch);
    } else if paths == ["*"] {
        for field in target.descriptor().fields().filter(|field| !is_fixed(field)) {
            copy(&mut target, &patch, &field);
        }
    } else {
        check(&target.descriptor(), paths, true)?;
        for path in paths {
            set(&mut target, Some(&patch), path);
        }
    }
    Ok(typed(&target))
}

/// Returns only the fields that a read mask names, and the name. Without a mask, or with `*`, all of them.
///
/// # Errors
///
/// Every path that names no field.
pub fn project<M: Kinded>(message: M, mask: Option<&FieldMask>) -> Result<M, Invalid> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() || paths == ["*"] {
        return Ok(message);
    }
    let source = dynamic(&message);
    check(&source.descriptor(), paths, false)?;
    let mut target = DynamicMessage::new(source.descriptor());
    set(&mut target, Some(&source), "name");
    for path in paths {
        set(&mut target, Some(&source), path);
    }
    Ok(typed(&target))
}

pub(crate) fn dynamic<M: Kinded>(message: &M) -> DynamicMessage {
    DynamicMessage::decode(descriptor::message(M::KIND.manifest_kind()), &*message.encode_to_vec())
        .expect("the descriptor and the type are generated from one file")
}

fn typed<M: Kinded>(message: &DynamicMessage) -> M {
    message.transcode_to().expect("the descriptor and the type are generated from one file")
}

/// Takes over every field that is set, inside messages as well.
fn merge(target: &mut DynamicMessage, patch: &DynamicMessage) {
    for (field, value) in patch.fields().filter(|(field, _)| !is_fixed(field)) {
        match value.as_message().filter(|_| is_group(&field)) {
            Some(patch) => {
                if let Some(target) = target.get_field_mut(&field).as_message_mut() {
                    merge(target, patch);
                }
            }
            None => target.set_field(&field, value.clone()),
        }
    }
}

/// Sets the field at a path to what it is in `patch`, which may be nothing.
fn set(target: &mut DynamicMessage, patch: Option<&DynamicMessage>, path: &str) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let Some(field) = target.descriptor().get_field_by_name(head) else { return };
    let value = patch.filter(|patch| patch.has_field(&field)).map(|patch| patch.get_field(&field));
    let Some(rest) = rest else {
        return match value {
            Some(value) => target.set_field(&field, value.into_owned()),
            None => target.clear_field(&field),
        };
    };
    let below = value.as_deref();
    let inner = target.get_field_mut(&field);
    let empty = if let Some(inner) = inner.as_message_mut() {
        set(inner, below.and_then(Value::as_message), rest);
        inner.fields().next().is_none()
    } else if let Some(inner) = inner.as_map_mut() {
        let key = MapKey::String(rest.to_owned());
        match below.and_then(Value::as_map).and_then(|map| map.get(&key)) {
            Some(value) => inner.insert(key, value.clone()),
            None => inner.remove(&key),
        };
        inner.is_empty()
    } else {
        false
    };
    if empty && below.is_none() {
        target.clear_field(&field);
    }
}

fn copy(target: &mut DynamicMessage, patch: &DynamicMessage, field: &FieldDescriptor) {
    if patch.has_field(field) {
        target.set_field(field, patch.get_field(field).into_owned());
    } else {
        target.clear_field(field);
    }
}

/// Finds every path that does not lead to a field, or to one that a client may not write.
fn check(message: &MessageDescriptor, paths: &[String], write: bool) -> Result<(), Invalid> {
    let mut wrong = BTreeMap::new();
    for path in paths {
        if let Err(why) = check_path(message, path, write) {
            wrong.insert(path.clone(), why);
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let violations = wrong.into_iter().map(|(path, why)| FieldViolation::new(path, why)).collect();
    Err(Invalid { violations })
}

fn check_path(message: &MessageDescriptor, path: &str, write: bool) -> Result<(), &'static str> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let field = message.get_field_by_name(head).ok_or("names no field")?;
    if write && is_fixed(&field) {
        return Err("names a field that only the server writes");
    }
    match (rest, field.kind().as_message()) {
        (None, _) => Ok(()),
        (Some(_), _) if field.is_map() => Ok(()),
        (Some(rest), Some(inner)) if is_group(&field) => check_path(inner, rest, write),
        (Some(_), _) => Err("leads into a field that has no fields"),
    }
}

/// Says whether an update leaves a field alone.
fn is_fixed(field: &FieldDescriptor) -> bool {
    field.name() == "name" || descriptor::is_output_only(field)
}

/// Says whether a field holds one message of ours, of which the fields can be named.
fn is_group(field: &FieldDescriptor) -> bool {
    !field.is_list()
        && field.kind().as_message().is_some_and(|message| message.full_name().starts_with("um.v1."))
}

#[cfg(test)]
mod tests;
