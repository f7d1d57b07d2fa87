//! What a failing file means for those who use the store.

use std::{io, path::Path};

use crate::error::StoreError;

/// Translates a failure of the open file.
pub(super) fn failed(error: redb::Error) -> StoreError {
    if let redb::Error::Io(error) = &error {
        return failed_io(error);
    }
    if let redb::Error::Corrupted(reason) = error {
        return StoreError::Corrupt { reason };
    }
    StoreError::unavailable(error.to_string())
}

/// Translates a failure of reading, writing or syncing the file.
pub(super) fn failed_io(error: &io::Error) -> StoreError {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
    if full.contains(&error.kind()) {
        StoreError::Full { reason: error.to_string() }
    } else {
        StoreError::unavailable(error.to_string())
    }
}

/// Translates a failure to open the file at `path`.
pub(super) fn failed_open(path: &Path, error: redb::DatabaseError) -> StoreError {
    let error = redb::Error::from(error);
    if matches!(error, redb::Error::DatabaseAlreadyOpen) {
        return StoreError::Locked { path: path.to_owned() };
    }
    if let redb::Error::UpgradeRequired(version) = error {
        return StoreError::corrupt(format!("{} has the old file format {version}", path.display()));
    }
    if let redb::Error::Io(error) = &error
        && error.kind() == io::ErrorKind::InvalidData
    {
        return StoreError::corrupt(format!("{} is not a store file: {error}", path.display()));
    }
    let failure = failed(error);
    if let StoreError::Unavailable { reason } = failure {
        return StoreError::unavailable(format!("cannot open {}: {reason}", path.display()));
    }
    failure
}
