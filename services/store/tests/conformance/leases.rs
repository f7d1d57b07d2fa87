//! Leases: their keys live as long as they do.

use std::time::Duration;

use um_store::{LeaseId, Op, Store, StoreError, Txn};

use crate::{batch, keys_under, put, read};

pub(crate) async fn revocation_deletes_all_keys_in_one_revision(store: &dyn Store) {
    let lease = store.lease_grant(Duration::from_secs(60)).await.unwrap();
    assert!(lease.ttl >= Duration::from_secs(60));
    let txn = Txn::new()
        .then(Op::put_leased("l/1", "v", lease.id))
        .then(Op::put_leased("l/2", "v", lease.id))
        .then(Op::put("l/3", "v"));
    let written = store.txn(txn).await.unwrap().revision;
    assert_eq!(read(store, "l/1").await.unwrap().lease, Some(lease.id));
    let mut watch = store.watch(vec!["l/".into()], written + 1).await.unwrap();
    store.lease_revoke(lease.id).await.unwrap();
    let (revision, mut events) = batch(&mut watch).await;
    events.sort();
    assert_eq!((revision, events), (written + 1, vec!["-l/1 was v".to_owned(), "-l/2 was v".to_owned()]));
    assert_eq!(keys_under(store, "l/").await, ["l/3"]);
    let missing = Err(StoreError::LeaseNotFound { lease: lease.id });
    assert_eq!(store.lease_revoke(lease.id).await, missing);
    assert_eq!(store.lease_keep_alive(lease.id).await, missing);
}

pub(crate) async fn a_lease_that_is_not_renewed_expires(store: &dyn Store) {
    let lease = store.lease_grant(Duration::from_millis(1_500)).await.unwrap();
    assert!(lease.ttl >= Duration::from_secs(2));
    let written = store.txn(Txn::new().then(Op::put_leased("k", "v", lease.id))).await.unwrap().revision;
    let mut watch = store.watch(vec!["k".into()], written + 1).await.unwrap();
    assert_eq!(batch(&mut watch).await, (written + 1, vec!["-k was v".to_owned()]));
    assert_eq!(store.lease_keep_alive(lease.id).await, Err(StoreError::LeaseNotFound { lease: lease.id }));
}

pub(crate) async fn a_renewed_lease_lives_on(store: &dyn Store) {
    let kept = store.lease_grant(Duration::from_secs(4)).await.unwrap();
    store.txn(Txn::new().then(Op::put_leased("kept", "v", kept.id))).await.unwrap();
    // Each of these outlives its own time; the kept one is renewed all the while.
    for n in 0..2 {
        let lost = store.lease_grant(Duration::from_secs(2)).await.unwrap();
        let key = format!("lost/{n}");
        let txn = Txn::new().then(Op::put_leased(key.clone(), "v", lost.id));
        store.txn(txn).await.unwrap();
        while read(store, &key).await.is_some() {
            store.lease_keep_alive(kept.id).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(read(store, "kept").await.is_some());
}

pub(crate) async fn a_missing_lease_refuses_the_whole_transaction(store: &dyn Store) {
    let revision = put(store, "k", "v").await;
    let lease = LeaseId(0x1234);
    let txn = Txn::new().then(Op::put("k", "w")).then(Op::put_leased("l", "v", lease));
    assert_eq!(store.txn(txn).await, Err(StoreError::LeaseNotFound { lease }));
    assert_eq!(store.revision().await.unwrap(), revision);
    assert_eq!(keys_under(store, "").await, ["k"]);
}

pub(crate) async fn a_put_moves_a_key_to_its_lease_or_to_none(store: &dyn Store) {
    let first = store.lease_grant(Duration::from_secs(60)).await.unwrap();
    let second = store.lease_grant(Duration::from_secs(60)).await.unwrap();
    for key in ["moved", "freed", "stays"] {
        store.txn(Txn::new().then(Op::put_leased(key, "v", first.id))).await.unwrap();
    }
    store.txn(Txn::new().then(Op::put_leased("moved", "w", second.id))).await.unwrap();
    put(store, "freed", "w").await;
    assert_eq!(read(store, "freed").await.unwrap().lease, None);
    store.lease_revoke(first.id).await.unwrap();
    assert_eq!(keys_under(store, "").await, ["freed", "moved"]);
    store.lease_revoke(second.id).await.unwrap();
    assert_eq!(keys_under(store, "").await, ["freed"]);
}
