//! A physical copy: all tables of one picture written to a fresh file, which is then streamed.
//!
//! The live file cannot be copied while it is written to; the fresh one is compact as well.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use redb::{Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    failure::{failed, failed_io, failed_open},
    file::{Disk as _, LocalDisk},
    schema::{CURRENT, HISTORY, LEASED, LEASES, LOG, NUMBERS, TEXTS},
};
use crate::{error::StoreError, status::Snapshot};

const CHUNK: usize = 64 << 10;
/// Rows between two commits of the copy, so that it needs little memory.
const ROWS_PER_COMMIT: usize = 20_000;
/// Chunks that wait for a slow reader.
const CHUNKS_AHEAD: usize = 8;
const MARK: &str = ".copy-";

/// Starts to copy the database beside `path`.
pub(super) fn start(path: &Path, database: Arc<Database>) -> Snapshot {
    let (chunks, snapshot) = mpsc::channel(CHUNKS_AHEAD);
    let copy = beside(path, &format!("{MARK}{}", Uuid::new_v4()));
    tokio::task::spawn_blocking(move || {
        let written = write(&copy, &database);
        drop(database);
        let outcome = written.and_then(|()| stream(&copy, &chunks));
        if let Err(error) = outcome {
            let _ = chunks.blocking_send(Err(error));
        }
        if let Err(error) = std::fs::remove_file(&copy) {
            tracing::warn!(path = %copy.display(), %error, "the temporary copy stays");
        }
    });
    Snapshot::new(snapshot)
}

/// Removes copies that a killed process left beside `path`.
pub(super) fn remove_left_over(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let prefix = format!("{}{MARK}", name.to_string_lossy());
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn write(copy: &Path, database: &Database) -> Result<(), StoreError> {
    let read = database.begin_read().map_err(|error| failed(error.into()))?;
    let fresh = LocalDisk.open(copy).map_err(|error| failed_open(copy, error))?;
    copy_all(&read, &fresh).map_err(failed)
}

fn copy_all(read: &ReadTransaction, fresh: &Database) -> Result<(), redb::Error> {
    copy_table(read, fresh, CURRENT)?;
    copy_table(read, fresh, HISTORY)?;
    copy_table(read, fresh, LOG)?;
    copy_table(read, fresh, LEASES)?;
    copy_table(read, fresh, LEASED)?;
    copy_table(read, fresh, TEXTS)?;
    // Without its numbers a file counts as new, so they come last.
    copy_table(read, fresh, NUMBERS)
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    fresh: &Database,
    definition: TableDefinition<'_, K, V>,
) -> Result<(), redb::Error> {
    let table = read.open_table(definition)?;
    let mut rows = table.iter()?.peekable();
    loop {
        let write = fresh.begin_write()?;
        {
            let mut copied = write.open_table(definition)?;
            for row in rows.by_ref().take(ROWS_PER_COMMIT) {
                let (key, value) = row?;
                copied.insert(key.value(), value.value())?;
            }
        }
        write.commit()?;
        if rows.peek().is_none() {
            return Ok(());
        }
    }
}

fn stream(copy: &Path, chunks: &mpsc::Sender<Result<Bytes, StoreError>>) -> Result<(), StoreError> {
    let mut file = File::open(copy).map_err(|error| failed_io(&error))?;
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).map_err(|error| failed_io(&error))?;
        chunk.truncate(read);
        if read == 0 || chunks.blocking_send(Ok(chunk.into())).is_err() {
            return Ok(());
        }
    }
}
