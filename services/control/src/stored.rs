//! What the store holds of one resource, and what the control plane keeps of it in memory.

use std::{sync::Arc, time::SystemTime};

use um_topology::{Name, Resource, Secret};
use um_wire::{Output, stored as record, v1};

use crate::vault::{Sealed, Vault};

/// One resource at one revision; never changed, only replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its name.
    pub name: Name,
    /// What the user wrote, without any field that only the server writes, and without secrets.
    pub written: v1::Resource,
    /// The same, as the model has it, with its secrets.
    pub model: Resource,
    /// Never used again, not even for a resource of the same name.
    pub uid: String,
    /// When it was created.
    pub create_time: SystemTime,
    /// When what the user wrote last changed.
    pub update_time: SystemTime,
    /// Who applied it last; empty when it was never applied.
    pub manager: String,
    /// Revision of its last change.
    pub revision: i64,
}

/// A stored value that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{name} in the store cannot be read: {reason}")]
pub struct Unreadable {
    /// Which resource.
    pub name: Name,
    /// What is wrong with it.
    pub reason: String,
}

impl Stored {
    /// Makes the first form of a resource.
    #[must_use]
    pub fn create(name: Name, written: v1::Resource, model: Resource, now: SystemTime) -> Self {
        let uid = uuid::Uuid::new_v4().to_string();
        let written = self::written(written, &name);
        Self {
            name,
            written,
            model,
            uid,
            create_time: now,
            update_time: now,
            manager: String::new(),
            revision: 0,
        }
    }

    /// Makes the next form of this resource.
    #[must_use]
    pub fn change(&self, written: v1::Resource, model: Resource, now: SystemTime) -> Self {
        Self { written: self::written(written, &self.name), model, update_time: now, ..self.clone() }
    }

    /// Reads what [`Stored::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The value is of a newer format, damaged, or not a valid resource of that name.
    pub fn decode(name: Name, value: &[u8], revision: i64, vault: &Vault) -> Result<Self, Unreadable> {
        let fail = |reason: String| Unreadable { name: name.clone(), reason };
        let record: record::Stored = record::decode(value).map_err(|error| fail(error.to_string()))?;
        let written = record.resource.ok_or_else(|| fail("there is no resource in it".to_owned()))?;
        if written.name() != name.to_string() {
            return Err(fail(format!("it names itself {}", written.name())));
        }
        let mut whole = written.clone();
        if !record.sealed.is_empty() {
            let sealed = Sealed { key_id: record.key_id, bytes: record.sealed };
            let opened = vault.open(&name.to_string(), &sealed).map_err(|error| fail(error.to_string()))?;
            set_secret(&mut whole, Some(opened));
        }
        let model = Resource::try_from(&whole).map_err(|invalid| fail(invalid.to_string()))?;
        Ok(Self {
            written,
            model,
            uid: record.uid,
            create_time: time_of(record.create_time),
            update_time: time_of(record.update_time),
            manager: record.manager,
            revision,
            name,
        })
    }

    /// The store's value; a secret is sealed, which its writer has made sure can be done.
    #[must_use]
    pub fn encode(&self, vault: &Vault) -> Vec<u8> {
        let sealed = self.secret().and_then(|secret| vault.seal(&self.name.to_string(), secret.expose()));
        let sealed = sealed.unwrap_or_default();
        record::encode(&record::Stored {
            resource: Some(self.written.clone()),
            uid: self.uid.clone(),
            create_time: Some(self.create_time.into()),
            update_time: Some(self.update_time.into()),
            manager: self.manager.clone(),
            sealed: sealed.bytes,
            key_id: sealed.key_id,
        })
    }

    /// The secret of the resource, if it has one.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        match &self.model {
            Resource::Credential(credential) => credential.password.as_ref(),
            Resource::ProxyList(_)
            | Resource::Line(_)
            | Resource::Station(_)
            | Resource::User(_)
            | Resource::Route(_)
            | Resource::Settings(_) => None,
        }
    }

    /// The etag: changes exactly with what the user wrote.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }

    /// What a client gets of it, with what was observed about it.
    #[must_use]
    pub fn shown(&self, reconciling: bool, conditions: Vec<v1::Condition>) -> v1::Resource {
        let mut resource = self.written.clone();
        if let Some(v1::resource::Spec::Credential(credential)) = &mut resource.spec {
            credential.has_password = self.secret().is_some();
        }
        if let Some(common) = resource.common_mut() {
            common.set_output(Output {
                uid: self.uid.clone(),
                etag: self.etag(),
                revision: self.revision,
                create_time: Some(self.create_time),
                update_time: Some(self.update_time),
                reconciling,
                conditions,
            });
        }
        resource
    }
}

/// A resource in memory, shared between pictures.
pub type Shared = Arc<Stored>;

/// The resource under its full name, without what only the server writes and without secrets: what the user wrote.
#[must_use]
pub fn written(resource: v1::Resource, name: &Name) -> v1::Resource {
    let mut resource = whole(resource, name);
    set_secret(&mut resource, None);
    resource
}

/// The same with its secrets.
#[must_use]
pub fn whole(mut resource: v1::Resource, name: &Name) -> v1::Resource {
    if let Some(common) = resource.common_mut() {
        common.set_name(name.to_string());
        common.clear_output();
    }
    resource
}

/// Gives a resource that can have a secret another one.
pub fn set_secret(resource: &mut v1::Resource, secret: Option<String>) {
    if let Some(v1::resource::Spec::Credential(credential)) = &mut resource.spec {
        credential.password = secret;
    }
}

fn time_of(time: Option<prost_types::Timestamp>) -> SystemTime {
    time.and_then(|time| SystemTime::try_from(time).ok()).unwrap_or(SystemTime::UNIX_EPOCH)
}
