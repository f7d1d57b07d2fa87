//! Watches: batches by revision, resumption, compaction, progress.

use um_store::{Op, Store, StoreError, Txn, WatchEvent};

use crate::{batch, delete, put};

pub(crate) async fn changes_arrive_with_what_stood_before(store: &dyn Store) {
    put(store, "w/old", "0").await;
    let from = store.revision().await.unwrap() + 1;
    let mut watch = store.watch(vec!["w/".into()], from).await.unwrap();
    let first = put(store, "w/new", "1").await;
    put(store, "beside", "x").await;
    let second = put(store, "w/old", "2").await;
    let third = delete(store, "w/old").await;
    assert_eq!(batch(&mut watch).await, (first, vec!["+w/new=1".to_owned()]));
    assert_eq!(batch(&mut watch).await, (second, vec!["+w/old=2 was 0".to_owned()]));
    assert_eq!(batch(&mut watch).await, (third, vec!["-w/old was 2".to_owned()]));
}

pub(crate) async fn a_revision_over_several_prefixes_is_one_batch(store: &dyn Store) {
    let from = store.revision().await.unwrap() + 1;
    let mut watch = store.watch(vec!["z/".into(), "a/".into()], from).await.unwrap();
    put(store, "m/between", "x").await;
    let txn = Txn::new()
        .then(Op::put("z/1", "1"))
        .then(Op::put("m/2", "2"))
        .then(Op::put("a/3", "3"))
        .then(Op::put("a/4", "4"));
    let revision = store.txn(txn).await.unwrap().revision;
    let next = put(store, "a/3", "5").await;
    let expected = ["+a/3=3", "+a/4=4", "+z/1=1"].map(str::to_owned).to_vec();
    assert_eq!(batch(&mut watch).await, (revision, expected));
    assert_eq!(batch(&mut watch).await, (next, vec!["+a/3=5 was 3".to_owned()]));
}

pub(crate) async fn a_watch_resumes_from_any_revision(store: &dyn Store) {
    let mut revisions = Vec::new();
    for n in 0..6 {
        revisions.push(put(store, "k", &n.to_string()).await);
    }
    for (n, from) in revisions.iter().enumerate() {
        let mut watch = store.watch(vec!["k".into()], *from).await.unwrap();
        for (n, revision) in revisions.iter().enumerate().skip(n) {
            let (seen, events) = batch(&mut watch).await;
            assert_eq!(seen, *revision);
            assert!(events[0].starts_with(&format!("+k={n}")));
        }
        let (live, _) = (put(store, "other", "x").await, ());
        assert!(live > revisions[5]);
    }
}

pub(crate) async fn the_compacted_revision_itself_can_be_watched(store: &dyn Store) {
    put(store, "k", "1").await;
    let compacted = put(store, "k", "2").await;
    let last = put(store, "k", "3").await;
    store.compact(compacted).await.unwrap();
    let mut watch = store.watch(vec!["k".into()], compacted).await.unwrap();
    // What stood before is compacted.
    assert_eq!(batch(&mut watch).await, (compacted, vec!["+k=2".to_owned()]));
    assert_eq!(batch(&mut watch).await, (last, vec!["+k=3 was 2".to_owned()]));
}

pub(crate) async fn a_watch_of_the_compacted_past_says_so_and_ends(store: &dyn Store) {
    let old = put(store, "k", "1").await;
    put(store, "k", "2").await;
    let compacted = put(store, "k", "3").await;
    store.compact(compacted).await.unwrap();
    let mut watch = store.watch(vec!["k".into()], old).await.unwrap();
    let mut first = watch.next().await;
    while first == Some(WatchEvent::Alive) {
        first = watch.next().await;
    }
    assert_eq!(first, Some(WatchEvent::Compacted { oldest: compacted }));
    assert_eq!(watch.next().await, None);
}

pub(crate) async fn a_future_revision_is_waited_for(store: &dyn Store) {
    let now = store.revision().await.unwrap();
    let mut watch = store.watch(vec!["k".into()], now + 2).await.unwrap();
    put(store, "k", "too early").await;
    let wanted = put(store, "k", "wanted").await;
    assert_eq!(batch(&mut watch).await, (wanted, vec!["+k=wanted was too early".to_owned()]));
}

pub(crate) async fn progress_answers_a_request(store: &dyn Store) {
    let proof = store.status().await.unwrap().progress_is_proof;
    let from = store.revision().await.unwrap() + 1;
    let mut watch = store.watch(vec!["k".into()], from).await.unwrap();
    let written = put(store, "k", "v").await;
    assert_eq!(batch(&mut watch).await.0, written);
    let beside = put(store, "beside", "v").await;
    store.request_progress().await.unwrap();
    loop {
        match watch.next().await.unwrap() {
            WatchEvent::Progress(revision) => {
                assert!(proof, "only a proof is reported as one");
                if revision >= beside {
                    break;
                }
            }
            WatchEvent::Alive => {
                assert!(!proof);
                break;
            }
            other @ (WatchEvent::Batch(_) | WatchEvent::Compacted { .. }) => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn megabytes_of_history_arrive_whole(store: &dyn Store) {
    let from = store.revision().await.unwrap() + 1;
    let value = "x".repeat(16 << 10);
    let mut written = Vec::new();
    for n in 0..12 {
        let txn = (0..40).fold(Txn::new(), |txn, k| txn.then(Op::put(format!("big/{n}/{k}"), value.clone())));
        written.push(store.txn(txn).await.unwrap().revision);
    }
    let mut watch = store.watch(vec!["big/".into()], from).await.unwrap();
    for revision in written {
        let (seen, events) = batch(&mut watch).await;
        assert_eq!((seen, events.len()), (revision, 40));
        assert!(events.iter().all(|event| event.ends_with(&value)));
    }
}

pub(crate) async fn a_watch_needs_a_prefix_and_a_revision(store: &dyn Store) {
    assert!(matches!(store.watch(Vec::new(), 1).await, Err(StoreError::Invalid { .. })));
    assert!(matches!(store.watch(vec!["k".into()], 0).await, Err(StoreError::Invalid { .. })));
}
