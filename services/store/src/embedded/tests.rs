//! What only the embedded store has to do: its file, its lock, a failing disk.

use std::{
    fs::{File, OpenOptions},
    io,
    ops::Bound,
    sync::atomic::{AtomicU64, Ordering},
};

use redb::{BackendError, Database, DatabaseError, StorageBackend, backends::FileBackend};

use super::*;
use crate::{txn::Op, watch::WatchEvent};

/// A disk and what goes wrong with it.
#[derive(Debug)]
struct BadDisk {
    /// Bytes that fit.
    size: AtomicU64,
    /// Bytes it says are free.
    free: AtomicU64,
    /// Syncs that will fail.
    failing_syncs: AtomicU64,
    syncs: AtomicU64,
}

/// A file on such a disk.
#[derive(Debug)]
struct DiskFile {
    disk: Arc<BadDisk>,
    file: FileBackend,
}

impl BadDisk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            size: AtomicU64::new(u64::MAX),
            free: AtomicU64::new(u64::MAX),
            failing_syncs: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        })
    }

    fn check(&self, end: u64) -> io::Result<()> {
        if end > self.size.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for Arc<BadDisk> {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let file = DiskFile { disk: Self::clone(self), file: FileBackend::new(file)? };
        Database::builder().create_with_backend(file)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.free.load(Ordering::SeqCst))
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.file.len()? {
            self.disk.check(len)?;
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.syncs.fetch_add(1, Ordering::SeqCst);
        let failing =
            self.disk.failing_syncs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if failing.is_ok() {
            return Err(io::Error::other("the disk does not answer"));
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.check(offset + data.len() as u64)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

async fn open(path: &Path) -> EmbeddedStore {
    EmbeddedStore::open(path, EmbeddedOptions::default()).await.unwrap()
}

async fn open_on(disk: &Arc<BadDisk>, path: &Path) -> EmbeddedStore {
    EmbeddedStore::open_with(path.to_owned(), EmbeddedOptions::default(), Box::new(Arc::clone(disk)))
        .await
        .unwrap()
}

async fn put(store: &EmbeddedStore, key: &str, value: impl Into<Bytes>) -> Result<Revision, StoreError> {
    let txn = Txn::new().then(Op::put(key.to_owned(), value));
    store.txn(txn).await.map(|outcome| outcome.revision)
}

async fn value(store: &EmbeddedStore, key: &str) -> Option<Bytes> {
    let key = Bytes::copy_from_slice(key.as_bytes());
    store.get(&[key], None).await.unwrap().items.remove(0).map(|item| item.value)
}

#[tokio::test]
async fn reopening_finds_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/folder/store");
    let store = open(&path).await;
    let id = store.status().await.unwrap().store_id;
    put(&store, "k", "1").await.unwrap();
    let revision = put(&store, "k", "2").await.unwrap();
    drop(store);
    let store = open(&path).await;
    assert_eq!(store.status().await.unwrap().store_id, id);
    assert_eq!(store.revision().await, Ok(revision));
    assert_eq!(value(&store, "k").await.as_deref(), Some(b"2".as_slice()));
    let before = store.get(&["k".into()], Some(revision - 1)).await.unwrap();
    assert_eq!(before.items[0].as_ref().unwrap().value, "1");
    let other = open(&folder.path().join("other")).await;
    assert_ne!(other.status().await.unwrap().store_id, id);
}

#[tokio::test]
async fn second_opener_is_told_that_the_file_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let _store = open(&path).await;
    let second = EmbeddedStore::open(&path, EmbeddedOptions::default()).await.map(|_| ());
    assert_eq!(second, Err(StoreError::Locked { path }));
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign");
    std::fs::write(&foreign, "not a store, but long enough to look at".repeat(100)).unwrap();
    let newer = folder.path().join("newer");
    drop(open(&newer).await);
    {
        let database = loop {
            if let Ok(database) = LocalDisk.open(&newer) {
                break database;
            }
            tokio::task::yield_now().await;
        };
        let write = database.begin_write().unwrap();
        write.open_table(schema::NUMBERS).unwrap().insert(schema::NUMBER_FORMAT, 2).unwrap();
        write.commit().unwrap();
    }
    for path in [foreign, newer] {
        let opened = EmbeddedStore::open(&path, EmbeddedOptions::default()).await;
        assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
    }
}

#[tokio::test]
async fn disk_that_is_nearly_full_takes_only_deletions() {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new();
    let store = open_on(&disk, &folder.path().join("store")).await;
    let revision = put(&store, "k", "v").await.unwrap();
    put(&store, "l", "v").await.unwrap();
    disk.free.store(writer::RESERVE - 1, Ordering::SeqCst);
    let refused = put(&store, "k", "w").await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    let refused = store.lease_grant(Duration::from_secs(60)).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    assert_eq!(store.status().await.unwrap().warnings, [Warning::SpaceLow]);
    assert_eq!(value(&store, "k").await.as_deref(), Some(b"v".as_slice()));
    let deletion = store.txn(Txn::new().then(Op::delete("l"))).await.unwrap();
    assert_eq!(deletion.revision, revision + 2);
    store.compact(revision).await.unwrap();
    disk.free.store(writer::RESERVE, Ordering::SeqCst);
    assert_eq!(put(&store, "k", "w").await, Ok(revision + 3));
}

#[tokio::test]
async fn disk_that_fills_without_warning_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let disk = BadDisk::new();
    let store = open_on(&disk, &path).await;
    let mut revision = put(&store, "kept", "v").await.unwrap();
    disk.size.store(std::fs::metadata(&path).unwrap().len(), Ordering::SeqCst);
    // Whatever free pages the file has are used up first.
    let full = loop {
        match put(&store, "large", vec![7; 900_000]).await {
            Ok(written) => revision = written,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
    disk.size.store(u64::MAX, Ordering::SeqCst);
    let next = loop {
        match put(&store, "after", "v").await {
            Ok(written) => break written,
            Err(error) => assert!(matches!(error, StoreError::Full { .. }), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(next, revision + 1);
    drop(store);
    let store = open(&path).await;
    assert_eq!(store.revision().await, Ok(next));
    assert_eq!(value(&store, "kept").await.as_deref(), Some(b"v".as_slice()));
}

#[tokio::test]
async fn outcome_of_a_failed_commit_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let disk = BadDisk::new();
    let store = open_on(&disk, &path).await;
    let mut revision = put(&store, "k", "0").await.unwrap();
    for n in 1..5 {
        disk.failing_syncs.store(1, Ordering::SeqCst);
        let outcome = put(&store, "k", n.to_string()).await;
        let now = loop {
            // Until the file is open again nothing can be read.
            match store.get(&["k".into()], None).await {
                Ok(found) => break found,
                Err(error) => assert!(error.is_transient(), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let stored = now.items[0].as_ref().unwrap().value == n.to_string();
        assert_eq!(stored, outcome.is_ok(), "{outcome:?}");
        assert_eq!(now.revision, revision + i64::from(stored));
        revision = now.revision;
        // The pause after a failure ends by itself.
        while put(&store, "other", "v").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        revision += 1;
        assert_eq!(store.revision().await, Ok(revision));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writes_share_one_sync() {
    let folder = tempfile::tempdir().unwrap();
    let disk = BadDisk::new();
    let store = open_on(&disk, &folder.path().join("store")).await;
    let before = disk.syncs.load(Ordering::SeqCst);
    let writes = (0..500).map(|n| {
        let store = &store;
        async move { put(store, &format!("k{n}"), "v").await.unwrap() }
    });
    let mut revisions = futures::future::join_all(writes).await;
    revisions.sort_unstable();
    assert_eq!(revisions, (2..502).collect::<Vec<_>>());
    let syncs = disk.syncs.load(Ordering::SeqCst) - before;
    assert!(syncs < 100, "{syncs} syncs for 500 writes");
}

#[tokio::test]
async fn lease_expires_after_a_restart_without_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path).await;
    let lease = store.lease_grant(Duration::from_secs(2)).await.unwrap();
    store.txn(Txn::new().then(Op::put_leased("k", "v", lease.id))).await.unwrap();
    drop(store);
    let store = open(&path).await;
    assert!(value(&store, "k").await.is_some());
    store.lease_keep_alive(lease.id).await.unwrap();
    let mut watch = store.watch(vec!["k".into()], store.revision().await.unwrap() + 1).await.unwrap();
    assert!(matches!(watch.next().await, Some(WatchEvent::Batch(_))));
    assert_eq!(value(&store, "k").await, None);
}

#[tokio::test]
async fn compacted_history_leaves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store")).await;
    for n in 0..200 {
        put(&store, &format!("k{}", n % 10), n.to_string()).await.unwrap();
    }
    let to = store.revision().await.unwrap();
    store.compact(to).await.unwrap();
    let rows = || store.read(|picture| picture.rows());
    while rows().await.unwrap() != (10, 0, 1) {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.status().await.unwrap().oldest, Some(to));
}

#[tokio::test]
async fn retention_compacts_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { age: Duration::from_millis(500), revisions: 10 };
    let store =
        EmbeddedStore::open(folder.path().join("store"), EmbeddedOptions { retention }).await.unwrap();
    for n in 0..50 {
        put(&store, "k", n.to_string()).await.unwrap();
    }
    while store.status().await.unwrap().oldest < Some(41) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.status().await.unwrap().oldest, Some(41));
}

#[tokio::test]
async fn snapshot_is_a_store_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path).await;
    for n in 0..300 {
        put(&store, &format!("k{n}"), vec![7; 1_000]).await.unwrap();
    }
    put(&store, "k0", "changed").await.unwrap();
    let mut snapshot = store.snapshot().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = snapshot.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let restored = folder.path().join("restored");
    std::fs::write(&restored, bytes).unwrap();
    let copy = open(&restored).await;
    let (here, there) = (store.status().await.unwrap(), copy.status().await.unwrap());
    assert_eq!((here.store_id, here.revision), (there.store_id, there.revision));
    assert_eq!(store.scan(b"", None, 0, None).await, copy.scan(b"", None, 0, None).await);
    assert_eq!(store.scan(b"", Some(200), 0, None).await, copy.scan(b"", Some(200), 0, None).await);
    let left_over = folder.path().join("store.copy-killed");
    File::create(&left_over).unwrap();
    drop(store);
    let _store = open(&path).await;
    assert!(!left_over.exists());
}
