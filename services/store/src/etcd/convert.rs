//! Between our types and those of the etcd client.

use bytes::Bytes;
use etcd_client as etcd;
use etcd_client::{CompareOp, DeleteOptions, GetOptions, KeyValue, PutOptions, TxnOp, TxnOpResponse};

use crate::{
    error::StoreError,
    item::{Item, LeaseId},
    key::KeyRange,
    txn::{Check, Compare, Op, OpResult, Relation, Txn, TxnOutcome},
};

/// The end of a range in etcd's words; `None` for a single key.
pub(super) fn range_end(keys: &KeyRange) -> Option<Vec<u8>> {
    if keys.is_single() { None } else { Some(keys.end().map_or_else(|| vec![0], Vec::from)) }
}

/// The start of a range in etcd's words, where a key cannot be empty.
pub(super) fn range_start(keys: &KeyRange) -> Vec<u8> {
    if keys.start().is_empty() { vec![0] } else { keys.start().to_vec() }
}

pub(super) fn item(pair: KeyValue) -> Item {
    let pair = pair.0;
    Item {
        key: pair.key.into(),
        value: pair.value.into(),
        create_revision: pair.create_revision,
        mod_revision: pair.mod_revision,
        version: pair.version,
        lease: (pair.lease != 0).then_some(LeaseId(pair.lease)),
    }
}

pub(super) fn get_options(keys: &KeyRange) -> GetOptions {
    let options = GetOptions::new();
    match range_end(keys) {
        Some(end) => options.with_range(end),
        None => options,
    }
}

pub(super) fn txn(txn: &Txn) -> etcd::Txn {
    let compares: Vec<etcd::Compare> = txn.compares.iter().map(compare).collect();
    let then: Vec<TxnOp> = txn.then.iter().map(op).collect();
    let otherwise: Vec<TxnOp> = txn.otherwise.iter().map(op).collect();
    etcd::Txn::new().when(compares).and_then(then).or_else(otherwise)
}

fn compare(compare: &Compare) -> etcd::Compare {
    let key = range_start(&compare.keys);
    let relation = match compare.relation {
        Relation::Equal => CompareOp::Equal,
        Relation::NotEqual => CompareOp::NotEqual,
        Relation::Greater => CompareOp::Greater,
        Relation::Less => CompareOp::Less,
    };
    let condition = match &compare.check {
        Check::Version(version) => etcd::Compare::version(key, relation, *version),
        Check::CreateRevision(revision) => etcd::Compare::create_revision(key, relation, *revision),
        Check::ModRevision(revision) => etcd::Compare::mod_revision(key, relation, *revision),
        Check::Value(value) => etcd::Compare::value(key, relation, value.to_vec()),
    };
    match range_end(&compare.keys) {
        Some(end) => condition.with_range(end),
        None => condition,
    }
}

fn op(op: &Op) -> TxnOp {
    match op {
        Op::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease.0));
            TxnOp::put(key.to_vec(), value.to_vec(), options)
        }
        Op::Get { keys, limit } => {
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            TxnOp::get(range_start(keys), Some(get_options(keys).with_limit(limit)))
        }
        Op::Delete { keys } => {
            let options = range_end(keys).map(|end| DeleteOptions::new().with_range(end));
            TxnOp::delete(range_start(keys), options)
        }
    }
}

/// Reads the answer to a transaction.
pub(super) fn outcome(response: &etcd::TxnResponse) -> Result<TxnOutcome, StoreError> {
    let header = response.header().ok_or_else(|| StoreError::corrupt("an answer of etcd has no header"))?;
    let results = response.op_responses().into_iter().map(result).collect::<Result<_, _>>()?;
    Ok(TxnOutcome { succeeded: response.succeeded(), revision: header.revision(), results })
}

fn result(response: TxnOpResponse) -> Result<OpResult, StoreError> {
    match response {
        TxnOpResponse::Put(_) => Ok(OpResult::Put),
        TxnOpResponse::Get(mut get) => Ok(OpResult::Get {
            count: u64::try_from(get.count()).unwrap_or(0),
            items: get.take_kvs().into_iter().map(item).collect(),
        }),
        TxnOpResponse::Delete(delete) => {
            Ok(OpResult::Delete { deleted: u64::try_from(delete.deleted()).unwrap_or(0) })
        }
        TxnOpResponse::Txn(_) => Err(StoreError::corrupt("etcd answered with a nested transaction")),
    }
}

/// The item of one single-key read.
pub(super) fn first_item(response: TxnOpResponse) -> Result<Option<Item>, StoreError> {
    match result(response)? {
        OpResult::Get { mut items, .. } => Ok(items.pop()),
        OpResult::Put | OpResult::Delete { .. } => {
            Err(StoreError::corrupt("etcd answered a read with a write"))
        }
    }
}

/// A read of one key at a revision.
pub(super) fn read_at(key: &Bytes, at: Option<i64>) -> TxnOp {
    let options = at.map(|at| GetOptions::new().with_revision(at));
    TxnOp::get(key.to_vec(), options)
}
