//! The last topology that was in force, on disk, so that a worker starts and serves without the control plane.
//!
//! Every change is appended as one record; when the file has grown to twice what it holds it is written anew. What is
//! lost in a crash is at most the last second, and control sends that again.

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use prost::Message;
use um_discovery::{Applied, Change, Resources, client::LastKnownGood, client::Persist, delta};
use um_wire::{sync::Delivered, v1};

use crate::journal::Journal;

/// Name of the file in the state directory.
const FILE: &str = "last-known-good";
/// Resources of one record when the file is written anew.
const CHUNK: usize = 500;
/// The file is not written anew below this length, bytes.
const SMALL: u64 = 1 << 20;
/// A change this long is not appended, the file is written anew, bytes.
const LONG_RECORD: usize = 8 << 20;
/// How soon what could not be written is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// Longest time between an append and its way to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The file.
#[derive(Debug)]
pub(crate) struct Keeper {
    journal: Journal,
    kept: Resources<Delivered>,
    rewritten_length: u64,
    /// What could not be written; the file lacks it, so that nothing may be appended before it is written anew.
    missing: Option<Applied>,
    sync_at: Option<Instant>,
}

/// One record: changes, and with `complete` the topology that stands after them.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, repeated, tag = "1")]
    puts: Vec<v1::Resource>,
    #[prost(string, repeated, tag = "2")]
    deletes: Vec<String>,
    #[prost(bool, tag = "3")]
    complete: bool,
    #[prost(string, tag = "4")]
    store_id: String,
    #[prost(int64, tag = "5")]
    revision: i64,
    #[prost(bool, tag = "6")]
    partial: bool,
}

impl Keeper {
    /// Opens the file in `state_dir` and reads what it holds.
    ///
    /// # Errors
    ///
    /// When the directory cannot be created or the file not be read.
    pub(crate) fn open(state_dir: &Path) -> io::Result<(Self, Option<LastKnownGood<Delivered>>)> {
        let (mut building, mut whole) = (Resources::new(), None);
        let journal = Journal::open(&state_dir.join(FILE), |bytes| {
            let Ok(record) = Record::decode(bytes) else { return };
            read_into(&mut building, &record);
            if record.complete {
                let applied = Applied {
                    store_id: Arc::from(record.store_id),
                    revision: record.revision,
                    partial: record.partial,
                };
                whole = Some(LastKnownGood { applied, resources: building.clone() });
            }
        })?;
        let kept = whole.as_ref().map(|known| known.resources.clone()).unwrap_or_default();
        let rewritten_length = journal.length();
        Ok((Self { journal, kept, rewritten_length, missing: None, sync_at: None }, whole))
    }

    /// Keeps what is in force now.
    ///
    /// # Errors
    ///
    /// When the disk does not take it; the worker goes on, and it is tried again with the next change and every
    /// few seconds.
    pub(crate) fn keep(&mut self, now: Instant, persist: Persist<Delivered>) -> io::Result<()> {
        let record = record_of(&persist);
        for change in persist.changes {
            delta::apply(&mut self.kept, change);
        }
        let grown = self.journal.length() > SMALL.max(self.rewritten_length.saturating_mul(2));
        let anew = self.journal.length() == 0 || grown || record.encoded_len() > LONG_RECORD;
        if anew || self.missing.is_some() {
            return self.rewrite(now, persist.applied);
        }
        match self.journal.append(&record.encode_to_vec()) {
            Ok(()) => self.sync_at = self.sync_at.or(Some(now + SYNC_EVERY)),
            Err(error) => {
                self.missing = Some(persist.applied);
                self.sync_at = Some(now + RETRY_EVERY);
                return Err(error);
            }
        }
        Ok(())
    }

    fn rewrite(&mut self, now: Instant, applied: Applied) -> io::Result<()> {
        let records = records_of(&self.kept, &applied);
        self.missing = Some(applied);
        self.sync_at = Some(now + RETRY_EVERY);
        self.journal.rewrite(records.into_iter())?;
        self.rewritten_length = self.journal.length();
        self.missing = None;
        self.sync_at = None;
        Ok(())
    }

    /// When [`Keeper::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.sync_at
    }

    /// Brings appended records to the disk when that is due, and what could not be written before.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> io::Result<()> {
        if self.sync_at.take_if(|at| *at <= now).is_none() {
            return Ok(());
        }
        match self.missing.take() {
            Some(applied) => self.rewrite(now, applied),
            None => self.journal.sync(),
        }
    }

    /// Brings appended records to the disk now.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.journal.sync()
    }
}

fn read_into(resources: &mut Resources<Delivered>, record: &Record) {
    for put in &record.puts {
        resources.insert(Arc::from(put.name()), Delivered::read(put));
    }
    for name in &record.deletes {
        resources.remove(name.as_str());
    }
}

fn record_of(persist: &Persist<Delivered>) -> Record {
    let (mut puts, mut deletes) = (Vec::new(), Vec::new());
    for change in &persist.changes {
        match change {
            Change::Put(_, Delivered::Resource(resource)) => puts.push(resource.into()),
            // What cannot be read was refused, so it is not in force.
            Change::Put(_, Delivered::Unreadable(_)) => {}
            Change::Delete(name) => deletes.push(name.to_string()),
        }
    }
    completed(Record { puts, deletes, ..Default::default() }, &persist.applied)
}

/// Everything, in as few records as keep each one small.
fn records_of(resources: &Resources<Delivered>, applied: &Applied) -> Vec<Vec<u8>> {
    let readable = resources.values().filter_map(|delivered| match delivered {
        Delivered::Resource(resource) => Some(v1::Resource::from(resource)),
        Delivered::Unreadable(_) => None,
    });
    let all: Vec<v1::Resource> = readable.collect();
    let chunks = all.chunks(CHUNK).map(|puts| Record { puts: puts.to_vec(), ..Default::default() });
    let last = completed(Record::default(), applied);
    chunks.chain([last]).map(|record| record.encode_to_vec()).collect()
}

fn completed(record: Record, applied: &Applied) -> Record {
    Record {
        complete: true,
        store_id: applied.store_id.to_string(),
        revision: applied.revision,
        partial: applied.partial,
        ..record
    }
}

#[cfg(test)]
mod tests {
    use um_topology::{ProxyList, Resource};

    use super::*;
    use crate::clock;

    fn list(id: &str) -> Change<Delivered> {
        let list = ProxyList::new(id, Vec::new());
        Change::Put(Arc::from(format!("proxyLists/{id}")), Delivered::Resource(Resource::from(list)))
    }

    fn persist(revision: i64, changes: Vec<Change<Delivered>>) -> Persist<Delivered> {
        let applied = Applied { store_id: Arc::from("s"), revision, partial: revision % 2 == 1 };
        Persist { applied, changes }
    }

    fn names(known: &LastKnownGood<Delivered>) -> Vec<&str> {
        known.resources.keys().map(|name| &**name).collect()
    }

    #[test]
    fn what_was_in_force_is_read_back_after_any_number_of_changes() {
        let directory = tempfile::tempdir().unwrap();
        let (mut keeper, known) = Keeper::open(directory.path()).unwrap();
        assert_eq!(known, None);
        keeper.keep(clock::now(), persist(2, vec![list("a"), list("b")])).unwrap();
        keeper
            .keep(clock::now(), persist(3, vec![Change::Delete(Arc::from("proxyLists/a")), list("c")]))
            .unwrap();
        let (mut keeper, known) = Keeper::open(directory.path()).unwrap();
        let known = known.unwrap();
        assert_eq!(names(&known), ["proxyLists/b", "proxyLists/c"]);
        assert_eq!((known.applied.revision, known.applied.partial), (3, true));
        keeper.keep(clock::now(), persist(4, vec![list("d")])).unwrap();
        let known = Keeper::open(directory.path()).unwrap().1.unwrap();
        assert_eq!((names(&known).len(), known.applied.revision), (3, 4));
    }

    #[test]
    fn what_the_disk_refused_is_written_when_it_takes_again_and_never_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let (mut keeper, _) = Keeper::open(&state).unwrap();
        std::fs::remove_dir(&state).unwrap();
        let now = clock::now();
        assert!(keeper.keep(now, persist(2, vec![list("a")])).is_err());
        assert!(keeper.keep(now, persist(4, vec![list("b")])).is_err());
        let retry = keeper.poll_timeout().unwrap();
        assert!(retry > now && keeper.handle_timeout(now).is_ok());
        assert!(keeper.handle_timeout(retry).is_err());
        std::fs::create_dir(&state).unwrap();
        let retry = keeper.poll_timeout().unwrap();
        keeper.handle_timeout(retry).unwrap();
        assert_eq!(keeper.poll_timeout(), None);
        let known = Keeper::open(&state).unwrap().1.unwrap();
        assert_eq!((names(&known), known.applied.revision), (vec!["proxyLists/a", "proxyLists/b"], 4));
    }

    #[test]
    fn the_file_is_written_anew_before_it_grows_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let (mut keeper, _) = Keeper::open(directory.path()).unwrap();
        let mut longest = 0;
        for revision in 1..40_000 {
            keeper.keep(clock::now(), persist(revision, vec![list("a"), list("b")])).unwrap();
            longest = longest.max(keeper.journal.length());
        }
        assert!(longest < 2 * SMALL, "{longest}");
        assert_eq!(Keeper::open(directory.path()).unwrap().1.unwrap().applied.revision, 39_999);
    }
}
