//! What format the store is in and which store it is: `meta/schema`, written once, together with the first heads.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use um_store::{Compare, Item, Op, Store, StoreError, Txn, value};

use crate::keys::Keys;

/// The format that this program writes.
const FORMAT: u32 = 1;

/// The value of `meta/schema`.
#[derive(Clone, PartialEq, Message)]
struct Schema {
    #[prost(uint32, tag = "1")]
    format: u32,
    /// A program must understand at least this format to read.
    #[prost(uint32, tag = "2")]
    min_reader: u32,
    /// A program must understand at least this format to write.
    #[prost(uint32, tag = "3")]
    min_writer: u32,
    #[prost(string, tag = "4")]
    store_id: String,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What stands there is no schema.
    #[error("meta/schema cannot be read: {0}")]
    Unreadable(String),
    /// A newer program has changed its format.
    #[error("the store has format {format} and this um-control understands {FORMAT}; run a newer um-control")]
    Newer {
        /// The format.
        format: u32,
    },
    /// Try again.
    #[error("another replica is giving the store its id at this moment")]
    Raced,
}

/// Gives a new store its id and its first heads; looks whether an old one can be used.
///
/// # Errors
///
/// The store does not answer, or a newer program has changed its format.
pub async fn ensure(store: &dyn Store, keys: &Keys) -> Result<(), SchemaError> {
    let found = store.get(&[keys.schema(), keys.head(), keys.topology_head()], None).await?;
    match found.items.as_slice() {
        [Some(schema), head, topology_head] => {
            if head.is_none() || topology_head.is_none() {
                store.txn(first_heads(keys, Txn::new().when(Compare::exists(keys.schema())))).await?;
            }
            store_id(schema).map(drop)
        }
        _ => initialise(store, keys).await,
    }
}

/// Reads the id of the store from its schema.
///
/// # Errors
///
/// It cannot be read, or a newer program has changed the format.
pub fn store_id(schema: &Item) -> Result<Arc<str>, SchemaError> {
    let body = value::untag(value::PROTOBUF_V1, &schema.value).map_err(|error| unreadable(&error))?;
    let schema = Schema::decode(body).map_err(|error| unreadable(&error))?;
    if schema.min_writer > FORMAT || schema.min_reader > FORMAT {
        return Err(SchemaError::Newer { format: schema.format });
    }
    Ok(schema.store_id.into())
}

/// Gives a new store its id, unless another replica is faster.
async fn initialise(store: &dyn Store, keys: &Keys) -> Result<(), SchemaError> {
    let fresh = Schema {
        format: FORMAT,
        min_reader: FORMAT,
        min_writer: FORMAT,
        store_id: uuid::Uuid::new_v4().to_string(),
    };
    let txn = Txn::new()
        .when(Compare::absent(keys.schema()))
        .then(Op::put(keys.schema(), value::tag(value::PROTOBUF_V1, &fresh.encode_to_vec())));
    if store.txn(first_heads(keys, txn)).await?.succeeded { Ok(()) } else { Err(SchemaError::Raced) }
}

fn first_heads(keys: &Keys, txn: Txn) -> Txn {
    txn.then(Op::put(keys.head(), mark())).then(Op::put(keys.topology_head(), mark()))
}

/// The value of a head: only its revision counts.
#[must_use]
pub fn mark() -> Bytes {
    value::tag(value::PROTOBUF_V1, &[])
}

fn unreadable(error: &dyn std::fmt::Display) -> SchemaError {
    SchemaError::Unreadable(error.to_string())
}
