//! The store goes away and comes back, or takes a write and never says so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tonic::Code;
use um_store::{
    Found, Lease, LeaseId, Page, Revision, Snapshot, Status, Store, StoreError, Txn, TxnOutcome, Watch,
};
use um_wire::v1;

use crate::{
    fixture::{Fixture, eventually, refused},
    resources::{apply, example, user},
};

/// A store that can be made to fail.
#[derive(Debug)]
pub(crate) struct Fragile {
    inner: Arc<dyn Store>,
    mode: AtomicU8,
}

/// All is well.
const WELL: u8 = 0;
/// Nothing is answered, and nothing is done.
const GONE: u8 = 1;
/// The next transaction is done, but its answer is lost; then all is well.
const FORGETFUL: u8 = 2;

impl Fragile {
    /// A store that is well.
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, mode: AtomicU8::new(WELL) }
    }

    fn turn(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.mode.load(Ordering::SeqCst) == GONE {
            return Err(StoreError::Unavailable { reason: "it is gone".into() });
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Store for Fragile {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.check()?;
        self.inner.revision().await
    }

    async fn get(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError> {
        self.check()?;
        self.inner.get(keys, at).await
    }

    async fn scan(
        &self,
        prefix: &[u8],
        at: Option<Revision>,
        limit: usize,
        after: Option<&[u8]>,
    ) -> Result<Page, StoreError> {
        self.check()?;
        self.inner.scan(prefix, at, limit, after).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        self.check()?;
        let outcome = self.inner.txn(txn).await;
        if self.mode.compare_exchange(FORGETFUL, WELL, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return Err(StoreError::Timeout { reason: "the answer is lost".into() });
        }
        outcome
    }

    async fn watch(&self, prefixes: Vec<Bytes>, from: Revision) -> Result<Watch, StoreError> {
        self.inner.watch(prefixes, from).await
    }

    async fn request_progress(&self) -> Result<(), StoreError> {
        // A watch of a store that is gone gets no progress, although the request for it is taken.
        if self.check().is_err() { Ok(()) } else { self.inner.request_progress().await }
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<Lease, StoreError> {
        self.check()?;
        self.inner.lease_grant(ttl).await
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.check()?;
        self.inner.lease_keep_alive(lease).await
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.check()?;
        self.inner.lease_revoke(lease).await
    }

    async fn compact(&self, to: Revision) -> Result<(), StoreError> {
        self.inner.compact(to).await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.check()?;
        self.inner.status().await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.inner.snapshot().await
    }
}

pub(crate) async fn reads_go_on_and_say_how_old_they_are(fixture: &mut Fixture) {
    fixture.control.apply_example().await;
    let before = fixture.control.export().await;
    fixture.store.turn(GONE);
    let control = &mut fixture.control;
    let create = v1::CreateUserRequest {
        user_id: "lee".into(),
        user: Some(user("lee", "2002", None)),
        ..Default::default()
    };
    let answer = control.users.create_user(create.clone()).await;
    refused(answer, Code::Unavailable, "STORE_UNAVAILABLE");
    refused(control.topology.apply(apply(example())).await, Code::Unavailable, "STORE_UNAVAILABLE");
    let get = v1::GetLineRequest { name: "lines/um".into(), read_mask: None };
    let mut strong = tonic::Request::new(get.clone());
    strong.metadata_mut().insert("um-consistency", "strong".parse().unwrap());
    refused(control.lines.get_line(strong).await, Code::Unavailable, "STORE_UNAVAILABLE");

    let lines = control.lines.clone();
    eventually("reads say how old they are", async || {
        let answer = lines.clone().get_line(get.clone()).await.unwrap();
        assert_eq!(answer.get_ref().name, "lines/um");
        let age = answer.metadata().get("um-cache-age").map(|age| age.to_str().unwrap().parse::<u64>());
        age.is_some_and(|age| age.unwrap() >= 1)
    })
    .await;
    let simulate = v1::SimulateRouteRequest { request_uri: "sip:2001@x".into(), ..Default::default() };
    let answer = control.routing.simulate_route(simulate).await.unwrap();
    assert!(answer.metadata().get("um-cache-age").is_some());
    let check = v1::CreateUserRequest { validate_only: true, ..create.clone() };
    let answer = control.users.create_user(check).await.unwrap();
    assert!(answer.metadata().get("um-cache-age").is_some(), "a check is as old as what it rests on");

    fixture.store.turn(WELL);
    let users = fixture.control.users.clone();
    let (mut created, create) = (None, create);
    eventually("writes go on", async || {
        let answer = users.clone().create_user(create.clone()).await;
        created = answer.ok().map(tonic::Response::into_inner);
        created.is_some()
    })
    .await;
    eventually("reads are fresh", async || {
        lines.clone().get_line(get.clone()).await.unwrap().metadata().get("um-cache-age").is_none()
    })
    .await;
    let (revision, resources) = fixture.control.export().await;
    assert_eq!((revision, resources.len()), (created.unwrap().revision, before.1.len() + 1));
}

pub(crate) async fn a_write_whose_answer_was_lost_is_found_again(fixture: &mut Fixture) {
    // The leases are granted by a first write.
    fixture.control.create_user("first", "2000").await;
    fixture.store.turn(FORGETFUL);
    let created = fixture.control.create_user("dana", "2001").await;
    assert_eq!(created.etag, format!("\"{}\"", created.revision));
    assert_eq!(fixture.control.export().await.1.len(), 2);
}

/// The store goes away again and again under writers of many resources at once: each Apply is there whole or not at all.
pub(crate) async fn nothing_is_half_written(fixture: &mut Fixture) {
    const PER_APPLY: usize = 5;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let mut topology = fixture.control.topology.clone();
        writers.push(tokio::spawn(async move {
            let mut done = Vec::new();
            for number in 0..15 {
                let group = format!("{writer}-{number}");
                let users = (0..PER_APPLY).map(|n| {
                    user(
                        &format!("g{group}-{n}"),
                        &format!("{}", 30_000 + writer * 1_000 + number * 10 + n),
                        None,
                    )
                });
                let request = apply(users.map(Into::into).collect());
                match topology.apply(request).await {
                    Ok(_) => done.push(group),
                    Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            done
        }));
    }
    let store = Arc::clone(&fixture.store);
    let trouble = tokio::spawn(async move {
        for _ in 0..10 {
            store.turn(GONE);
            tokio::time::sleep(Duration::from_millis(15)).await;
            store.turn(WELL);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
    let mut done = Vec::new();
    for writer in writers {
        done.extend(writer.await.unwrap());
    }
    trouble.await.unwrap();
    let (_, resources) = fixture.control.export().await;
    let mut groups = std::collections::BTreeMap::<String, usize>::new();
    for resource in &resources {
        let name = resource.name().trim_start_matches("users/g");
        *groups.entry(name.rsplit_once('-').unwrap().0.to_owned()).or_default() += 1;
    }
    assert!(groups.values().all(|count| *count == PER_APPLY), "{groups:?}");
    for group in &done {
        assert!(groups.contains_key(group), "{group} was acknowledged");
    }
}
