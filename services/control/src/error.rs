//! Every refusal of the API, and the one place that turns it into a gRPC status (api-design.md section 4).
//!
//! Reasons are part of the API: a test freezes the list.

use std::{fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use um_store::StoreError;
use um_topology::{FieldViolation, Name, Violation, ViolationKind};

/// Domain of every `ErrorInfo`.
const DOMAIN: &str = "um.v1";

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiError {
    /// Fields of the request itself are wrong.
    Fields(Vec<FieldViolation>),
    /// The update mask names no field, or one that cannot be written.
    UpdateMask(Vec<FieldViolation>),
    /// A page token that this control plane did not make.
    PageToken,
    /// A page token whose list is no longer kept; begin again.
    PageTokenExpired,
    /// The same `request_id` with another request.
    RequestIdReused(String),
    /// An atomic Apply that does not fit one transaction.
    ApplyTooLarge {
        /// What the transaction would hold.
        size: usize,
        /// What it may hold.
        limit: usize,
    },
    /// There is no such resource.
    NotFound(String),
    /// There is such a resource already.
    Exists(Name),
    /// The topology that would result has faults; never empty.
    Topology(Vec<Violation>),
    /// The resource changed since the client read it.
    EtagMismatch {
        /// The resource.
        name: Name,
        /// Its etag now.
        current: String,
    },
    /// Others wrote the same resources again and again.
    WriteConflict,
    /// Something changed since the revision that the client named.
    RevisionChanged {
        /// Revision of that change.
        changed: i64,
    },
    /// The watch begins before what is kept.
    RevisionCompacted {
        /// The oldest revision to start after.
        oldest: i64,
    },
    /// The watch begins after what exists.
    RevisionInFuture {
        /// The revision now.
        current: i64,
    },
    /// This replica has not seen the revision yet.
    ReplicaBehind {
        /// What it has seen.
        current: i64,
    },
    /// The reader of a stream is too slow.
    SlowConsumer {
        /// The last revision that it was sent.
        last: i64,
    },
    /// This process is ending.
    ShuttingDown,
    /// The store refused or did not answer.
    Store(StoreError),
    /// A fault of ours; the text goes to the log only.
    Internal(String),
}

impl ApiError {
    /// Makes the error of one wrong field.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Fields(vec![FieldViolation::new(field, message)])
    }

    /// The machine-readable reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Fields(_) => "FIELD_INVALID",
            Self::UpdateMask(_) => "UPDATE_MASK_INVALID",
            Self::PageToken => "PAGE_TOKEN_INVALID",
            Self::PageTokenExpired => "PAGE_TOKEN_EXPIRED",
            Self::RequestIdReused(_) => "REQUEST_ID_REUSED",
            Self::ApplyTooLarge { .. } => "APPLY_TOO_LARGE",
            Self::NotFound(_) => "RESOURCE_NOT_FOUND",
            Self::Exists(_) => "RESOURCE_EXISTS",
            Self::Topology(violations) => gravest(violations).map_or("TOPOLOGY_INVALID", reason_of),
            Self::EtagMismatch { .. } => "ETAG_MISMATCH",
            Self::WriteConflict | Self::RevisionChanged { .. } => "WRITE_CONFLICT",
            Self::RevisionCompacted { .. } => "REVISION_COMPACTED",
            Self::RevisionInFuture { .. } => "REVISION_IN_FUTURE",
            Self::ReplicaBehind { .. } => "REPLICA_BEHIND",
            Self::SlowConsumer { .. } => "SLOW_CONSUMER",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Store(error) => store_reason(error),
            Self::Internal(_) => "INTERNAL",
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Fields(_)
            | Self::UpdateMask(_)
            | Self::PageToken
            | Self::PageTokenExpired
            | Self::RequestIdReused(_)
            | Self::ApplyTooLarge { .. } => Code::InvalidArgument,
            Self::NotFound(_) => Code::NotFound,
            Self::Exists(_) => Code::AlreadyExists,
            Self::Topology(violations) => gravest(violations).map_or(Code::FailedPrecondition, code_of),
            Self::EtagMismatch { .. } | Self::WriteConflict | Self::RevisionChanged { .. } => Code::Aborted,
            Self::RevisionCompacted { .. } | Self::RevisionInFuture { .. } => Code::OutOfRange,
            Self::ReplicaBehind { .. } | Self::ShuttingDown => Code::Unavailable,
            Self::SlowConsumer { .. } => Code::ResourceExhausted,
            Self::Store(error) => store_code(error),
            Self::Internal(_) => Code::Internal,
        }
    }

    /// What is said about the error in `ErrorInfo.metadata`.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::RequestIdReused(id) => vec![("request_id", id.clone())],
            Self::ApplyTooLarge { size, limit } => {
                vec![("size", size.to_string()), ("limit", limit.to_string())]
            }
            Self::NotFound(name) => vec![("name", name.clone())],
            Self::Exists(name) => vec![("name", name.to_string())],
            Self::Topology(violations) => gravest(violations).map(violation_metadata).unwrap_or_default(),
            Self::EtagMismatch { name, current } => {
                vec![("name", name.to_string()), ("etag", current.clone())]
            }
            Self::RevisionChanged { changed } => vec![("revision", changed.to_string())],
            Self::RevisionCompacted { oldest } => vec![("oldest", oldest.to_string())],
            Self::RevisionInFuture { current } | Self::ReplicaBehind { current } => {
                vec![("revision", current.to_string())]
            }
            Self::SlowConsumer { last } => vec![("last_revision", last.to_string())],
            Self::Fields(_)
            | Self::UpdateMask(_)
            | Self::PageToken
            | Self::PageTokenExpired
            | Self::WriteConflict
            | Self::ShuttingDown
            | Self::Store(_)
            | Self::Internal(_) => Vec::new(),
        }
    }

    /// How long a client should wait before it tries again, where that can help.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::WriteConflict => Some(Duration::from_millis(100)),
            Self::ReplicaBehind { .. } | Self::ShuttingDown => Some(Duration::from_secs(1)),
            Self::Store(StoreError::Full { .. }) => Some(Duration::from_secs(30)),
            Self::Store(error) => error.is_transient().then_some(Duration::from_secs(1)),
            Self::Fields(_)
            | Self::UpdateMask(_)
            | Self::PageToken
            | Self::PageTokenExpired
            | Self::RequestIdReused(_)
            | Self::ApplyTooLarge { .. }
            | Self::NotFound(_)
            | Self::Exists(_)
            | Self::Topology(_)
            | Self::EtagMismatch { .. }
            | Self::RevisionChanged { .. }
            | Self::RevisionCompacted { .. }
            | Self::RevisionInFuture { .. }
            | Self::SlowConsumer { .. }
            | Self::Internal(_) => None,
        }
    }

    /// Turns the refusal into a status. Paths of topology violations get the prefix that `prefix` knows for a resource,
    /// so that they name the field of the request.
    #[must_use]
    pub fn into_status_with(self, prefix: impl Fn(&Name) -> String) -> Status {
        let mut details = ErrorDetails::new();
        #[expect(clippy::disallowed_types, reason = "the details take no other map")]
        let metadata: std::collections::HashMap<String, String> =
            self.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        details.set_error_info(self.reason(), DOMAIN, metadata);
        if let Some(delay) = self.retry_after() {
            details.set_retry_info(Some(delay));
        }
        self.add_details(&mut details, &prefix);
        Status::with_error_details(self.code(), self.to_string(), details)
    }

    /// Adds what the reason has a detail of its own for.
    fn add_details(&self, details: &mut ErrorDetails, prefix: &impl Fn(&Name) -> String) {
        match self {
            Self::Fields(fields) | Self::UpdateMask(fields) => {
                for field in fields {
                    details.add_bad_request_violation(field.field.as_str(), field.message.as_str());
                }
            }
            Self::Topology(violations) => add_violations(details, violations, prefix),
            Self::NotFound(name) => {
                details.set_resource_info("um.v1.Resource", name.as_str(), "", "does not exist");
            }
            Self::Exists(name) => {
                details.set_resource_info("um.v1.Resource", name.to_string(), "", "exists");
            }
            Self::Internal(text) => {
                let incident = uuid::Uuid::new_v4().to_string();
                tracing::error!(incident, text, "a request failed by a fault of ours");
                details.set_request_info(incident, "");
            }
            Self::PageToken
            | Self::PageTokenExpired
            | Self::RequestIdReused(_)
            | Self::ApplyTooLarge { .. }
            | Self::EtagMismatch { .. }
            | Self::WriteConflict
            | Self::RevisionChanged { .. }
            | Self::RevisionCompacted { .. }
            | Self::RevisionInFuture { .. }
            | Self::ReplicaBehind { .. }
            | Self::SlowConsumer { .. }
            | Self::ShuttingDown
            | Self::Store(_) => {}
        }
    }

    /// Turns the refusal into a status.
    #[must_use]
    pub fn into_status(self) -> Status {
        self.into_status_with(|name| format!("{name}."))
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        error.into_status()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(fields) | Self::UpdateMask(fields) => {
                list(f, fields.iter().map(|v| format!("{}: {}", v.field, v.message)))
            }
            Self::PageToken => f.write_str("page_token was not made by this service; begin again without it"),
            Self::PageTokenExpired => {
                f.write_str("the list that page_token continues is no longer kept; begin again without it")
            }
            Self::RequestIdReused(id) => write!(f, "request_id {id} was used for another request"),
            Self::ApplyTooLarge { size, limit } => {
                write!(
                    f,
                    "an atomic apply of this size needs {size} operations and a transaction holds {limit}; apply without atomic"
                )
            }
            Self::NotFound(name) => write!(f, "{name} does not exist"),
            Self::Exists(name) => write!(f, "{name} exists already"),
            Self::Topology(violations) => list(f, violations.iter().map(ToString::to_string)),
            Self::EtagMismatch { name, current } => {
                write!(f, "{name} was changed by somebody else; its etag is now {current}")
            }
            Self::WriteConflict => f.write_str("others are writing the same resources; try again"),
            Self::RevisionChanged { changed } => {
                write!(f, "something changed at revision {changed}, after if_revision")
            }
            Self::RevisionCompacted { oldest } => {
                write!(f, "that revision is no longer kept; the oldest is {oldest}")
            }
            Self::RevisionInFuture { current } => {
                write!(f, "that revision does not exist yet; the newest is {current}")
            }
            Self::ReplicaBehind { current } => {
                write!(f, "this replica has seen revision {current} only; try again")
            }
            Self::SlowConsumer { last } => {
                write!(f, "the stream was read too slowly; resume after revision {last}")
            }
            Self::ShuttingDown => f.write_str("this replica is shutting down; connect to another one"),
            Self::Store(error) => write!(f, "{error}"),
            Self::Internal(_) => f.write_str("internal error"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = String>) -> fmt::Result {
    f.write_str(&items.collect::<Vec<_>>().join("; "))
}

/// The violation that decides the code: a client must first mend what is wrong by itself.
fn gravest(violations: &[Violation]) -> Option<&Violation> {
    violations.iter().min_by_key(|violation| match violation.kind {
        ViolationKind::Invalid => 0,
        ViolationKind::ReferenceMissing { .. } => 1,
        ViolationKind::ValueTaken { .. } => 2,
        ViolationKind::InUse { .. } => 3,
        ViolationKind::LimitReached { .. } => 4,
        ViolationKind::Incompatible => 5,
    })
}

fn reason_of(violation: &Violation) -> &'static str {
    match violation.kind {
        ViolationKind::Invalid => "FIELD_INVALID",
        ViolationKind::ReferenceMissing { .. } => "REFERENCE_MISSING",
        ViolationKind::ValueTaken { .. } => "VALUE_TAKEN",
        ViolationKind::InUse { .. } => "RESOURCE_IN_USE",
        ViolationKind::LimitReached { .. } => "QUOTA_EXCEEDED",
        ViolationKind::Incompatible => "TOPOLOGY_INVALID",
    }
}

fn code_of(violation: &Violation) -> Code {
    match violation.kind {
        ViolationKind::Invalid => Code::InvalidArgument,
        ViolationKind::ValueTaken { .. } => Code::AlreadyExists,
        ViolationKind::LimitReached { .. } => Code::ResourceExhausted,
        ViolationKind::ReferenceMissing { .. }
        | ViolationKind::InUse { .. }
        | ViolationKind::Incompatible => Code::FailedPrecondition,
    }
}

fn violation_metadata(violation: &Violation) -> Vec<(&'static str, String)> {
    let mut metadata = vec![("name", violation.resource.to_string())];
    match &violation.kind {
        ViolationKind::Invalid | ViolationKind::Incompatible => {}
        ViolationKind::ReferenceMissing { target } => metadata.push(("target", target.to_string())),
        ViolationKind::ValueTaken { space, value, holder } => {
            metadata.push(("space", space.to_string()));
            metadata.push(("value", value.clone()));
            metadata.push(("holder", holder.to_string()));
        }
        ViolationKind::InUse { referents, total } => {
            let names: Vec<String> = referents.iter().map(ToString::to_string).collect();
            metadata.push(("referents", names.join(",")));
            metadata.push(("total", total.to_string()));
        }
        ViolationKind::LimitReached { limit } => metadata.push(("limit", limit.to_string())),
    }
    metadata
}

fn add_violations(details: &mut ErrorDetails, violations: &[Violation], prefix: &impl Fn(&Name) -> String) {
    for violation in violations {
        let path = format!("{}{}", prefix(&violation.resource), violation.field);
        let path = path.trim_end_matches('.').to_owned();
        match &violation.kind {
            ViolationKind::Invalid => {
                details.add_bad_request_violation(path, violation.message.as_str());
            }
            ViolationKind::ValueTaken { holder, .. } => {
                details.set_resource_info(
                    "um.v1.Resource",
                    holder.to_string(),
                    "",
                    violation.message.as_str(),
                );
                details.add_precondition_failure_violation(
                    reason_of(violation),
                    path,
                    violation.message.as_str(),
                );
            }
            ViolationKind::LimitReached { .. } => {
                details.add_quota_failure_violation(path, violation.message.as_str());
            }
            ViolationKind::ReferenceMissing { .. }
            | ViolationKind::InUse { .. }
            | ViolationKind::Incompatible => {
                details.add_precondition_failure_violation(
                    reason_of(violation),
                    path,
                    violation.message.as_str(),
                );
            }
        }
    }
}

fn store_reason(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable { .. } | StoreError::Denied { .. } | StoreError::Locked { .. } => {
            "STORE_UNAVAILABLE"
        }
        StoreError::Timeout { .. } => "STORE_TIMEOUT",
        StoreError::Full { .. } => "STORE_FULL",
        StoreError::Compacted { .. } => "REVISION_COMPACTED",
        StoreError::FutureRevision { .. } => "REVISION_IN_FUTURE",
        StoreError::TooLarge { .. } => "APPLY_TOO_LARGE",
        StoreError::Corrupt { .. }
        | StoreError::Invalid { .. }
        | StoreError::LeaseNotFound { .. }
        | StoreError::Spec { .. } => "INTERNAL",
    }
}

fn store_code(error: &StoreError) -> Code {
    match error {
        StoreError::Unavailable { .. } | StoreError::Denied { .. } | StoreError::Locked { .. } => {
            Code::Unavailable
        }
        StoreError::Timeout { .. } => Code::DeadlineExceeded,
        StoreError::Full { .. } => Code::ResourceExhausted,
        StoreError::Compacted { .. } | StoreError::FutureRevision { .. } => Code::OutOfRange,
        StoreError::TooLarge { .. } => Code::InvalidArgument,
        StoreError::Corrupt { .. }
        | StoreError::Invalid { .. }
        | StoreError::LeaseNotFound { .. }
        | StoreError::Spec { .. } => Code::Internal,
    }
}

#[cfg(test)]
mod tests;
