//! Random operations against a simple model of etcd's semantics, the same on every backend.
//!
//! A failing seed is printed by the assertion; give it to [`SEEDS`] to repeat it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model {
    pub(crate) mod generate;
    pub(crate) mod reference;
}

use std::time::Duration;

use um_store::{
    Batch, EmbeddedOptions, EmbeddedStore, EtcdStore, Revision, Store, WatchEvent, testing::EtcdServer,
};

use model::{
    generate::{Action, Dice},
    reference::Reference,
};

const SEEDS: std::ops::Range<u64> = 1..7;
const ACTIONS: usize = 250;
const WATCHES: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_store_does_what_the_model_does() {
    for seed in SEEDS {
        let folder = tempfile::tempdir().unwrap();
        let store =
            EmbeddedStore::open(folder.path().join("store"), EmbeddedOptions::default()).await.unwrap();
        compare(&store, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_does_what_the_model_does() {
    for seed in SEEDS {
        let server = EtcdServer::start().await;
        let store = EtcdStore::connect([server.url()]).await.unwrap();
        compare(&store, seed).await;
    }
}

/// Runs the same actions on both and compares every answer, then what watches say of them.
async fn compare(store: &dyn Store, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut model = Reference::new(store.revision().await.unwrap());
    for step in 0..ACTIONS {
        let action = dice.action(&model);
        let context = format!("seed {seed} step {step}: {action:?}");
        match action {
            Action::Get { keys, at } => {
                assert_eq!(store.get(&keys, at).await, model.get(&keys, at), "{context}");
            }
            Action::Scan { prefix, at, limit, after } => {
                let page = store.scan(&prefix, at, limit, after.as_deref()).await;
                assert_eq!(page, model.scan(&prefix, at, limit, after.as_deref()), "{context}");
            }
            Action::Txn(txn) => {
                assert_eq!(store.txn(txn.clone()).await, model.txn(&txn), "{context}");
            }
            Action::Compact { to } => {
                assert_eq!(store.compact(to).await, model.compact(to), "{context}");
            }
            Action::Grant => {
                model.leases.push(store.lease_grant(Duration::from_secs(3_600)).await.unwrap().id);
            }
            Action::Revoke { lease } => {
                assert_eq!(store.lease_revoke(lease).await, model.revoke(lease), "{context}");
            }
        }
        assert_eq!(store.revision().await, Ok(model.revision()), "{context}");
    }
    for _ in 0..WATCHES {
        let (prefixes, from) = dice.watch(&model);
        let expected = model.batches(&prefixes, from);
        let seen = follow(store, prefixes.clone(), from, expected.len()).await;
        assert_eq!(seen, expected, "seed {seed}: watch of {prefixes:?} from {from}");
    }
}

/// Watches until `count` batches have come.
async fn follow(store: &dyn Store, prefixes: Vec<bytes::Bytes>, from: Revision, count: usize) -> Vec<Batch> {
    let mut watch = store.watch(prefixes, from).await.unwrap();
    let mut batches = Vec::new();
    while batches.len() < count {
        match watch.next().await.unwrap() {
            WatchEvent::Batch(batch) => batches.push(batch),
            WatchEvent::Progress(_) | WatchEvent::Alive => {}
            WatchEvent::Compacted { oldest } => panic!("compacted to {oldest}"),
        }
    }
    batches
}
