//! The store behind umgate: one ordered key space with etcd's semantics, and two backends for it.
//!
//! Everything above this crate speaks the trait [`Store`] and never learns which backend serves it:
//! [`EtcdStore`] keeps the data in an etcd cluster, [`EmbeddedStore`] in one file of this machine.
//! [`open`] chooses by the text an operator writes. What the keys mean is decided by the control
//! plane, not here; this crate only offers the encodings that every key and value share
//! ([`key`], [`value`]).

pub mod key;
pub mod value;

mod embedded;
mod error;
mod etcd;
mod item;
mod opening;
mod status;
mod store;
mod txn;
mod watch;

#[cfg(feature = "testing")]
pub mod testing;

pub use embedded::{EmbeddedOptions, EmbeddedStore, Retention};
pub use error::StoreError;
pub use etcd::EtcdStore;
pub use item::{Found, Item, Lease, LeaseId, Page, Revision};
pub use key::KeyRange;
pub use opening::{Spec, open};
pub use status::{Backend, Snapshot, Status, Warning};
pub use store::{PAGE_ITEMS_MAX, Store};
pub use txn::{Check, Compare, OPERATIONS_MAX, Op, OpResult, REQUEST_BYTES_MAX, Relation, Txn, TxnOutcome};
pub use watch::{Batch, Event, Watch, WatchEvent};
