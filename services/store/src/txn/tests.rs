//! The rules that both backends share, checked without a store.

use super::*;

#[test]
fn accepts_a_full_transaction() {
    let mut txn = Txn::new().when(Compare::absent("k")).otherwise(Op::get("k"));
    for n in 0..OPERATIONS_MAX {
        txn = txn.then(Op::put(format!("k{n}"), "v"));
    }
    assert_eq!(txn.check(), Ok(()));
}

#[test]
fn refuses_more_operations_than_the_limit() {
    let mut txn = Txn::new();
    for n in 0..=OPERATIONS_MAX {
        txn = txn.otherwise(Op::get(format!("k{n}")));
    }
    let size = OPERATIONS_MAX + 1;
    assert_eq!(txn.check(), Err(StoreError::TooLarge { what: "operations", size, limit: OPERATIONS_MAX }));
}

#[test]
fn refuses_more_bytes_than_the_limit() {
    let txn = Txn::new().then(Op::put("k", vec![0; REQUEST_BYTES_MAX]));
    let size = REQUEST_BYTES_MAX + 1;
    assert_eq!(txn.check(), Err(StoreError::TooLarge { what: "bytes", size, limit: REQUEST_BYTES_MAX }));
}

#[test]
fn refuses_a_key_put_twice_or_put_and_deleted() {
    let twice = Txn::new().then(Op::put("k", "1")).then(Op::put("k", "2"));
    let both = Txn::new().then(Op::put("a/k", "1")).then(Op::delete_prefix(b"a/"));
    for txn in [twice, both] {
        assert!(matches!(txn.check(), Err(StoreError::Invalid { .. })));
    }
}

#[test]
fn branches_may_write_the_same_key() {
    let txn = Txn::new().then(Op::put("k", "1")).otherwise(Op::delete("k"));
    assert_eq!(txn.check(), Ok(()));
}

#[test]
fn refuses_empty_keys() {
    for txn in [
        Txn::new().then(Op::put("", "v")),
        Txn::new().then(Op::get("")),
        Txn::new().then(Op::delete("")),
        Txn::new().when(Compare::exists("")),
    ] {
        assert!(matches!(txn.check(), Err(StoreError::Invalid { .. })));
    }
}

#[test]
fn only_writing_branches_make_it_a_write() {
    assert!(!Txn::new().when(Compare::exists("k")).then(Op::get("k")).writes());
    assert!(Txn::new().otherwise(Op::delete("k")).writes());
}
