//! What the store remembers of a request for an hour: enough to recognise it and to find what it did.

use bytes::Bytes;
use prost::Message;
use um_store::{
    Item,
    value::{self, PROTOBUF_V1},
};

use crate::picture::Changed;

/// The stored form.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(bytes = "vec", tag = "1")]
    fingerprint: Vec<u8>,
    #[prost(string, repeated, tag = "2")]
    changed: Vec<String>,
}

/// What is remembered of a request.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    /// Hash of the request.
    pub(super) fingerprint: Vec<u8>,
    /// Names of the resources that it changed.
    pub(super) changed: Vec<String>,
    /// Revision of its last transaction.
    pub(super) revision: i64,
}

/// Hash of a request without its id, to tell a repetition from another request under the same id.
#[must_use]
pub fn fingerprint(request: &impl Message) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &request.encode_to_vec());
    digest.as_ref().to_vec()
}

/// The value of a request's key.
pub(super) fn encode(fingerprint: &[u8], changes: &[Changed]) -> Bytes {
    let changed = changes.iter().map(|change| change.name.to_string()).collect();
    value::tag(PROTOBUF_V1, &Record { fingerprint: fingerprint.to_vec(), changed }.encode_to_vec())
}

/// Reads a request's key; nothing when another version wrote it.
pub(super) fn decode(item: &Item) -> Option<Remembered> {
    let record = Record::decode(value::untag(PROTOBUF_V1, &item.value).ok()?).ok()?;
    Some(Remembered { fingerprint: record.fingerprint, changed: record.changed, revision: item.mod_revision })
}
