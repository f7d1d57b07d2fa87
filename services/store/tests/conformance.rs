//! The semantics of the trait, checked on every backend by the same functions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance {
    pub(crate) mod history;
    pub(crate) mod leases;
    pub(crate) mod reads;
    pub(crate) mod transactions;
    pub(crate) mod watches;
}

use std::sync::Arc;

use bytes::Bytes;
use um_store::{
    EmbeddedOptions, EmbeddedStore, EtcdStore, Event, Item, Op, Revision, Store, Txn, Watch, WatchEvent,
    testing::EtcdServer,
};

/// A store to test, and what must outlive it.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    _keep: Box<dyn std::any::Any>,
}

/// A fresh embedded store.
async fn embedded() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path().join("store"), EmbeddedOptions::default()).await.unwrap();
    Fixture { store: Arc::new(store), _keep: Box::new(folder) }
}

/// A store on a fresh etcd.
async fn etcd() -> Fixture {
    let server = EtcdServer::start().await;
    let store = EtcdStore::connect([server.url()]).await.unwrap();
    Fixture { store: Arc::new(store), _keep: Box::new(server) }
}

macro_rules! suite {
    ($($area:ident :: $test:ident),* $(,)?) => {
        mod on_embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let fixture = super::embedded().await;
                super::conformance::$area::$test(&*fixture.store).await;
            })*
        }
        mod on_etcd {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let fixture = super::etcd().await;
                super::conformance::$area::$test(&*fixture.store).await;
            })*
        }
    };
}

suite! {
    reads::a_put_is_read_back_with_its_numbers,
    reads::recreated_key_starts_anew,
    reads::get_answers_in_the_order_asked,
    reads::get_takes_any_number_of_keys,
    reads::scan_pages_in_key_order_at_one_revision,
    reads::scan_knows_where_a_prefix_ends,
    reads::scan_of_everything_and_of_nothing,
    reads::status_describes_the_store,
    transactions::then_runs_when_all_compares_hold,
    transactions::otherwise_runs_and_reads_when_one_does_not,
    transactions::compares_relate_every_number_of_a_key,
    transactions::compares_over_a_range_hold_for_all_or_none,
    transactions::reads_see_the_steps_before_them,
    transactions::deletion_of_nothing_takes_no_revision,
    transactions::one_revision_covers_all_steps,
    transactions::malformed_transactions_are_refused,
    transactions::concurrent_increments_are_all_kept,
    history::old_revisions_stay_readable,
    history::unreadable_revisions_are_refused_with_the_readable_one,
    history::compaction_keeps_its_revision_and_the_present,
    history::compaction_refuses_what_it_cannot_do,
    history::snapshot_streams_the_store,
    watches::changes_arrive_with_what_stood_before,
    watches::a_revision_over_several_prefixes_is_one_batch,
    watches::a_watch_resumes_from_any_revision,
    watches::the_compacted_revision_itself_can_be_watched,
    watches::a_watch_of_the_compacted_past_says_so_and_ends,
    watches::a_future_revision_is_waited_for,
    watches::progress_answers_a_request,
    watches::megabytes_of_history_arrive_whole,
    watches::a_watch_needs_a_prefix_and_a_revision,
    leases::revocation_deletes_all_keys_in_one_revision,
    leases::a_lease_that_is_not_renewed_expires,
    leases::a_renewed_lease_lives_on,
    leases::a_missing_lease_refuses_the_whole_transaction,
    leases::a_put_moves_a_key_to_its_lease_or_to_none,
}

/// Writes one key; returns the revision.
pub(crate) async fn put(store: &dyn Store, key: &str, value: &str) -> Revision {
    let txn = Txn::new().then(Op::put(key.to_owned(), value.to_owned()));
    store.txn(txn).await.unwrap().revision
}

/// Deletes one key; returns the revision.
pub(crate) async fn delete(store: &dyn Store, key: &str) -> Revision {
    store.txn(Txn::new().then(Op::delete(key.to_owned()))).await.unwrap().revision
}

/// Reads one key now.
pub(crate) async fn read(store: &dyn Store, key: &str) -> Option<Item> {
    store.get(&[Bytes::copy_from_slice(key.as_bytes())], None).await.unwrap().items.remove(0)
}

/// Reads the keys under a prefix now.
pub(crate) async fn keys_under(store: &dyn Store, prefix: &str) -> Vec<String> {
    let page = store.scan(prefix.as_bytes(), None, 0, None).await.unwrap();
    page.items.iter().map(|item| text(&item.key)).collect()
}

/// The next batch of a watch, as its revision and short texts: `+key=value` or `-key`.
pub(crate) async fn batch(watch: &mut Watch) -> (Revision, Vec<String>) {
    loop {
        match watch.next().await.expect("the watch goes on") {
            WatchEvent::Batch(batch) => {
                return (batch.revision, batch.events.iter().map(describe).collect());
            }
            WatchEvent::Progress(_) | WatchEvent::Alive => {}
            WatchEvent::Compacted { oldest } => panic!("compacted to {oldest}"),
        }
    }
}

fn describe(event: &Event) -> String {
    let before = event.previous().map_or(String::new(), |item| format!(" was {}", text(&item.value)));
    match event {
        Event::Put { item, .. } => format!("+{}={}{before}", text(&item.key), text(&item.value)),
        Event::Delete { key, .. } => format!("-{}{before}", text(key)),
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
