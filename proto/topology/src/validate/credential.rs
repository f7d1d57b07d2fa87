//! Field rules of a credential.

use super::Findings;
use crate::credential::Credential;

pub(super) fn check(credential: &Credential, findings: &mut Findings) {
    if credential.username.is_empty() {
        findings.add("username", "is required");
    }
    text("username", &credential.username, MAX_NAME, findings);
    if let Some(realm) = &credential.realm {
        if realm.is_empty() {
            findings.add("realm", "must not be empty; leave it out for any realm");
        }
        text("realm", realm, MAX_NAME, findings);
    }
    match &credential.password {
        None => findings.add("password", "is required"),
        Some(password) if password.expose().is_empty() => findings.add("password", "must not be empty"),
        Some(password) => text("password", password.expose(), MAX_PASSWORD, findings),
    }
}

/// The texts stand in quotes in a header: line breaks would end it.
fn text(field: &str, value: &str, limit: usize, findings: &mut Findings) {
    findings.length(field, value, limit);
    if value.chars().any(char::is_control) {
        findings.add(field, "control characters are not allowed");
    }
}

const MAX_NAME: usize = 128;
const MAX_PASSWORD: usize = 256;
