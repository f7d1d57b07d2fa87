//! The one thread that writes the file.
//!
//! Requests wait in a bounded queue; the thread takes all that wait (up to a limit), applies them
//! in order to one write transaction, commits it with one fsync and only then answers them all.
//! When the commit fails, it opens the file again and looks whether the commit is there, so that
//! the outcome is known even then. Between turns it collects compacted history piecemeal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use redb::Database;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    failure::failed,
    file::StoreFile,
    leases::Leases,
    turn::{Turn, TurnEnd},
};
use crate::{
    error::StoreError,
    item::{LeaseId, Revision},
    txn::{Txn, TxnOutcome},
};

/// Requests that may wait for the writer; more wait in their callers.
pub(super) const QUEUE: usize = 1_024;
/// Most requests of one turn.
const TURN_REQUESTS: usize = 512;
/// Bytes of keys and values after which a turn takes no more requests.
const TURN_BYTES: usize = 8 << 20;
/// Rows of compacted history that are removed between two turns.
const GARBAGE_ENTRIES: usize = 1_000;

/// Free bytes of the disk below which nothing is put any more. The file grows in steps, and a
/// write that fails for lack of space costs opening the file again, during which nothing can be
/// read; so that is left for surprises.
pub(super) const RESERVE: u64 = 64 << 20;

/// Answers one request.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do.
pub(super) enum Request {
    Txn(Txn, Reply<TxnOutcome>),
    /// Lease and time to live in seconds.
    Grant(LeaseId, u64, Reply<()>),
    Revoke(LeaseId, Reply<()>),
    Compact(Revision, Reply<()>),
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Self::Txn(txn, _) => txn.bytes(),
            Self::Grant(..) | Self::Revoke(..) | Self::Compact(..) => 0,
        }
    }

    /// Whether it can make the store's contents grow.
    fn grows(&self) -> bool {
        match self {
            Self::Txn(txn, _) => txn.puts(),
            Self::Grant(..) => true,
            Self::Revoke(..) | Self::Compact(..) => false,
        }
    }
}

/// Where the store stands; watches wait for it to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) revision: Revision,
    /// How often progress was asked for.
    pub(super) progress_asked: u64,
}

/// The writer and what it shares with the rest of the store.
pub(super) struct Writer {
    pub(super) file: Arc<StoreFile>,
    pub(super) head: Arc<watch::Sender<Head>>,
    pub(super) leases: Arc<Leases>,
    /// Set after a failure, cleared by the housekeeper: until then writes are refused without
    /// touching the file, since every further failure would cost opening it again.
    pub(super) hold_off: Arc<AtomicBool>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) last_failure: StoreError,
    pub(super) garbage: bool,
}

/// A request's answer, held back until the commit.
enum Answer {
    Txn(Reply<TxnOutcome>, Result<TxnOutcome, StoreError>),
    Granted(Reply<()>, LeaseId, u64),
    Revoked(Reply<()>, LeaseId, Result<(), StoreError>),
    Done(Reply<()>, Result<(), StoreError>),
}

/// A turn that failed.
struct TurnFailure {
    error: StoreError,
    /// The commit that failed and may nevertheless be in the file.
    committing: Option<TurnEnd>,
}

impl Writer {
    /// Starts the thread; it ends when all senders of requests are gone.
    pub(super) fn start(self) -> Result<(), StoreError> {
        thread::Builder::new()
            .name("um-store-writer".to_owned())
            .spawn(move || self.run())
            .map(|_| ())
            .map_err(|error| StoreError::unavailable(format!("cannot start the writer: {error}")))
    }

    fn run(mut self) {
        while let Some(requests) = self.next_requests() {
            self.serve(requests);
        }
        self.file.close();
    }

    /// Takes what waits, collecting garbage as long as nothing does.
    fn next_requests(&mut self) -> Option<Vec<Request>> {
        while self.garbage && self.requests.is_empty() && !self.requests.is_closed() {
            self.garbage = self.collect_garbage();
        }
        let first = self.requests.blocking_recv()?;
        let mut bytes = first.bytes();
        let mut requests = vec![first];
        while requests.len() < TURN_REQUESTS
            && bytes < TURN_BYTES
            && let Ok(request) = self.requests.try_recv()
        {
            bytes += request.bytes();
            requests.push(request);
        }
        Some(requests)
    }

    fn serve(&mut self, requests: Vec<Request>) {
        if self.hold_off.load(Ordering::Acquire) {
            return refuse(requests, &self.last_failure);
        }
        let requests = self.refuse_growth(requests);
        if requests.is_empty() {
            return;
        }
        let database = match self.file.database() {
            Ok(database) => database,
            Err(_) => match self.reopen().and_then(|_| self.file.database()) {
                Ok(database) => database,
                Err(error) => {
                    self.fail(error);
                    return refuse(requests, &self.last_failure);
                }
            },
        };
        let mut answers = Vec::with_capacity(requests.len());
        match turn(&database, requests, &mut answers) {
            Ok(end) => self.finish(end, answers),
            Err(failure) => {
                drop(database);
                self.recover(failure, answers);
            }
        }
    }

    /// With too little space left, refuses what would need more and returns the rest.
    fn refuse_growth(&self, requests: Vec<Request>) -> Vec<Request> {
        if self.file.free_bytes() >= RESERVE {
            return requests;
        }
        let (growing, rest) = requests.into_iter().partition::<Vec<_>, _>(Request::grows);
        let reason = format!("less than {} MiB of the disk are free", RESERVE >> 20);
        refuse(growing, &StoreError::Full { reason });
        rest
    }

    /// Publishes the new head, then answers.
    fn finish(&mut self, end: TurnEnd, answers: Vec<Answer>) {
        self.publish(end.revision);
        for answer in answers {
            match answer {
                Answer::Txn(reply, outcome) => send(reply, outcome),
                Answer::Granted(reply, lease, ttl_s) => {
                    self.leases.granted(lease, ttl_s);
                    send(reply, Ok(()));
                }
                Answer::Revoked(reply, lease, outcome) => {
                    self.leases.revoked(lease);
                    send(reply, outcome);
                }
                Answer::Done(reply, outcome) => {
                    self.garbage = self.garbage || outcome.is_ok();
                    send(reply, outcome);
                }
            }
        }
    }

    /// After a failed turn: opens the file again and finds out what became of it.
    fn recover(&mut self, failure: TurnFailure, answers: Vec<Answer>) {
        tracing::error!(error = %failure.error, path = %self.file.path.display(), "writing the store failed");
        self.file.close();
        let reopened = self.reopen();
        match (failure.committing, reopened) {
            (Some(end), Ok(turn)) if turn == end.turn => return self.finish(end, answers),
            (Some(_), Err(error)) => {
                self.fail(StoreError::timeout(format!("{}; then: {error}", failure.error)));
            }
            (Some(_), Ok(_)) | (None, _) => self.fail(failure.error),
        }
        for answer in answers {
            let error = self.last_failure.clone();
            match answer {
                Answer::Txn(reply, _) => send(reply, Err(error)),
                Answer::Granted(reply, ..) | Answer::Revoked(reply, ..) | Answer::Done(reply, _) => {
                    send(reply, Err(error));
                }
            }
        }
        // Requests that come while the store holds off did certainly not happen.
        if let StoreError::Timeout { reason } = &self.last_failure {
            self.last_failure = StoreError::unavailable(reason.clone());
        }
    }

    /// Opens the file again; returns the number of its last commit.
    fn reopen(&self) -> Result<i64, StoreError> {
        let opened = self.file.reopen()?;
        self.publish(opened.revision);
        self.leases.restore(&opened.leases);
        Ok(opened.turn)
    }

    fn publish(&self, revision: Revision) {
        self.head.send_if_modified(|head| std::mem::replace(&mut head.revision, revision) != revision);
    }

    fn fail(&mut self, error: StoreError) {
        self.last_failure = error;
        self.hold_off.store(true, Ordering::Release);
    }

    /// Removes some compacted history; returns whether to go on.
    fn collect_garbage(&mut self) -> bool {
        let Ok(database) = self.file.database() else { return false };
        match collect(&database) {
            Ok(more) => more,
            Err(error) => {
                drop(database);
                self.recover(TurnFailure { error: failed(error), committing: None }, Vec::new());
                false
            }
        }
    }
}

/// Applies the requests and commits.
fn turn(
    database: &Database,
    requests: Vec<Request>,
    answers: &mut Vec<Answer>,
) -> Result<TurnEnd, TurnFailure> {
    let broken = |error: StoreError| TurnFailure { error, committing: None };
    let mut requests = requests.into_iter();
    let mut run = || {
        let write = database.begin_write().map_err(|error| failed(error.into()))?;
        let mut turn = Turn::begin(&write).map_err(failed)?;
        for request in requests.by_ref() {
            answers.push(apply(&mut turn, request)?);
        }
        let end = turn.end().map_err(failed)?;
        Ok((write, end))
    };
    match run() {
        Ok((write, end)) if end.changed => write
            .commit()
            .map(|()| end)
            .map_err(|error| TurnFailure { error: failed(error.into()), committing: Some(end) }),
        Ok((write, end)) => write.abort().map(|()| end).map_err(|error| broken(failed(error.into()))),
        Err(error) => {
            refuse(requests, &error);
            Err(broken(error))
        }
    }
}

/// Applies one request; when the file fails, the request is answered here.
fn apply(turn: &mut Turn<'_>, request: Request) -> Result<Answer, StoreError> {
    match request {
        Request::Txn(txn, reply) => {
            let (reply, outcome) = keep(reply, turn.txn(&txn))?;
            Ok(Answer::Txn(reply, outcome))
        }
        Request::Grant(lease, ttl_s, reply) => {
            let (reply, ()) = keep(reply, turn.grant(lease, ttl_s))?;
            Ok(Answer::Granted(reply, lease, ttl_s))
        }
        Request::Revoke(lease, reply) => {
            let (reply, outcome) = keep(reply, turn.revoke(lease))?;
            Ok(Answer::Revoked(reply, lease, outcome))
        }
        Request::Compact(to, reply) => Ok(Answer::Done(reply, turn.compact(to))),
    }
}

/// Keeps the reply for later unless the file failed.
fn keep<T, R>(reply: Reply<T>, served: Result<R, redb::Error>) -> Result<(Reply<T>, R), StoreError> {
    match served {
        Ok(served) => Ok((reply, served)),
        Err(error) => {
            let error = failed(error);
            send(reply, Err(error.clone()));
            Err(error)
        }
    }
}

fn collect(database: &Database) -> Result<bool, redb::Error> {
    let write = database.begin_write()?;
    let mut turn = Turn::begin(&write)?;
    let more = turn.collect_garbage(GARBAGE_ENTRIES)?;
    if turn.end()?.changed {
        write.commit()?;
    } else {
        write.abort()?;
    }
    Ok(more)
}

fn refuse(requests: impl IntoIterator<Item = Request>, error: &StoreError) {
    for request in requests {
        match request {
            Request::Txn(_, reply) => send(reply, Err(error.clone())),
            Request::Grant(_, _, reply) | Request::Revoke(_, reply) | Request::Compact(_, reply) => {
                send(reply, Err(error.clone()));
            }
        }
    }
}

/// Answers; a caller that has gone away does not want to know.
fn send<T>(reply: Reply<T>, outcome: Result<T, StoreError>) {
    let _ = reply.send(outcome);
}
