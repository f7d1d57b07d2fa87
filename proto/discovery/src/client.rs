//! The worker's end, across all its streams: connects, collects updates, has them applied one at a time, answers.
//!
//! ```text
//!          retry due              connected
//! Down ------------> Connecting ------------> Up { receiving parts <-> applying }
//!   ^                    |                      |
//!   +---- lost, refused, silent, violation -----+      loss changes nothing that is in force (rule S6)
//! ```
//! Applying is the driver's: it gets [`Output::Apply`] with the changes against what is in force, and says with
//! [`Session::handle_applied`] what it could not do; that keeps its previous version (rule S2). A lower revision of the
//! same store is never applied, another store's snapshot replaces everything (rule S3), except that an empty snapshot
//! of another store is refused: a wiped store must not wipe the fleet.

mod stream;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::stream::{Received, Stream};
use crate::backoff::Backoff;
use crate::message::{Applied, Failure, FromControl, FromWorker, Hello};
use crate::{Change, Resources, delta};

/// Times and limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Waiting time after the first lost stream; doubles, with jitter.
    pub reconnect_first: Duration,
    /// The longest such time.
    pub reconnect_most: Duration,
    /// A connection attempt is given up after so long.
    pub connect_timeout: Duration,
    /// A stream on which nothing came for so long is given up.
    pub silence: Duration,
    /// A snapshot with more resources than this is a violation.
    pub max_resources: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reconnect_first: Duration::from_millis(200),
            reconnect_most: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            silence: Duration::from_secs(15),
            max_resources: 1_100_000,
        }
    }
}

/// What a worker keeps on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct LastKnownGood<R: Clone> {
    /// Store, revision, and whether all of it is there.
    pub applied: Applied,
    /// The resources in force.
    pub resources: Resources<R>,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<R> {
    /// Open a stream, then call [`Session::handle_connected`] or [`Session::handle_disconnected`].
    Connect,
    /// Send this on the stream.
    Send(FromWorker),
    /// Put these changes in force, then call [`Session::handle_applied`]. One at a time.
    Apply(Apply<R>),
    /// Write to disk what is in force now.
    Persist(Persist<R>),
    /// End the stream; no answer is expected.
    Disconnect(DisconnectReason),
}

/// Changes to put in force together.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply<R> {
    /// The store that counts the revision.
    pub store_id: Arc<str>,
    /// The revision that they lead to.
    pub revision: i64,
    /// The changes against what is in force.
    pub changes: Vec<Change<R>>,
}

/// A step of what is in force, to write to disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Persist<R> {
    /// What is in force after it.
    pub applied: Applied,
    /// The changes against what was in force before; [`Session::in_force`] has all.
    pub changes: Vec<Change<R>>,
}

/// Why this end ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectReason {
    /// It could not be opened in time.
    #[error("the stream could not be opened in time")]
    ConnectTimeout,
    /// Nothing came for too long.
    #[error("nothing came for too long")]
    Silent,
    /// Control offered a lower revision than the one in force.
    #[error("control offered a lower revision than the one in force")]
    Behind,
    /// Control broke the protocol.
    #[error("control broke the protocol: {0}")]
    Violation(&'static str),
}

/// Why a timeout is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    /// Time to connect.
    Reconnect,
    /// The connection attempt takes too long.
    Connect,
    /// Nothing came for too long.
    Silence,
}

/// A worker's discovery across all its streams.
#[derive(Debug)]
pub struct Session<R: Clone> {
    config: Config,
    backoff: Backoff,
    in_force: Resources<R>,
    applied: Option<Applied>,
    link: Link<R>,
    applying: Option<Applying<R>>,
    outputs: VecDeque<Output<R>>,
}

#[derive(Debug)]
enum Link<R: Clone> {
    Down { retry_at: Instant },
    Connecting { until: Instant },
    Up(Stream<R>),
}

/// An update that the driver puts in force.
#[derive(Debug)]
struct Applying<R: Clone> {
    /// Nonce to answer with; not set once its stream is gone.
    nonce: Option<u64>,
    target: Received<R>,
}

impl<R: Clone + PartialEq> Session<R> {
    /// Begins with what was on disk and connects at once; `seed` decides the jitter of reconnects.
    #[must_use]
    pub fn new(config: Config, seed: u64, known: Option<LastKnownGood<R>>, now: Instant) -> Self {
        let (in_force, applied) =
            known.map_or_else(|| (Resources::new(), None), |known| (known.resources, Some(known.applied)));
        let mut session = Self {
            backoff: Backoff::new(config.reconnect_first, config.reconnect_most, seed),
            in_force,
            applied,
            link: Link::Down { retry_at: now },
            applying: None,
            outputs: VecDeque::new(),
            config,
        };
        session.connect_when_due(now);
        session
    }

    /// The stream is open.
    pub fn handle_connected(&mut self, now: Instant) {
        if !matches!(self.link, Link::Connecting { .. }) {
            return;
        }
        // A delta can start from what is in force only where all of it is.
        let known = self.applied.as_ref().filter(|applied| !applied.partial).map(|applied| Received {
            store_id: Arc::clone(&applied.store_id),
            revision: applied.revision,
            resources: self.in_force.clone(),
        });
        self.link = Link::Up(Stream::new(known, now + self.config.silence));
        let hello = Hello { last_applied: self.applied.clone() };
        self.outputs.push_back(Output::Send(FromWorker::Hello(hello)));
    }

    /// The stream is lost, or could not be opened.
    pub fn handle_disconnected(&mut self, now: Instant) {
        if !matches!(self.link, Link::Down { .. }) {
            self.go_down(now);
        }
    }

    /// Takes a message of the stream.
    pub fn handle_message(&mut self, now: Instant, message: FromControl<R>) {
        let Link::Up(stream) = &mut self.link else { return };
        stream.silent_at = now + self.config.silence;
        if self.applying.is_some() && !matches!(message, FromControl::Bookmark { .. }) {
            return self
                .disconnect(now, DisconnectReason::Violation("an update before the last was answered"));
        }
        match stream.handle(message, self.config.max_resources) {
            Err(what) => self.disconnect(now, DisconnectReason::Violation(what)),
            Ok(None) => {}
            Ok(Some((nonce, target))) => self.begin(now, nonce, target),
        }
    }

    /// The driver has put an update in force, but for `failures`.
    pub fn handle_applied(&mut self, now: Instant, failures: Vec<Failure>) {
        let Some(Applying { nonce, target }) = self.applying.take() else { return };
        let mut resources = target.resources;
        for failure in &failures {
            match self.in_force.get(&failure.name) {
                Some(previous) => resources.insert(Arc::clone(&failure.name), previous.clone()),
                None => resources.remove(&failure.name),
            };
        }
        let applied =
            Applied { store_id: target.store_id, revision: target.revision, partial: !failures.is_empty() };
        let changes = delta::diff(&self.in_force, &resources);
        self.in_force = resources;
        self.applied = Some(applied.clone());
        self.answer(now, nonce, target.revision, failures);
        self.outputs.push_back(Output::Persist(Persist { applied, changes }));
        self.connect_when_due(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some((at, reason)) = self.poll_timeout() else { return };
        if at > now {
            return;
        }
        match reason {
            TimeoutReason::Reconnect => self.connect_when_due(now),
            TimeoutReason::Connect => self.disconnect(now, DisconnectReason::ConnectTimeout),
            TimeoutReason::Silence => self.disconnect(now, DisconnectReason::Silent),
        }
    }

    /// Returns what to do next.
    pub fn poll_output(&mut self) -> Option<Output<R>> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`Self::handle_timeout`], and why. While an update is being applied, control is allowed to
    /// be silent and no new stream is opened: the driver's answer comes first.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        if self.applying.is_some() {
            return None;
        }
        match &self.link {
            Link::Down { retry_at } => Some((*retry_at, TimeoutReason::Reconnect)),
            Link::Connecting { until } => Some((*until, TimeoutReason::Connect)),
            Link::Up(stream) => Some((stream.silent_at, TimeoutReason::Silence)),
        }
    }

    /// Begins to apply a complete update, unless the rules forbid it.
    fn begin(&mut self, now: Instant, nonce: u64, target: Received<R>) {
        self.backoff.reset();
        if let Some(applied) = &self.applied {
            if applied.store_id == target.store_id && target.revision < applied.revision {
                return self.disconnect(now, DisconnectReason::Behind);
            }
            if applied.store_id != target.store_id && target.resources.is_empty() && !self.in_force.is_empty()
            {
                let failure = Failure::new(
                    Arc::from(Failure::EVERYTHING),
                    "SNAPSHOT_EMPTY",
                    format!(
                        "an empty snapshot of another store does not replace {} resources",
                        self.in_force.len()
                    ),
                );
                return self.answer(now, Some(nonce), target.revision, vec![failure]);
            }
        }
        let changes = delta::diff(&self.in_force, &target.resources);
        let (store_id, revision) = (Arc::clone(&target.store_id), target.revision);
        self.outputs.push_back(Output::Apply(Apply { store_id, revision, changes }));
        self.applying = Some(Applying { nonce: Some(nonce), target });
    }

    /// Sends the answer to an update, if its stream still stands.
    fn answer(&mut self, now: Instant, nonce: Option<u64>, revision: i64, failures: Vec<Failure>) {
        let (Link::Up(stream), Some(nonce)) = (&mut self.link, nonce) else { return };
        stream.silent_at = now + self.config.silence;
        self.outputs.push_back(Output::Send(if failures.is_empty() {
            FromWorker::Ack { nonce, revision }
        } else {
            FromWorker::Nack { nonce, revision, failures }
        }));
    }

    fn connect_when_due(&mut self, now: Instant) {
        if matches!(self.link, Link::Down { retry_at } if retry_at <= now) && self.applying.is_none() {
            self.link = Link::Connecting { until: now + self.config.connect_timeout };
            self.outputs.push_back(Output::Connect);
        }
    }

    fn disconnect(&mut self, now: Instant, reason: DisconnectReason) {
        self.go_down(now);
        self.outputs.push_back(Output::Disconnect(reason));
    }

    fn go_down(&mut self, now: Instant) {
        self.link = Link::Down { retry_at: now + self.backoff.step() };
        if let Some(applying) = &mut self.applying {
            applying.nonce = None;
        }
        // What was meant for the lost stream must not reach the next one.
        self.outputs.retain(|output| !matches!(output, Output::Send(_)));
    }
}

impl<R: Clone> Session<R> {
    /// Returns all resources in force.
    #[must_use]
    pub const fn in_force(&self) -> &Resources<R> {
        &self.in_force
    }

    /// Returns store and revision in force.
    #[must_use]
    pub const fn applied(&self) -> Option<&Applied> {
        self.applied.as_ref()
    }

    /// Says whether a stream stands.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }
}

#[cfg(test)]
mod tests;
