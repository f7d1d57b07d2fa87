//! The five standard methods of every kind, and the settings.

use tonic::Code;
use um_wire::v1;

use crate::{
    fixture::{Fixture, refused},
    resources::{condition, credential, line, list, mask, route, station, user},
};

/// Creates, reads, lists, updates and deletes one resource of a kind.
macro_rules! round_trip {
    ($client:expr, $kind:ident, $field:ident, $items:ident, $id:ident, $resource:expr,
     $create:ident $create_request:ident, $get:ident $get_request:ident, $list:ident $list_request:ident,
     $update:ident $update_request:ident, $delete:ident $delete_request:ident) => {{
        let resource: v1::$kind = $resource;
        let (name, id) = (resource.name.clone(), resource.name.split_once('/').unwrap().1.to_owned());
        let request = v1::$create_request { $id: id, $field: Some(resource.clone()), ..Default::default() };
        let created = $client.$create(request.clone()).await.unwrap().into_inner();
        assert_eq!((&created.name, created.uid.len()), (&name, 36));
        assert_eq!(created.etag, format!("\"{}\"", created.revision));
        assert_eq!(created.create_time, created.update_time);
        assert_eq!(condition(&created.conditions, "Accepted").status(), v1::condition::Status::True);
        assert_eq!(condition(&created.conditions, "Programmed").status(), v1::condition::Status::Unknown);
        refused($client.$create(request).await, Code::AlreadyExists, "RESOURCE_EXISTS");

        let get = v1::$get_request { name: name.clone(), read_mask: None };
        let answer = $client.$get(get.clone()).await.unwrap();
        let told: i64 = answer.metadata().get("um-revision").unwrap().to_str().unwrap().parse().unwrap();
        assert!(told >= created.revision && answer.metadata().get("um-cache-age").is_none());
        assert_eq!(answer.into_inner(), created);
        let listed = $client.$list(v1::$list_request::default()).await.unwrap().into_inner();
        assert_eq!((&listed.$items[..], &*listed.next_page_token), (&[created.clone()][..], ""));

        let patch = v1::$kind { name: name.clone(), display_name: "new".into(), ..Default::default() };
        let request = v1::$update_request { $field: Some(patch), ..Default::default() };
        let updated = $client.$update(request).await.unwrap().into_inner();
        assert_eq!((&*updated.display_name, &updated.uid), ("new", &created.uid));
        assert!(updated.revision > created.revision && updated.etag != created.etag);
        assert_eq!(updated.create_time, created.create_time);

        let delete = v1::$delete_request { name: name.clone(), ..Default::default() };
        $client.$delete(delete.clone()).await.unwrap();
        refused($client.$get(get).await, Code::NotFound, "RESOURCE_NOT_FOUND");
        refused($client.$delete(delete.clone()).await, Code::NotFound, "RESOURCE_NOT_FOUND");
        $client.$delete(v1::$delete_request { allow_missing: true, ..delete }).await.unwrap();
        // The id may be used again, the uid never is.
        let request = v1::$create_request {
            $id: name.split_once('/').unwrap().1.to_owned(),
            $field: Some(resource),
            ..Default::default()
        };
        let again = $client.$create(request).await.unwrap().into_inner();
        assert!(again.uid != created.uid && again.revision > updated.revision);
    }};
}

pub(crate) async fn every_kind_is_created_read_and_deleted(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    round_trip!(control.lists, ProxyList, proxy_list, proxy_lists, proxy_list_id, list("um", 2),
        create_proxy_list CreateProxyListRequest, get_proxy_list GetProxyListRequest,
        list_proxy_lists ListProxyListsRequest, update_proxy_list UpdateProxyListRequest,
        delete_proxy_list DeleteProxyListRequest);
    round_trip!(control.lines, Line, line, lines, line_id, line("um", 5060),
        create_line CreateLineRequest, get_line GetLineRequest, list_lines ListLinesRequest,
        update_line UpdateLineRequest, delete_line DeleteLineRequest);
    round_trip!(control.stations, Station, station, stations, station_id, station("vm", "6000", "um"),
        create_station CreateStationRequest, get_station GetStationRequest, list_stations ListStationsRequest,
        update_station UpdateStationRequest, delete_station DeleteStationRequest);
    round_trip!(control.users, User, user, users, user_id, user("Dana@example.com", "2001", Some("vm")),
        create_user CreateUserRequest, get_user GetUserRequest, list_users ListUsersRequest,
        update_user UpdateUserRequest, delete_user DeleteUserRequest);
    round_trip!(control.credentials, Credential, credential, credentials, credential_id,
        credential("um", Some("correct-horse")),
        create_credential CreateCredentialRequest, get_credential GetCredentialRequest,
        list_credentials ListCredentialsRequest, update_credential UpdateCredentialRequest,
        delete_credential DeleteCredentialRequest);
    round_trip!(control.routes, Route, route, routes, route_id, route("out", 10, "9.*", "um"),
        create_route CreateRouteRequest, get_route GetRouteRequest, list_routes ListRoutesRequest,
        update_route UpdateRouteRequest, delete_route DeleteRouteRequest);
}

pub(crate) async fn settings_exist_before_anybody_wrote_them(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let empty = control.topology.get_settings(v1::GetSettingsRequest::default()).await.unwrap().into_inner();
    assert_eq!(empty, v1::Settings { name: "settings".into(), ..Default::default() });
    let settings = v1::Settings { domains: vec!["pbx.example.com".into()], ..Default::default() };
    let update = |settings| v1::UpdateSettingsRequest { settings: Some(settings), ..Default::default() };
    let first = control.topology.update_settings(update(settings)).await.unwrap().into_inner();
    assert_eq!((&*first.name, &first.domains[..]), ("settings", &["pbx.example.com".to_owned()][..]));
    let read = control.topology.get_settings(v1::GetSettingsRequest::default()).await.unwrap().into_inner();
    assert_eq!(read, first);
    let stale =
        v1::Settings { etag: "\"1\"".into(), domains: vec!["other.example.com".into()], ..first.clone() };
    let status = control.topology.update_settings(update(stale)).await;
    refused(status, Code::Aborted, "ETAG_MISMATCH");
    let missing = v1::Settings {
        station_defaults: Some(v1::settings::StationDefaults { contact_line: Some("lines/none".into()) }),
        ..Default::default()
    };
    refused(
        control.topology.update_settings(update(missing)).await,
        Code::FailedPrecondition,
        "REFERENCE_MISSING",
    );
}

/// Applies one user with everything set.
async fn full_user(fixture: &mut Fixture) -> v1::User {
    let mut user = user("dana", "2001", None);
    user.display_name = "Dana".into();
    user.labels.insert("site".into(), "b".into());
    user.labels.insert("floor".into(), "2".into());
    user.aliases = vec!["+12025550102".into(), "sip:dana@example.com".into()];
    let request = v1::CreateUserRequest { user_id: "dana".into(), user: Some(user), ..Default::default() };
    fixture.control.users.create_user(request).await.unwrap().into_inner()
}

pub(crate) async fn an_update_changes_what_its_mask_names(fixture: &mut Fixture) {
    let before = full_user(fixture).await;
    let mut patch = user("dana", "2999", None);
    patch.description = "not in the mask".into();
    patch.labels.insert("site".into(), "c".into());
    let request = v1::UpdateUserRequest {
        user: Some(patch),
        update_mask: mask(&["labels.site", "aliases"]),
        ..Default::default()
    };
    let after = fixture.control.users.update_user(request).await.unwrap().into_inner();
    assert_eq!((&after.extension, &*after.description), (&before.extension, ""));
    assert_eq!((after.labels["site"].as_str(), after.labels["floor"].as_str()), ("c", "2"));
    assert_eq!(after.aliases, [""; 0], "a named field that is not given is taken away");
}

pub(crate) async fn an_update_without_mask_changes_what_is_set(fixture: &mut Fixture) {
    let before = full_user(fixture).await;
    let patch = v1::User { name: before.name.clone(), extension: Some("2002".into()), ..Default::default() };
    let request = v1::UpdateUserRequest { user: Some(patch), ..Default::default() };
    let after = fixture.control.users.update_user(request).await.unwrap().into_inner();
    assert_eq!(after.extension.as_deref(), Some("2002"));
    assert_eq!((&after.labels, &after.aliases), (&before.labels, &before.aliases));
}

pub(crate) async fn an_update_of_everything_takes_away_what_is_not_given(fixture: &mut Fixture) {
    let before = full_user(fixture).await;
    let request = v1::UpdateUserRequest {
        user: Some(user("dana", "2001", None)),
        update_mask: mask(&["*"]),
        ..Default::default()
    };
    let after = fixture.control.users.update_user(request).await.unwrap().into_inner();
    assert_eq!((&*after.display_name, after.labels.len(), after.aliases.len()), ("", 0, 0));
    assert_eq!((after.uid, after.create_time), (before.uid, before.create_time));
}

pub(crate) async fn an_update_may_create_when_it_is_allowed_to(fixture: &mut Fixture) {
    let users = &mut fixture.control.users;
    let request = |allow_missing| v1::UpdateUserRequest {
        user: Some(user("lee", "2002", None)),
        allow_missing,
        ..Default::default()
    };
    refused(users.update_user(request(false)).await, Code::NotFound, "RESOURCE_NOT_FOUND");
    let created = users.update_user(request(true)).await.unwrap().into_inner();
    assert_eq!(created.create_time, created.update_time);
    let again = users.update_user(request(true)).await.unwrap().into_inner();
    assert_eq!(again, created);
}

pub(crate) async fn a_no_op_update_keeps_etag_and_revision(fixture: &mut Fixture) {
    let before = full_user(fixture).await;
    for update_mask in [None, mask(&["*"]), mask(&["aliases", "extension"])] {
        let request = v1::UpdateUserRequest { user: Some(before.clone()), update_mask, ..Default::default() };
        let answer = fixture.control.users.update_user(request).await.unwrap();
        assert_eq!(answer.into_inner(), before);
    }
    assert_eq!(fixture.control.export().await.0, before.revision, "nothing was written");
}

pub(crate) async fn a_read_mask_leaves_the_rest_out(fixture: &mut Fixture) {
    full_user(fixture).await;
    let users = &mut fixture.control.users;
    let request =
        v1::GetUserRequest { name: "users/dana".into(), read_mask: mask(&["extension", "labels.site"]) };
    let read = users.get_user(request).await.unwrap().into_inner();
    let mut expected =
        v1::User { name: "users/dana".into(), extension: Some("2001".into()), ..Default::default() };
    expected.labels.insert("site".into(), "b".into());
    assert_eq!(read, expected);
    let request = v1::ListUsersRequest { read_mask: mask(&["uid", "bogus"]), ..Default::default() };
    refused(users.list_users(request).await, Code::InvalidArgument, "FIELD_INVALID");
}

pub(crate) async fn what_a_user_wrote_is_what_he_reads(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let mut written = line("um", 5060);
    written.access =
        Some(v1::line::Access { allow: vec!["10.1.2.3/8".into()], deny: vec!["fd00::1".into()] });
    let transport = written.transport.as_mut().unwrap();
    transport.retryable_codes = Some("500-599,480".into());
    transport.t1 = Some(prost_types::Duration { seconds: 0, nanos: 500_000_000 });
    let request =
        v1::CreateLineRequest { line_id: "um".into(), line: Some(written.clone()), ..Default::default() };
    let read = control.lines.create_line(request).await.unwrap().into_inner();
    assert_eq!((&read.access, &read.transport), (&written.access, &written.transport));
    assert_eq!(read.limits, None, "no default is written into a field");
    let effective = read.effective_transport.unwrap();
    assert_eq!(effective.receive_port, Some(5060));
    assert!(effective.max_invite_retry.is_some(), "the resolved values stand beside");
}
