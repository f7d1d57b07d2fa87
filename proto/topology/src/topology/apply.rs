//! One change of many resources: checked whole, made whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Topology, UmServers, compile};
use crate::id::{Kind, Name};
use crate::reference::references;
use crate::resource::{Change, Resource};
use crate::unique::UniqueValue;
use crate::validate::validate;
use crate::violation::{Violation, ViolationKind};

pub(super) fn apply(old: &Topology, revision: i64, changes: &[Change]) -> Result<Topology, Vec<Violation>> {
    // The last change of a name counts, whatever the order of the names.
    let changes: BTreeMap<Name, &Change> = changes.iter().map(|change| (change.name(), change)).collect();
    let mut violations = Vec::new();
    let mut next = Topology { revision, ..old.clone() };
    for name in changes.keys() {
        next.remove(name);
    }
    for (name, change) in &changes {
        let Change::Put(resource) = change else { continue };
        violations.extend(validate(resource).into_iter().map(|violation| violation.of(name.clone())));
        violations
            .extend(next.insert(resource).into_iter().map(|(value, holder)| taken(name, value, holder)));
    }
    for (name, change) in &changes {
        match change {
            Change::Put(resource) => violations.extend(missing_targets(&next, name, resource)),
            Change::Delete(_) => violations.extend(still_in_use(&next, name)),
        }
    }
    check_limits(&next, &changes, &mut violations);
    if changes.keys().any(|name| !matches!(name.kind, Kind::User | Kind::Credential)) {
        let changed: BTreeSet<&Name> = changes.keys().collect();
        violations.extend(compile::check(&next, &changed));
        next.um_servers = Arc::new(UmServers::of(&next));
    }
    if violations.is_empty() {
        return Ok(next);
    }
    // A stable sort: within a resource the order is field checks, taken values, references, compatibility.
    violations.sort_by(|a, b| a.resource.cmp(&b.resource));
    Err(violations)
}

fn taken(name: &Name, value: UniqueValue, holder: Name) -> Violation {
    let message = format!("{} `{}` belongs to {holder}", word(&value), value.value);
    let kind = ViolationKind::ValueTaken { space: value.space, value: value.value.to_string(), holder };
    Violation { resource: name.clone(), field: value.field, kind, message }
}

fn word(value: &UniqueValue) -> &'static str {
    use crate::unique::Space;
    match value.space {
        Space::Ext => "extension",
        Space::SipId => "identity",
        Space::Mailbox => "mailbox address",
        Space::Alias => "alias",
        Space::Listen => "listener",
        Space::Login => "user name and realm",
        Space::Position => "position",
    }
}

fn missing_targets(next: &Topology, name: &Name, resource: &Resource) -> Vec<Violation> {
    let missing = references(resource).into_iter().filter(|reference| !next.contains(&reference.target));
    missing
        .map(|reference| Violation {
            resource: name.clone(),
            field: reference.field.into_owned(),
            message: format!("{} does not exist", reference.target),
            kind: ViolationKind::ReferenceMissing { target: reference.target },
        })
        .collect()
}

fn still_in_use(next: &Topology, name: &Name) -> Option<Violation> {
    let total = next.referents_total(name);
    if total == 0 || next.contains(name) {
        return None;
    }
    let referents: Vec<Name> = next.referents(name).take(MAX_REFERENTS).cloned().collect();
    let first = referents.first().map(ToString::to_string).unwrap_or_default();
    let others = if total > 1 { format!(" and {} more", total - 1) } else { String::new() };
    Some(Violation {
        resource: name.clone(),
        field: String::new(),
        message: format!("still referred to by {first}{others}"),
        kind: ViolationKind::InUse { referents, total },
    })
}

/// Refuses the first addition of a kind that then has too many.
fn check_limits(next: &Topology, changes: &BTreeMap<Name, &Change>, violations: &mut Vec<Violation>) {
    for kind in Kind::ALL.into_iter().filter(|kind| next.len(*kind) > kind.limit()) {
        let put = |name: &&Name| name.kind == kind && matches!(changes.get(*name), Some(Change::Put(_)));
        if let Some(name) = changes.keys().rfind(put) {
            violations.push(Violation {
                resource: name.clone(),
                field: String::new(),
                message: format!("there may be at most {} {}", kind.limit(), kind.collection()),
                kind: ViolationKind::LimitReached { limit: kind.limit() },
            });
        }
    }
}

/// Most referents that a refused deletion names.
const MAX_REFERENTS: usize = 20;
