//! What only a store behind a network has to survive: members that die, freeze and come back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::TcpListener, time::Duration};

use um_store::{
    Compare, EtcdStore, Op, Revision, Store, StoreError, Txn, Watch, WatchEvent, testing::EtcdServer,
};

/// Tries until the store takes a write; an unclear outcome is resolved by reading, as callers do.
async fn write(store: &EtcdStore, key: &str) -> Revision {
    loop {
        let txn = Txn::new()
            .when(Compare::absent(key.to_owned()))
            .then(Op::put(key.to_owned(), "v"))
            .otherwise(Op::get(key.to_owned()));
        match store.txn(txn).await {
            Ok(outcome) if outcome.succeeded => return outcome.revision,
            Ok(outcome) => return outcome.results[0].items()[0].mod_revision,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Tries until the store answers a read.
async fn revision(store: &EtcdStore) -> Revision {
    loop {
        match store.revision().await {
            Ok(revision) => return revision,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The next batch must be exactly this key at this revision.
async fn expect(watch: &mut Watch, key: &str, revision: Revision) {
    loop {
        match watch.next().await.unwrap() {
            WatchEvent::Batch(batch) => {
                assert_eq!((batch.revision, batch.events[0].key().as_ref()), (revision, key.as_bytes()));
                assert_eq!(batch.events.len(), 1);
                return;
            }
            WatchEvent::Alive | WatchEvent::Progress(_) => {}
            WatchEvent::Compacted { oldest } => panic!("compacted to {oldest}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_endpoint_is_passed_over() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = EtcdServer::start().await;
    let store = EtcdStore::connect([format!("http://{dead}"), server.url()]).await.unwrap();
    // Even the very first write: it was certainly not served by the dead one.
    let written = store.txn(Txn::new().then(Op::put("k", "v"))).await.unwrap().revision;
    let mut watch = store.watch(vec!["k".into()], written).await.unwrap();
    expect(&mut watch, "k", written).await;
    assert_eq!(store.status().await.unwrap().endpoint, server.url());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_endpoint_nothing_was_written_and_it_is_said_so() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = EtcdStore::connect([format!("http://{dead}")]).await.unwrap();
    let write = store.txn(Txn::new().then(Op::put("k", "v"))).await;
    assert!(matches!(write, Err(StoreError::Unavailable { .. })), "{write:?}");
    let read = store.revision().await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_member_costs_neither_writes_nor_events() {
    let mut members = EtcdServer::start_cluster(3).await;
    let store = EtcdStore::connect(members.iter().map(EtcdServer::url)).await.unwrap();
    let first = write(&store, "k/1").await;
    let mut watch = store.watch(vec!["k/".into()], first).await.unwrap();
    expect(&mut watch, "k/1", first).await;
    members[0].kill();
    let second = write(&store, "k/2").await;
    expect(&mut watch, "k/2", second).await;
    let third = write(&store, "k/3").await;
    expect(&mut watch, "k/3", third).await;
    assert_eq!(revision(&store).await, third);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_member_is_left_for_another() {
    let members = EtcdServer::start_cluster(3).await;
    let store = EtcdStore::connect(members.iter().map(EtcdServer::url)).await.unwrap();
    let first = write(&store, "k/1").await;
    let mut watch = store.watch(vec!["k/".into()], first).await.unwrap();
    expect(&mut watch, "k/1", first).await;
    members[0].freeze();
    // A read needs no retry by its caller.
    let keys = ["k/1".into()];
    assert_eq!(store.get(&keys, Some(first)).await.unwrap().revision, first);
    let second = write(&store, "k/2").await;
    expect(&mut watch, "k/2", second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_hangs_nobody_and_recovers() {
    let server = EtcdServer::start().await;
    let store = EtcdStore::connect([server.url()]).await.unwrap();
    let first = write(&store, "k/1").await;
    let mut watch = store.watch(vec!["k/".into()], first).await.unwrap();
    expect(&mut watch, "k/1", first).await;
    server.freeze();
    let unclear = store.txn(Txn::new().then(Op::put("k/2", "v"))).await.unwrap_err();
    assert!(unclear.outcome_unknown(), "{unclear}");
    let read = store.revision().await.unwrap_err();
    assert!(matches!(read, StoreError::Unavailable { .. }), "{read}");
    server.thaw();
    // Whether the unclear write happened is found out by reading.
    let second = write(&store, "k/2").await;
    expect(&mut watch, "k/2", second).await;
    let third = write(&store, "k/3").await;
    expect(&mut watch, "k/3", third).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_is_found_again() {
    let mut server = EtcdServer::start().await;
    let store = EtcdStore::connect([server.url()]).await.unwrap();
    let first = write(&store, "k/1").await;
    let mut watch = store.watch(vec!["k/".into()], first).await.unwrap();
    expect(&mut watch, "k/1", first).await;
    server.kill();
    while store.revision().await.is_ok() {}
    server.restart().await;
    assert_eq!(revision(&store).await, first);
    let second = write(&store, "k/2").await;
    expect(&mut watch, "k/2", second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_version_is_marked_as_degraded() {
    let server = EtcdServer::start().await;
    let store = EtcdStore::connect([server.url()]).await.unwrap();
    let status = store.status().await.unwrap();
    assert_eq!(status.progress_is_proof, status.warnings.is_empty(), "{status:?}");
}
