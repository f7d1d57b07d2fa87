//! What a failed call to etcd means: which error it is, and whether the request was served at all.

use std::error::Error as _;

use etcd_client::Error;
use tonic::{Code, Status};

use crate::{error::StoreError, item::LeaseId};

/// How a call ended without an answer that counts.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request did not reach a member that could serve it; another may be tried.
    NotServed(String),
    /// The request may have been served; only one that may be repeated is tried elsewhere.
    Unclear(String),
    /// The cluster has answered; no other member would answer differently.
    Refused(Refusal),
}

/// Answers that are errors.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The revision is compacted; the answer does not say to which.
    Compacted,
    /// The revision is in the future; the answer does not say how far.
    FutureRevision,
    /// The response exceeds what we decode.
    ResponseTooLarge,
    /// The lease does not exist; the answer does not say which.
    LeaseNotFound,
    /// Any other, ready to be returned.
    Other(StoreError),
}

impl Failure {
    /// Turns a failure into what the caller of the store sees.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::NotServed(reason) => StoreError::Unavailable { reason },
            Self::Unclear(reason) => StoreError::Timeout { reason },
            Self::Refused(Refusal::Compacted) => StoreError::Compacted { oldest: 0 },
            Self::Refused(Refusal::FutureRevision) => StoreError::FutureRevision { current: 0 },
            Self::Refused(Refusal::ResponseTooLarge) => StoreError::invalid("the answer is too large"),
            Self::Refused(Refusal::LeaseNotFound) => StoreError::LeaseNotFound { lease: LeaseId(0) },
            Self::Refused(Refusal::Other(error)) => error,
        }
    }
}

/// Classifies an error of the client.
pub(super) fn classify(error: Error) -> Failure {
    match error {
        Error::GRpcStatus(status) => classify_status(&status),
        Error::LeaseKeepAliveError(_) => Failure::Refused(Refusal::LeaseNotFound),
        Error::InvalidArgs(reason) | Error::ElectError(reason) | Error::EndpointError(reason) => {
            refuse(StoreError::Invalid { reason })
        }
        Error::InvalidUri(error) => refuse(StoreError::invalid(error.to_string())),
        Error::InvalidMetadataValue(error) => refuse(StoreError::invalid(error.to_string())),
        Error::Utf8Error(error) => refuse(StoreError::corrupt(error.to_string())),
        Error::EndpointsNotManaged => refuse(StoreError::invalid("endpoints are not managed")),
        Error::IoError(error) => Failure::Unclear(error.to_string()),
        Error::TransportError(error) => Failure::Unclear(error.to_string()),
        Error::WatchError(reason) | Error::Internal(reason) => Failure::Unclear(reason),
    }
}

fn classify_status(status: &Status) -> Failure {
    let reason = || status.message().to_owned();
    if never_sent(status) {
        return Failure::NotServed(chain(status));
    }
    match status.code() {
        Code::OutOfRange if status.message().contains("compacted") => Failure::Refused(Refusal::Compacted),
        Code::OutOfRange if status.message().contains("future revision") => {
            Failure::Refused(Refusal::FutureRevision)
        }
        Code::OutOfRange => Failure::Refused(Refusal::ResponseTooLarge),
        Code::NotFound => Failure::Refused(Refusal::LeaseNotFound),
        Code::ResourceExhausted if status.message().contains("space exceeded") => {
            refuse(StoreError::Full { reason: reason() })
        }
        // "too many requests": refused before it was proposed.
        Code::ResourceExhausted => Failure::NotServed(reason()),
        Code::Unauthenticated | Code::PermissionDenied => refuse(StoreError::Denied { reason: reason() }),
        Code::InvalidArgument | Code::AlreadyExists | Code::FailedPrecondition | Code::Unimplemented => {
            refuse(StoreError::Invalid { reason: reason() })
        }
        Code::DataLoss => refuse(StoreError::Corrupt { reason: reason() }),
        Code::Unavailable if status.message().contains("no leader") => Failure::NotServed(reason()),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable => Failure::Unclear(chain(status)),
    }
}

const fn refuse(error: StoreError) -> Failure {
    Failure::Refused(Refusal::Other(error))
}

/// Whether the connection could not even be made, so that nothing was sent.
fn never_sent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// The message with its causes; tonic's own says little more than "transport error".
fn chain(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = status.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: Code, message: &str) -> Failure {
        classify(Error::GRpcStatus(Status::new(code, message)))
    }

    #[test]
    fn a_request_that_may_have_been_proposed_is_unclear() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: request timed out"),
            (Code::Unavailable, "etcdserver: request timed out, possibly due to previous leader failure"),
            (Code::Unavailable, "etcdserver: server stopped"),
            (Code::DeadlineExceeded, "context deadline exceeded"),
            (Code::Unknown, "transport error"),
            (Code::Cancelled, "h2 protocol error"),
        ] {
            assert!(matches!(status(code, message), Failure::Unclear(_)), "{message}");
        }
    }

    #[test]
    fn a_request_refused_before_it_was_proposed_may_go_elsewhere() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: no leader"),
            (Code::ResourceExhausted, "etcdserver: too many requests"),
        ] {
            assert!(matches!(status(code, message), Failure::NotServed(_)), "{message}");
        }
    }

    #[test]
    fn answers_of_the_cluster_are_final() {
        let full = status(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded");
        assert!(matches!(full, Failure::Refused(Refusal::Other(StoreError::Full { .. }))));
        let denied = status(Code::PermissionDenied, "etcdserver: permission denied");
        assert!(matches!(denied, Failure::Refused(Refusal::Other(StoreError::Denied { .. }))));
        let compacted = status(Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
        assert!(matches!(compacted, Failure::Refused(Refusal::Compacted)));
        let future = status(Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision");
        assert!(matches!(future, Failure::Refused(Refusal::FutureRevision)));
        let large = status(Code::OutOfRange, "Error, decoded message length too large: found 9 bytes");
        assert!(matches!(large, Failure::Refused(Refusal::ResponseTooLarge)));
    }
}
