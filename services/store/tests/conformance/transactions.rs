//! Transactions: compares, branches, one revision.

use um_store::{Check, Compare, KeyRange, Op, OpResult, Relation, Store, StoreError, Txn};

use crate::{keys_under, put, read, text};

pub(crate) async fn then_runs_when_all_compares_hold(store: &dyn Store) {
    let revision = put(store, "old", "v").await;
    let txn = Txn::new()
        .when(Compare::absent("new"))
        .when(Compare::exists("old"))
        .when(Compare::unchanged("old", revision))
        .when(Compare::created_at("old", revision))
        .when(Compare::value("old", "v"))
        .then(Op::put("new", "n"))
        .then(Op::delete("old"))
        .otherwise(Op::get("old"));
    let outcome = store.txn(txn).await.unwrap();
    assert!(outcome.succeeded);
    assert_eq!(outcome.revision, revision + 1);
    assert_eq!(outcome.results, [OpResult::Put, OpResult::Delete { deleted: 1 }]);
    assert_eq!(keys_under(store, "").await, ["new"]);
}

pub(crate) async fn otherwise_runs_and_reads_when_one_does_not(store: &dyn Store) {
    put(store, "a", "1").await;
    let revision = put(store, "b", "2").await;
    let txn = Txn::new()
        .when(Compare::exists("a"))
        .when(Compare::absent("b"))
        .then(Op::put("c", "3"))
        .otherwise(Op::get("a"))
        .otherwise(Op::get("b"))
        .otherwise(Op::get("c"));
    let outcome = store.txn(txn).await.unwrap();
    assert!(!outcome.succeeded);
    assert_eq!(outcome.revision, revision);
    let found: Vec<Vec<String>> = outcome
        .results
        .iter()
        .map(|result| result.items().iter().map(|item| text(&item.value)).collect())
        .collect();
    assert_eq!(found, [vec!["1"], vec!["2"], vec![]]);
    assert_eq!(read(store, "c").await, None);
}

pub(crate) async fn compares_relate_every_number_of_a_key(store: &dyn Store) {
    put(store, "k", "a").await;
    put(store, "k", "b").await;
    let item = read(store, "k").await.unwrap();
    let checks = [
        (Check::Version(1), Check::Version(2), Check::Version(3)),
        (
            Check::CreateRevision(item.create_revision - 1),
            Check::CreateRevision(item.create_revision),
            Check::CreateRevision(item.create_revision + 1),
        ),
        (
            Check::ModRevision(item.mod_revision - 1),
            Check::ModRevision(item.mod_revision),
            Check::ModRevision(item.mod_revision + 1),
        ),
        (Check::Value("a".into()), Check::Value("b".into()), Check::Value("c".into())),
    ];
    for (less, same, more) in checks {
        for (check, is_greater, is_equal, is_less) in
            [(less, true, false, false), (same, false, true, false), (more, false, false, true)]
        {
            for (relation, expected) in [
                (Relation::Greater, is_greater),
                (Relation::Equal, is_equal),
                (Relation::Less, is_less),
                (Relation::NotEqual, !is_equal),
            ] {
                let compare = Compare::single("k", relation, check.clone());
                assert_eq!(holds(store, compare.clone()).await, expected, "{compare:?}");
            }
        }
    }
    // A missing key has zeros for numbers, and no value to compare.
    assert!(holds(store, Compare::single("none", Relation::Less, Check::Version(1))).await);
    assert!(holds(store, Compare::single("none", Relation::Equal, Check::ModRevision(0))).await);
    assert!(!holds(store, Compare::value("none", "")).await);
    assert!(!holds(store, Compare::single("none", Relation::NotEqual, Check::Value("x".into()))).await);
}

pub(crate) async fn compares_over_a_range_hold_for_all_or_none(store: &dyn Store) {
    assert!(holds(store, Compare::none_under(b"r/")).await);
    assert!(holds(store, Compare::unchanged_under(b"r/", 0)).await);
    put(store, "r", "beside").await;
    put(store, "r0", "beside").await;
    assert!(holds(store, Compare::none_under(b"r/")).await);
    let first = put(store, "r/1", "v").await;
    let second = put(store, "r/2", "v").await;
    assert!(!holds(store, Compare::none_under(b"r/")).await);
    assert!(holds(store, Compare::unchanged_under(b"r/", second)).await);
    assert!(!holds(store, Compare::unchanged_under(b"r/", first)).await);
    let values = |value: &'static str| Compare {
        keys: KeyRange::prefix(b"r/"),
        relation: Relation::Equal,
        check: Check::Value(value.into()),
    };
    assert!(holds(store, values("v")).await);
    put(store, "r/2", "w").await;
    assert!(!holds(store, values("v")).await);
    let everything = Compare { keys: KeyRange::prefix(b""), ..Compare::none_under(b"") };
    assert!(!holds(store, everything).await);
}

pub(crate) async fn reads_see_the_steps_before_them(store: &dyn Store) {
    put(store, "s/1", "old").await;
    let txn = Txn::new()
        .then(Op::get_prefix(b"s/", 0))
        .then(Op::put("s/2", "new"))
        .then(Op::put("s/3", "new"))
        .then(Op::get_prefix(b"s/", 2))
        .then(Op::delete("s/1"))
        .then(Op::get("s/1"));
    let outcome = store.txn(txn).await.unwrap();
    let seen: Vec<(usize, Option<u64>)> = outcome
        .results
        .iter()
        .map(|result| match result {
            OpResult::Get { items, count } => (items.len(), Some(*count)),
            OpResult::Put | OpResult::Delete { .. } => (0, None),
        })
        .collect();
    assert_eq!(seen, [(1, Some(1)), (0, None), (0, None), (2, Some(3)), (0, None), (0, Some(0))]);
    assert_eq!(outcome.results[3].items()[1].mod_revision, outcome.revision);
}

pub(crate) async fn deletion_of_nothing_takes_no_revision(store: &dyn Store) {
    let revision = put(store, "k", "v").await;
    let txn = Txn::new().then(Op::delete("none")).then(Op::delete_prefix(b"none/"));
    let outcome = store.txn(txn).await.unwrap();
    assert!(outcome.succeeded);
    assert_eq!(outcome.revision, revision);
    assert_eq!(outcome.results, [OpResult::Delete { deleted: 0 }, OpResult::Delete { deleted: 0 }]);
    assert_eq!(put(store, "k", "w").await, revision + 1);
}

pub(crate) async fn one_revision_covers_all_steps(store: &dyn Store) {
    for n in 0..5 {
        put(store, &format!("d/{n}"), "v").await;
    }
    let txn = Txn::new().then(Op::delete_prefix(b"d/")).then(Op::put("a", "1")).then(Op::put("b", "2"));
    let outcome = store.txn(txn).await.unwrap();
    assert_eq!(outcome.results[0], OpResult::Delete { deleted: 5 });
    for key in ["a", "b"] {
        assert_eq!(read(store, key).await.unwrap().mod_revision, outcome.revision);
    }
    assert_eq!(store.revision().await.unwrap(), outcome.revision);
}

pub(crate) async fn malformed_transactions_are_refused(store: &dyn Store) {
    let revision = store.revision().await.unwrap();
    let twice = Txn::new().then(Op::put("k", "1")).then(Op::put("k", "2"));
    assert!(matches!(store.txn(twice).await, Err(StoreError::Invalid { .. })));
    let large = Txn::new().then(Op::put("k", vec![0; um_store::REQUEST_BYTES_MAX]));
    assert!(matches!(store.txn(large).await, Err(StoreError::TooLarge { what: "bytes", .. })));
    assert!(matches!(store.get(&["k".into()], Some(0)).await, Err(StoreError::Invalid { .. })));
    assert_eq!(store.revision().await.unwrap(), revision);
}

pub(crate) async fn concurrent_increments_are_all_kept(store: &dyn Store) {
    put(store, "counter", "0").await;
    let increment = || async {
        for _ in 0..10 {
            loop {
                let item = read(store, "counter").await.unwrap();
                let next = text(&item.value).parse::<u32>().unwrap() + 1;
                let txn = Txn::new()
                    .when(Compare::unchanged("counter", item.mod_revision))
                    .then(Op::put("counter", next.to_string()));
                if store.txn(txn).await.unwrap().succeeded {
                    break;
                }
            }
        }
    };
    futures::future::join_all((0..4).map(|_| increment())).await;
    let item = read(store, "counter").await.unwrap();
    assert_eq!((text(&item.value).as_str(), item.version), ("40", 41));
}

async fn holds(store: &dyn Store, compare: Compare) -> bool {
    store.txn(Txn::new().when(compare)).await.unwrap().succeeded
}
