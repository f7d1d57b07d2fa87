//! Credentials: what happens to a password on its way to the store, to workers and to whoever reads.

use tonic::Code;
use um_store::Store as _;
use um_topology::Resource;
use um_wire::v1::{self, apply_result::Action};

use crate::{
    fixture::{Fixture, keys, refused, wrong_fields},
    resources::{actions, apply, credential, line, mask},
    worker::Worker,
};

const PASSWORD: &str = "correct-horse-battery";

async fn read(fixture: &Fixture, id: &str) -> v1::Credential {
    let request = v1::GetCredentialRequest { name: format!("credentials/{id}"), read_mask: None };
    fixture.control.credentials.clone().get_credential(request).await.unwrap().into_inner()
}

/// The password that a worker is given.
async fn delivered(fixture: &Fixture, id: &str) -> String {
    let mut worker = Worker::connect(&fixture.control, "workers/a", None).await;
    worker.acknowledge().await;
    match worker.in_force(&format!("credentials/{id}")) {
        Some(Resource::Credential(credential)) => credential.password.clone().unwrap().expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_password_is_sealed_and_no_answer_holds_it(fixture: &mut Fixture) {
    let result = fixture.control.apply(vec![credential("um", Some(PASSWORD)).into()]).await;
    let shown = read(fixture, "um").await;
    assert_eq!((shown.password, shown.has_password), (None, true));
    let listed = fixture.control.credentials.list_credentials(v1::ListCredentialsRequest::default()).await;
    let (_, exported) = fixture.control.export().await;
    let watch = v1::WatchRequest { send_initial: true, ..Default::default() };
    let mut watch = fixture.control.topology.watch(watch).await.unwrap().into_inner();
    let watched = watch.message().await.unwrap().unwrap();
    for answer in [
        prost::Message::encode_to_vec(&result),
        prost::Message::encode_to_vec(&listed.unwrap().into_inner()),
        exported.iter().flat_map(prost::Message::encode_to_vec).collect(),
        prost::Message::encode_to_vec(&watched),
    ] {
        assert!(!String::from_utf8_lossy(&answer).contains(PASSWORD));
    }
    let stored = fixture.store.scan(&keys().realm(), None, 1000, None).await.unwrap();
    let plain = |value: &[u8]| value.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
    assert!(!stored.items.is_empty() && !stored.items.iter().any(|item| plain(&item.value)));
    assert_eq!(delivered(fixture, "um").await, PASSWORD);

    // Whoever starts anew with the same key reads it; the worker is given it again.
    let replica = fixture.replica().await;
    let name = "credentials/um".to_owned();
    let request = v1::GetCredentialRequest { name, read_mask: None };
    assert!(replica.credentials.clone().get_credential(request).await.unwrap().into_inner().has_password);
    replica.stop().await;
}

pub(crate) async fn a_password_that_is_left_out_stays(fixture: &mut Fixture) {
    let first = fixture.control.apply(vec![credential("um", Some(PASSWORD)).into()]).await;
    let (_, exported) = fixture.control.export().await;
    let again = fixture.control.apply(exported).await;
    assert_eq!(actions(&again), [("credentials/um", Action::Unchanged)]);
    assert_eq!(again.revision, first.revision);

    let whole = v1::Credential { realm: Some("um.example.com".into()), ..credential("um", None) };
    let request = v1::UpdateCredentialRequest {
        credential: Some(whole),
        update_mask: mask(&["*"]),
        ..Default::default()
    };
    let changed = fixture.control.credentials.update_credential(request).await.unwrap().into_inner();
    assert_eq!((changed.realm.as_deref(), changed.has_password), (Some("um.example.com"), true));
    assert_eq!(delivered(fixture, "um").await, PASSWORD);

    let without = v1::CreateCredentialRequest {
        credential_id: "other".into(),
        credential: Some(credential("other", None)),
        ..Default::default()
    };
    let status = fixture.control.credentials.create_credential(without).await;
    let status = refused(status, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(wrong_fields(&status), ["credential.password"]);
}

pub(crate) async fn a_new_password_is_a_change_that_is_not_shown(fixture: &mut Fixture) {
    fixture.control.apply(vec![credential("um", Some(PASSWORD)).into()]).await;
    let etag = read(fixture, "um").await.etag;
    let same = fixture.control.apply(vec![credential("um", Some(PASSWORD)).into()]).await;
    assert_eq!(actions(&same), [("credentials/um", Action::Unchanged)]);
    let changed = fixture.control.apply(vec![credential("um", Some("another")).into()]).await;
    assert_eq!(actions(&changed), [("credentials/um", Action::Updated)]);
    let diff = &changed.results[0].diff;
    assert_eq!(diff.len(), 1, "{diff:?}");
    assert_eq!(
        (&*diff[0].path, &*diff[0].before, &*diff[0].after),
        ("password", "\"(hidden)\"", "\"(hidden)\"")
    );
    assert_ne!(read(fixture, "um").await.etag, etag);
    assert_eq!(delivered(fixture, "um").await, "another");
}

pub(crate) async fn credentials_and_who_uses_them_hang_together(fixture: &mut Fixture) {
    let with = |names: &[&str]| v1::Line {
        authentication: Some(v1::line::Authentication {
            outbound_credentials: names.iter().map(|name| format!("credentials/{name}")).collect(),
        }),
        ..line("um", 5060)
    };
    let missing = fixture.control.topology.apply(apply(vec![with(&["um"]).into()])).await;
    refused(missing, Code::FailedPrecondition, "REFERENCE_MISSING");
    let both = vec![with(&["um"]).into(), credential("um", Some(PASSWORD)).into()];
    fixture.control.apply(both).await;
    let delete = v1::DeleteCredentialRequest { name: "credentials/um".into(), ..Default::default() };
    let status = fixture.control.credentials.delete_credential(delete.clone()).await;
    refused(status, Code::FailedPrecondition, "RESOURCE_IN_USE");
    let twice = fixture.control.topology.apply(apply(vec![with(&["um", "um"]).into()])).await;
    refused(twice, Code::InvalidArgument, "FIELD_INVALID");
    fixture.control.apply(vec![line("um", 5060).into()]).await;
    fixture.control.credentials.delete_credential(delete).await.unwrap();

    let taken = vec![
        credential("a", Some("x")).into(),
        v1::Credential { username: Some("a-user".into()), ..credential("b", Some("y")) }.into(),
    ];
    let status = fixture.control.topology.apply(apply(taken)).await;
    refused(status, Code::AlreadyExists, "VALUE_TAKEN");
}
