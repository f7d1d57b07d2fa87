//! Bounds of the describing fields.

use std::collections::BTreeMap;

use super::Findings;
use crate::meta::Meta;

pub(super) fn check(meta: &Meta, findings: &mut Findings) {
    let characters = meta.display_name.chars().count();
    if characters > MAX_DISPLAY_NAME {
        findings.add("display_name", format!("{characters} characters are more than {MAX_DISPLAY_NAME}"));
    }
    if meta.display_name.chars().any(char::is_control) {
        findings.add("display_name", "control characters are not allowed");
    }
    findings.length("description", &meta.description, MAX_DESCRIPTION);
    attributes("labels", &meta.labels, MAX_LABEL, findings);
    attributes("annotations", &meta.annotations, MAX_ANNOTATION, findings);
}

fn attributes(field: &str, map: &BTreeMap<Box<str>, Box<str>>, max_value: usize, findings: &mut Findings) {
    findings.count(field, map.len(), MAX_ATTRIBUTES);
    for (key, value) in map {
        if !(1..=MAX_KEY).contains(&key.len()) {
            findings.add(field, format!("the key `{}` is not 1 to {MAX_KEY} bytes", super::shortened(key)));
        }
        findings.length(&format!("{field}[{}]", super::shortened(key)), value, max_value);
    }
}

const MAX_DISPLAY_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 4096;
const MAX_ATTRIBUTES: usize = 32;
const MAX_KEY: usize = 63;
const MAX_LABEL: usize = 63;
const MAX_ANNOTATION: usize = 4096;
