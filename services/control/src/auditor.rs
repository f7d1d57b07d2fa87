//! Checks that the store keeps the invariants that every write promises (api-design.md 6.3: I1 to I6 and I9).
//!
//! [`Check`] is a pure function of a picture and of all items of the realm at one revision; [`audit`] reads them, and
//! [`run`] does so from time to time. It only reports: what is wrong here was written by a fault of ours or by a hand
//! other than ours, and which side is right is for a person to say.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use um_store::{PAGE_ITEMS_MAX, Store, StoreError};

use crate::{
    error::ApiError,
    keys::Keys,
    picture::Picture,
    publisher::{LoadError, Publisher, load},
};

mod check;

pub use check::Check;

/// Wait before the first audit, and between two.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1_800));
/// Rest between two pages, so that an audit of a large store leaves the store to others.
const REST: Duration = Duration::from_millis(5);
/// Tries to find the picture and the store at the same revision.
const ATTEMPTS: u32 = 10;
/// Violations that are told one by one.
const TOLD: usize = 20;

/// An invariant, by its number in api-design.md 6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// I1: every reference target exists.
    ReferenceTargetExists,
    /// I2: the marks under `ref/` are exactly the inverse of the references in specs.
    ReferenceMarks,
    /// I3: every unique value has exactly one owner, whose spec contains it.
    UniqueOwners,
    /// I4: the etag is the revision of the spec's key; a spec can be read and is what the replica shows.
    Etag,
    /// I5: one audit event per change, in the same revision; the heads move with the specs.
    AuditEvent,
    /// I6: all specs together compile.
    Compiles,
    /// I9: no transaction is larger than the bounds.
    TransactionSize,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The invariant.
    pub invariant: Invariant,
    /// What is wrong, with the key or name.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Revision of the store that was looked at.
    pub revision: i64,
    /// Items that were looked at.
    pub items: usize,
    /// Everything that is wrong.
    pub broken: Vec<Broken>,
}

/// Reads the whole realm and checks it.
///
/// # Errors
///
/// The store does not answer, or its specs make no picture at all.
pub async fn audit(store: &dyn Store, keys: &Keys) -> Result<Report, LoadError> {
    let (picture, revision) = load(store, keys).await?;
    Ok(audit_picture(store, keys, &picture, revision, Duration::ZERO).await?)
}

/// Checks the realm at `revision` against the picture of that revision.
async fn audit_picture(
    store: &dyn Store,
    keys: &Keys,
    picture: &Picture,
    revision: i64,
    rest: Duration,
) -> Result<Report, StoreError> {
    let mut check = Check::new(keys, picture);
    let (mut after, mut items) = (None, 0);
    loop {
        let page = store.scan(&keys.realm(), Some(revision), PAGE_ITEMS_MAX, after.as_deref()).await?;
        page.items.iter().for_each(|item| check.item(item));
        items += page.items.len();
        after = page.items.last().map(|item| item.key.clone());
        if !page.more {
            return Ok(Report { revision, items, broken: check.finish() });
        }
        tokio::time::sleep(rest).await;
    }
}

/// Audits the published picture from time to time until `stop`.
pub async fn run(store: Arc<dyn Store>, keys: Keys, publisher: Publisher, stop: CancellationToken) {
    let mut wait = INTERVAL.0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        wait = INTERVAL.1;
        match audit_published(&*store, &keys, &publisher).await {
            Ok(Some(report)) => tell(&report),
            Ok(None) => tracing::debug!("too much changes to audit the store now"),
            Err(error) => tracing::warn!(%error, "the store cannot be audited now"),
        }
    }
}

/// Audits what this replica shows; nothing when its picture is not the store's newest, again and again.
async fn audit_published(
    store: &dyn Store,
    keys: &Keys,
    publisher: &Publisher,
) -> Result<Option<Report>, ApiError> {
    for _ in 0..ATTEMPTS {
        let found = store.get(&[keys.head()], None).await?;
        let Some(head) = found.items.into_iter().flatten().next() else { return Ok(None) };
        let picture = &publisher.reach(head.mod_revision).await?.picture;
        if picture.revision == head.mod_revision {
            return Ok(Some(audit_picture(store, keys, picture, found.revision, REST).await?));
        }
    }
    Ok(None)
}

fn tell(report: &Report) {
    let Report { revision, items, broken } = report;
    if broken.is_empty() {
        tracing::debug!(revision, items, "the store keeps all invariants");
        return;
    }
    let mut by_invariant = BTreeMap::new();
    for one in broken {
        *by_invariant.entry(one.invariant).or_insert(0_usize) += 1;
    }
    tracing::error!(revision, items, ?by_invariant, "the store is not consistent");
    for one in broken.iter().take(TOLD) {
        tracing::error!(revision, "{one}");
    }
}
