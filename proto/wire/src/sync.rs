//! The discovery protocol on the wire: messages of `um-discovery` to and from `WorkerService.Sync`.
//!
//! Control sends resources of the model; a worker gets each as [`Delivered`], so that one that it cannot read is
//! rejected alone, like one that it cannot put in force. What the machines do not speak about (reports, live entries,
//! commands) passes through as it is.

use std::sync::Arc;

use prost::Message;
use tonic_types::{ErrorDetails, StatusExt};
use um_discovery::{Applied, Change, Failure, FromControl, FromWorker, Hello};
use um_topology::Resource;

use crate::v1::{self, sync_request, sync_response};
use crate::{Invalid, resource};

/// A resource as a worker gets it.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivered {
    /// It could be read.
    Resource(Resource),
    /// It could not be read: control is of a later version.
    Unreadable(Arc<Invalid>),
}

impl Delivered {
    /// Reads a resource of the wire.
    #[must_use]
    pub fn read(from: &v1::Resource) -> Self {
        match Resource::try_from(from) {
            Ok(resource) => Self::Resource(resource),
            Err(invalid) => Self::Unreadable(Arc::new(invalid)),
        }
    }

    /// Returns the resource, or the failure to report in a NACK.
    ///
    /// # Errors
    ///
    /// The failure, for a resource that could not be read.
    pub fn resource(&self, name: &Arc<str>) -> Result<&Resource, Failure> {
        match self {
            Self::Resource(resource) => Ok(resource),
            Self::Unreadable(invalid) => {
                Err(Failure::new(Arc::clone(name), "FIELD_INVALID", invalid.to_string()))
            }
        }
    }
}

/// A message from control, as a worker takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Downstream {
    /// For the session.
    Discovery(FromControl<Delivered>),
    /// What became of live entries.
    LiveAck(v1::LiveAck),
    /// Something to do now.
    Command(v1::Command),
}

/// A message from a worker, as control takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Upstream {
    /// Who speaks; [`hello`] has the part for the subscription.
    Hello(v1::Hello),
    /// For the subscription: an ACK or a NACK.
    Answer(FromWorker),
    /// How the worker is doing.
    Report(v1::Report),
    /// Live entries.
    Live(v1::Live),
}

/// A message that the other end should not have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is {0}")]
pub struct SyncError(&'static str);

/// Writes a message of the subscription.
#[must_use]
pub fn response(message: FromControl<Resource>) -> v1::SyncResponse {
    let message = match message {
        FromControl::Snapshot { nonce, revision, store_id, chunk, last, resources } => {
            sync_response::Message::Snapshot(v1::Snapshot {
                nonce,
                revision,
                store_id: store_id.to_string(),
                chunk,
                last,
                resources: resources.iter().map(|(_, resource)| resource.into()).collect(),
                live: Vec::new(),
            })
        }
        FromControl::Delta { nonce, revision, from_revision, chunk, last, changes } => {
            sync_response::Message::Delta(v1::Delta {
                nonce,
                revision,
                from_revision,
                changes: changes.iter().map(change).collect(),
                live_puts: Vec::new(),
                live_deletes: Vec::new(),
                chunk,
                last,
            })
        }
        FromControl::Bookmark { revision } => sync_response::Message::Bookmark(v1::Bookmark { revision }),
    };
    v1::SyncResponse { message: Some(message) }
}

/// Reads a message of control.
///
/// # Errors
///
/// A message that is empty or of a kind that this version does not know.
pub fn downstream(response: v1::SyncResponse) -> Result<Downstream, SyncError> {
    let message = response.message.ok_or(SyncError("empty, or of a later version"))?;
    Ok(match message {
        sync_response::Message::Snapshot(snapshot) => {
            let resources = snapshot.resources.iter();
            Downstream::Discovery(FromControl::Snapshot {
                nonce: snapshot.nonce,
                revision: snapshot.revision,
                store_id: Arc::from(snapshot.store_id),
                chunk: snapshot.chunk,
                last: snapshot.last,
                resources: resources
                    .map(|resource| (Arc::from(resource.name()), Delivered::read(resource)))
                    .collect(),
            })
        }
        sync_response::Message::Delta(delta) => Downstream::Discovery(FromControl::Delta {
            nonce: delta.nonce,
            revision: delta.revision,
            from_revision: delta.from_revision,
            chunk: delta.chunk,
            last: delta.last,
            changes: delta.changes.iter().map(read_change).collect::<Result<_, _>>()?,
        }),
        sync_response::Message::Bookmark(bookmark) => {
            Downstream::Discovery(FromControl::Bookmark { revision: bookmark.revision })
        }
        sync_response::Message::LiveAck(ack) => Downstream::LiveAck(ack),
        sync_response::Message::Command(command) => Downstream::Command(command),
    })
}

/// Writes a message of the session. `identity` says who the worker is; its `last_applied` is the session's.
#[must_use]
pub fn request(message: FromWorker, identity: &v1::Hello) -> v1::SyncRequest {
    let message = match message {
        FromWorker::Hello(hello) => sync_request::Message::Hello(v1::Hello {
            last_applied: hello.last_applied.map(|applied| v1::Applied {
                revision: applied.revision,
                store_id: applied.store_id.to_string(),
                partial: applied.partial,
            }),
            ..identity.clone()
        }),
        FromWorker::Ack { nonce, revision } => sync_request::Message::Ack(v1::Ack { nonce, revision }),
        FromWorker::Nack { nonce, revision, failures } => sync_request::Message::Nack(v1::Nack {
            nonce,
            revision,
            failures: failures.iter().map(failure).collect(),
        }),
    };
    v1::SyncRequest { message: Some(message) }
}

/// Reads a message of a worker.
///
/// # Errors
///
/// A message that is empty or of a kind that this version does not know.
pub fn upstream(request: v1::SyncRequest) -> Result<Upstream, SyncError> {
    let message = request.message.ok_or(SyncError("empty, or of a later version"))?;
    Ok(match message {
        sync_request::Message::Hello(hello) => Upstream::Hello(hello),
        sync_request::Message::Ack(v1::Ack { nonce, revision }) => {
            Upstream::Answer(FromWorker::Ack { nonce, revision })
        }
        sync_request::Message::Nack(v1::Nack { nonce, revision, failures }) => {
            let failures = failures.iter().map(read_failure).collect();
            Upstream::Answer(FromWorker::Nack { nonce, revision, failures })
        }
        sync_request::Message::Report(report) => Upstream::Report(report),
        sync_request::Message::Live(live) => Upstream::Live(live),
    })
}

/// Returns the part of a Hello that the subscription needs.
#[must_use]
pub fn hello(hello: &v1::Hello) -> Hello {
    Hello {
        last_applied: hello.last_applied.as_ref().map(|applied| Applied {
            store_id: Arc::from(applied.store_id.as_str()),
            revision: applied.revision,
            partial: applied.partial,
        }),
    }
}

/// Returns about how many bytes a resource takes in a message, for the subscription's configuration.
#[must_use]
pub fn size(resource: &Resource) -> usize {
    match resource {
        // There may be a million of them, so they are not converted just to be measured.
        Resource::User(user) if user.meta.is_none() => {
            user.id.len()
                + user.extension.len()
                + user.aliases.iter().map(|alias| alias.len()).sum::<usize>()
                + 256
        }
        Resource::User(_)
        | Resource::Credential(_)
        | Resource::Line(_)
        | Resource::ProxyList(_)
        | Resource::Station(_)
        | Resource::Route(_)
        | Resource::Settings(_) => v1::Resource::from(resource).encoded_len(),
    }
}

/// Returns a failure of the wire: FAILED_PRECONDITION with the reason in an ErrorInfo.
#[must_use]
pub fn failure(failure: &Failure) -> v1::Failure {
    let details = ErrorDetails::with_error_info(failure.reason.as_str(), DOMAIN, []);
    let code = tonic::Code::FailedPrecondition;
    let status = tonic::Status::with_error_details(code, failure.message.as_str(), details);
    v1::Failure { name: failure.name.to_string(), status: Some(rpc_status(&status)) }
}

/// Returns the `google.rpc.Status` of a gRPC status, details included.
#[must_use]
pub fn rpc_status(status: &tonic::Status) -> tonic_types::Status {
    tonic_types::Status::decode(status.details())
        .ok()
        .filter(|inner| !inner.details.is_empty())
        .unwrap_or_else(|| tonic_types::Status {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        })
}

fn read_failure(failure: &v1::Failure) -> Failure {
    use tonic_types::RpcStatusExt;

    let status = failure.status.clone().unwrap_or_default();
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    Failure { name: Arc::from(failure.name.as_str()), reason, message: status.message }
}

fn change(change: &Change<Resource>) -> v1::Change {
    match change {
        Change::Put(name, put) => v1::Change {
            r#type: v1::change::Type::Put.into(),
            resource: Some(put.into()),
            previous: None,
            name: name.to_string(),
        },
        Change::Delete(name) => v1::Change {
            r#type: v1::change::Type::Delete.into(),
            resource: None,
            previous: None,
            name: name.to_string(),
        },
    }
}

fn read_change(change: &v1::Change) -> Result<Change<Delivered>, SyncError> {
    let name = Arc::from(change.name.as_str());
    match (change.r#type(), &change.resource) {
        (v1::change::Type::Put, Some(resource)) => Ok(Change::Put(name, Delivered::read(resource))),
        (v1::change::Type::Delete, _) => Ok(Change::Delete(name)),
        (v1::change::Type::Put | v1::change::Type::Unspecified, _) => {
            Err(SyncError("a change that says neither what to put nor to delete"))
        }
    }
}

/// Returns a resource of the model under the key that the discovery protocol uses.
#[must_use]
pub fn keyed(resource: Resource) -> (Arc<str>, Resource) {
    (resource::key(&resource), resource)
}

const DOMAIN: &str = "um.v1";

#[cfg(test)]
mod tests;
