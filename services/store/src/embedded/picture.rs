//! The store as one read transaction of the file sees it: reads at a revision, and what the log
//! says happened since one.

use std::{cmp::Ordering, ops::Bound};

use bytes::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase};

use super::{
    failure::failed,
    schema::{CURRENT, HISTORY, LOG, NUMBER_OLDEST, NUMBER_REVISION, NUMBERS, decode, split_superseded},
};
use crate::{
    error::StoreError,
    item::{Found, Item, Page, Revision},
    key::{KeyRange, successor},
    store::PAGE_ITEMS_MAX,
    watch::{Batch, Event, Interest},
};

/// Log entries that one read of a watch covers, so that it neither holds a picture for long nor
/// takes much memory; a revision is never split.
const LOG_ENTRIES_PER_READ: usize = 2_000;
/// Bytes of values after which such a read stops.
const LOG_BYTES_PER_READ: usize = 4 << 20;

/// A consistent view of the file.
pub(super) struct Picture {
    current: ReadOnlyTable<&'static [u8], &'static [u8]>,
    history: ReadOnlyTable<(&'static [u8], i64), &'static [u8]>,
    log: ReadOnlyTable<(i64, &'static [u8]), (i64, bool)>,
    pub(super) revision: Revision,
    pub(super) oldest: Revision,
}

/// What a watch reads at once.
pub(super) struct Since {
    pub(super) batches: Vec<Batch>,
    /// The first revision that was not read.
    pub(super) next: Revision,
}

impl Picture {
    pub(super) fn take(database: &Database) -> Result<Self, StoreError> {
        Self::try_take(database).map_err(failed)
    }

    fn try_take(database: &Database) -> Result<Self, redb::Error> {
        let read = database.begin_read()?;
        let numbers = read.open_table(NUMBERS)?;
        let number = |name| Ok::<_, redb::Error>(numbers.get(name)?.map_or(0, |number| number.value()));
        Ok(Self {
            current: read.open_table(CURRENT)?,
            history: read.open_table(HISTORY)?,
            log: read.open_table(LOG)?,
            revision: number(NUMBER_REVISION)?,
            oldest: number(NUMBER_OLDEST)?,
        })
    }

    pub(super) fn get(&self, keys: &[Bytes], at: Option<Revision>) -> Result<Found, StoreError> {
        let revision = self.readable(at)?;
        let items =
            keys.iter().map(|key| self.item(key, revision)).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Found { items, revision })
    }

    pub(super) fn scan(
        &self,
        prefix: &[u8],
        at: Option<Revision>,
        limit: usize,
        after: Option<&[u8]>,
    ) -> Result<Page, StoreError> {
        let revision = self.readable(at)?;
        let limit = if limit == 0 { PAGE_ITEMS_MAX } else { limit.min(PAGE_ITEMS_MAX) };
        let whole = KeyRange::prefix(prefix);
        let end = whole.end();
        let start = after.map_or_else(Bytes::new, successor).max(whole.start().clone());
        if end.as_ref().is_some_and(|end| *end <= start) {
            return Ok(Page { items: Vec::new(), revision, more: false });
        }
        let mut items = self.page(&start, end.as_deref(), revision, limit + 1).map_err(failed)?;
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, revision, more })
    }

    /// Reads what happened in [`from`, `until`], as far as one read goes.
    pub(super) fn since(
        &self,
        from: Revision,
        until: Revision,
        interest: &Interest,
    ) -> Result<Since, StoreError> {
        if from < self.oldest {
            return Err(StoreError::Compacted { oldest: self.oldest });
        }
        self.read_log(from, until, interest).map_err(failed)
    }

    /// Counts the rows of what exists, of history and of the log.
    #[cfg(test)]
    pub(super) fn rows(&self) -> Result<(u64, u64, u64), StoreError> {
        use redb::ReadableTableMetadata;
        let rows = || Ok::<_, redb::Error>((self.current.len()?, self.history.len()?, self.log.len()?));
        rows().map_err(failed)
    }

    fn read_log(&self, from: Revision, until: Revision, interest: &Interest) -> Result<Since, redb::Error> {
        let mut batches: Vec<Batch> = Vec::new();
        let (mut entries, mut bytes, mut last) = (0, 0, from);
        for row in self.log.range((from, [].as_slice())..(until + 1, [].as_slice()))? {
            let (row, entry) = row?;
            let (revision, key) = row.value();
            if revision != last && (entries >= LOG_ENTRIES_PER_READ || bytes >= LOG_BYTES_PER_READ) {
                return Ok(Since { batches, next: revision });
            }
            last = revision;
            entries += 1;
            if !interest.covers(key) {
                continue;
            }
            let (before, deleted) = entry.value();
            let event = self.event(key, revision, before, deleted)?;
            bytes += weight(&event);
            match batches.last_mut() {
                Some(batch) if batch.revision == revision => batch.events.push(event),
                Some(_) | None => batches.push(Batch { revision, events: vec![event] }),
            }
        }
        Ok(Since { batches, next: until + 1 })
    }

    fn event(
        &self,
        key: &[u8],
        revision: Revision,
        before: Revision,
        deleted: bool,
    ) -> Result<Event, redb::Error> {
        // What the oldest readable revision superseded is not readable any more.
        let kept = before != 0 && revision > self.oldest;
        let previous = if kept { self.superseded(key, before)? } else { None };
        if deleted {
            return Ok(Event::Delete { key: Bytes::copy_from_slice(key), previous });
        }
        let current = self.current_item(key)?.filter(|item| item.mod_revision == revision);
        let item = match current {
            Some(item) => item,
            None => self.superseded(key, revision)?.ok_or_else(|| {
                redb::Error::Corrupted(format!("the log names revision {revision}, which has no item"))
            })?,
        };
        Ok(Event::Put { item, previous })
    }

    fn readable(&self, at: Option<Revision>) -> Result<Revision, StoreError> {
        match at {
            None => Ok(self.revision),
            Some(at) if at > self.revision => Err(StoreError::FutureRevision { current: self.revision }),
            Some(at) if at < self.oldest => Err(StoreError::Compacted { oldest: self.oldest }),
            Some(at) => Ok(at),
        }
    }

    fn item(&self, key: &[u8], at: Revision) -> Result<Option<Item>, redb::Error> {
        if let Some(item) = self.current_item(key)?
            && item.mod_revision <= at
        {
            return Ok(Some(item));
        }
        match self.history.range((key, 0)..=(key, at))?.next_back().transpose()? {
            Some((_, row)) => visible(key, row.value(), at),
            None => Ok(None),
        }
    }

    fn current_item(&self, key: &[u8]) -> Result<Option<Item>, redb::Error> {
        self.current.get(key)?.map(|row| decode(key, row.value())).transpose()
    }

    fn superseded(&self, key: &[u8], put_at: Revision) -> Result<Option<Item>, redb::Error> {
        let row = self.history.get((key, put_at))?;
        row.map(|row| decode(key, split_superseded(row.value())?.1)).transpose()
    }

    /// Merges what exists now with what existed at the revision; a key is in at most one of them.
    fn page(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        at: Revision,
        limit: usize,
    ) -> Result<Vec<Item>, redb::Error> {
        let until = end.map_or(Bound::Unbounded, Bound::Excluded);
        let mut current = self
            .current
            .range::<&[u8]>((Bound::Included(start), until))?
            .map(|row| row.map_err(redb::Error::from).and_then(|(key, row)| decode(key.value(), row.value())))
            .filter(|item| item.as_ref().map_or(true, |item| item.mod_revision <= at))
            .peekable();
        let past_until = end.map_or(Bound::Unbounded, |end| Bound::Excluded((end, 0)));
        // Nothing that history holds is visible at the newest revision.
        let past_start =
            if at == self.revision { None } else { Some((Bound::Included((start, 0)), past_until)) };
        let mut past = past_start
            .map(|range| self.history.range::<(&[u8], i64)>(range))
            .transpose()?
            .into_iter()
            .flatten()
            .filter_map(|row| {
                let seen = row.map_err(redb::Error::from).and_then(|(key, row)| {
                    let (key, put_at) = key.value();
                    if put_at > at { Ok(None) } else { visible(key, row.value(), at) }
                });
                seen.transpose()
            })
            .peekable();
        let mut items = Vec::with_capacity(limit.min(256));
        while items.len() < limit {
            let from_past = match (current.peek(), past.peek()) {
                (Some(Ok(now)), Some(Ok(then))) => then.key.cmp(&now.key) == Ordering::Less,
                (_, Some(_)) => true,
                (_, None) => false,
            };
            match if from_past { past.next() } else { current.next() } {
                Some(item) => items.push(item?),
                None => break,
            }
        }
        Ok(items)
    }
}

/// The superseded item, when it was still visible at the revision.
fn visible(key: &[u8], row: &[u8], at: Revision) -> Result<Option<Item>, redb::Error> {
    let (until, item) = split_superseded(row)?;
    if until > at { decode(key, item).map(Some) } else { Ok(None) }
}

fn weight(event: &Event) -> usize {
    let item = |item: &Item| item.key.len() + item.value.len();
    let previous = event.previous().map_or(0, item);
    match event {
        Event::Put { item: put, .. } => item(put) + previous,
        Event::Delete { key, .. } => key.len() + previous,
    }
}
