//! Credentials, to and from the model. The password travels only to the server and from it to the workers.

use std::fmt;

use um_topology as model;
use um_topology::{Kind, Name, Secret};

use crate::reader::Reader;
use crate::{Common, Invalid, v1};

impl TryFrom<&v1::Credential> for model::Credential {
    type Error = Invalid;

    fn try_from(from: &v1::Credential) -> Result<Self, Invalid> {
        let mut reader = Reader::default();
        let credential = Self {
            id: reader.own_name(Kind::Credential, &from.name),
            meta: from.to_meta(),
            username: from.username().into(),
            realm: from.realm.as_deref().map(Into::into),
            password: from.password.as_deref().map(Secret::new),
        };
        reader.finish(credential)
    }
}

/// With the password: this is what a worker gets.
impl From<&model::Credential> for v1::Credential {
    fn from(from: &model::Credential) -> Self {
        let mut credential = Self {
            username: (!from.username.is_empty()).then(|| from.username.to_string()),
            realm: from.realm.as_deref().map(Into::into),
            password: from.password.as_ref().map(|password| password.expose().to_owned()),
            ..Self::default()
        };
        credential.set_name(Name::credential(from.id.clone()).to_string());
        credential.set_meta(from.meta.as_deref());
        credential
    }
}

impl v1::Resource {
    /// Takes what only a client writes out of a resource, and says of a credential instead whether it is there.
    pub fn hide_secrets(&mut self) {
        if let Some(v1::resource::Spec::Credential(credential)) = &mut self.spec {
            credential.has_password |= credential.password.take().is_some();
        }
    }
}

/// Everything but the password.
impl fmt::Debug for v1::Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("etag", &self.etag)
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("password", &self.password.as_ref().map(|_| "(secret)"))
            .field("has_password", &self.has_password)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_reaches_the_model_and_is_never_shown() {
        let credential = v1::Credential {
            name: "credentials/um".into(),
            username: Some("gateway".into()),
            password: Some("correct-horse".into()),
            ..Default::default()
        };
        let model = model::Credential::try_from(&credential).unwrap();
        assert_eq!(v1::Credential::from(&model), credential);
        let mut resource = v1::Resource::from(credential);
        assert!(!format!("{resource:?} {model:?}").contains("correct"));
        resource.hide_secrets();
        let shown = v1::Credential::try_from(resource).unwrap();
        assert_eq!((shown.password, shown.has_password), (None, true));
    }
}
