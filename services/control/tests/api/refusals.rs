//! Requests that are refused, and what the refusal says.

use tonic::Code;
use tonic_types::StatusExt;
use um_wire::v1;

use crate::{
    fixture::{Fixture, metadata, refused, wrong_fields},
    resources::{example, line, list, mask, station, user},
};

pub(crate) async fn all_wrong_fields_are_named_at_once(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let mut bad = line("um", 70_000);
    let transport = bad.transport.as_mut().unwrap();
    transport.bind_address = Some("not an address/99".into());
    transport.max_invite_retry = Some(7);
    transport.retryable_codes = Some("200".into());
    bad.access =
        Some(v1::line::Access { allow: vec!["10.0.0.0/8".into(), "10.0.0.0/40".into()], deny: vec![] });
    bad.domain = Some("not a domain".into());
    let request = v1::CreateLineRequest { line_id: "um".into(), line: Some(bad), ..Default::default() };
    let status = refused(control.lines.create_line(request).await, Code::InvalidArgument, "FIELD_INVALID");
    let mut fields = wrong_fields(&status);
    fields.sort();
    assert_eq!(
        fields,
        [
            "line.access.allow[1]",
            "line.domain",
            "line.transport.bind_address",
            "line.transport.max_invite_retry",
            "line.transport.receive_port",
            "line.transport.retryable_codes",
        ]
    );
    let mut bad = list("um", 2);
    bad.entries[1].id = Some("um1".into());
    bad.entries[1].port = Some(0);
    let request = v1::CreateProxyListRequest {
        proxy_list_id: "um".into(),
        proxy_list: Some(bad),
        ..Default::default()
    };
    let status = control.lists.create_proxy_list(request).await;
    let fields = wrong_fields(&refused(status, Code::InvalidArgument, "FIELD_INVALID"));
    assert!(fields.contains(&"proxy_list.entries[1].id".to_owned()), "{fields:?}");
    assert!(fields.contains(&"proxy_list.entries[1].port".to_owned()), "{fields:?}");
}

pub(crate) async fn names_and_ids_are_checked(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    for id in ["", "Um", "-um", "um/1", "um ", &"x".repeat(65)] {
        let line = Some(v1::Line { name: String::new(), ..line("um", 5060) });
        let request = v1::CreateLineRequest { line_id: id.into(), line, ..Default::default() };
        let status =
            refused(control.lines.create_line(request).await, Code::InvalidArgument, "FIELD_INVALID");
        assert_eq!(wrong_fields(&status), ["line_id"], "{id}");
    }
    let other =
        v1::CreateLineRequest { line_id: "a".into(), line: Some(line("um", 5060)), ..Default::default() };
    let status = refused(control.lines.create_line(other).await, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(wrong_fields(&status), ["line.name"]);
    for name in ["", "um", "users/um", "lines/", "lines/a/b"] {
        let get = v1::GetLineRequest { name: name.into(), read_mask: None };
        let status = refused(control.lines.get_line(get).await, Code::InvalidArgument, "FIELD_INVALID");
        assert_eq!(wrong_fields(&status), ["name"], "{name}");
    }
    let nothing = v1::CreateLineRequest { line_id: "a".into(), ..Default::default() };
    let status = refused(control.lines.create_line(nothing).await, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(wrong_fields(&status), ["line"]);
}

pub(crate) async fn a_taken_value_names_its_holder(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let create = |id: &str, user: v1::User| v1::CreateUserRequest {
        user_id: id.into(),
        user: Some(user),
        ..Default::default()
    };
    for (extension, holder, path) in
        [("2001", "users/dana", "user.extension"), ("6000", "stations/vm", "user.extension")]
    {
        let answer = control.users.create_user(create("lee", user("lee", extension, None))).await;
        let status = refused(answer, Code::AlreadyExists, "VALUE_TAKEN");
        assert_eq!(
            (metadata(&status, "holder").as_str(), metadata(&status, "value").as_str()),
            (holder, extension)
        );
        let details = status.get_error_details();
        assert_eq!(details.resource_info().unwrap().resource_name, holder);
        assert_eq!(details.precondition_failure().unwrap().violations[0].subject, path);
    }
    let aliases = v1::User { aliases: vec!["2001".into()], ..user("lee", "2002", None) };
    refused(control.users.create_user(create("lee", aliases)).await, Code::AlreadyExists, "VALUE_TAKEN");
    let taken = v1::CreateLineRequest {
        line_id: "other".into(),
        line: Some(line("other", 5060)),
        ..Default::default()
    };
    let status = refused(control.lines.create_line(taken).await, Code::AlreadyExists, "VALUE_TAKEN");
    assert_eq!(metadata(&status, "holder"), "lines/um");
}

pub(crate) async fn a_missing_reference_is_named(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let request = v1::CreateStationRequest {
        station_id: "vm".into(),
        station: Some(station("vm", "6000", "none")),
        ..Default::default()
    };
    let answer = control.stations.create_station(request).await;
    let status = refused(answer, Code::FailedPrecondition, "REFERENCE_MISSING");
    assert_eq!(metadata(&status, "target"), "lines/none");
    let details = status.get_error_details();
    assert_eq!(details.precondition_failure().unwrap().violations[0].subject, "station.contact_line");
}

pub(crate) async fn what_is_referred_to_cannot_be_deleted(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let more = (0..30).map(|n| user(&format!("u{n:02}"), &format!("30{n:02}"), Some("vm")).into()).collect();
    control.apply(more).await;
    let delete = v1::DeleteStationRequest { name: "stations/vm".into(), ..Default::default() };
    let answer = control.stations.delete_station(delete).await;
    let status = refused(answer, Code::FailedPrecondition, "RESOURCE_IN_USE");
    assert_eq!(metadata(&status, "total"), "31");
    let referents = metadata(&status, "referents");
    assert_eq!(referents.split(',').count(), 20);
    assert!(referents.starts_with("users/dana,users/u00,"), "{referents}");
    let delete = v1::DeleteProxyListRequest { name: "proxyLists/um".into(), ..Default::default() };
    let answer = control.lists.delete_proxy_list(delete).await;
    let status = refused(answer, Code::FailedPrecondition, "RESOURCE_IN_USE");
    assert_eq!(metadata(&status, "referents"), "lines/um");
    let (_, left) = control.export().await;
    assert_eq!(left.len(), example().len() + 30);
}

pub(crate) async fn a_topology_that_does_not_compile_is_refused(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply(vec![line("um", 5060).into()]).await;
    // A station without a line of its own, where the settings have none either.
    let nowhere = v1::Station { contact_line: None, ..station("vm", "6000", "um") };
    let request =
        v1::CreateStationRequest { station_id: "vm".into(), station: Some(nowhere), ..Default::default() };
    let answer = control.stations.create_station(request.clone()).await;
    refused(answer, Code::FailedPrecondition, "TOPOLOGY_INVALID");
    let settings = |contact_line: Option<&str>| v1::UpdateSettingsRequest {
        settings: Some(v1::Settings {
            station_defaults: Some(v1::settings::StationDefaults {
                contact_line: contact_line.map(Into::into),
            }),
            ..Default::default()
        }),
        update_mask: mask(&["station_defaults"]),
        ..Default::default()
    };
    control.topology.update_settings(settings(Some("lines/um"))).await.unwrap();
    let made = control.stations.create_station(request).await.unwrap().into_inner();
    assert_eq!(made.effective.unwrap().contact_line, "lines/um");
    // And the settings cannot be taken away under it.
    let answer = control.topology.update_settings(settings(None)).await;
    refused(answer, Code::FailedPrecondition, "TOPOLOGY_INVALID");
}

pub(crate) async fn unknown_mask_paths_are_refused(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.create_user("dana", "2001").await;
    let request = v1::UpdateUserRequest {
        user: Some(user("dana", "2002", None)),
        update_mask: mask(&["extension", "colour", "uid"]),
        ..Default::default()
    };
    let answer = control.users.update_user(request).await;
    let status = refused(answer, Code::InvalidArgument, "UPDATE_MASK_INVALID");
    assert_eq!(wrong_fields(&status), ["colour", "uid"]);
}
