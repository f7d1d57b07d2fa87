//! A process that writes to the embedded store is killed again and again; nothing it was told is
//! written may be missing, and no revision may be skipped or repeated.
//!
//! The process is this test itself, started anew in a folder that holds the file [`FIRST`], which
//! makes it the writer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use um_store::{EmbeddedOptions, EmbeddedStore, Op, Revision, Store, Txn, WatchEvent};

/// Names the number of the first write.
const FIRST: &str = "first-write";
const WRITES: usize = 10_000;
const WRITERS: usize = 8;
/// Acknowledgements after which each process is killed, in turn.
const KILLED_AFTER: [usize; 6] = [1, 1_777, 333, 2_500, 1_024, 3_001];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_at_any_moment() {
    if let Ok(first) = fs::read_to_string(FIRST) {
        return write_until_killed(first.parse().unwrap()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut kills = KILLED_AFTER.iter().cycle();
    let mut next = 0;
    while acknowledged.len() < WRITES {
        fs::write(folder.path().join(FIRST), next.to_string()).unwrap();
        let killed_after = *kills.next().unwrap();
        let more = run_and_kill(folder.path(), killed_after);
        assert!(more.len() >= killed_after);
        acknowledged.extend(more);
        next = check(folder.path(), &acknowledged).await + 1;
    }
}

/// Runs the writer until it has acknowledged so much; returns all it acknowledged: number and revision.
fn run_and_kill(folder: &Path, after: usize) -> BTreeMap<usize, Revision> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["acknowledged_writes_survive_kills_at_any_moment", "--exact", "--nocapture"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = BTreeMap::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        // The last line may be cut off, and was then not acknowledged to anybody.
        if line.ends_with('\n')
            && let Some((number, revision)) =
                line.trim().strip_prefix("written ").and_then(|w| w.split_once(' '))
        {
            acknowledged.insert(number.parse().unwrap(), revision.parse().unwrap());
            if acknowledged.len() == after {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    child.wait().unwrap();
    acknowledged
}

/// Opens the store as the next process would; returns the highest number in it.
async fn check(folder: &Path, acknowledged: &BTreeMap<usize, Revision>) -> usize {
    let store = EmbeddedStore::open(folder.join("store"), EmbeddedOptions::default()).await.unwrap();
    let head = store.revision().await.unwrap();
    let mut watch = store.watch(vec!["n/".into()], 1).await.unwrap();
    let mut written = BTreeMap::new();
    for expected in 2..=head {
        let Some(WatchEvent::Batch(batch)) = watch.next().await else { panic!("the watch ended early") };
        assert_eq!(batch.revision, expected, "revisions are contiguous");
        assert_eq!(batch.events.len(), 1);
        let number: usize = std::str::from_utf8(&batch.events[0].key()[2..]).unwrap().parse().unwrap();
        assert_eq!(written.insert(number, expected), None, "no write happens twice");
    }
    for (number, revision) in acknowledged {
        assert_eq!(written.get(number), Some(revision), "write {number} was acknowledged");
    }
    let mut last = None;
    let mut present = 0;
    loop {
        let page = store.scan(b"n/", None, 0, last.as_deref()).await.unwrap();
        present += page.items.len();
        last = page.items.last().map(|item| item.key.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(present, written.len(), "the log and the present agree");
    written.keys().next_back().copied().unwrap_or(0)
}

/// Writes numbered keys and says so, once they are acknowledged.
async fn write_until_killed(first: usize) {
    let store = Arc::new(EmbeddedStore::open("store", EmbeddedOptions::default()).await.unwrap());
    let next = Arc::new(AtomicUsize::new(first));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (store, next) = (Arc::clone(&store), Arc::clone(&next));
            tokio::spawn(async move {
                for _ in 0..WRITES {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let txn = Txn::new().then(Op::put(format!("n/{number}"), number.to_string()));
                    let revision = store.txn(txn).await.unwrap().revision;
                    say(number, revision);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Tells the parent process; the line is whole or it does not count.
fn say(number: usize, revision: Revision) {
    let mut parent = std::io::stdout().lock();
    writeln!(parent, "written {number} {revision}").unwrap();
}
