//! Several control planes on one store, which know nothing of each other.

use tonic::Code;
use um_wire::v1::{self, watch_response::Message};

use crate::{
    fixture::{Control, Fixture, PATIENCE, reason},
    resources::{line, mask, station, user},
    worker::Worker,
};

fn create(id: &str, extension: &str) -> v1::CreateUserRequest {
    v1::CreateUserRequest { user_id: id.into(), user: Some(user(id, extension, None)), ..Default::default() }
}

pub(crate) async fn of_two_conflicting_writes_one_wins(fixture: &mut Fixture) {
    const ROUNDS: usize = 20;
    let other = fixture.replica().await;
    let mut first_wins = 0;
    for round in 0..ROUNDS {
        let extension = format!("{}", 2000 + round);
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let (mut left, mut right) = (fixture.control.users.clone(), other.users.clone());
        let (left, right) =
            tokio::join!(left.create_user(create(&a, &extension)), right.create_user(create(&b, &extension)));
        first_wins += usize::from(left.is_ok());
        let lost = match (left, right) {
            (Ok(_), Err(status)) | (Err(status), Ok(_)) => status,
            both => panic!("exactly one wins: {both:?}"),
        };
        assert_eq!((lost.code(), reason(&lost).as_str()), (Code::AlreadyExists, "VALUE_TAKEN"));
    }
    assert!(first_wins <= ROUNDS);
    // A line goes while a station begins to use it: either, but never both.
    for round in 0..ROUNDS {
        let (id, port) = (format!("l{round}"), 6000 + u32::try_from(round).unwrap());
        fixture.control.apply(vec![line(&id, port).into()]).await;
        let delete = v1::DeleteLineRequest { name: format!("lines/{id}"), ..Default::default() };
        let vm = station(&format!("s{round}"), &format!("{}", 7000 + round), &id);
        let make = v1::CreateStationRequest {
            station_id: format!("s{round}"),
            station: Some(vm),
            ..Default::default()
        };
        let (mut lines, mut stations) = (fixture.control.lines.clone(), other.stations.clone());
        let (deleted, made) = tokio::join!(lines.delete_line(delete), stations.create_station(make));
        assert_ne!(deleted.is_ok(), made.is_ok(), "{deleted:?} {made:?}");
    }
    other.stop().await;
}

pub(crate) async fn a_write_is_seen_on_the_other_replica(fixture: &mut Fixture) {
    let mut other = fixture.replica().await;
    let mut stream = other.topology.watch(v1::WatchRequest::default()).await.unwrap().into_inner();
    let created = fixture.control.create_user("dana", "2001").await;
    let message = tokio::time::timeout(PATIENCE, stream.message()).await.unwrap().unwrap().unwrap();
    let Some(Message::Changes(changes)) = message.message else { panic!("{message:?}") };
    assert_eq!((message.revision, &*changes.changes[0].name), (created.revision, "users/dana"));
    // A revision of one replica is good on the other.
    let request = v1::WatchRequest { start_revision: created.revision, ..Default::default() };
    let mut stream = fixture.control.topology.watch(request).await.unwrap().into_inner();
    let second = other.create_user("lee", "2002").await;
    let message = tokio::time::timeout(PATIENCE, stream.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(message.revision, second.revision);
    assert_eq!(fixture.control.export().await, other.export().await);
    drop(stream);
    other.stop().await;
}

/// Each write rests on the one before, which another replica has just made.
pub(crate) async fn a_refusal_knows_what_the_other_replica_wrote(fixture: &mut Fixture) {
    let other = fixture.replica().await;
    for round in 0..20 {
        let (here, there) = (&fixture.control, &other);
        let (first, second) = if round % 2 == 0 { (here, there) } else { (there, here) };
        let id = format!("u{round}");
        let extension = format!("{}", 2000 + round);
        first.users.clone().create_user(create(&id, &extension)).await.unwrap();
        // Not "there is no such user", and not "nothing changes".
        let update = |extension: String| v1::UpdateUserRequest {
            user: Some(user(&id, &extension, None)),
            update_mask: mask(&["extension"]),
            ..Default::default()
        };
        second.users.clone().update_user(update(format!("{}", 4000 + round))).await.unwrap();
        let back = first.users.clone().update_user(update(extension.clone())).await.unwrap().into_inner();
        assert_eq!(back.extension, Some(extension.clone()));
        let delete = v1::DeleteUserRequest { name: format!("users/{id}"), ..Default::default() };
        second.users.clone().delete_user(delete).await.unwrap();
        // Not "exists already", and its number is free again.
        first.users.clone().create_user(create(&id, &extension)).await.unwrap();
    }
    other.stop().await;
}

async fn sync(control: &Control, known: Option<crate::worker::Known>) -> (Worker, crate::worker::Told) {
    let mut worker = Worker::connect(control, "workers/a", known).await;
    let told = worker.acknowledge().await;
    (worker, told)
}

pub(crate) async fn a_worker_may_move_to_the_other_replica(fixture: &mut Fixture) {
    let other = fixture.replica().await;
    fixture.control.apply_example().await;
    let (worker, first) = sync(&fixture.control, None).await;
    let (worker, second) = sync(&other, worker.leave()).await;
    assert_eq!((second.snapshot, second.revision), (false, first.revision));
    fixture.control.create_user("lee", "2002").await;
    let (_, third) = sync(&fixture.control, worker.leave()).await;
    assert_eq!((third.snapshot, third.changes), (false, vec!["+users/lee".to_owned()]));
    other.stop().await;
}

pub(crate) async fn a_restarted_replica_calls_the_same_state_by_the_same_revision(fixture: &mut Fixture) {
    fixture.control.apply_example().await;
    // The last change is a deletion, of which no resource tells any more.
    let delete = v1::DeleteUserRequest { name: "users/dana".into(), ..Default::default() };
    fixture.control.users.delete_user(delete).await.unwrap();
    let (revision, resources) = fixture.control.export().await;
    let (worker, told) = sync(&fixture.control, None).await;
    assert_eq!(told.revision, revision);
    let mut restarted = fixture.replica().await;
    assert_eq!(restarted.export().await, (revision, resources));
    let (_, told) = sync(&restarted, worker.leave()).await;
    assert_eq!((told.snapshot, told.revision, told.changes), (false, revision, vec![]));
    restarted.stop().await;
}
