//! Reads everything that the store holds of the topology, at one revision.

use std::sync::Arc;

use um_store::{PAGE_ITEMS_MAX, Store, StoreError};

use crate::{
    keys::Keys,
    picture::{Changed, Picture, PictureError},
    schema::{self, SchemaError},
    stored::Stored,
};

/// Resources between two lines of the log that say how far it is.
const TOLD_EVERY: usize = 100_000;

/// Why the store cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it holds makes no picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// It is not in a format that can be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// Reads everything; also returns the store's revision that it was read at, which is at least the picture's.
///
/// # Errors
///
/// The store does not answer, or its contents make no picture.
pub async fn load(store: &dyn Store, keys: &Keys) -> Result<(Picture, i64), LoadError> {
    schema::ensure(store, keys).await?;
    let meta = store.get(&[keys.schema(), keys.head(), keys.topology_head()], None).await?;
    let at = meta.revision;
    let [Some(schema), Some(head), Some(topology_head)] = &meta.items[..] else {
        return Err(SchemaError::Raced.into());
    };
    let (mut changes, mut after) = (Vec::new(), None);
    loop {
        let page = store.scan(&keys.specs(), Some(at), PAGE_ITEMS_MAX, after.as_deref()).await?;
        after = page.items.last().map(|item| item.key.clone());
        for item in &page.items {
            let Some(name) = keys.parse_spec(&item.key) else { continue };
            let stored = Stored::decode(name.clone(), &item.value, item.mod_revision, keys.vault())
                .map_err(PictureError::from)?;
            changes.push(Changed { name, before: None, after: Some(Arc::new(stored)) });
            if changes.len() % TOLD_EVERY == 0 {
                tracing::info!(resources = changes.len(), "reading the store");
            }
        }
        if !page.more {
            break;
        }
    }
    let mut picture = Picture::empty(schema::store_id(schema)?, schema.value.clone());
    picture = picture.after(head.mod_revision, &changes)?;
    picture.topology_revision = topology_head.mod_revision;
    Ok((picture, at))
}
