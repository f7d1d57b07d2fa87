//! What guards a write: etag, validate_only, request_id, and other writers.

use tonic::Code;
use um_wire::v1;
use uuid::Uuid;

use crate::{
    fixture::{Fixture, metadata, refused},
    resources::{mask, user},
};

fn create(id: &str, extension: &str, request_id: &str) -> v1::CreateUserRequest {
    v1::CreateUserRequest {
        user_id: id.into(),
        user: Some(user(id, extension, None)),
        request_id: request_id.into(),
        validate_only: false,
    }
}

pub(crate) async fn an_etag_guards_update_and_delete(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let first = control.create_user("dana", "2001").await;
    let patch = |etag: &str, extension: &str| v1::UpdateUserRequest {
        user: Some(v1::User { etag: etag.into(), ..user("dana", extension, None) }),
        ..Default::default()
    };
    let second = control.users.update_user(patch(&first.etag, "2002")).await.unwrap().into_inner();
    let status =
        refused(control.users.update_user(patch(&first.etag, "2003")).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&status, "etag"), second.etag);
    let delete = |etag: &str| v1::DeleteUserRequest {
        name: "users/dana".into(),
        etag: etag.into(),
        ..Default::default()
    };
    refused(control.users.delete_user(delete(&first.etag)).await, Code::Aborted, "ETAG_MISMATCH");
    control.users.delete_user(delete(&second.etag)).await.unwrap();
    // An etag is of something that existed, so nothing is created for it.
    let missing = v1::UpdateUserRequest { allow_missing: true, ..patch(&second.etag, "2004") };
    refused(control.users.update_user(missing).await, Code::NotFound, "RESOURCE_NOT_FOUND");
}

pub(crate) async fn validation_writes_nothing(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.create_user("dana", "2001").await;
    let before = control.export().await;
    let valid = v1::CreateUserRequest { validate_only: true, ..create("lee", "2002", "") };
    let shown = control.users.create_user(valid).await.unwrap().into_inner();
    assert_eq!(shown.extension.as_deref(), Some("2002"));
    let taken = v1::CreateUserRequest { validate_only: true, ..create("lee", "2001", "") };
    refused(control.users.create_user(taken).await, Code::AlreadyExists, "VALUE_TAKEN");
    let update = v1::UpdateUserRequest {
        user: Some(user("dana", "2009", None)),
        validate_only: true,
        ..Default::default()
    };
    assert_eq!(
        control.users.update_user(update).await.unwrap().into_inner().extension.as_deref(),
        Some("2009")
    );
    let delete =
        v1::DeleteUserRequest { name: "users/dana".into(), validate_only: true, ..Default::default() };
    control.users.delete_user(delete).await.unwrap();
    assert_eq!(control.export().await, before);
}

pub(crate) async fn a_repeated_request_has_its_first_result(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let request = create("dana", "2001", &Uuid::new_v4().to_string());
    let first = control.users.create_user(request.clone()).await.unwrap().into_inner();
    let again = control.users.create_user(request).await.unwrap().into_inner();
    assert_eq!(again, first);

    let update = v1::UpdateUserRequest {
        user: Some(v1::User { etag: first.etag.clone(), ..user("dana", "2002", None) }),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let second = control.users.update_user(update.clone()).await.unwrap().into_inner();
    assert_eq!(control.users.update_user(update).await.unwrap().into_inner(), second);

    let delete = v1::DeleteUserRequest {
        name: "users/dana".into(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    control.users.delete_user(delete.clone()).await.unwrap();
    control.users.delete_user(delete).await.unwrap();
    assert_eq!(control.export().await.1, []);
}

pub(crate) async fn a_request_id_is_good_for_one_request(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let id = Uuid::new_v4().to_string();
    control.users.create_user(create("dana", "2001", &id)).await.unwrap();
    let other = control.users.create_user(create("lee", "2002", &id)).await;
    let status = refused(other, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(metadata(&status, "request_id"), id);
    let nonsense = control.users.create_user(create("lee", "2002", "seven")).await;
    refused(nonsense, Code::InvalidArgument, "FIELD_INVALID");
}

pub(crate) async fn a_request_id_sent_many_times_at_once_writes_once(fixture: &mut Fixture) {
    let request = create("dana", "2001", &Uuid::new_v4().to_string());
    let sent: Vec<_> = (0..8)
        .map(|_| {
            let (mut users, request) = (fixture.control.users.clone(), request.clone());
            tokio::spawn(async move { users.create_user(request).await })
        })
        .collect();
    let mut uids = Vec::new();
    for answer in sent {
        uids.push(answer.await.unwrap().unwrap().into_inner().uid);
    }
    uids.dedup();
    assert_eq!(uids.len(), 1);
}

/// Many clients add an alias each, guarded by the etag that they read; whoever loses reads again.
pub(crate) async fn concurrent_updates_are_all_kept_or_refused(fixture: &mut Fixture) {
    const WRITERS: usize = 8;
    fixture.control.create_user("dana", "2001").await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let mut users = fixture.control.users.clone();
            tokio::spawn(async move {
                loop {
                    let get = v1::GetUserRequest { name: "users/dana".into(), read_mask: None };
                    let mut user = users.get_user(get).await.unwrap().into_inner();
                    user.aliases.push(format!("300{number}"));
                    let request = v1::UpdateUserRequest {
                        user: Some(user),
                        update_mask: mask(&["aliases"]),
                        ..Default::default()
                    };
                    match users.update_user(request).await {
                        Ok(_) => return,
                        Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let get = v1::GetUserRequest { name: "users/dana".into(), read_mask: None };
    let user = fixture.control.users.get_user(get).await.unwrap().into_inner();
    assert_eq!(user.aliases.len(), WRITERS);
}
