//! The tables of the embedded store's file and how an item is laid out in them.
//!
//! `current` holds what exists now. When a put or delete at revision N supersedes an item, that
//! item moves to `history` with N in front (`until`): it was visible in [its revision, N). `log`
//! names every key that a revision touched and what stood there before; watches and the
//! collection of compacted history read it. One key occurs at most once per revision.

use bytes::Bytes;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::item::{Item, LeaseId, Revision};

/// Key → item.
pub(super) const CURRENT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("current");
/// (key, revision of the put) → until, item.
pub(super) const HISTORY: TableDefinition<'_, (&[u8], i64), &[u8]> = TableDefinition::new("history");
/// (revision, key) → (revision of the put that it superseded or 0, whether it was deleted).
pub(super) const LOG: TableDefinition<'_, (i64, &[u8]), (i64, bool)> = TableDefinition::new("log");
/// Lease → time to live in seconds.
pub(super) const LEASES: TableDefinition<'_, i64, u64> = TableDefinition::new("leases");
/// (lease, key): the keys of a lease.
pub(super) const LEASED: TableDefinition<'_, (i64, &[u8]), ()> = TableDefinition::new("leased");
/// The numbers below, by name.
pub(super) const NUMBERS: TableDefinition<'_, &str, i64> = TableDefinition::new("numbers");
/// The identity of the data.
pub(super) const TEXTS: TableDefinition<'_, &str, &str> = TableDefinition::new("texts");

/// Layout of the file; a greater one cannot be read.
pub(super) const FORMAT: i64 = 1;
pub(super) const NUMBER_FORMAT: &str = "format";
pub(super) const NUMBER_REVISION: &str = "revision";
/// The oldest revision that can be read; 0 when history was never compacted.
pub(super) const NUMBER_OLDEST: &str = "oldest";
/// Grows with every commit; tells after a failed commit whether it took effect.
pub(super) const NUMBER_TURN: &str = "turn";
pub(super) const TEXT_STORE_ID: &str = "store_id";

const ITEM_HEADER: usize = 32;

/// All tables, opened for writing.
pub(super) struct Tables<'t> {
    pub(super) current: Table<'t, &'static [u8], &'static [u8]>,
    pub(super) history: Table<'t, (&'static [u8], i64), &'static [u8]>,
    pub(super) log: Table<'t, (i64, &'static [u8]), (i64, bool)>,
    pub(super) leases: Table<'t, i64, u64>,
    pub(super) leased: Table<'t, (i64, &'static [u8]), ()>,
    pub(super) numbers: Table<'t, &'static str, i64>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(write: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            current: write.open_table(CURRENT)?,
            history: write.open_table(HISTORY)?,
            log: write.open_table(LOG)?,
            leases: write.open_table(LEASES)?,
            leased: write.open_table(LEASED)?,
            numbers: write.open_table(NUMBERS)?,
        })
    }

    pub(super) fn number(&self, name: &str) -> Result<i64, redb::Error> {
        Ok(self.numbers.get(name)?.map_or(0, |number| number.value()))
    }

    pub(super) fn set_number(&mut self, name: &str, number: i64) -> Result<(), redb::Error> {
        self.numbers.insert(name, number)?;
        Ok(())
    }
}

/// Lays out an item; its key is the table's.
pub(super) fn encode(item: &Item) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ITEM_HEADER + item.value.len());
    let lease = item.lease.map_or(0, |lease| lease.0);
    for number in [item.create_revision, item.mod_revision, item.version, lease] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&item.value);
    bytes
}

/// Reads an item back.
pub(super) fn decode(key: &[u8], bytes: &[u8]) -> Result<Item, redb::Error> {
    let (create_revision, rest) = split_number(bytes)?;
    let (mod_revision, rest) = split_number(rest)?;
    let (version, rest) = split_number(rest)?;
    let (lease, value) = split_number(rest)?;
    Ok(Item {
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
        create_revision,
        mod_revision,
        version,
        lease: (lease != 0).then_some(LeaseId(lease)),
    })
}

/// Lays out a superseded item.
pub(super) fn encode_superseded(item: &Item, until: Revision) -> Vec<u8> {
    let mut bytes = until.to_le_bytes().to_vec();
    bytes.extend_from_slice(&encode(item));
    bytes
}

/// Splits a row of `history` into the revision that superseded the item, and the item's bytes.
pub(super) fn split_superseded(bytes: &[u8]) -> Result<(Revision, &[u8]), redb::Error> {
    split_number(bytes)
}

fn split_number(bytes: &[u8]) -> Result<(i64, &[u8]), redb::Error> {
    let (number, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or_else(|| redb::Error::Corrupted("an item is shorter than its header".to_owned()))?;
    Ok((i64::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_read_back() {
        for lease in [None, Some(LeaseId(-7))] {
            let item = Item {
                key: "k".into(),
                value: "value".into(),
                create_revision: 3,
                mod_revision: i64::MAX,
                version: 2,
                lease,
            };
            assert_eq!(decode(b"k", &encode(&item)).unwrap(), item);
            let bytes = encode_superseded(&item, 9);
            let (until, rest) = split_superseded(&bytes).unwrap();
            assert_eq!((until, decode(b"k", rest).unwrap()), (9, item));
        }
    }

    #[test]
    fn short_rows_are_corrupt() {
        assert!(matches!(decode(b"k", &[0; ITEM_HEADER - 1]), Err(redb::Error::Corrupted(_))));
    }
}
