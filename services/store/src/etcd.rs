//! The store in an etcd cluster (3.4 or later), through its v3 API.
//!
//! This is a thin layer: etcd has the semantics. What it adds is the choice of the member to ask,
//! what may be repeated and what may not, pages, and watches that go on across failures.

mod assemble;
mod convert;
mod endpoints;
mod failure;
mod follow;
mod version;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use etcd_client::{
    Client, CompactionOptions, GetOptions, GetResponse, ResponseHeader, StatusResponse, TxnOp, TxnResponse,
    WatchOptions,
};
use tokio::sync::{mpsc, watch};

use crate::{
    error::StoreError,
    item::{Found, Item, Lease, LeaseId, Page, Revision},
    key::{KeyRange, successor},
    status::{Backend, Snapshot, Status, Warning},
    store::{PAGE_ITEMS_MAX, Store, check_at, check_compaction, check_watch},
    txn::{OPERATIONS_MAX, Txn, TxnOutcome},
    watch::{Interest, Watch},
};
use endpoints::{CALL_DEADLINE, Call, Endpoints, Repeat, within_deadline};
use failure::{Failure, Refusal};
use follow::Follower;
use version::Version;

/// Largest answer that is decoded.
const DECODE_LIMIT: usize = 16 << 20;
/// Chunks of a physical copy that wait for a slow reader.
const CHUNKS_AHEAD: usize = 8;

/// A store in an etcd cluster.
#[derive(Debug)]
pub struct EtcdStore {
    endpoints: Arc<Endpoints>,
    /// Counts requests for progress; watches end when it is dropped.
    progress_asked: watch::Sender<u64>,
}

impl EtcdStore {
    /// Prepares a store on the cluster with these client URLs. Needs a tokio runtime.
    ///
    /// Nothing is contacted yet: an unreachable cluster shows in the first call.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a URL that is none, or without any.
    pub async fn connect<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Result<Self, StoreError> {
        let endpoints = Endpoints::connect(urls.into_iter().map(Into::into).collect()).await?;
        Ok(Self { endpoints, progress_asked: watch::channel(0).0 })
    }

    /// Runs a call and fills in what etcd's errors leave out.
    async fn call<T>(
        &self,
        repeat: Repeat,
        operation: impl Fn(Client) -> Call<T> + Send + Sync,
    ) -> Result<T, StoreError> {
        match self.endpoints.call(repeat, operation).await {
            Ok(answer) => Ok(answer),
            Err(Failure::Refused(Refusal::Compacted)) => {
                Err(StoreError::Compacted { oldest: self.oldest().await.unwrap_or(0) })
            }
            Err(Failure::Refused(Refusal::FutureRevision)) => {
                Err(StoreError::FutureRevision { current: self.current().await.unwrap_or(0) })
            }
            Err(failure) => Err(failure.into_error()),
        }
    }

    /// Reads the current revision by a read that needs a quorum.
    async fn current(&self) -> Result<Revision, Failure> {
        let read = |client: Client| -> Call<GetResponse> {
            Box::pin(
                async move { client.kv_client().get([0], Some(GetOptions::new().with_count_only())).await },
            )
        };
        let response = self.endpoints.call(Repeat::Freely, read).await?;
        Ok(response.header().map_or(0, ResponseHeader::revision))
    }

    /// Finds the compacted revision, which etcd tells only to a watch that starts before it.
    async fn oldest(&self) -> Option<Revision> {
        let mut watches = self.endpoints.choose().1.client.watch_client();
        let options = WatchOptions::new().with_start_revision(1);
        let mut stream = within_deadline(watches.watch([0], Some(options))).await.ok()?;
        loop {
            let message = tokio::time::timeout(CALL_DEADLINE, stream.message()).await.ok()?.ok()??;
            if message.compact_revision() > 0 {
                return Some(message.compact_revision());
            }
        }
    }

    /// Reads at most as many keys as one transaction takes.
    async fn get_some(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError> {
        let ops: Vec<TxnOp> = keys.iter().map(|key| convert::read_at(key, at)).collect();
        let response = self.read_txn(etcd_client::Txn::new().and_then(ops)).await?;
        let items = response
            .op_responses()
            .into_iter()
            .map(convert::first_item)
            .collect::<Result<Vec<Option<Item>>, _>>()?;
        let current = response.header().map_or(0, ResponseHeader::revision);
        Ok(Found { items, revision: at.unwrap_or(current) })
    }

    async fn read_txn(&self, txn: etcd_client::Txn) -> Result<TxnResponse, StoreError> {
        self.call(Repeat::Freely, move |client| {
            let txn = txn.clone();
            Box::pin(async move { kv(&client).txn(txn).await })
        })
        .await
    }

    /// Reads one page; a page whose answer is too large is halved.
    async fn page(
        &self,
        keys: &KeyRange,
        at: Option<Revision>,
        limit: usize,
    ) -> Result<GetResponse, StoreError> {
        let mut limit = limit;
        loop {
            let read = |client: Client| -> Call<GetResponse> {
                let count = i64::try_from(limit).unwrap_or(i64::MAX);
                let options = convert::get_options(keys).with_limit(count).with_revision(at.unwrap_or(0));
                let start = convert::range_start(keys);
                Box::pin(async move { kv(&client).get(start, Some(options)).await })
            };
            match self.endpoints.call(Repeat::Freely, read).await {
                Err(Failure::Refused(Refusal::ResponseTooLarge)) if limit > 1 => limit /= 2,
                Ok(response) => return Ok(response),
                Err(Failure::Refused(Refusal::Compacted)) => {
                    return Err(StoreError::Compacted { oldest: self.oldest().await.unwrap_or(0) });
                }
                Err(Failure::Refused(Refusal::FutureRevision)) => {
                    return Err(StoreError::FutureRevision { current: self.current().await.unwrap_or(0) });
                }
                Err(failure) => return Err(failure.into_error()),
            }
        }
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.current().await.map_err(Failure::into_error)
    }

    async fn get(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError> {
        check_at(at)?;
        let mut found = Found { items: Vec::with_capacity(keys.len()), revision: 0 };
        let mut at = at;
        for some in keys.chunks(OPERATIONS_MAX) {
            let part = self.get_some(some, at).await?;
            found.items.extend(part.items);
            found.revision = part.revision;
            at = Some(part.revision);
        }
        if keys.is_empty() {
            found.revision = self.get_some(&[Bytes::from_static(&[0])], at).await?.revision;
        }
        Ok(found)
    }

    async fn scan(
        &self,
        prefix: &[u8],
        at: Option<Revision>,
        limit: usize,
        after: Option<&[u8]>,
    ) -> Result<Page, StoreError> {
        check_at(at)?;
        let limit = if limit == 0 { PAGE_ITEMS_MAX } else { limit.min(PAGE_ITEMS_MAX) };
        let whole = KeyRange::prefix(prefix);
        let start = after.map_or_else(Bytes::new, successor).max(whole.start().clone());
        let keys = KeyRange::between(start, whole.end());
        let mut response = self.page(&keys, at, limit).await?;
        let current = response.header().map_or(0, ResponseHeader::revision);
        let more = response.more();
        let items = response.take_kvs().into_iter().map(convert::item).collect();
        Ok(Page { items, revision: at.unwrap_or(current), more })
    }

    async fn txn(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        txn.check()?;
        let repeat = if txn.writes() { Repeat::Never } else { Repeat::Freely };
        let request = convert::txn(&txn);
        let outcome = self
            .call(repeat, move |client| {
                let request = request.clone();
                Box::pin(async move { kv(&client).txn(request).await })
            })
            .await;
        match outcome {
            Ok(response) => convert::outcome(&response),
            Err(StoreError::LeaseNotFound { .. }) => Err(self.missing_lease(&txn).await),
            Err(error) => Err(error),
        }
    }

    async fn watch(&self, prefixes: Vec<Bytes>, from: Revision) -> Result<Watch, StoreError> {
        check_watch(&prefixes, from)?;
        let (events, watch) = Watch::channel();
        let asked = self.progress_asked.subscribe();
        let interest = Interest::new(prefixes);
        let follower = Follower::new(Arc::clone(&self.endpoints), interest, from, events, asked);
        tokio::spawn(follower.run());
        Ok(watch)
    }

    async fn request_progress(&self) -> Result<(), StoreError> {
        self.progress_asked.send_modify(|asked| *asked += 1);
        Ok(())
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<Lease, StoreError> {
        let whole = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let ttl_s = i64::try_from(whole.max(1)).unwrap_or(i64::MAX);
        // Done twice, the first lease is kept alive by nobody and expires.
        let response = self
            .call(Repeat::Freely, move |mut client| {
                Box::pin(async move { client.lease_grant(ttl_s, None).await })
            })
            .await?;
        let ttl = Duration::from_secs(u64::try_from(response.ttl()).unwrap_or(0));
        Ok(Lease { id: LeaseId(response.id()), ttl })
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        let renewed = self.call(Repeat::Freely, move |mut client| {
            // The client sends one renewal by itself and waits for its answer.
            Box::pin(async move { client.lease_keep_alive(lease.0).await.map(|_| ()) })
        });
        name_lease(renewed.await, lease)
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        let revoked = self.call(Repeat::Never, move |mut client| {
            Box::pin(async move { client.lease_revoke(lease.0).await.map(|_| ()) })
        });
        name_lease(revoked.await, lease)
    }

    async fn compact(&self, to: Revision) -> Result<(), StoreError> {
        check_compaction(to)?;
        self.call(Repeat::Never, move |mut client| {
            let options = CompactionOptions::new().with_physical();
            Box::pin(async move { client.compact(to, Some(options)).await.map(|_| ()) })
        })
        .await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        let (endpoint, status) = self.endpoints.status().await.map_err(Failure::into_error)?;
        Ok(describe(endpoint, &status))
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut client = self.endpoints.choose().1.client.clone();
        let mut stream = within_deadline(client.snapshot()).await.map_err(Failure::into_error)?;
        let (chunks, snapshot) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(async move {
            loop {
                let chunk = match within_deadline(stream.message()).await {
                    Ok(Some(part)) => Ok(Bytes::copy_from_slice(part.blob())),
                    Ok(None) => return,
                    Err(failure) => Err(failure.into_error()),
                };
                let ended = chunk.is_err();
                if chunks.send(chunk).await.is_err() || ended {
                    return;
                }
            }
        });
        Ok(Snapshot::new(snapshot))
    }
}

impl EtcdStore {
    /// Finds which lease a refused transaction named in vain.
    async fn missing_lease(&self, txn: &Txn) -> StoreError {
        let mut named = None;
        for lease in txn.leases() {
            let left = self
                .call(Repeat::Freely, move |mut client| {
                    Box::pin(async move { client.lease_time_to_live(lease.0, None).await })
                })
                .await;
            match left {
                Ok(left) if left.ttl() > 0 => {}
                Ok(_) => return StoreError::LeaseNotFound { lease },
                Err(_) => named = named.or(Some(lease)),
            }
        }
        StoreError::LeaseNotFound { lease: named.unwrap_or(LeaseId(0)) }
    }
}

/// The client for keys, with our limit on answers.
fn kv(client: &Client) -> etcd_client::KvClient {
    client.kv_client().max_decoding_message_size(DECODE_LIMIT)
}

/// Puts the name of the lease where etcd's error has none.
fn name_lease(outcome: Result<(), StoreError>, lease: LeaseId) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::LeaseNotFound { .. }) => Err(StoreError::LeaseNotFound { lease }),
        Ok(()) | Err(_) => outcome,
    }
}

fn describe(endpoint: String, status: &StatusResponse) -> Status {
    let version = Version::parse(status.version());
    let proof = version.is_some_and(Version::progress_is_proof);
    let size = u64::try_from(status.db_size()).unwrap_or(0);
    let used = u64::try_from(status.raft_used_db_size()).unwrap_or(0);
    let quota = u64::try_from(status.db_size_quota()).ok().filter(|quota| *quota > 0);
    let mut warnings = Vec::new();
    if !proof {
        let text = format!("etcd {} cannot prove that a watch is up to date", status.version());
        warnings.push(Warning::Degraded(text));
    }
    if version.is_some_and(Version::is_unsafe) {
        warnings.push(Warning::Unsafe(format!("etcd {} may corrupt data when killed", status.version())));
    }
    if quota.is_some_and(|quota| used > quota - quota / 5) {
        warnings.push(Warning::SpaceLow);
    }
    warnings.extend(status.errors().iter().cloned().map(Warning::Alarm));
    let header = status.header();
    Status {
        backend: Backend::Etcd,
        version: status.version().to_owned(),
        store_id: format!("{:016x}", header.map_or(0, ResponseHeader::cluster_id)),
        revision: header.map_or(0, ResponseHeader::revision),
        oldest: None,
        size_bytes: size,
        used_bytes: used,
        quota_bytes: quota,
        endpoint,
        progress_is_proof: proof,
        warnings,
    }
}
