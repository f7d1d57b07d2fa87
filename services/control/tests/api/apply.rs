//! Apply, Diff and Export.

use tonic::Code;
use tonic_types::StatusExt;
use um_wire::v1::{self, apply_result::Action};
use uuid::Uuid;

use crate::{
    fixture::{Fixture, metadata, refused, wrong_fields},
    resources::{actions, apply, example, line, list, station, user},
};

pub(crate) async fn resources_are_created_updated_and_left_alone(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let first = control.apply_example().await;
    let created = [
        ("users/dana", Action::Created),
        ("stations/vm", Action::Created),
        ("lines/um", Action::Created),
        ("proxyLists/um", Action::Created),
    ];
    assert_eq!(actions(&first), created, "in the order of the request");
    let again = control.apply_example().await;
    assert!(again.results.iter().all(|result| result.action() == Action::Unchanged));
    assert_eq!(again.revision, first.revision);

    let mut changed = example();
    changed[0] = user("dana", "2009", Some("vm")).into();
    let second = control.apply(changed).await;
    assert!(second.revision > first.revision);
    assert_eq!(actions(&second)[0], ("users/dana", Action::Updated));
    assert_eq!(actions(&second)[1], ("stations/vm", Action::Unchanged));
    let diff = &second.results[0].diff;
    assert_eq!(
        (diff.len(), &*diff[0].path, &*diff[0].before, &*diff[0].after),
        (1, "extension", "\"2001\"", "\"2009\"")
    );
}

pub(crate) async fn another_managers_resource_is_a_conflict_unless_forced(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let other = |extension: &str, force: bool| v1::ApplyRequest {
        manager: "other".into(),
        force,
        ..apply(vec![user("dana", extension, Some("vm")).into(), user("lee", "2002", None).into()])
    };
    let answer = control.topology.apply(other("2009", false)).await.unwrap().into_inner();
    assert_eq!(actions(&answer), [("users/dana", Action::Conflict), ("users/lee", Action::Created)]);
    let status = answer.results[0].status.clone().unwrap();
    assert!(status.message.contains("`umctl`"), "{}", status.message);
    let answer = control.topology.apply(other("2009", true)).await.unwrap().into_inner();
    assert_eq!(actions(&answer), [("users/dana", Action::Updated), ("users/lee", Action::Unchanged)]);
    // Now it is the other one's.
    let answer = control.apply(vec![user("dana", "2001", Some("vm")).into()]).await;
    assert_eq!(actions(&answer), [("users/dana", Action::Conflict)]);
}

pub(crate) async fn prune_deletes_only_what_the_manager_left_out(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    control.create_user("manual", "2100").await;
    let other = v1::ApplyRequest { manager: "other".into(), ..apply(vec![user("lee", "2002", None).into()]) };
    control.topology.apply(other).await.unwrap();
    let prune = |resources| v1::ApplyRequest { prune: true, ..apply(resources) };
    let left = example().split_off(2);
    let answer = control.topology.apply(prune(left)).await.unwrap().into_inner();
    assert_eq!(actions(&answer)[2..], [("stations/vm", Action::Deleted), ("users/dana", Action::Deleted)]);
    let names: Vec<String> = control.export().await.1.iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(names, ["proxyLists/um", "lines/um", "users/lee", "users/manual"]);
    // What others refer to is not pruned away under them.
    let uses =
        v1::ApplyRequest { manager: "other".into(), ..apply(vec![station("vm2", "6001", "um").into()]) };
    control.topology.apply(uses).await.unwrap();
    let answer = control.topology.apply(prune(vec![list("um", 2).into()])).await;
    refused(answer, Code::FailedPrecondition, "RESOURCE_IN_USE");
}

pub(crate) async fn diff_says_what_apply_would_do_and_writes_nothing(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let before = control.export().await;
    let mut wanted = example();
    wanted[0] = user("dana", "2009", Some("vm")).into();
    wanted.push(user("lee", "2002", Some("vm")).into());
    let request = v1::ApplyRequest { prune: true, ..apply(wanted) };
    let told = control.topology.diff(request.clone()).await.unwrap().into_inner();
    assert_eq!(told.revision, before.0);
    assert_eq!(control.export().await, before);
    let dry = v1::ApplyRequest { validate_only: true, ..request.clone() };
    assert_eq!(control.topology.apply(dry).await.unwrap().into_inner().results, told.results);
    let done = control.topology.apply(request).await.unwrap().into_inner();
    assert_eq!(done.results, told.results);
}

pub(crate) async fn an_export_applies_back_unchanged(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let mut resources = example();
    let settings = v1::Settings { domains: vec!["pbx.example.com".into()], ..Default::default() };
    resources.push(settings.into());
    resources.push(v1::User { aliases: vec!["+12025550102".into()], ..user("lee", "2002", None) }.into());
    control.apply(resources).await;
    let (revision, exported) = control.export().await;
    assert_eq!(exported.len(), 6);
    assert!(exported.iter().all(|one| one.common().unwrap().etag().is_empty()), "only what the user wrote");
    let answer = control.apply(exported.clone()).await;
    assert!(answer.results.iter().all(|result| result.action() == Action::Unchanged), "{answer:?}");
    assert_eq!(answer.revision, revision);
    let users = v1::ExportRequest { kinds: vec![v1::resource::Kind::User.into()] };
    let part = control.topology.export(users).await.unwrap().into_inner().message().await.unwrap().unwrap();
    assert_eq!(part.resources, exported[3..5]);

    // Into an empty store of another kind it goes just as well.
    let mut empty = Fixture::start(crate::Backend::Embedded).await;
    empty.control.apply(exported.clone()).await;
    assert_eq!(empty.control.export().await.1, exported);
    empty.finish().await;
}

pub(crate) async fn every_wrong_resource_is_named_in_one_answer(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let wrong = vec![
        user("dana", "20a1", None).into(),
        line("um", 70_000).into(),
        user("lee", "2002", None).into(),
        v1::User { aliases: vec!["?".into()], ..user("kim", "", None) }.into(),
    ];
    let answer = control.topology.apply(apply(wrong)).await;
    let mut fields = wrong_fields(&refused(answer, Code::InvalidArgument, "FIELD_INVALID"));
    fields.sort();
    assert_eq!(
        fields,
        [
            "resources[0].user.extension",
            "resources[1].line.transport.receive_port",
            "resources[3].user.aliases[0]",
            "resources[3].user.extension",
        ]
    );
    // What is wrong between resources is told beside it, unless it follows from it.
    let mixed = vec![
        line("um", 70_000).into(),
        station("vm", "6000", "um").into(),
        station("vm2", "6000", "none").into(),
    ];
    let status = control.topology.apply(apply(mixed)).await;
    let status = refused(status, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(wrong_fields(&status), ["resources[0].line.transport.receive_port"]);
    let details = status.get_error_details();
    let mut between: Vec<String> =
        details.precondition_failure().unwrap().violations.iter().map(|one| one.subject.clone()).collect();
    between.sort();
    assert_eq!(between, ["resources[2].station.contact_line", "resources[2].station.extension"]);
    let twice = vec![user("dana", "2001", None).into(), user("dana", "2002", None).into()];
    let status = control.topology.apply(apply(twice)).await;
    let fields = wrong_fields(&refused(status, Code::InvalidArgument, "FIELD_INVALID"));
    assert_eq!(fields, ["resources[1].user.name"]);
    let answer = control.topology.apply(apply(vec![v1::Resource { spec: None }])).await;
    let fields = wrong_fields(&refused(answer, Code::InvalidArgument, "FIELD_INVALID"));
    assert_eq!(fields, ["resources[0]"]);
    assert_eq!(control.export().await.1, []);
}

pub(crate) async fn a_large_apply_is_refused_when_atomic_and_else_written_in_steps(fixture: &mut Fixture) {
    const USERS: usize = 400;
    let control = &mut fixture.control;
    let users = |shift: usize| {
        (0..USERS).map(move |n| user(&format!("u{n}"), &format!("{}", 20_000 + n + shift), Some("vm")).into())
    };
    let mut resources = example();
    resources.extend(users(0));
    let atomic = v1::ApplyRequest { atomic: true, ..apply(resources.clone()) };
    let status = refused(control.topology.apply(atomic).await, Code::InvalidArgument, "APPLY_TOO_LARGE");
    assert_eq!(metadata(&status, "limit"), "128");
    assert!(metadata(&status, "size").parse::<usize>().unwrap() > 128);
    assert_eq!(control.export().await.1, []);

    let answer = control.apply(resources.clone()).await;
    assert_eq!(answer.results.len(), USERS + 4);
    assert!(answer.results.iter().all(|result| result.action() == Action::Created));
    let (revision, exported) = control.export().await;
    assert_eq!((exported.len(), revision), (USERS + 4, answer.revision));
    let again = control.apply(resources).await;
    assert!(again.results.iter().all(|result| result.action() == Action::Unchanged));

    // Every number moves up by one, so that each step takes what another one gives up; and half of the users go.
    let moved: Vec<v1::Resource> = example().into_iter().chain(users(1000).take(USERS / 2)).collect();
    let prune = v1::ApplyRequest { prune: true, ..apply(moved) };
    let answer = control.topology.apply(prune).await.unwrap().into_inner();
    let count = |action| answer.results.iter().filter(|result| result.action() == action).count();
    assert_eq!((count(Action::Updated), count(Action::Deleted)), (USERS / 2, USERS / 2));
    assert_eq!(control.export().await.1.len(), USERS / 2 + 4);
}

pub(crate) async fn users_of_a_large_apply_may_pass_their_numbers_on(fixture: &mut Fixture) {
    const USERS: usize = 300;
    let control = &mut fixture.control;
    let users = |number: fn(usize) -> usize| {
        (0..USERS).map(move |n| user(&format!("u{n:03}"), &format!("{}", 20_000 + number(n)), None).into())
    };
    control.apply(users(|n| n).collect()).await;
    // Everybody takes the number of the next one, in the order of names and against it.
    for number in [|n| n + 1, |n: usize| n + 10, |n: usize| n + 5] {
        let answer = control.apply(users(number).collect()).await;
        assert!(answer.results.iter().all(|one| one.action() == Action::Updated), "{answer:?}");
    }
    // The first and the last swap theirs, whole steps apart.
    let swap = |n: usize| match n {
        0 => 304,
        299 => 5,
        _ => n + 405,
    };
    let answer = control.apply(users(swap).collect()).await;
    assert!(answer.results.iter().all(|one| one.action() == Action::Updated), "{answer:?}");
}

pub(crate) async fn stations_of_a_large_apply_may_rely_on_the_settings_in_it(fixture: &mut Fixture) {
    const STATIONS: usize = 100;
    let control = &mut fixture.control;
    let stations = (0..STATIONS).map(|n| {
        let station = station(&format!("s{n:02}"), &format!("{}", 7_000 + n), "um");
        v1::Station { contact_line: None, ..station }.into()
    });
    let settings = v1::Settings {
        station_defaults: Some(v1::settings::StationDefaults { contact_line: Some("lines/um".into()) }),
        ..Default::default()
    };
    let resources = stations.chain([settings.into(), line("um", 5060).into()]).collect();
    let answer = control.apply(resources).await;
    assert!(answer.results.iter().all(|result| result.action() == Action::Created), "{answer:?}");
    // What is not given any more goes again, in the other direction.
    let prune = v1::ApplyRequest { prune: true, ..apply(vec![line("um", 5060).into()]) };
    control.topology.apply(prune).await.unwrap();
    let left: Vec<String> = control.export().await.1.iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(left, ["lines/um", "settings"]);
}

pub(crate) async fn users_may_swap_their_numbers(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply(vec![user("dana", "2001", None).into(), user("lee", "2002", None).into()]).await;
    let answer =
        control.apply(vec![user("dana", "2002", None).into(), user("lee", "2001", None).into()]).await;
    assert!(answer.results.iter().all(|result| result.action() == Action::Updated));
}

pub(crate) async fn if_revision_looks_at_everything_but_users(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let seen = control.apply_example().await.revision;
    control.create_user("kim", "2100").await;
    let at = |resources| v1::ApplyRequest { if_revision: seen, ..apply(resources) };
    control.topology.apply(at(vec![user("lee", "2002", None).into()])).await.unwrap();
    control.apply(vec![line("other", 5070).into()]).await;
    let answer = control.topology.apply(at(vec![user("lee", "2003", None).into()])).await;
    refused(answer, Code::Aborted, "WRITE_CONFLICT");
}

pub(crate) async fn a_repeated_apply_is_recognised(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let request = v1::ApplyRequest { request_id: Uuid::new_v4().to_string(), ..apply(example()) };
    let first = control.topology.apply(request.clone()).await.unwrap().into_inner();
    let again = control.topology.apply(request.clone()).await.unwrap().into_inner();
    assert_eq!(again.revision, first.revision);
    let other = v1::ApplyRequest { force: true, ..request };
    refused(control.topology.apply(other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}
