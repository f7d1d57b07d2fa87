//! The frozen list of reasons, and what a status carries.

use um_topology::Space;

use super::*;

fn violation(field: &str, kind: ViolationKind) -> Violation {
    Violation { resource: Name::line("a"), field: field.into(), kind, message: "no".into() }
}

#[test]
fn reasons_and_codes_are_frozen() {
    let taken = ViolationKind::ValueTaken { space: Space::Ext, value: "1".into(), holder: Name::user("u") };
    let unavailable = StoreError::Unavailable { reason: String::new() };
    let timeout = StoreError::Timeout { reason: String::new() };
    let full = StoreError::Full { reason: String::new() };
    let topology = |kind| ApiError::Topology(vec![violation("x", kind)]);
    let all = [
        (ApiError::field("x", "no"), "FIELD_INVALID", Code::InvalidArgument),
        (ApiError::UpdateMask(Vec::new()), "UPDATE_MASK_INVALID", Code::InvalidArgument),
        (ApiError::PageToken, "PAGE_TOKEN_INVALID", Code::InvalidArgument),
        (ApiError::PageTokenExpired, "PAGE_TOKEN_EXPIRED", Code::InvalidArgument),
        (ApiError::RequestIdReused(String::new()), "REQUEST_ID_REUSED", Code::InvalidArgument),
        (ApiError::ApplyTooLarge { size: 2, limit: 1 }, "APPLY_TOO_LARGE", Code::InvalidArgument),
        (ApiError::NotFound("lines/a".into()), "RESOURCE_NOT_FOUND", Code::NotFound),
        (ApiError::Exists(Name::line("a")), "RESOURCE_EXISTS", Code::AlreadyExists),
        (topology(ViolationKind::Invalid), "FIELD_INVALID", Code::InvalidArgument),
        (
            topology(ViolationKind::ReferenceMissing { target: Name::line("b") }),
            "REFERENCE_MISSING",
            Code::FailedPrecondition,
        ),
        (topology(taken), "VALUE_TAKEN", Code::AlreadyExists),
        (
            topology(ViolationKind::InUse { referents: Vec::new(), total: 0 }),
            "RESOURCE_IN_USE",
            Code::FailedPrecondition,
        ),
        (topology(ViolationKind::Incompatible), "TOPOLOGY_INVALID", Code::FailedPrecondition),
        (topology(ViolationKind::LimitReached { limit: 1 }), "QUOTA_EXCEEDED", Code::ResourceExhausted),
        (
            ApiError::EtagMismatch { name: Name::line("a"), current: String::new() },
            "ETAG_MISMATCH",
            Code::Aborted,
        ),
        (ApiError::WriteConflict, "WRITE_CONFLICT", Code::Aborted),
        (ApiError::RevisionChanged { changed: 1 }, "WRITE_CONFLICT", Code::Aborted),
        (ApiError::RevisionCompacted { oldest: 1 }, "REVISION_COMPACTED", Code::OutOfRange),
        (ApiError::RevisionInFuture { current: 1 }, "REVISION_IN_FUTURE", Code::OutOfRange),
        (ApiError::ReplicaBehind { current: 1 }, "REPLICA_BEHIND", Code::Unavailable),
        (ApiError::SlowConsumer { last: 1 }, "SLOW_CONSUMER", Code::ResourceExhausted),
        (ApiError::ShuttingDown, "SHUTTING_DOWN", Code::Unavailable),
        (ApiError::Store(unavailable), "STORE_UNAVAILABLE", Code::Unavailable),
        (ApiError::Store(timeout), "STORE_TIMEOUT", Code::DeadlineExceeded),
        (ApiError::Store(full), "STORE_FULL", Code::ResourceExhausted),
        (ApiError::Internal(String::new()), "INTERNAL", Code::Internal),
    ];
    for (error, reason, code) in all {
        let status = error.clone().into_status();
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), status.code(), info.domain.as_str()),
            (reason, code, "um.v1"),
            "{error}"
        );
    }
}

#[test]
fn every_violation_is_told_with_the_path_of_the_request() {
    let missing = ViolationKind::ReferenceMissing { target: Name::proxy_list("b") };
    let error = ApiError::Topology(vec![
        violation("proxy_list", missing),
        violation("transport.receive_port", ViolationKind::Invalid),
        violation("", ViolationKind::Incompatible),
    ]);
    let status = error.into_status_with(|_| "line.".to_owned());
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "line.transport.receive_port");
    let subjects: Vec<&str> =
        details.precondition_failure().unwrap().violations.iter().map(|v| v.subject.as_str()).collect();
    assert_eq!(subjects, ["line.proxy_list", "line"]);
}

#[test]
fn internal_faults_say_nothing_of_the_inside() {
    let status = ApiError::Internal("the secret".into()).into_status();
    assert!(!status.message().contains("secret"));
    assert!(status.get_error_details().request_info().is_some());
}

#[test]
fn retry_is_advised_only_where_it_helps() {
    let retries = |error: ApiError| error.into_status().get_error_details().retry_info().is_some();
    assert!(retries(ApiError::WriteConflict));
    assert!(retries(ApiError::Store(StoreError::Unavailable { reason: String::new() })));
    assert!(!retries(ApiError::field("x", "no")));
    assert!(!retries(ApiError::EtagMismatch { name: Name::line("a"), current: String::new() }));
}
