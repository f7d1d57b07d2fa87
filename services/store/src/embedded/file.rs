//! The store's file: opening it, handing it to readers, and opening it anew after it failed.
//!
//! After any I/O error redb refuses to go on until the file is opened again, which finds the last
//! commit. So the open database lives in a slot that may be empty for a while.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, Weak},
    thread,
    time::Duration,
};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable};
use uuid::Uuid;

use super::{
    failure::{failed, failed_io, failed_open},
    schema::{
        FORMAT, LEASES, NUMBER_FORMAT, NUMBER_REVISION, NUMBER_TURN, NUMBERS, TEXT_STORE_ID, TEXTS, Tables,
    },
};
use crate::{
    error::StoreError,
    item::{LeaseId, Revision},
};

/// Bytes of the file that are kept in memory.
const CACHE_BYTES: usize = 256 << 20;
/// How often, with a pause of [`LOCK_PAUSE`], an opener tries for the lock: a predecessor that is
/// just ending may still hold it.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The disk under the file; tests put a failing one there.
pub(super) trait Disk: Send + Sync {
    /// Opens the database at `path`, making it when missing.
    fn open(&self, path: &Path) -> Result<Database, DatabaseError>;
    /// Returns how many bytes are free for the file at `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// A disk of this machine.
pub(super) struct LocalDisk;

impl Disk for LocalDisk {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        builder.create(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// The file of one store.
pub(super) struct StoreFile {
    pub(super) path: PathBuf,
    disk: Box<dyn Disk>,
    slot: RwLock<Slot>,
}

/// The open database, or what may be left of it.
enum Slot {
    Open(Arc<Database>),
    /// Readers may still hold the failed database, and with it the file's lock.
    Failed(Weak<Database>),
}

/// What a freshly opened file says.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) store_id: String,
    pub(super) revision: Revision,
    pub(super) turn: i64,
    /// The leases and their times to live in seconds.
    pub(super) leases: Vec<(LeaseId, u64)>,
}

impl std::fmt::Debug for StoreFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl StoreFile {
    /// Opens the file, making it (and its folder) when it does not exist.
    pub(super) fn open(path: PathBuf, disk: Box<dyn Disk>) -> Result<(Self, Opened), StoreError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).map_err(|error| failed_io(&error))?;
        }
        let database = open_waiting(&path, &*disk)?;
        let opened = prepare(&database)?;
        if let Some(folder) = folder {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed_io(&error))?;
        }
        let slot = RwLock::new(Slot::Open(Arc::new(database)));
        Ok((Self { path, disk, slot }, opened))
    }

    /// Returns how many bytes are free on the disk; as many as one can wish when it does not say.
    pub(super) fn free_bytes(&self) -> u64 {
        self.disk.free_bytes(&self.path).unwrap_or(u64::MAX)
    }

    /// Returns the database for one short read or one turn.
    pub(super) fn database(&self) -> Result<Arc<Database>, StoreError> {
        match &*self.slot.read().unwrap_or_else(PoisonError::into_inner) {
            Slot::Open(database) => Ok(Arc::clone(database)),
            Slot::Failed(_) => Err(StoreError::unavailable("the store file is being opened again")),
        }
    }

    /// Gives the database up after a failure, or at the end.
    pub(super) fn close(&self) {
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Open(database) = &*slot {
            *slot = Slot::Failed(Arc::downgrade(database));
        }
    }

    /// Opens the file again once nobody uses the failed database any more.
    pub(super) fn reopen(&self) -> Result<Opened, StoreError> {
        self.wait_for_readers()?;
        let database = open_waiting(&self.path, &*self.disk)?;
        let opened = prepare(&database)?;
        *self.slot.write().unwrap_or_else(PoisonError::into_inner) = Slot::Open(Arc::new(database));
        Ok(opened)
    }

    fn wait_for_readers(&self) -> Result<(), StoreError> {
        for _ in 0..LOCK_ATTEMPTS {
            let readers = match &*self.slot.read().unwrap_or_else(PoisonError::into_inner) {
                Slot::Open(_) => 0,
                Slot::Failed(database) => database.strong_count(),
            };
            if readers == 0 {
                return Ok(());
            }
            thread::sleep(LOCK_PAUSE);
        }
        Err(StoreError::unavailable("the failed store file is still in use"))
    }
}

fn open_waiting(path: &Path, disk: &dyn Disk) -> Result<Database, StoreError> {
    let mut attempt = 1;
    loop {
        match disk.open(path) {
            Ok(database) => return Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) if attempt < LOCK_ATTEMPTS => {
                attempt += 1;
                thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(failed_open(path, error)),
        }
    }
}

/// Makes the tables of a new file; reads the numbers of any.
fn prepare(database: &Database) -> Result<Opened, StoreError> {
    let format = read_number(database, NUMBER_FORMAT).map_err(failed)?;
    match format {
        None => create(database).map_err(failed)?,
        Some(FORMAT) => {}
        Some(other) => {
            return Err(StoreError::corrupt(format!(
                "file format {other} is not {FORMAT}, which this version reads"
            )));
        }
    }
    read_opened(database).map_err(failed)
}

fn create(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut tables = Tables::open(&write)?;
        tables.set_number(NUMBER_FORMAT, FORMAT)?;
        tables.set_number(NUMBER_REVISION, 1)?;
        let mut texts = write.open_table(TEXTS)?;
        texts.insert(TEXT_STORE_ID, Uuid::new_v4().to_string().as_str())?;
    }
    write.commit()?;
    Ok(())
}

fn read_number(database: &Database, name: &str) -> Result<Option<i64>, redb::Error> {
    let read = database.begin_read()?;
    match read.open_table(NUMBERS) {
        Ok(numbers) => Ok(numbers.get(name)?.map(|number| number.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_opened(database: &Database) -> Result<Opened, redb::Error> {
    let read = database.begin_read()?;
    let missing = |what: &str| redb::Error::Corrupted(format!("the file has no {what}"));
    let store_id = read.open_table(TEXTS)?.get(TEXT_STORE_ID)?.ok_or_else(|| missing("store id"))?;
    let mut leases = Vec::new();
    for row in read.open_table(LEASES)?.iter()? {
        let (lease, ttl_s) = row?;
        leases.push((LeaseId(lease.value()), ttl_s.value()));
    }
    Ok(Opened {
        store_id: store_id.value().to_owned(),
        revision: read_number(database, NUMBER_REVISION)?.ok_or_else(|| missing("revision"))?,
        turn: read_number(database, NUMBER_TURN)?.unwrap_or(0),
        leases,
    })
}
