//! Messages survive the way over the wire, and what cannot be read is rejected alone.

use um_topology::{BindAddress, Line, User};

use super::*;

fn resources() -> Vec<(Arc<str>, Resource)> {
    let line = Line::new("um-plain", BindAddress::Interface("eth0".into()));
    vec![keyed(line.into()), keyed(User::new("dana", "2001").into())]
}

/// The message that a worker gets for one that control sends, through bytes.
fn over_the_wire(message: FromControl<Resource>) -> Downstream {
    let bytes = response(message).encode_to_vec();
    downstream(v1::SyncResponse::decode(&*bytes).unwrap()).unwrap()
}

fn delivered(resources: Vec<(Arc<str>, Resource)>) -> Vec<(Arc<str>, Delivered)> {
    resources.into_iter().map(|(name, resource)| (name, Delivered::Resource(resource))).collect()
}

#[test]
fn snapshots_deltas_and_bookmarks_arrive_as_they_were_sent() {
    let (store_id, resources) = (Arc::<str>::from("store"), resources());
    let snapshot = |resources| FromControl::Snapshot {
        nonce: 3,
        revision: 7,
        store_id: Arc::clone(&store_id),
        chunk: 1,
        last: true,
        resources,
    };
    assert_eq!(
        over_the_wire(snapshot(resources.clone())),
        Downstream::Discovery(FromControl::Snapshot {
            nonce: 3,
            revision: 7,
            store_id: Arc::clone(&store_id),
            chunk: 1,
            last: true,
            resources: delivered(resources.clone()),
        })
    );
    let (name, user) = resources[1].clone();
    let gone: Arc<str> = Arc::from("lines/gone");
    let delta = FromControl::Delta {
        nonce: 4,
        revision: 9,
        from_revision: 7,
        chunk: 0,
        last: true,
        changes: vec![Change::Put(Arc::clone(&name), user.clone()), Change::Delete(Arc::clone(&gone))],
    };
    assert_eq!(
        over_the_wire(delta),
        Downstream::Discovery(FromControl::Delta {
            nonce: 4,
            revision: 9,
            from_revision: 7,
            chunk: 0,
            last: true,
            changes: vec![Change::Put(name, Delivered::Resource(user)), Change::Delete(gone)],
        })
    );
    let bookmark = FromControl::Bookmark { revision: 9 };
    assert_eq!(over_the_wire(bookmark), Downstream::Discovery(FromControl::Bookmark { revision: 9 }));
}

#[test]
fn a_resource_that_cannot_be_read_is_rejected_alone() {
    let good = v1::Resource::from(&resources()[1].1);
    let bad: v1::Resource =
        v1::Line { name: "lines/bad".into(), usage: Some(99), ..Default::default() }.into();
    let snapshot = v1::Snapshot { nonce: 1, resources: vec![bad, good], ..Default::default() };
    let response = v1::SyncResponse { message: Some(sync_response::Message::Snapshot(snapshot)) };
    let Ok(Downstream::Discovery(FromControl::Snapshot { resources, .. })) = downstream(response) else {
        panic!("no snapshot");
    };
    let failure = resources[0].1.resource(&resources[0].0).unwrap_err();
    assert_eq!((&*failure.name, &*failure.reason), ("lines/bad", "FIELD_INVALID"));
    assert!(failure.message.contains("usage"), "{}", failure.message);
    assert!(resources[1].1.resource(&resources[1].0).is_ok());
}

#[test]
fn hello_and_answers_arrive_as_they_were_sent() {
    let identity =
        v1::Hello { worker: "workers/w1".into(), incarnation: "boot".into(), ..Default::default() };
    let applied = Applied { store_id: Arc::from("store"), revision: 5, partial: true };
    let sent = Hello { last_applied: Some(applied) };
    match upstream(request(FromWorker::Hello(sent.clone()), &identity)) {
        Ok(Upstream::Hello(message)) => {
            assert_eq!((&*message.worker, &*message.incarnation), ("workers/w1", "boot"));
            assert_eq!(hello(&message), sent);
        }
        other => panic!("{other:?}"),
    }
    let failures = vec![Failure::new(Arc::from("lines/a"), "PORT_TAKEN", "5060 is taken")];
    for answer in
        [FromWorker::Ack { nonce: 2, revision: 5 }, FromWorker::Nack { nonce: 3, revision: 6, failures }]
    {
        assert_eq!(upstream(request(answer.clone(), &identity)), Ok(Upstream::Answer(answer)));
    }
}

#[test]
fn empty_messages_are_errors() {
    assert!(downstream(v1::SyncResponse::default()).is_err());
    assert!(upstream(v1::SyncRequest::default()).is_err());
}

#[test]
fn the_size_of_a_resource_is_not_below_its_encoding() {
    for (_, resource) in resources() {
        assert!(size(&resource) >= v1::Resource::from(&resource).encoded_len());
    }
}

#[test]
fn a_status_without_details_keeps_its_code_and_text() {
    let status = rpc_status(&tonic::Status::not_found("no such line"));
    assert_eq!((status.code, status.message.as_str()), (5, "no such line"));
}
