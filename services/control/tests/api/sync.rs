//! The Sync stream of a worker.

use tonic::Code;
use um_discovery::client::LastKnownGood;
use um_wire::v1;

use crate::{
    fixture::{Control, Fixture, eventually, reason},
    resources::{condition, line, mask},
    worker::Worker,
};

/// Control's view of a worker.
async fn seen(control: &Control, name: &str) -> v1::Worker {
    let all = control.workers.clone().list_workers(v1::ListWorkersRequest::default()).await.unwrap();
    let found = all.into_inner().workers.into_iter().find(|worker| worker.name == name);
    found.unwrap_or_default()
}

async fn move_line(control: &mut Control, port: u32) -> v1::Line {
    let request = v1::UpdateLineRequest {
        line: Some(line("um", port)),
        update_mask: mask(&["transport.receive_port"]),
        ..Default::default()
    };
    control.lines.update_line(request).await.unwrap().into_inner()
}

pub(crate) async fn a_worker_gets_a_snapshot_and_then_deltas(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let revision = control.apply_example().await.revision;
    let mut worker = Worker::connect(control, "workers/a", None).await;
    let told = worker.acknowledge().await;
    assert_eq!((told.snapshot, told.revision), (true, revision));
    assert_eq!(told.changes, ["+lines/um", "+proxyLists/um", "+stations/vm", "+users/dana"]);
    eventually("the line is programmed", async || {
        condition(&control.line("um").await.conditions, "Programmed").status() == v1::condition::Status::True
    })
    .await;
    assert!(!control.line("um").await.reconciling);

    // What the worker has not answered yet is said so.
    let moved = move_line(control, 5062).await;
    let programmed = condition(&moved.conditions, "Programmed");
    assert_eq!((programmed.status(), &*programmed.reason), (v1::condition::Status::False, "Pending"));
    assert!(moved.reconciling && programmed.message.contains("workers/a"), "{programmed:?}");
    let told = worker.acknowledge().await;
    assert_eq!(
        (told.snapshot, told.revision, told.changes),
        (false, moved.revision, vec!["+lines/um".to_owned()])
    );
    eventually("the fleet has it", async || {
        let worker = seen(control, "workers/a").await;
        worker.applied_revision == moved.revision && worker.target_revision == moved.revision
    })
    .await;
    let shown = seen(control, "workers/a").await;
    assert_eq!((shown.state(), &*shown.version), (v1::worker::State::Connected, "1.2.3"));
    assert_eq!(shown.incarnation, worker.incarnation());

    let delete = v1::DeleteUserRequest { name: "users/dana".into(), ..Default::default() };
    control.users.delete_user(delete).await.unwrap();
    assert_eq!(worker.acknowledge().await.changes, ["-users/dana"]);
    drop(worker);
    eventually("its end is seen", async || {
        seen(control, "workers/a").await.state() == v1::worker::State::Disconnected
    })
    .await;
}

pub(crate) async fn a_refused_line_is_shown_until_it_is_put_in_force(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    control.apply(vec![line("pbx", 5080).into()]).await;
    let mut worker = Worker::connect(control, "workers/a", None).await;
    worker.refused = vec!["lines/um"];
    let told = worker.acknowledge().await;
    eventually("the refusal is shown", async || {
        let line = control.line("um").await;
        let programmed = condition(&line.conditions, "Programmed");
        programmed.reason == "PortTaken" && line.reconciling && programmed.message.contains("workers/a")
    })
    .await;
    let other = control.line("pbx").await;
    assert_eq!(condition(&other.conditions, "Programmed").status(), v1::condition::Status::True);
    let shown = seen(control, "workers/a").await;
    assert_eq!((shown.applied_revision, shown.rejections.len()), (told.revision, 1));
    assert_eq!(shown.rejections[0].name, "lines/um");
    assert!(shown.rejections[0].status.as_ref().unwrap().message.contains("taken"));

    // It is offered again although nothing changed, and this time it works.
    worker.refused.clear();
    let again = worker.acknowledge().await;
    assert_eq!((again.revision, again.changes), (told.revision, vec!["+lines/um".to_owned()]));
    eventually("all is well", async || {
        let line = control.line("um").await;
        condition(&line.conditions, "Programmed").status() == v1::condition::Status::True && !line.reconciling
    })
    .await;
    assert_eq!(seen(control, "workers/a").await.rejections, []);
}

pub(crate) async fn a_worker_that_comes_back_gets_only_what_changed(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let mut worker = Worker::connect(control, "workers/a", None).await;
    worker.acknowledge().await;
    let known = worker.leave();
    for number in 0..20 {
        control.create_user(&format!("u{number}"), &format!("30{number:02}")).await;
    }
    let moved = move_line(control, 5062).await;
    let delete = v1::DeleteUserRequest { name: "users/u7".into(), ..Default::default() };
    control.users.delete_user(delete).await.unwrap();
    let mut worker = Worker::connect(control, "workers/a", known).await;
    let told = worker.acknowledge().await;
    assert!(!told.snapshot && told.revision > moved.revision);
    assert_eq!(told.changes.len(), 20, "{:?}", told.changes);
    assert!(told.changes.contains(&"+lines/um".to_owned()));

    // Nothing at all changed: an empty delta, so that control knows.
    let known = worker.leave();
    let mut worker = Worker::connect(control, "workers/a", known).await;
    let told = worker.acknowledge().await;
    assert_eq!((told.snapshot, told.changes), (false, vec![]));
    drop(worker);
}

pub(crate) async fn a_worker_of_another_store_gets_everything(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let revision = control.apply_example().await.revision;
    let mut worker = Worker::connect(control, "workers/a", None).await;
    worker.acknowledge().await;
    let known = worker.leave().unwrap();
    let foreign = |revision, partial| {
        let mut known: LastKnownGood<_> = known.clone();
        known.applied.revision = revision;
        known.applied.partial = partial;
        known
    };
    let mut other = foreign(9_999, false);
    other.applied.store_id = "another store".into();
    // Of another store, of a revision before all that is known, or not whole: everything is sent.
    for known in [other, foreign(1, false), foreign(revision, true)] {
        let mut worker = Worker::connect(control, "workers/a", Some(known.clone())).await;
        let told = worker.acknowledge().await;
        assert_eq!((told.snapshot, told.revision), (true, revision), "{:?}", known.applied);
    }
}

pub(crate) async fn a_worker_that_is_ahead_is_sent_away(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let mut worker = Worker::connect(control, "workers/a", None).await;
    worker.acknowledge().await;
    let mut known = worker.leave().unwrap();
    known.applied.revision += 1_000;
    let mut worker = Worker::connect(control, "workers/a", Some(known)).await;
    let status = worker.ended().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "REPLICA_BEHIND"));
}

pub(crate) async fn a_newer_stream_replaces_an_older_one(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let mut old = Worker::connect(control, "workers/a", None).await;
    old.acknowledge().await;
    let mut new = Worker::connect(control, "workers/a", None).await;
    new.acknowledge().await;
    // The old one is told at its next message at the latest.
    old.report(v1::Report { calls: 99, ..Default::default() }).await;
    assert_eq!(old.ended().await.code(), Code::Aborted);
    let shown = seen(control, "workers/a").await;
    assert_eq!((shown.state(), &*shown.incarnation), (v1::worker::State::Connected, new.incarnation()));
    assert_ne!(shown.report.map(|report| report.calls), Some(99));
    let moved = move_line(control, 5062).await;
    assert_eq!(new.acknowledge().await.revision, moved.revision);
}

pub(crate) async fn live_entries_are_answered(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply_example().await;
    let mut worker = Worker::connect(control, "workers/a", None).await;
    worker.acknowledge().await;
    let live = v1::Live { seq: 1, deletes: vec!["calls/a".into(), "calls/b".into()], ..Default::default() };
    worker.send(v1::sync_request::Message::Live(live)).await;
    let ack = loop {
        match worker.next().await.unwrap() {
            um_wire::sync::Downstream::LiveAck(ack) => break ack,
            um_wire::sync::Downstream::Discovery(_) => {}
            um_wire::sync::Downstream::Command(command) => panic!("{command:?}"),
        }
    };
    assert_eq!((ack.seq, ack.results.len()), (1, 2));
    assert!(ack.results.iter().all(|result| result.code == Code::Unimplemented as i32));
}

pub(crate) async fn who_does_not_say_who_he_is_is_sent_away(fixture: &mut Fixture) {
    let hello = |worker: &str, incarnation: &str| v1::Hello {
        worker: worker.into(),
        incarnation: incarnation.into(),
        ..Default::default()
    };
    for hello in [
        hello("", "a"),
        hello("a", "a"),
        hello("workers/", "a"),
        hello("workers/A\n", "a"),
        hello("workers/a", ""),
    ] {
        let first = v1::SyncRequest { message: Some(v1::sync_request::Message::Hello(hello.clone())) };
        // The stream stays open on this side, so that the end is control's.
        let requests = held_open(first);
        let mut stream = fixture.control.workers.sync(requests).await.unwrap().into_inner();
        let ended = tokio::time::timeout(crate::fixture::PATIENCE, stream.message()).await.unwrap();
        assert_eq!(ended.expect_err("sent away").code(), Code::InvalidArgument, "{hello:?}");
    }
    let workers = fixture.control.workers.list_workers(v1::ListWorkersRequest::default()).await.unwrap();
    assert_eq!(workers.into_inner().workers, []);
    let get = v1::GetWorkerRequest { name: "workers/none".into() };
    crate::fixture::refused(
        fixture.control.workers.get_worker(get).await,
        Code::NotFound,
        "RESOURCE_NOT_FOUND",
    );
}

/// One request, and then nothing for ever.
fn held_open(first: v1::SyncRequest) -> impl tokio_stream::Stream<Item = v1::SyncRequest> + Send {
    use tokio_stream::StreamExt;

    tokio_stream::once(first).chain(tokio_stream::pending())
}
