//! One event per change that was made, written in the transaction that makes it.

use bytes::Bytes;
use prost::Message;
use um_store::value::{self, PROTOBUF_V1};

use crate::{clock, picture::Changed};

/// Who asked for a change, and how.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// The method, `LineService.UpdateLine`.
    pub method: &'static str,
    /// Where the request came from.
    pub address: String,
    /// Under which name resources were applied; empty for other methods.
    pub manager: String,
}

/// The stored event.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(message, optional, tag = "1")]
    time: Option<prost_types::Timestamp>,
    #[prost(string, tag = "2")]
    method: String,
    #[prost(string, tag = "3")]
    address: String,
    #[prost(string, tag = "4")]
    manager: String,
    #[prost(string, tag = "5")]
    request_id: String,
    #[prost(message, repeated, tag = "6")]
    resources: Vec<Touched>,
}

/// A resource that an event is about. Etags are revisions, so the resource before and after can be read back while the
/// store keeps its history.
#[derive(Clone, PartialEq, Message)]
struct Touched {
    #[prost(string, tag = "1")]
    name: String,
    /// `CREATED`, `UPDATED` or `DELETED`.
    #[prost(string, tag = "2")]
    action: String,
    #[prost(string, tag = "3")]
    etag_before: String,
}

/// The value of the event of `changes`.
#[must_use]
pub fn event(actor: &Actor, request: uuid::Uuid, changes: &[Changed]) -> Bytes {
    let resources = changes.iter().map(|change| Touched {
        name: change.name.to_string(),
        action: match (&change.before, &change.after) {
            (None, _) => "CREATED",
            (Some(_), Some(_)) => "UPDATED",
            (Some(_), None) => "DELETED",
        }
        .to_owned(),
        etag_before: change.before.as_ref().map(|before| before.etag()).unwrap_or_default(),
    });
    let event = Event {
        time: Some(clock::wall().into()),
        method: actor.method.to_owned(),
        address: actor.address.clone(),
        manager: actor.manager.clone(),
        request_id: request.to_string(),
        resources: resources.collect(),
    };
    value::tag(PROTOBUF_V1, &event.encode_to_vec())
}

/// The names that a stored event is about; nothing when it cannot be read.
#[must_use]
pub fn touched(value: &[u8]) -> Option<Vec<String>> {
    let event = Event::decode(value::untag(PROTOBUF_V1, value).ok()?).ok()?;
    Some(event.resources.into_iter().map(|touched| touched.name).collect())
}
