//! Reading: single keys, lists of keys, pages.

use bytes::Bytes;
use um_store::{Op, Store, Txn};

use crate::{delete, keys_under, put, read, text};

pub(crate) async fn a_put_is_read_back_with_its_numbers(store: &dyn Store) {
    let before = store.revision().await.unwrap();
    let first = put(store, "k", "one").await;
    assert_eq!(first, before + 1);
    put(store, "other", "x").await;
    let second = put(store, "k", "two").await;
    assert_eq!(second, before + 3);
    let item = read(store, "k").await.unwrap();
    assert_eq!(text(&item.value), "two");
    assert_eq!((item.create_revision, item.mod_revision, item.version), (first, second, 2));
    assert_eq!(item.lease, None);
    assert_eq!(store.revision().await.unwrap(), second);
}

pub(crate) async fn recreated_key_starts_anew(store: &dyn Store) {
    put(store, "k", "one").await;
    put(store, "k", "two").await;
    delete(store, "k").await;
    assert_eq!(read(store, "k").await, None);
    let again = put(store, "k", "").await;
    let item = read(store, "k").await.unwrap();
    assert_eq!((item.create_revision, item.mod_revision, item.version), (again, again, 1));
    assert!(item.value.is_empty());
}

pub(crate) async fn get_answers_in_the_order_asked(store: &dyn Store) {
    put(store, "a", "1").await;
    let revision = put(store, "b", "2").await;
    let keys = ["b", "missing", "a", "b"].map(Bytes::from);
    let found = store.get(&keys, None).await.unwrap();
    assert_eq!(found.revision, revision);
    let values: Vec<_> = found.items.iter().map(|item| item.as_ref().map(|item| text(&item.value))).collect();
    assert_eq!(values, [Some("2".to_owned()), None, Some("1".to_owned()), Some("2".to_owned())]);
    assert_eq!(store.get(&[], None).await.unwrap().revision, revision);
}

pub(crate) async fn get_takes_any_number_of_keys(store: &dyn Store) {
    fill(store, "n/", 300).await;
    let keys: Vec<Bytes> = (0..300).map(|n| Bytes::from(format!("n/{n:04}"))).collect();
    let found = store.get(&keys, None).await.unwrap();
    assert_eq!(found.items.len(), 300);
    assert!(found.items.iter().zip(&keys).all(|(item, key)| item.as_ref().unwrap().key == *key));
}

pub(crate) async fn scan_pages_in_key_order_at_one_revision(store: &dyn Store) {
    fill(store, "p/", 10).await;
    let first = store.scan(b"p/", None, 4, None).await.unwrap();
    assert!(first.more);
    // What happens after the first page is not in the picture.
    put(store, "p/0004x", "new").await;
    put(store, "p/0005", "changed").await;
    delete(store, "p/0006").await;
    delete(store, "p/0009").await;
    put(store, "p/0009", "again").await;
    let mut items = first.items;
    let mut more = first.more;
    while more {
        let after = items.last().unwrap().key.clone();
        let page = store.scan(b"p/", Some(first.revision), 4, Some(&after)).await.unwrap();
        assert_eq!(page.revision, first.revision);
        more = page.more;
        items.extend(page.items);
    }
    let keys: Vec<String> = items.iter().map(|item| text(&item.key)).collect();
    let expected: Vec<String> = (0..10).map(|n| format!("p/{n:04}")).collect();
    assert_eq!(keys, expected);
    assert!(items.iter().all(|item| text(&item.value) == "v" && item.version == 1));
}

pub(crate) async fn scan_knows_where_a_prefix_ends(store: &dyn Store) {
    for key in ["a", "a/", "a/1", "a/\u{7f}", "a0", "b"] {
        put(store, key, "v").await;
    }
    assert_eq!(keys_under(store, "a/").await, ["a/", "a/1", "a/\u{7f}"]);
    let high = [0xff, 0xff];
    store.txn(Txn::new().then(Op::put(high.to_vec(), "v"))).await.unwrap();
    let page = store.scan(&[0xff], None, 0, None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let page = store.scan(b"a/", None, 0, Some(b"a/1")).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

pub(crate) async fn scan_of_everything_and_of_nothing(store: &dyn Store) {
    let empty = store.scan(b"", None, 0, None).await.unwrap();
    assert!(empty.items.is_empty() && !empty.more);
    fill(store, "", 3).await;
    assert_eq!(keys_under(store, "").await, ["0000", "0001", "0002"]);
    let page = store.scan(b"", None, 3, None).await.unwrap();
    assert!(!page.more, "a full last page is the last");
    let page = store.scan(b"", None, 3, Some(b"0002")).await.unwrap();
    assert!(page.items.is_empty() && !page.more);
    assert!(keys_under(store, "nothing/").await.is_empty());
}

pub(crate) async fn status_describes_the_store(store: &dyn Store) {
    let revision = put(store, "k", "v").await;
    let status = store.status().await.unwrap();
    assert_eq!(status.revision, revision);
    assert!(!status.store_id.is_empty() && !status.version.is_empty() && !status.endpoint.is_empty());
    assert!(status.size_bytes >= status.used_bytes && status.used_bytes > 0);
    assert_eq!(store.status().await.unwrap().store_id, status.store_id);
}

/// Writes `count` numbered keys, as many at once as a transaction takes.
async fn fill(store: &dyn Store, prefix: &str, count: usize) {
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(um_store::OPERATIONS_MAX) {
        let txn = chunk.iter().fold(Txn::new(), |txn, n| txn.then(Op::put(format!("{prefix}{n:04}"), "v")));
        store.txn(txn).await.unwrap();
    }
}
