//! The Watch stream.

use tonic::{Code, Streaming};
use um_wire::v1::{self, watch_response::Message};

use crate::{
    fixture::{Control, Fixture, PATIENCE, reason, refused},
    resources::{example, line, user},
};

async fn open(control: &mut Control, request: v1::WatchRequest) -> Streaming<v1::WatchResponse> {
    control.topology.watch(request).await.unwrap().into_inner()
}

/// The next message, which must come.
async fn next(stream: &mut Streaming<v1::WatchResponse>) -> (i64, Message) {
    let next = tokio::time::timeout(PATIENCE, stream.message()).await.expect("something is sent");
    let response = next.unwrap().expect("the stream goes on");
    (response.revision, response.message.unwrap())
}

/// The next changes: revision, and `+name` or `-name` of each.
async fn changes(stream: &mut Streaming<v1::WatchResponse>) -> (i64, Vec<String>) {
    loop {
        match next(stream).await {
            (revision, Message::Changes(changes)) => {
                assert!(!changes.merged);
                return (revision, changes.changes.iter().map(told).collect());
            }
            (_, Message::Bookmark(_)) => {}
            (_, other @ (Message::Initial(_) | Message::InitialEnd(_))) => panic!("{other:?}"),
        }
    }
}

fn told(change: &v1::Change) -> String {
    match change.r#type() {
        v1::change::Type::Put => {
            assert_eq!(change.resource.as_ref().unwrap().name(), change.name);
            format!("+{}", change.name)
        }
        v1::change::Type::Delete => {
            assert_eq!(change.previous.as_ref().unwrap().name(), change.name);
            format!("-{}", change.name)
        }
        v1::change::Type::Unspecified => panic!("{change:?}"),
    }
}

pub(crate) async fn a_watch_begins_with_everything(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let revision = control.apply_example().await.revision;
    let request = v1::WatchRequest { send_initial: true, ..Default::default() };
    let mut stream = open(control, request).await;
    let mut names = Vec::new();
    let end = loop {
        match next(&mut stream).await {
            (at, Message::Initial(initial)) => {
                assert_eq!(at, revision);
                names.extend(initial.resources.iter().map(|one| one.name().to_owned()));
            }
            (at, Message::InitialEnd(_)) => break at,
            (_, other @ (Message::Changes(_) | Message::Bookmark(_))) => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (end, names),
        (
            revision,
            vec!["proxyLists/um".into(), "lines/um".into(), "stations/vm".into(), "users/dana".to_owned()]
        )
    );
    let created = control.create_user("lee", "2002").await;
    assert_eq!(changes(&mut stream).await, (created.revision, vec!["+users/lee".to_owned()]));
    let delete = v1::DeleteUserRequest { name: "users/lee".into(), ..Default::default() };
    control.users.delete_user(delete).await.unwrap();
    assert_eq!(changes(&mut stream).await.1, ["-users/lee"]);
}

pub(crate) async fn a_revision_arrives_whole(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let mut all = open(control, v1::WatchRequest::default()).await;
    let lines = v1::WatchRequest { kinds: vec![v1::resource::Kind::Line.into()], ..Default::default() };
    let mut lines = open(control, lines).await;
    let revision = control.apply_example().await.revision;
    let (at, mut names) = changes(&mut all).await;
    names.sort();
    assert_eq!(at, revision);
    assert_eq!(names, ["+lines/um", "+proxyLists/um", "+stations/vm", "+users/dana"]);
    assert_eq!(changes(&mut lines).await, (revision, vec!["+lines/um".to_owned()]));
}

pub(crate) async fn a_watch_resumes_after_any_revision_it_was_told(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let mut told = vec![control.apply_example().await.revision];
    for number in 0..5 {
        told.push(control.create_user(&format!("u{number}"), &format!("300{number}")).await.revision);
    }
    for (at, start) in told.iter().enumerate() {
        let request = v1::WatchRequest { start_revision: *start, ..Default::default() };
        let mut stream = open(control, request).await;
        for (number, revision) in told.iter().enumerate().skip(at + 1) {
            assert_eq!(changes(&mut stream).await, (*revision, vec![format!("+users/u{}", number - 1)]));
        }
    }
}

pub(crate) async fn bookmarks_come_although_others_are_busy(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let request = v1::WatchRequest {
        kinds: vec![v1::resource::Kind::Line.into()],
        bookmark_interval: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..Default::default()
    };
    let mut stream = open(control, request).await;
    let mut number = 2000;
    let bookmark = tokio::time::timeout(PATIENCE, async {
        loop {
            let (id, extension) = (format!("u{number}"), number.to_string());
            tokio::select! {
                message = stream.message() => return message.unwrap().unwrap(),
                _ = control.create_user(&id, &extension) => number += 1,
            }
        }
    });
    let bookmark = bookmark.await.expect("a bookmark although users are written all the time");
    assert!(matches!(bookmark.message, Some(Message::Bookmark(_))));
    // Everything up to the bookmark was sent, so one may go on from there.
    let request = v1::WatchRequest { start_revision: bookmark.revision, ..Default::default() };
    let mut stream = open(control, request).await;
    let created = control.create_user("last", "9999").await;
    loop {
        let (revision, names) = changes(&mut stream).await;
        assert!(revision > bookmark.revision);
        if revision == created.revision {
            break assert_eq!(names, ["+users/last"]);
        }
    }
}

pub(crate) async fn forgotten_revisions_are_refused(fixture: &mut Fixture) {
    let created = fixture.control.create_user("dana", "2001").await;
    // A control plane that starts now has not followed what was before.
    let mut late = fixture.replica().await;
    let request = v1::WatchRequest { start_revision: created.revision - 1, ..Default::default() };
    let status = refused(late.topology.watch(request).await, Code::OutOfRange, "REVISION_COMPACTED");
    assert_eq!(crate::fixture::metadata(&status, "oldest"), created.revision.to_string());
    let request = v1::WatchRequest { start_revision: created.revision, ..Default::default() };
    drop(late.topology.watch(request).await.unwrap());
    late.stop().await;
}

pub(crate) async fn bad_requests_are_refused(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply(example()).await;
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    for request in [
        v1::WatchRequest { start_revision: 3, send_initial: true, ..Default::default() },
        v1::WatchRequest { start_revision: -1, ..Default::default() },
        v1::WatchRequest { kinds: vec![0], ..Default::default() },
        v1::WatchRequest { bookmark_interval: seconds(0), ..Default::default() },
        v1::WatchRequest { bookmark_interval: seconds(-5), ..Default::default() },
    ] {
        refused(control.topology.watch(request).await, Code::InvalidArgument, "FIELD_INVALID");
    }
    let future = v1::WatchRequest { start_revision: i64::MAX, ..Default::default() };
    refused(control.topology.watch(future).await, Code::Unavailable, "REPLICA_BEHIND");

    // A stream that is open when the replica ends says so.
    let mut late = fixture.replica().await;
    let mut stream = open(&mut late, v1::WatchRequest::default()).await;
    late.apply(vec![line("other", 5090).into(), user("lee", "2002", None).into()]).await;
    changes(&mut stream).await;
    let stopping = tokio::spawn(late.stop());
    let ended = tokio::time::timeout(PATIENCE, stream.message()).await.expect("it ends");
    let status = ended.expect_err("with a reason");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    stopping.await.unwrap();
}
