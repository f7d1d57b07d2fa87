//! Field rules of a user.

use super::Findings;
use crate::id::Kind;
use crate::number::{MAX_EXTENSION, is_extension};
use crate::unique::{Space, alias_key};
use crate::user::{AddressMode, MAX_ALIASES, User};

pub(super) fn check(user: &User, findings: &mut Findings) {
    if user.extension.is_empty() {
        findings.add("extension", "is required");
    } else if !is_extension(&user.extension) {
        findings.add("extension", format!("must be 1 to {MAX_EXTENSION} digits"));
    }
    um(user, findings);
    aliases(user, findings);
}

fn um(user: &User, findings: &mut Findings) {
    findings.reference("um.destination", user.um.destination.as_ref(), Kind::Station);
    match (user.um.effective_address_mode(), &user.um.address) {
        (AddressMode::Other, None) => findings.add("um.address", "is required with `address_mode: OTHER`"),
        (AddressMode::InternalExtension, Some(_)) => {
            findings.add("um.address", "is read with `address_mode: OTHER` only");
        }
        (AddressMode::Other, Some(_)) | (AddressMode::InternalExtension, None) => {}
    }
}

fn aliases(user: &User, findings: &mut Findings) {
    findings.count("aliases", user.aliases.len(), MAX_ALIASES);
    let mut seen: Vec<(usize, (Space, String))> = Vec::new();
    for (index, alias) in user.aliases.iter().enumerate() {
        let field = format!("aliases[{index}]");
        let Some(key) = alias_key(alias) else {
            let form = "neither an extension, an E.164 number, a `tel:` nor a `sip:user@host` URI";
            findings.add(field, format!("`{}` is {form}", super::shortened(alias)));
            continue;
        };
        if key.0 == Space::Ext && *key.1 == *user.extension {
            findings.add(field, "is the user's own extension");
        } else if let Some(first) = seen.iter().find(|(_, known)| *known == key) {
            findings.add(field, format!("is the same as aliases[{}]", first.0));
        }
        seen.push((index, key));
    }
}
