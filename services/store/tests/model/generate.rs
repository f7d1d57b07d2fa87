//! Random actions over few keys, so that they meet often.

use std::collections::BTreeSet;

use bytes::Bytes;
use um_store::{Check, Compare, KeyRange, LeaseId, Op, Relation, Revision, Txn};

use super::reference::Reference;

/// Something to do on both stores.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Get { keys: Vec<Bytes>, at: Option<Revision> },
    Scan { prefix: Bytes, at: Option<Revision>, limit: usize, after: Option<Bytes> },
    Txn(Txn),
    Compact { to: Revision },
    Grant,
    Revoke { lease: LeaseId },
}

const PREFIXES: [&str; 5] = ["", "a/", "b/", "b/x/", "c"];
const VALUES: [&str; 4] = ["", "1", "2", "22"];

/// A seeded source of choices (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())].clone()
    }

    pub(crate) fn action(&mut self, model: &Reference) -> Action {
        match self.roll(40) {
            0..6 => {
                let count = self.roll(4);
                Action::Get { keys: (0..count).map(|_| self.key()).collect(), at: self.at(model) }
            }
            6..12 => Action::Scan {
                prefix: self.prefix(),
                at: self.at(model),
                limit: self.roll(5),
                after: (self.roll(2) == 0).then(|| self.key()),
            },
            12 => Action::Compact { to: model.oldest() + self.roll(8) as Revision },
            13 => Action::Grant,
            14 => Action::Revoke { lease: self.lease(model) },
            _ => Action::Txn(self.txn(model)),
        }
    }

    /// Prefixes and a revision after the compacted one.
    pub(crate) fn watch(&mut self, model: &Reference) -> (Vec<Bytes>, Revision) {
        let count = 1 + self.roll(2);
        let prefixes = (0..count).map(|_| self.prefix()).collect();
        let span = usize::try_from(model.revision() - model.oldest()).unwrap();
        (prefixes, model.oldest() + 1 + self.roll(span.max(1)) as Revision)
    }

    fn txn(&mut self, model: &Reference) -> Txn {
        let compares = (0..self.roll(3)).map(|_| self.compare(model)).collect();
        Txn { compares, then: self.branch(model), otherwise: self.branch(model) }
    }

    /// Steps in which no key is put twice, or put and deleted.
    fn branch(&mut self, model: &Reference) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut put = BTreeSet::new();
        let mut deleted: Vec<KeyRange> = Vec::new();
        for _ in 0..self.roll(5) {
            let key = self.key();
            match self.roll(6) {
                0 => ops.push(Op::Get { keys: self.range(), limit: self.roll(3) }),
                1 => {
                    let keys = self.range();
                    if !put.iter().any(|key: &Bytes| keys.contains(key)) {
                        deleted.push(keys.clone());
                        ops.push(Op::Delete { keys });
                    }
                }
                _ if deleted.iter().any(|keys| keys.contains(&key)) || !put.insert(key.clone()) => {}
                _ => {
                    let lease = (self.roll(4) == 0).then(|| self.lease(model));
                    ops.push(Op::Put { key, value: self.pick(&VALUES).into(), lease });
                }
            }
        }
        ops
    }

    fn compare(&mut self, model: &Reference) -> Compare {
        let near = model.revision() - self.roll(12) as Revision;
        let check = match self.roll(4) {
            0 => Check::Version(self.roll(3) as i64),
            1 => Check::CreateRevision(if self.roll(2) == 0 { 0 } else { near }),
            2 => Check::ModRevision(near),
            _ => Check::Value(self.pick(&VALUES).into()),
        };
        let relation = self.pick(&[Relation::Equal, Relation::NotEqual, Relation::Greater, Relation::Less]);
        Compare { keys: self.range(), relation, check }
    }

    fn range(&mut self) -> KeyRange {
        if self.roll(3) == 0 { KeyRange::prefix(&self.prefix()) } else { KeyRange::single(self.key()) }
    }

    fn key(&mut self) -> Bytes {
        let prefix = self.pick(&PREFIXES);
        format!("{prefix}{}", self.roll(4)).into()
    }

    fn prefix(&mut self) -> Bytes {
        self.pick(&PREFIXES).into()
    }

    /// Mostly readable, sometimes compacted or in the future.
    fn at(&mut self, model: &Reference) -> Option<Revision> {
        let span = usize::try_from(model.revision() - model.oldest()).unwrap();
        (self.roll(2) == 0).then(|| (model.oldest() - 1 + self.roll(span + 3) as Revision).max(1))
    }

    /// Mostly in force, sometimes unknown.
    fn lease(&mut self, model: &Reference) -> LeaseId {
        if model.leases.is_empty() || self.roll(8) == 0 { LeaseId(0x7777) } else { self.pick(&model.leases) }
    }
}
