//! The embedded store: one file of this machine (redb), one writer thread, no server.
//!
//! It is for a single control process. What it acknowledges is on disk; killed at any moment it
//! comes back with every acknowledged write. The file is locked while it is open.

mod copy;
mod failure;
mod file;
mod follow;
mod housekeeping;
mod leases;
mod picture;
mod schema;
mod turn;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

pub use housekeeping::Retention;

use crate::{
    error::StoreError,
    item::{Found, Lease, LeaseId, Page, Revision},
    status::{Backend, Snapshot, Status, Warning},
    store::{Store, check_at, check_compaction, check_watch},
    txn::{Txn, TxnOutcome},
    watch::{Interest, Watch},
};
use file::{Disk, LocalDisk, StoreFile};
use follow::Follower;
use housekeeping::{History, Housekeeper};
use leases::Leases;
use picture::Picture;
use writer::{Head, QUEUE, Reply, Request, Writer};

/// Shortest time to live a lease gets, as etcd's with its default timings.
const TTL_MIN_S: u64 = 2;

/// Free bytes of the disk below which the status warns.
const SPACE_LOW: u64 = 512 << 20;

/// How an embedded store behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// How much history stays.
    pub retention: Retention,
}

/// A store in one file.
#[derive(Debug)]
pub struct EmbeddedStore {
    file: Arc<StoreFile>,
    store_id: String,
    head: Arc<watch::Sender<Head>>,
    leases: Arc<Leases>,
    requests: mpsc::Sender<Request>,
}

impl EmbeddedStore {
    /// Opens the store in the file at `path`, creating it when missing. Needs a tokio runtime.
    ///
    /// After a crash this may take a while, since the whole file is checked.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it open, [`StoreError::Corrupt`] when it is not
    /// a store's file, or the disk's error.
    pub async fn open(path: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref().to_owned(), options, Box::new(LocalDisk)).await
    }

    async fn open_with(
        path: PathBuf,
        options: EmbeddedOptions,
        disk: Box<dyn Disk>,
    ) -> Result<Self, StoreError> {
        let open = move || {
            let opened = StoreFile::open(path, disk)?;
            copy::remove_left_over(&opened.0.path);
            Ok(opened)
        };
        let (file, opened) = blocking(open).await?;
        let file = Arc::new(file);
        let leases = Arc::new(Leases::default());
        leases.restore(&opened.leases);
        let (head, seen) = watch::channel(Head { revision: opened.revision, progress_asked: 0 });
        let head = Arc::new(head);
        let hold_off = Arc::new(AtomicBool::new(false));
        let (requests, waiting) = mpsc::channel(QUEUE);
        let writer = Writer {
            file: Arc::clone(&file),
            head: Arc::clone(&head),
            leases: Arc::clone(&leases),
            hold_off: Arc::clone(&hold_off),
            requests: waiting,
            last_failure: StoreError::unavailable("the store file failed"),
            garbage: true,
        };
        writer.start()?;
        let housekeeper = Housekeeper {
            requests: requests.downgrade(),
            head: seen,
            leases: Arc::clone(&leases),
            hold_off,
            history: History::new(options.retention),
        };
        tokio::spawn(housekeeper.run());
        Ok(Self { file, store_id: opened.store_id, head, leases, requests })
    }

    /// Takes a picture and reads from it, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(Picture) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            let database = file.database()?;
            read(Picture::take(&database)?)
        })
        .await
    }

    /// Hands a request to the writer and waits for the commit.
    async fn write<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let (reply, outcome) = oneshot::channel();
        self.requests
            .send(request(reply))
            .await
            .map_err(|_| StoreError::unavailable("the store's writer has ended"))?;
        outcome.await.map_err(|_| StoreError::timeout("the store's writer ended meanwhile"))?
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.file.database()?;
        Ok(self.head.borrow().revision)
    }

    async fn get(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError> {
        check_at(at)?;
        let keys = keys.to_vec();
        self.read(move |picture| picture.get(&keys, at)).await
    }

    async fn scan(
        &self,
        prefix: &[u8],
        at: Option<Revision>,
        limit: usize,
        after: Option<&[u8]>,
    ) -> Result<Page, StoreError> {
        check_at(at)?;
        let (prefix, after) = (prefix.to_vec(), after.map(<[u8]>::to_vec));
        self.read(move |picture| picture.scan(&prefix, at, limit, after.as_deref())).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        txn.check()?;
        self.write(|reply| Request::Txn(txn, reply)).await
    }

    async fn watch(&self, prefixes: Vec<Bytes>, from: Revision) -> Result<Watch, StoreError> {
        check_watch(&prefixes, from)?;
        let (events, watch) = Watch::channel();
        let follower = Follower {
            file: Arc::clone(&self.file),
            head: self.head.subscribe(),
            interest: Interest::new(prefixes),
            next: from,
            events,
        };
        tokio::spawn(follower.run());
        Ok(watch)
    }

    async fn request_progress(&self) -> Result<(), StoreError> {
        self.head.send_modify(|head| head.progress_asked += 1);
        Ok(())
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<Lease, StoreError> {
        let whole = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let ttl_s = whole.max(TTL_MIN_S);
        let id = LeaseId(i64::from_be_bytes(Uuid::new_v4().as_u64_pair().0.to_be_bytes()) & i64::MAX);
        self.write(|reply| Request::Grant(id, ttl_s, reply)).await?;
        Ok(Lease { id, ttl: Duration::from_secs(ttl_s) })
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        if self.leases.renew(lease) { Ok(()) } else { Err(StoreError::LeaseNotFound { lease }) }
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.write(|reply| Request::Revoke(lease, reply)).await
    }

    async fn compact(&self, to: Revision) -> Result<(), StoreError> {
        check_compaction(to)?;
        self.write(|reply| Request::Compact(to, reply)).await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        let (revision, oldest) = self.read(|picture| Ok((picture.revision, picture.oldest))).await?;
        let file = Arc::clone(&self.file);
        let (size_bytes, free_bytes) = blocking(move || {
            let size = std::fs::metadata(&file.path).map_err(|error| failure::failed_io(&error))?.len();
            Ok((size, file.free_bytes()))
        })
        .await?;
        let warnings = if free_bytes < SPACE_LOW { vec![Warning::SpaceLow] } else { Vec::new() };
        Ok(Status {
            backend: Backend::Embedded,
            version: format!("{}", schema::FORMAT),
            store_id: self.store_id.clone(),
            revision,
            oldest: Some(oldest.max(1)),
            size_bytes,
            used_bytes: size_bytes,
            quota_bytes: None,
            endpoint: self.file.path.display().to_string(),
            progress_is_proof: true,
            warnings,
        })
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(copy::start(&self.file.path, self.file.database()?))
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::unavailable(format!("work on the store file failed: {error}")))?
}

#[cfg(test)]
mod tests;
