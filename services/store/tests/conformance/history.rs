//! History: reading the past, and compaction.

use bytes::Bytes;
use um_store::{Store, StoreError};

use crate::{delete, put, text};

pub(crate) async fn old_revisions_stay_readable(store: &dyn Store) {
    let start = store.revision().await.unwrap();
    let first = put(store, "h/k", "one").await;
    let second = put(store, "h/k", "two").await;
    let gone = delete(store, "h/k").await;
    let back = put(store, "h/k", "three").await;
    let seen = |at| async move {
        let found = store.get(&["h/k".into()], Some(at)).await.unwrap();
        assert_eq!(found.revision, at);
        let page = store.scan(b"h/", Some(at), 0, None).await.unwrap();
        assert_eq!(page.items.first(), found.items[0].as_ref());
        found.items[0].as_ref().map(|item| (text(&item.value), item.version))
    };
    assert_eq!(seen(start).await, None);
    assert_eq!(seen(first).await, Some(("one".to_owned(), 1)));
    assert_eq!(seen(second).await, Some(("two".to_owned(), 2)));
    assert_eq!(seen(gone).await, None);
    assert_eq!(seen(back).await, Some(("three".to_owned(), 1)));
}

pub(crate) async fn unreadable_revisions_are_refused_with_the_readable_one(store: &dyn Store) {
    let first = put(store, "k", "1").await;
    let second = put(store, "k", "2").await;
    let current = put(store, "k", "3").await;
    store.compact(second).await.unwrap();
    let keys = [Bytes::from("k")];
    for at in [first, first - 1] {
        let refused = Err(StoreError::Compacted { oldest: second });
        assert_eq!(store.get(&keys, Some(at)).await.map(|_| ()), refused);
        assert_eq!(store.scan(b"", Some(at), 0, None).await.map(|_| ()), refused);
    }
    let refused = Err(StoreError::FutureRevision { current });
    assert_eq!(store.get(&keys, Some(current + 1)).await.map(|_| ()), refused);
    assert_eq!(store.scan(b"", Some(current + 1), 0, None).await.map(|_| ()), refused);
}

pub(crate) async fn compaction_keeps_its_revision_and_the_present(store: &dyn Store) {
    put(store, "c/a", "1").await;
    put(store, "c/b", "1").await;
    put(store, "c/gone", "1").await;
    delete(store, "c/gone").await;
    let kept = put(store, "c/a", "2").await;
    let later = put(store, "c/b", "2").await;
    delete(store, "c/a").await;
    store.compact(kept).await.unwrap();
    let values = |at| async move {
        let page = store.scan(b"c/", at, 0, None).await.unwrap();
        page.items.iter().map(|item| format!("{}={}", text(&item.key), text(&item.value))).collect::<Vec<_>>()
    };
    assert_eq!(values(Some(kept)).await, ["c/a=2", "c/b=1"]);
    assert_eq!(values(Some(later)).await, ["c/a=2", "c/b=2"]);
    assert_eq!(values(None).await, ["c/b=2"]);
}

pub(crate) async fn compaction_refuses_what_it_cannot_do(store: &dyn Store) {
    put(store, "k", "1").await;
    let to = put(store, "k", "2").await;
    let current = put(store, "k", "3").await;
    assert_eq!(store.compact(current + 1).await, Err(StoreError::FutureRevision { current }));
    store.compact(to).await.unwrap();
    for again in [to, to - 1] {
        assert_eq!(store.compact(again).await, Err(StoreError::Compacted { oldest: to }));
    }
    assert!(matches!(store.compact(0).await, Err(StoreError::Invalid { .. })));
    assert_eq!(store.revision().await.unwrap(), current);
}

pub(crate) async fn snapshot_streams_the_store(store: &dyn Store) {
    put(store, "k", "a-value-to-be-found-in-the-copy").await;
    let mut snapshot = store.snapshot().await.unwrap();
    let mut copy = Vec::new();
    while let Some(chunk) = snapshot.next().await {
        copy.extend_from_slice(&chunk.unwrap());
    }
    let value = b"a-value-to-be-found-in-the-copy";
    assert!(copy.windows(value.len()).any(|window| window == value));
}
