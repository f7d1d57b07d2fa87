//! Every write of the control plane: plan on the published picture, check the whole topology, commit one transaction,
//! and plan anew when somebody else was faster.
//!
//! A write is idempotent by its request id: the outcome is remembered in the same transaction, so a client that never
//! heard the answer may ask again, and a commit whose answer was lost is looked up instead of repeated.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use um_store::{Compare, OPERATIONS_MAX, Op, REQUEST_BYTES_MAX, Store, StoreError, Txn, TxnOutcome};
use um_topology::{Change, Name, Violation, ViolationKind};
use uuid::Uuid;

use self::{leases::Leases, recipe::recipe, requests::Remembered};
use crate::{
    audit::{self, Actor},
    error::ApiError,
    keys::Keys,
    picture::{Changed, Picture},
    publisher::Publisher,
};

mod leases;
mod recipe;
mod requests;
mod steps;
mod wish;

pub use requests::fingerprint;
pub use wish::{Action, Resolved, Wish};

/// How often a write is planned anew before the client is told.
const ATTEMPTS: u32 = 5;
/// Compares or operations beside those of the changes: the request's outcome, the audit event.
const BESIDE: usize = 2;
/// Bytes of one step, below what the store takes.
const STEP_BYTES: usize = REQUEST_BYTES_MAX - 64 * 1024;

/// A write.
#[derive(Debug, Clone)]
pub struct Write {
    /// What is wanted, in the order in which results are given.
    pub wishes: Vec<Wish>,
    /// The client's id for this request.
    pub request_id: Option<Uuid>,
    /// Hash of the request, to tell a repetition from another request.
    pub fingerprint: Vec<u8>,
    /// Check all and write nothing.
    pub validate_only: bool,
    /// Refuse what does not fit one transaction.
    pub atomic: bool,
    /// Refuse when anything but users changed after this revision; 0: do not look.
    pub if_revision: i64,
    /// Who asks.
    pub actor: Actor,
}

/// What a write did, or with `validate_only` would do.
#[derive(Debug, Clone)]
pub struct Written {
    /// One per wish, then one per pruned resource.
    pub results: Vec<Resolved>,
    /// Revision of the last change, or of the picture when there was none.
    pub revision: i64,
}

/// Writes.
#[derive(Debug, Clone)]
pub struct Writer {
    store: Arc<dyn Store>,
    keys: Keys,
    publisher: Publisher,
    leases: Arc<Leases>,
}

enum Attempt {
    /// It is in the store.
    Done(Written),
    /// Nothing is to be written, or it is refused; true as far as the picture is.
    Planned(Box<Result<Written, ApiError>>),
    /// Somebody else wrote first.
    Lost,
}

impl Writer {
    /// Writes to `store` what fits what `publisher` shows.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Keys, publisher: Publisher) -> Self {
        Self { store, keys, publisher, leases: Arc::new(Leases::new()) }
    }

    /// Carries a write out; when it returns, this replica's reads show it.
    ///
    /// Refusals and writes that change nothing hold for what the store held after the write began, whichever replica
    /// wrote it; only with `validate_only` the picture is enough.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the write, or that the store does not take it.
    pub async fn write(&self, write: &Write) -> Result<Written, ApiError> {
        if write.validate_only {
            return self.validate(write);
        }
        // Of many wishes some may need no change, which no compare of the transaction looks after.
        let mut fresh = write.wishes.len() > 1;
        if fresh {
            self.refresh().await?;
        }
        for attempt in 0..ATTEMPTS {
            if let Some(id) = write.request_id
                && let Some(earlier) = self.remembered(id).await?
            {
                return self.repeat(write, id, &earlier).await;
            }
            let published = self.publisher.current()?;
            match self.attempt(write, &published.picture).await? {
                Attempt::Done(written) => return Ok(written),
                Attempt::Planned(planned) => {
                    if fresh || published.revision >= self.head().await? {
                        return *planned;
                    }
                }
                Attempt::Lost => pause(attempt).await,
            }
            self.refresh().await?;
            fresh = true;
        }
        Err(ApiError::WriteConflict)
    }

    fn validate(&self, write: &Write) -> Result<Written, ApiError> {
        let published = self.publisher.current()?;
        let (results, changes) = plan(write, &published.picture)?;
        self.sealable(&changes)?;
        if write.atomic && !changes.is_empty() {
            self.atomic_steps(&changes, &published.picture)?;
        }
        Ok(Written { results, revision: published.picture.revision })
    }

    async fn attempt(&self, write: &Write, picture: &Picture) -> Result<Attempt, ApiError> {
        let (mut results, changes) = match plan(write, picture) {
            Ok(planned) => planned,
            Err(error) => return Ok(Attempt::Planned(Box::new(Err(error)))),
        };
        if let Err(error) = self.sealable(&changes) {
            return Ok(Attempt::Planned(Box::new(Err(error))));
        }
        if changes.is_empty() {
            return Ok(Attempt::Planned(Box::new(Ok(Written { results, revision: picture.revision }))));
        }
        let steps =
            if write.atomic { self.atomic_steps(&changes, picture)? } else { self.steps(&changes, picture) };
        if steps.len() > 1 {
            let revision = self.stepwise(write, steps, &mut results).await?;
            return Ok(Attempt::Done(Written { results, revision }));
        }
        match self.commit(write, write.request_id, &changes, picture).await? {
            Some(revision) => {
                self.show(revision).await;
                wish::settle(&mut results, revision);
                Ok(Attempt::Done(Written { results, revision }))
            }
            None => Ok(Attempt::Lost),
        }
    }

    /// The revision of the last change of any resource, from the store itself.
    ///
    /// # Errors
    ///
    /// The store does not answer.
    pub async fn head(&self) -> Result<i64, ApiError> {
        let found = self.store.get(&[self.keys.head()], None).await?;
        Ok(found.items.into_iter().flatten().next().map_or(0, |item| item.mod_revision))
    }

    /// Waits until the picture has everything that the store holds now.
    async fn refresh(&self) -> Result<(), ApiError> {
        self.publisher.reach(self.head().await?).await.map(drop)
    }

    /// Waits until the picture has what was just committed. It is committed, whether it can be shown or not.
    async fn show(&self, revision: i64) {
        if self.publisher.reach(revision).await.is_err() {
            tracing::warn!(revision, "a committed write does not come back from the store yet");
        }
    }

    /// Commits steps one after the other; each leaves the topology consistent. When one fails, those before it stand
    /// and the results say so.
    async fn stepwise(
        &self,
        write: &Write,
        steps: Vec<Vec<Changed>>,
        results: &mut [Resolved],
    ) -> Result<i64, ApiError> {
        let (mut revision, mut failed) = (0, None);
        let last = steps.len() - 1;
        for (number, step) in steps.into_iter().enumerate() {
            if let Some(error) = &failed {
                wish::fail_named(results, &step, error);
                continue;
            }
            match self.step(write, &step, number == last).await {
                Ok(committed) => {
                    revision = committed;
                    wish::settle_named(results, &step, revision);
                }
                Err(error) if number == 0 => return Err(error),
                Err(error) => {
                    wish::fail_named(results, &step, &error);
                    failed = Some(error);
                }
            }
        }
        Ok(revision)
    }

    /// Commits one step. What others change meanwhile is no obstacle while it is not what the step changes.
    async fn step(&self, write: &Write, step: &[Changed], is_last: bool) -> Result<i64, ApiError> {
        let remember = write.request_id.filter(|_| is_last);
        for attempt in 0..ATTEMPTS {
            let published = self.publisher.current()?;
            let picture = &published.picture;
            if step.iter().any(|change| picture.get(&change.name) != change.before.as_ref()) {
                return Err(ApiError::WriteConflict);
            }
            check(picture, step)?;
            if let Some(revision) = self.commit(write, remember, step, picture).await? {
                self.publisher.reach(revision).await?;
                return Ok(revision);
            }
            pause(attempt).await;
            self.refresh().await?;
        }
        Err(ApiError::WriteConflict)
    }

    /// Refuses secrets where nothing can seal them.
    fn sealable(&self, changes: &[Changed]) -> Result<(), ApiError> {
        let open = self.keys.vault().is_open();
        let secret = |change: &&Changed| change.after.as_ref().is_some_and(|after| after.secret().is_some());
        let refused: Vec<Violation> = changes
            .iter()
            .filter(|change| !open && secret(change))
            .map(|change| Violation {
                resource: change.name.clone(),
                field: "password".to_owned(),
                kind: ViolationKind::Invalid,
                message: "um-control has no key to seal it with: start it with --secret-key FILE".to_owned(),
            })
            .collect();
        if refused.is_empty() { Ok(()) } else { Err(ApiError::Topology(refused)) }
    }

    /// The one step of an atomic write.
    fn atomic_steps(&self, changes: &[Changed], picture: &Picture) -> Result<Vec<Vec<Changed>>, ApiError> {
        let steps = self.steps(changes, picture);
        if steps.len() > 1 {
            let txn = recipe(&self.keys, changes, picture);
            let size = txn.then.len().max(txn.compares.len()) + BESIDE;
            return Err(ApiError::ApplyTooLarge { size, limit: OPERATIONS_MAX });
        }
        Ok(steps)
    }

    /// Puts changes into as few transactions as hold them, in apply order, deletions last and in reverse.
    fn steps(&self, changes: &[Changed], picture: &Picture) -> Vec<Vec<Changed>> {
        if self.fits(changes, picture) {
            return vec![changes.to_vec()];
        }
        let mut steps: Vec<Vec<Changed>> = Vec::new();
        for unit in steps::units(changes) {
            // What no transaction can hold together is tried one by one, and says then what it lacks.
            let alone = if self.fits(&unit, picture) { vec![unit] } else { apart(unit) };
            for unit in alone {
                self.pack(&mut steps, unit, picture);
            }
        }
        steps
    }

    /// Adds changes that belong together to the last step, or begins another one with them.
    fn pack(&self, steps: &mut Vec<Vec<Changed>>, unit: Vec<Changed>, picture: &Picture) {
        let Some(step) = steps.last_mut().filter(|step| step.len() + unit.len() <= OPERATIONS_MAX) else {
            return steps.push(unit);
        };
        let length = step.len();
        step.extend(unit);
        if !self.fits(step, picture) {
            let unit = step.split_off(length);
            steps.push(unit);
        }
    }

    fn fits(&self, changes: &[Changed], picture: &Picture) -> bool {
        let most = OPERATIONS_MAX - BESIDE;
        if changes.len() > most {
            return false;
        }
        let txn = recipe(&self.keys, changes, picture);
        let bytes = |op: &Op| match op {
            Op::Put { key, value, .. } => key.len() + value.len(),
            Op::Get { keys, .. } | Op::Delete { keys } => keys.start().len(),
        };
        txn.compares.len() <= most
            && txn.then.len() <= most
            && txn.then.iter().map(bytes).sum::<usize>() <= STEP_BYTES
    }

    /// Commits one transaction; nothing when a compare did not hold.
    async fn commit(
        &self,
        write: &Write,
        request_id: Option<Uuid>,
        changes: &[Changed],
        picture: &Picture,
    ) -> Result<Option<i64>, ApiError> {
        let id = request_id.unwrap_or_else(Uuid::new_v4);
        let mut txn = recipe(&self.keys, changes, picture);
        let head = self.keys.topology_head();
        if write.if_revision != 0 && txn.compares.iter().all(|compare| *compare.keys.start() != head) {
            txn.compares.push(Compare::unchanged(head, picture.topology_revision));
        }
        let outcome = match self.run(write, id, changes, txn.clone()).await {
            Err(StoreError::LeaseNotFound { .. }) => {
                self.leases.forget().await;
                self.run(write, id, changes, txn).await
            }
            outcome => outcome,
        };
        match outcome {
            Ok(outcome) => Ok(outcome.succeeded.then_some(outcome.revision)),
            Err(error) if error.outcome_unknown() => {
                // The request's own key tells whether it happened; the client repeats if that cannot be read either.
                let remembered = self.remembered(id).await.map_err(|_| ApiError::Store(error.clone()))?;
                match remembered {
                    Some(earlier) => Ok(Some(earlier.revision)),
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn run(
        &self,
        write: &Write,
        id: Uuid,
        changes: &[Changed],
        mut txn: Txn,
    ) -> Result<TxnOutcome, StoreError> {
        let (requests, audit) = self.leases.current(&*self.store).await?;
        let key = self.keys.request(id);
        txn.compares.push(Compare::absent(key.clone()));
        txn.then.push(Op::put_leased(key, requests::encode(&write.fingerprint, changes), requests));
        let event = audit::event(&write.actor, id, changes);
        txn.then.push(Op::put_leased(self.keys.audit(Uuid::now_v7()), event, audit));
        self.store.txn(txn).await
    }

    async fn remembered(&self, id: Uuid) -> Result<Option<Remembered>, ApiError> {
        let found = self.store.get(&[self.keys.request(id)], None).await?;
        Ok(found.items.into_iter().flatten().next().and_then(|item| requests::decode(&item)))
    }

    /// Answers a repeated request with what its resources are now.
    async fn repeat(&self, write: &Write, id: Uuid, earlier: &Remembered) -> Result<Written, ApiError> {
        if earlier.fingerprint != write.fingerprint {
            return Err(ApiError::RequestIdReused(id.to_string()));
        }
        let published = self.publisher.reach(earlier.revision).await?;
        let results = wish::as_they_are(&published.picture, &write.wishes, earlier);
        Ok(Written { results, revision: earlier.revision })
    }
}

/// Holds the wishes against the picture; also returns what is to be changed, which fits the whole topology.
fn plan(write: &Write, picture: &Picture) -> Result<(Vec<Resolved>, Vec<Changed>), ApiError> {
    let changed = picture.topology_revision;
    if write.if_revision != 0 && changed > write.if_revision {
        return Err(ApiError::RevisionChanged { changed });
    }
    let (results, wrong) = wish::resolve(picture, &write.wishes)?;
    let changes: Vec<Changed> = results.iter().filter_map(Resolved::changed).collect();
    let checked = check(picture, &changes);
    if wrong.is_empty() {
        checked?;
        return Ok((results, changes));
    }
    Err(ApiError::Topology(with_the_rest(wrong, checked)))
}

/// Adds to the resources that make no sense what is wrong with the others, unless it may come from the lack of them.
fn with_the_rest(mut wrong: Vec<Violation>, checked: Result<(), ApiError>) -> Vec<Violation> {
    let Err(ApiError::Topology(others)) = checked else { return wrong };
    let left_out: BTreeSet<Name> = wrong.iter().map(|violation| violation.resource.clone()).collect();
    wrong.extend(others.into_iter().filter(|violation| match &violation.kind {
        ViolationKind::Invalid | ViolationKind::LimitReached { .. } => true,
        ViolationKind::ReferenceMissing { target } => !left_out.contains(target),
        ViolationKind::ValueTaken { holder, .. } => !left_out.contains(holder),
        ViolationKind::InUse { .. } | ViolationKind::Incompatible => false,
    }));
    wrong
}

fn apart(unit: Vec<Changed>) -> Vec<Vec<Changed>> {
    unit.into_iter().map(|change| vec![change]).collect()
}

fn check(picture: &Picture, changes: &[Changed]) -> Result<(), ApiError> {
    let model: Vec<Change> = changes.iter().map(model_change).collect();
    picture.topology.apply(picture.revision, &model).map(drop).map_err(ApiError::Topology)
}

/// Waits a little before the next attempt, not all writers for the same time.
async fn pause(attempt: u32) {
    let spread = u64::from(Uuid::new_v4().as_bytes()[0]);
    tokio::time::sleep(Duration::from_micros(spread * 50 * (u64::from(attempt) + 1))).await;
}

fn model_change(change: &Changed) -> Change {
    match &change.after {
        Some(after) => Change::Put(after.model.clone()),
        None => Change::Delete(change.name.clone()),
    }
}
