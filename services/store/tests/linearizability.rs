//! Concurrent clients against one store, checked for linearizability.
//!
//! Every answer names its revision, so the order that must explain all answers is known: it is the
//! order of revisions. Checked are that it agrees with real time (what ended before something else
//! began stands before it), and that every answer is right in it, given the states that a watch of
//! the whole history describes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use um_store::{
    Compare, EmbeddedOptions, EmbeddedStore, EtcdStore, Event, Op, Revision, Store, Txn, WatchEvent,
    testing::EtcdServer,
};

const CLIENTS: u64 = 6;
const STEPS: u64 = 60;
const KEYS: u64 = 3;

/// The revisions of the last writes of all keys; 0 for a key that does not exist.
type State = BTreeMap<String, Revision>;

/// One answered request.
struct Answer {
    /// Ticks of a clock that all clients share.
    began: u64,
    ended: u64,
    revision: Revision,
    what: What,
}

enum What {
    /// A read of all keys.
    Read(State),
    /// A write of a key on condition that its last write was at this revision.
    Write { key: String, expected: Revision, succeeded: bool },
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_store_is_linearizable() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path().join("store"), EmbeddedOptions::default()).await.unwrap();
    run(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_is_linearizable() {
    let members = EtcdServer::start_cluster(3).await;
    let store = EtcdStore::connect(members.iter().map(EtcdServer::url)).await.unwrap();
    run(Arc::new(store)).await;
}

async fn run(store: Arc<dyn Store>) {
    let start = store.revision().await.unwrap();
    let clock = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(act(Arc::clone(&store), Arc::clone(&clock), client)))
        .collect();
    let mut answers = Vec::new();
    for client in clients {
        answers.extend(client.await.unwrap());
    }
    let states = states(&*store, start).await;
    check_real_time(&mut answers);
    for answer in &answers {
        check(answer, &states);
    }
    let won = |answer: &&Answer| matches!(answer.what, What::Write { succeeded: true, .. });
    let lost = |answer: &&Answer| matches!(answer.what, What::Write { succeeded: false, .. });
    assert!(answers.iter().filter(won).count() > 0 && answers.iter().filter(lost).count() > 0);
}

/// One client: reads everything, then tries to write what it read, now and then deleting.
async fn act(store: Arc<dyn Store>, clock: Arc<AtomicU64>, client: u64) -> Vec<Answer> {
    let mut answers = Vec::new();
    let keys: Vec<Bytes> = (0..KEYS).map(|key| format!("k{key}").into()).collect();
    for step in 0..STEPS {
        let began = clock.fetch_add(1, Ordering::SeqCst);
        let found = store.get(&keys, None).await.unwrap();
        let ended = clock.fetch_add(1, Ordering::SeqCst);
        let state: State = keys
            .iter()
            .zip(&found.items)
            .map(|(key, item)| (name(key), item.as_ref().map_or(0, |item| item.mod_revision)))
            .collect();
        let key = format!("k{}", (client + step) % KEYS);
        let expected = state[&key];
        answers.push(Answer { began, ended, revision: found.revision, what: What::Read(state) });
        let op =
            if expected > 0 && step % 7 == 0 { Op::delete(key.clone()) } else { Op::put(key.clone(), "v") };
        let txn = Txn::new().when(Compare::unchanged(key.clone(), expected)).then(op);
        let began = clock.fetch_add(1, Ordering::SeqCst);
        let outcome = store.txn(txn).await.unwrap();
        let ended = clock.fetch_add(1, Ordering::SeqCst);
        let what = What::Write { key, expected, succeeded: outcome.succeeded };
        answers.push(Answer { began, ended, revision: outcome.revision, what });
    }
    answers
}

/// The state at every revision from `start` on.
async fn states(store: &dyn Store, start: Revision) -> BTreeMap<Revision, State> {
    let head = store.revision().await.unwrap();
    let mut watch = store.watch(vec!["k".into()], start + 1).await.unwrap();
    let mut state: State = (0..KEYS).map(|key| (format!("k{key}"), 0)).collect();
    let mut states = BTreeMap::from([(start, state.clone())]);
    while *states.keys().next_back().unwrap() < head {
        let WatchEvent::Batch(batch) = watch.next().await.unwrap() else { continue };
        for event in &batch.events {
            let written = if matches!(event, Event::Put { .. }) { batch.revision } else { 0 };
            state.insert(name(event.key()), written);
        }
        assert!(states.insert(batch.revision, state.clone()).is_none());
    }
    states
}

/// What began after something ended must not stand before it; two writes never share a revision.
fn check_real_time(answers: &mut [Answer]) {
    answers.sort_by_key(|answer| answer.began);
    let mut ends: Vec<(u64, Revision)> =
        answers.iter().map(|answer| (answer.ended, answer.revision)).collect();
    ends.sort_unstable();
    let mut ended = ends.into_iter().peekable();
    let mut floor = 0;
    for answer in answers.iter() {
        while let Some((_, revision)) = ended.next_if(|(at, _)| *at < answer.began) {
            floor = floor.max(revision);
        }
        let write = matches!(answer.what, What::Write { succeeded: true, .. });
        assert!(answer.revision >= floor + i64::from(write), "{} after {floor}", answer.revision);
    }
    let mut writes: Vec<Revision> = answers
        .iter()
        .filter(|answer| matches!(answer.what, What::Write { succeeded: true, .. }))
        .map(|answer| answer.revision)
        .collect();
    let count = writes.len();
    writes.sort_unstable();
    writes.dedup();
    assert_eq!(writes.len(), count);
}

fn check(answer: &Answer, states: &BTreeMap<Revision, State>) {
    match &answer.what {
        What::Read(state) => assert_eq!(state, &states[&answer.revision]),
        What::Write { key, expected, succeeded } => {
            let before = answer.revision - i64::from(*succeeded);
            assert_eq!(states[&before][key] == *expected, *succeeded, "{key} at {before}");
        }
    }
}

fn name(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}
