//! What format the store is in and which store it is: `meta/schema`, written once.

use std::sync::Arc;

use prost::Message;
use um_store::{Compare, Op, Store, Txn, value};

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

/// Reads the id of the store, giving it one when it is new.
///
/// # Errors
///
/// A sentence: the store does not answer, or a newer program has changed its format.
pub async fn ensure(store: &dyn Store, keys: &Keys) -> Result<Arc<str>, String> {
    let key = keys.schema();
    let fresh = Schema {
        format: FORMAT,
        min_reader: FORMAT,
        min_writer: FORMAT,
        store_id: uuid::Uuid::new_v4().to_string(),
    };
    let txn = Txn::new()
        .when(Compare::absent(key.clone()))
        .then(Op::put(key.clone(), value::tag(value::PROTOBUF_V1, &fresh.encode_to_vec())));
    let found = store.get(std::slice::from_ref(&key), None).await.map_err(|error| error.to_string())?;
    let Some(item) = found.items.into_iter().flatten().next() else {
        let outcome = store.txn(txn).await.map_err(|error| error.to_string())?;
        return if outcome.succeeded {
            Ok(fresh.store_id.into())
        } else {
            Err("another replica is giving the store its id at this moment".to_owned())
        };
    };
    let body = value::untag(value::PROTOBUF_V1, &item.value).map_err(|error| error.to_string())?;
    let schema = Schema::decode(body).map_err(|error| error.to_string())?;
    if schema.min_writer > FORMAT || schema.min_reader > FORMAT {
        return Err(format!(
            "the store has format {} and this um-control understands {FORMAT}; run a newer um-control",
            schema.format
        ));
    }
    Ok(schema.store_id.into())
}
