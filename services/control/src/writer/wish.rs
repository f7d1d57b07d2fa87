//! What a client wants, held against the picture: which resources change, and how.
//!
//! Only what the user wrote counts. A write that changes nothing of it changes nothing at all: no revision, no etag.

use std::{collections::BTreeSet, sync::Arc};

use prost_types::FieldMask;
use um_topology::{Kind, Name, Resource, Violation, validate};
use um_wire::{
    Invalid, mask,
    v1::{self, resource::Spec},
};

use super::requests::Remembered;
use crate::{
    clock,
    error::ApiError,
    picture::{Changed, Picture},
    stored::{self, Shared, Stored},
};

/// One thing that a client wants.
#[derive(Debug, Clone)]
pub enum Wish {
    /// A resource that must not exist yet.
    Create {
        /// Its name.
        name: Name,
        /// What to store.
        resource: v1::Resource,
    },
    /// A change of a resource.
    Update {
        /// Its name.
        name: Name,
        /// The new values.
        resource: v1::Resource,
        /// Which fields; nothing: those that are set; `*`: all.
        mask: Option<FieldMask>,
        /// Create it where it does not exist.
        allow_missing: bool,
    },
    /// A resource that must not exist any more.
    Delete {
        /// Its name.
        name: Name,
        /// The etag that it must have; empty: any.
        etag: String,
        /// Be content where it does not exist.
        allow_missing: bool,
    },
    /// A resource as it shall be, whatever it was.
    Apply {
        /// Its name.
        name: Name,
        /// What to store.
        resource: v1::Resource,
        /// Who applies it.
        manager: String,
        /// Take it from another manager.
        force: bool,
    },
    /// All resources of a manager that no other wish of this write names shall not exist any more.
    Prune {
        /// Whose resources.
        manager: String,
    },
}

/// What becomes of one resource.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The resource.
    pub name: Name,
    /// What becomes of it.
    pub action: Action,
    /// How it was.
    pub before: Option<Shared>,
    /// How it is.
    pub after: Option<Shared>,
}

/// What becomes of one resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It did not exist.
    Created,
    /// It was different.
    Updated,
    /// It is as it shall be.
    Unchanged,
    /// It existed.
    Deleted,
    /// Somebody else manages it, so it stays as it is.
    Conflict {
        /// Who manages it.
        manager: String,
    },
    /// An earlier step of the same write was committed, but the one with this resource could not be.
    Failed {
        /// Why.
        error: Box<ApiError>,
    },
}

impl Resolved {
    /// The change, if there is one.
    pub(super) fn changed(&self) -> Option<Changed> {
        let changes = match self.action {
            Action::Created | Action::Updated | Action::Deleted => true,
            Action::Unchanged | Action::Conflict { .. } | Action::Failed { .. } => false,
        };
        changes.then(|| Changed {
            name: self.name.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
        })
    }
}

/// Holds every wish against the picture; also returns every field of all of them that makes no sense.
///
/// # Errors
///
/// The first wish that cannot come true whatever its fields.
pub(super) fn resolve(
    picture: &Picture,
    wishes: &[Wish],
) -> Result<(Vec<Resolved>, Vec<Violation>), ApiError> {
    let mut results = Vec::with_capacity(wishes.len());
    let mut wrong = Vec::new();
    for wish in wishes {
        let resolved = match wish {
            Wish::Create { name, resource } => create(picture, name, resource),
            Wish::Update { name, resource, mask, allow_missing } => {
                update(picture, name, resource, mask.as_ref(), *allow_missing)
            }
            Wish::Delete { name, etag, allow_missing } => delete(picture, name, etag, *allow_missing),
            Wish::Apply { name, resource, manager, force } => apply(picture, name, resource, manager, *force),
            Wish::Prune { manager } => {
                prune(picture, manager, wishes, &mut results);
                continue;
            }
        };
        match resolved {
            Ok(resolved) => results.push(resolved),
            Err(ApiError::Topology(violations)) => wrong.extend(violations),
            Err(error) => return Err(error),
        }
    }
    Ok((results, wrong))
}

fn create(picture: &Picture, name: &Name, resource: &v1::Resource) -> Result<Resolved, ApiError> {
    if picture.get(name).is_some() {
        return Err(ApiError::Exists(name.clone()));
    }
    let model = model(name, &stored::whole(resource.clone(), name))?;
    let after = Stored::create(name.clone(), resource.clone(), model, clock::wall());
    Ok(Resolved { name: name.clone(), action: Action::Created, before: None, after: Some(Arc::new(after)) })
}

fn update(
    picture: &Picture,
    name: &Name,
    resource: &v1::Resource,
    mask: Option<&FieldMask>,
    allow_missing: bool,
) -> Result<Resolved, ApiError> {
    let Some(before) = picture.get(name) else {
        let wanted_etag = !etag_of(resource).is_empty();
        return if allow_missing && !wanted_etag {
            create(picture, name, resource)
        } else {
            Err(ApiError::NotFound(name.to_string()))
        };
    };
    check_etag(before, etag_of(resource))?;
    change(before, &merge(&before.written, resource, mask)?, None)
}

fn apply(
    picture: &Picture,
    name: &Name,
    resource: &v1::Resource,
    manager: &str,
    force: bool,
) -> Result<Resolved, ApiError> {
    let whole = stored::whole(resource.clone(), name);
    let Some(before) = picture.get(name) else {
        let etag = etag_of(resource);
        if !etag.is_empty() {
            return Err(ApiError::EtagMismatch { name: name.clone(), current: String::new() });
        }
        let model = model(name, &whole)?;
        let mut after = Stored::create(name.clone(), whole, model, clock::wall());
        manager.clone_into(&mut after.manager);
        let after = Some(Arc::new(after));
        return Ok(Resolved { name: name.clone(), action: Action::Created, before: None, after });
    };
    check_etag(before, etag_of(resource))?;
    if !before.manager.is_empty() && before.manager != manager && !force {
        model(name, &with_secret_of(before, &whole))?;
        let action = Action::Conflict { manager: before.manager.clone() };
        return Ok(Resolved { name: name.clone(), action, before: Some(Arc::clone(before)), after: None });
    }
    change(before, &whole, Some(manager))
}

fn change(before: &Shared, whole: &v1::Resource, manager: Option<&str>) -> Result<Resolved, ApiError> {
    let name = before.name.clone();
    let whole = with_secret_of(before, whole);
    let model = model(&name, &whole)?;
    let written = stored::written(whole, &name);
    let taken_over = manager.is_some_and(|manager| manager != before.manager);
    let mut after = before.change(written, model, clock::wall());
    if after.written == before.written && after.secret() == before.secret() && !taken_over {
        let same = Some(Arc::clone(before));
        return Ok(Resolved { name, action: Action::Unchanged, before: same.clone(), after: same });
    }
    if let Some(manager) = manager {
        manager.clone_into(&mut after.manager);
    }
    Ok(Resolved {
        name,
        action: Action::Updated,
        before: Some(Arc::clone(before)),
        after: Some(Arc::new(after)),
    })
}

/// A secret that is left out stays as it is: no read returns it, so nobody can be asked to write it again.
fn with_secret_of(before: &Stored, whole: &v1::Resource) -> v1::Resource {
    let mut whole = whole.clone();
    if let (Some(Spec::Credential(credential)), Some(secret)) = (&whole.spec, before.secret())
        && credential.password.is_none()
    {
        stored::set_secret(&mut whole, Some(secret.expose().to_owned()));
    }
    whole
}

fn delete(picture: &Picture, name: &Name, etag: &str, allow_missing: bool) -> Result<Resolved, ApiError> {
    let Some(before) = picture.get(name) else {
        return if allow_missing {
            Ok(Resolved { name: name.clone(), action: Action::Unchanged, before: None, after: None })
        } else {
            Err(ApiError::NotFound(name.to_string()))
        };
    };
    check_etag(before, etag)?;
    Ok(Resolved {
        name: name.clone(),
        action: Action::Deleted,
        before: Some(Arc::clone(before)),
        after: None,
    })
}

fn prune(picture: &Picture, manager: &str, wishes: &[Wish], results: &mut Vec<Resolved>) {
    let given: BTreeSet<&Name> = wishes
        .iter()
        .filter_map(|wish| match wish {
            Wish::Apply { name, .. } | Wish::Create { name, .. } | Wish::Update { name, .. } => Some(name),
            Wish::Delete { .. } | Wish::Prune { .. } => None,
        })
        .collect();
    // Settings always exist; pruning them would only bring back the defaults behind the operator's back.
    let left = picture.resources.values().filter(|stored| {
        stored.manager == manager && !given.contains(&stored.name) && stored.name.kind != Kind::Settings
    });
    results.extend(left.map(|stored| Resolved {
        name: stored.name.clone(),
        action: Action::Deleted,
        before: Some(Arc::clone(stored)),
        after: None,
    }));
}

fn check_etag(stored: &Stored, etag: &str) -> Result<(), ApiError> {
    if etag.is_empty() || etag == stored.etag() {
        return Ok(());
    }
    Err(ApiError::EtagMismatch { name: stored.name.clone(), current: stored.etag() })
}

/// The resource of the model, of which every field makes sense.
fn model(name: &Name, written: &v1::Resource) -> Result<Resource, ApiError> {
    let read = Resource::try_from(written).map_err(|invalid| invalid.violations);
    let wrong = match read {
        Ok(resource) => match validate(&resource) {
            wrong if wrong.is_empty() => return Ok(resource),
            wrong => wrong,
        },
        Err(wrong) => wrong,
    };
    Err(ApiError::Topology(wrong.into_iter().map(|one| one.of(name.clone())).collect()))
}

/// The fields that a mask names, from `patch` into `current`.
fn merge(
    current: &v1::Resource,
    patch: &v1::Resource,
    fields: Option<&FieldMask>,
) -> Result<v1::Resource, ApiError> {
    let merged = match (&current.spec, &patch.spec) {
        (Some(Spec::Line(current)), Some(Spec::Line(patch))) => {
            mask::apply(current, patch, fields).map(Spec::Line)
        }
        (Some(Spec::ProxyList(current)), Some(Spec::ProxyList(patch))) => {
            mask::apply(current, patch, fields).map(Spec::ProxyList)
        }
        (Some(Spec::Station(current)), Some(Spec::Station(patch))) => {
            mask::apply(current, patch, fields).map(Spec::Station)
        }
        (Some(Spec::User(current)), Some(Spec::User(patch))) => {
            mask::apply(current, patch, fields).map(Spec::User)
        }
        (Some(Spec::Credential(current)), Some(Spec::Credential(patch))) => {
            mask::apply(current, patch, fields).map(Spec::Credential)
        }
        (Some(Spec::Route(current)), Some(Spec::Route(patch))) => {
            mask::apply(current, patch, fields).map(Spec::Route)
        }
        (Some(Spec::Settings(current)), Some(Spec::Settings(patch))) => {
            mask::apply(current, patch, fields).map(Spec::Settings)
        }
        _ => {
            return Err(ApiError::Internal("a resource is stored under the name of another kind".to_owned()));
        }
    };
    let spec = merged.map_err(|Invalid { violations }| ApiError::UpdateMask(violations))?;
    Ok(v1::Resource { spec: Some(spec) })
}

fn etag_of(resource: &v1::Resource) -> &str {
    resource.common().map_or("", um_wire::Common::etag)
}

/// Writes the revision of the commit into every resource that it changed.
pub(super) fn settle(results: &mut [Resolved], revision: i64) {
    for result in results {
        if result.changed().is_some()
            && let Some(after) = &result.after
        {
            result.after = Some(Arc::new(Stored { revision, ..Stored::clone(after) }));
        }
    }
}

/// Writes the revision of one step's commit into the resources of that step.
pub(super) fn settle_named(results: &mut [Resolved], step: &[Changed], revision: i64) {
    let names: BTreeSet<&Name> = step.iter().map(|change| &change.name).collect();
    for result in results {
        if names.contains(&result.name) {
            settle(std::slice::from_mut(result), revision);
        }
    }
}

/// Marks the resources of a step that was not committed.
pub(super) fn fail_named(results: &mut [Resolved], step: &[Changed], error: &ApiError) {
    let names: BTreeSet<&Name> = step.iter().map(|change| &change.name).collect();
    for result in results.iter_mut().filter(|result| names.contains(&result.name)) {
        result.action = Action::Failed { error: Box::new(error.clone()) };
        result.after.clone_from(&result.before);
    }
}

/// The answer to a repeated request: what its resources are by now.
pub(super) fn as_they_are(picture: &Picture, wishes: &[Wish], earlier: &Remembered) -> Vec<Resolved> {
    let changed: BTreeSet<&str> = earlier.changed.iter().map(String::as_str).collect();
    let names = wishes.iter().filter_map(|wish| match wish {
        Wish::Create { name, .. }
        | Wish::Update { name, .. }
        | Wish::Delete { name, .. }
        | Wish::Apply { name, .. } => Some((name, matches!(wish, Wish::Delete { .. }))),
        Wish::Prune { .. } => None,
    });
    names
        .map(|(name, deletes)| {
            let after = picture.get(name).cloned();
            let action = match (changed.contains(name.to_string().as_str()), deletes) {
                (true, true) => Action::Deleted,
                (true, false) => Action::Updated,
                (false, _) => Action::Unchanged,
            };
            Resolved { name: name.clone(), action, before: after.clone(), after }
        })
        .collect()
}
